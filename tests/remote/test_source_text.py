"""The text of a node's source files comes from the far side whole, and of no other file."""

from __future__ import annotations

import os
import random
import zlib
from pathlib import Path

import pytest

from isinglass.remote.frames import Kind
from isinglass.remote.message_bodies import TEXT, pack_source, read_source
from isinglass.remote.source_pieces import MOST_BYTES, PIECE_BYTES, SourcePieces
from isinglass.remote.source_text import MOST_STARTS, SourceText
from relay_client import RelayClient, relay

PROGRAM = Path(__file__).parent.parent / "console" / "working_node.py"


def noise(size_bytes: int) -> bytes:
    """Bytes that deflating does not make fewer."""
    return random.Random(size_bytes).randbytes(size_bytes)


def fetched(pieces: SourcePieces, path: str) -> SourceText:
    """Ask for piece after piece until the text is over."""
    text = SourceText(path, 7)
    for _ in range(10 + MOST_BYTES // PIECE_BYTES):
        text.take(pieces.answer(*read_source(text.question())))
        if text.over:
            return text
    raise AssertionError("it never ends")


@pytest.mark.parametrize("size", [1, PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES - 3, MOST_BYTES])
def test_a_file_comes_whole_in_pieces(tmp_path: Path, size: int) -> None:
    path = tmp_path / "worker.py"
    path.write_bytes(noise(size))
    pieces = SourcePieces(lambda: [str(path)])
    assert fetched(pieces, str(path)).content == path.read_bytes()


def test_only_files_that_the_node_names_are_read(tmp_path: Path) -> None:
    other = tmp_path / "secret"
    other.write_text("secret")
    text = fetched(SourcePieces(lambda: [str(tmp_path / "worker.py")]), str(other))
    assert text.content is None
    assert text.refused == "no process of the node says that it runs that file"


def test_what_cannot_be_handed_out_is_said(tmp_path: Path) -> None:
    kinds = {name: tmp_path / name for name in ("large", "empty", "pipe", "gone")}
    kinds["large"].write_bytes(noise(MOST_BYTES + 1))
    kinds["empty"].touch()
    os.mkfifo(kinds["pipe"])
    pieces = SourcePieces(lambda: [str(path) for path in kinds.values()])
    said = {name: fetched(pieces, str(path)).refused for name, path in kinds.items()}
    assert said == {
        "large": "the file is larger than the 1 MiB that are sent",
        "empty": "the file is empty there",
        "pipe": "what is there under that name is no file",
        "gone": "the file cannot be read there: No such file or directory",
    }


def test_a_file_that_changes_between_two_pieces_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "worker.py"
    path.write_bytes(noise(3 * PIECE_BYTES))
    pieces, text = SourcePieces(lambda: [str(path)]), SourceText(str(path), 1)
    text.take(pieces.answer(*read_source(text.question())))
    path.write_bytes(noise(2 * PIECE_BYTES))
    other = SourcePieces(lambda: [str(path)])  # a relay that was started anew
    while not text.over:
        text.take(other.answer(*read_source(text.question())))
    assert text.content == path.read_bytes()


def test_a_file_that_never_stands_still_is_given_up() -> None:
    text = SourceText("worker.py", 1)
    for turn in range(2 * MOST_STARTS):
        offset = read_source(text.question())[1]
        text.take(TEXT.pack(1, offset, 100, turn) + zlib.compress(b"x" * 10))
    assert text.refused == "the file is being written to there, again and again"


def test_an_answer_to_another_question_is_left_out() -> None:
    text = SourceText("worker.py", 2)
    text.take(TEXT.pack(1, 0, 1, zlib.crc32(b"x")) + zlib.compress(b"x"))
    assert not text.over


def piece_of(client: RelayClient, path: str) -> tuple[int, bytes]:
    """Ask a relay for the beginning of a file; return the file's size and what came of it."""
    client.send(Kind.SOURCE, 1, pack_source(1, 0, path))
    message = client.hear()
    assert message.kind == Kind.TEXT
    return TEXT.unpack_from(message.body)[2], zlib.decompress(message.body[TEXT.size :])


def test_a_relay_hands_out_what_the_segment_names(alder: object, tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("secret")
    with relay() as client:
        assert client.hello()["source"] is True
        client.open("alder")
        size, text = piece_of(client, str(PROGRAM))
        assert PROGRAM.read_bytes().startswith(text) and size == PROGRAM.stat().st_size
        for path in (
            str(tmp_path / "other.py"),
            "/etc/passwd",
            f"{PROGRAM.parent}/./{PROGRAM.name}",
        ):
            assert piece_of(client, path)[0] == 0
        client.look()


def test_a_relay_that_shows_no_source_says_so_and_reads_none(alder: object) -> None:
    with relay("--no-source") as client:
        assert client.hello()["source"] is False
        client.open("alder")
        client.send(Kind.SOURCE, 1, pack_source(1, 0, str(PROGRAM)))
        client.look()  # The next thing that comes is a frame.


def test_a_forced_command_keeps_the_source_back(alder: object) -> None:
    forced = {"SSH_ORIGINAL_COMMAND": "isinglass relay"}
    with relay("alder", "--no-source", environment=forced) as client:
        assert client.hello()["source"] is False
    with relay("alder", environment=forced) as client:
        assert client.hello()["source"] is True
