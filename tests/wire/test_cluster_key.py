"""The cluster key file: made private, read back, and every way in which it is none."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest

from cli.commands import isinglass
from isinglass.errors import SettingsError
from isinglass.wire import cluster_key


def test_the_command_makes_a_key_that_its_owner_alone_may_read(tmp_path: Path) -> None:
    path = tmp_path / "cluster.key"
    assert str(path) in isinglass("cluster", "key", str(path)).stdout
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(bytes.fromhex(path.read_text())) == 32
    assert len(cluster_key.load(path)) == 32
    before = path.read_bytes()
    assert "is there already" in isinglass("cluster", "key", str(path), expect=2).stderr
    assert path.read_bytes() == before
    nowhere = isinglass("cluster", "key", str(tmp_path / "no" / "key"), expect=2).stderr
    assert "cannot be made: make its folder first" in nowhere
    assert "did you mean key" in isinglass("cluster", "keys", expect=2).stderr


def test_a_link_to_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert "is there already" in isinglass("cluster", "key", f"{tmp_path}/link", expect=2).stderr
    assert not (tmp_path / "target").exists()


def written(path: Path, text: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(text)
    path.chmod(mode)
    return path


def test_one_key_in_any_notation_is_one_key(tmp_path: Path) -> None:
    raw = os.urandom(48)
    wrapped = base64.encodebytes(raw)
    texts = [raw.hex().encode(), raw.hex().upper().encode() + b"\n", base64.b64encode(raw), wrapped]
    found = {cluster_key.load(written(tmp_path / "key", text)) for text in texts}
    assert len(found) == 1
    assert cluster_key.load(written(tmp_path / "key", os.urandom(48).hex().encode())) not in found


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        (None, 0o600, "is not there: make one with `isinglass cluster key FILE`"),
        (b"a" * 64, 0o640, "may be read by others: run `chmod 600 "),
        (b"a" * 64, 0o604, "may be read by others"),
        (b"a" * 62, 0o600, "holds 31 bytes, 32 are the least"),
        (b"", 0o600, "holds 0 bytes"),
        (b"correct horse battery staple", 0o600, "neither hexadecimal nor base64"),
        (b"\xff" * 64, 0o600, "neither hexadecimal nor base64"),
        (b"a" * 4098, 0o600, "longer than 4,096 bytes"),
    ],
    ids=["none", "group", "others", "short", "empty", "words", "bytes", "long"],
)
def test_what_is_no_key_is_one_sentence(
    tmp_path: Path, text: bytes | None, mode: int, says: str
) -> None:
    path = tmp_path / "key"
    if text is not None:
        written(path, text, mode)
    with pytest.raises(SettingsError) as caught:
        cluster_key.load(path)
    assert says in str(caught.value) and str(path) in str(caught.value)
    assert caught.value.exit_code == 2


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is no file"):
        cluster_key.load(tmp_path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(SettingsError, match="is no file"):
        cluster_key.load(tmp_path / "pipe")


@pytest.mark.root
def test_a_key_of_another_user_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "key", b"a" * 64)
    os.chown(path, 12345, 12345)
    with pytest.raises(SettingsError, match="belongs to another user"):
        cluster_key.load(path)
