"""Settings: where a value comes from, what is refused and how, and the manual's page."""

from __future__ import annotations

import os
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from import_graph import ROOT, modules
from isinglass import settings
from isinglass.errors import SettingsError
from isinglass.setting_kinds import NODE_NAME, size_text

# a value that no setting of this name may have
REFUSED = [
    ("node", "Has-Capitals"),
    ("node", ""),
    ("node", "../up"),
    ("node", "-dash"),
    ("node", "x" * 49),
    ("runtime_dir", "relative/folder"),
    ("data_dir", 7),
    ("durability", "always"),
    ("durability", "commit\n"),
    ("map_size_bytes", "16 parsecs"),
    ("map_size_bytes", 4096),
    ("map_size_bytes", True),
    ("queue_limit_entries", 0),
    ("queue_limit_entries", 1.5),
    ("queue_limit_bytes", "-1"),
    ("batch_limit", None),
    ("gather_seconds", 11),
    ("merge", "perhaps"),
    ("flow_control", "perhaps"),
    ("queue_limit_seconds", "0"),
    ("journal_limit", "9"),
    ("patience_seconds", "0"),
    ("tombstone_seconds", "nan"),
    ("tombstone_seconds", "inf"),
    ("tombstone_seconds", -1),
    ("stop_limit_seconds", 0),
    ("watchdog_limit_seconds", False),
    ("cluster", ""),
    ("cluster", "A shop"),
    ("cluster_key_file", "cluster.key"),
    ("insecure", "perhaps"),
    ("origin_number", 65_536),
    ("multicast_group", "10.0.0.1"),
    ("multicast_group", "224.0.0.1"),
    ("multicast_group", "ff02::1"),
    ("multicast_group", 7),
    ("multicast_port", 0),
    ("interface", ""),
    ("interface", "0.0.0.0"),
    ("interface", "10.0.0"),
    ("interface", "an interface"),
    ("multicast_ttl", 256),
    ("receive_buffer_bytes", "1 KiB"),
    ("log_group", "10.0.0.1"),
    ("log_port", 0),
]


def test_every_setting_has_a_value_that_is_refused() -> None:
    assert {name for name, _ in REFUSED} == set(settings.TABLE)


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_a_bad_flag_is_refused_with_place_and_what_is_allowed(name: str, value: object) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.load({name: value})
    sentence = str(caught.value)
    assert sentence.startswith(f"--{name.replace('_', '-')} cannot be {value!r}: {name} is ")
    assert sentence.endswith(settings.TABLE[name].metadata["kind"].allowed + ".")
    assert caught.value.exit_code == 2


def test_a_bad_value_in_a_file_names_file_and_key(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text('durability = "always"\n')
    with pytest.raises(SettingsError, match=rf"{path}: durability cannot be 'always': .* commit, "):
        settings.load({}, config=path)


def test_a_bad_value_in_the_environment_names_the_variable() -> None:
    with pytest.raises(SettingsError, match="ISINGLASS_MERGE cannot be 'maybe'"):
        settings.load({}, environment={"ISINGLASS_MERGE": "maybe"})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("durabilty = 'none'", "durabilty is no setting; there are node, "),
        ("durability = ", "is not TOML: "),
        (None, "cannot be read: No such file or directory."),
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path: Path, text: str | None, sentence: str) -> None:
    path = tmp_path / "node.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        settings.load({}, config=path)
    assert str(path) in str(caught.value)
    assert sentence in str(caught.value)


def test_a_flag_beats_the_environment_beats_the_file_beats_the_default(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text("batch_limit = 1\ngather_seconds = 1\nqueue_limit_entries = 100\n")
    environment = {"ISINGLASS_BATCH_LIMIT": "2", "ISINGLASS_GATHER_SECONDS": "2"}
    loaded = settings.load({"batch_limit": "3"}, config=path, environment=environment)
    assert (loaded.batch_limit, loaded.gather_seconds, loaded.queue_limit_entries) == (3, 2, 100)
    assert loaded.durability == "second"


def test_every_setting_can_be_set_in_all_three_places(tmp_path: Path) -> None:
    texts = {
        "node": "other",
        "runtime_dir": "/run/elsewhere",
        "data_dir": "/srv/data",
        "durability": "commit",
        "map_size_bytes": "1 GiB",
        "merge": "false",
        "flow_control": "false",
        "journal_limit": "5000",
        "cluster": "shop",
        "cluster_key_file": "/etc/isinglass/cluster.key",
        "insecure": "true",
        "multicast_group": "239.1.2.3",
        "log_group": "239.1.2.4",
        "interface": "eth0",
    }
    for name, row in settings.TABLE.items():
        text = texts.get(name, "64 MiB" if name.endswith("_bytes") else "9")
        written = text if text.isdigit() or text in ("true", "false") else f'"{text}"'
        path = tmp_path / "node.toml"
        path.write_text(f"{name} = {written}\n")
        variable = {f"ISINGLASS_{name.upper()}": text}
        values = [
            getattr(settings.load({name: text}, environment={}), name),
            getattr(settings.load({}, environment=variable), name),
            getattr(settings.load({}, environment={}, config=path), name),
        ]
        assert values[0] == values[1] == values[2] != row.default


def test_a_file_for_another_node_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text('node = "beech"\n')
    assert settings.load({}, config=path, environment={}).node == "beech"
    with pytest.raises(SettingsError, match="is for node beech, not oak"):
        settings.load({"node": "oak"}, config=path)


def test_the_file_of_the_node_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "CONFIG_FOLDER", tmp_path)
    (tmp_path / "oak.toml").write_text("batch_limit = 5\n")
    assert settings.load({"node": "oak"}).batch_limit == 5
    assert settings.load({"node": "elm"}).batch_limit != 5


def test_a_file_of_the_node_that_cannot_be_read_is_no_missing_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "CONFIG_FOLDER", tmp_path)
    (tmp_path / "oak.toml").symlink_to("oak.toml")
    with pytest.raises(SettingsError, match=r"oak\.toml cannot be read: "):
        settings.load({"node": "oak"})


def test_the_places_of_a_node(runtime_dir: Path, data_dir: Path) -> None:
    loaded = settings.load({"node": "oak"})
    assert loaded.node_runtime_dir == runtime_dir / "oak"
    assert loaded.node_data_dir == data_dir / "oak"
    with pytest.raises(FrozenInstanceError):
        loaded.node = "elm"  # type: ignore[misc]


def test_stores_of_ordinary_users_lie_in_their_state_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ISINGLASS_DATA_DIR")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", "/home/alice/state")
    assert settings.data_directory() == Path("/home/alice/state/isinglass")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/alice")
    assert settings.data_directory() == Path("/home/alice/.local/state/isinglass")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert settings.data_directory() == Path("/var/lib/isinglass")


def test_any_host_has_a_node_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for host in ("web1.example.org", "UPPER", "_x_", "é", "9" * 60, "a b"):
        monkeypatch.setattr(os, "uname", lambda host=host: os.uname_result(["", host, "", "", ""]))
        assert NODE_NAME.fullmatch(settings.host_node_name()), host


@given(st.integers(min_value=2**20, max_value=2**44))
def test_a_size_is_read_back_as_it_is_written(size_bytes: int) -> None:
    text = size_text(size_bytes).replace(",", "_").replace(" bytes", " B")
    assert settings.load({"map_size_bytes": text}).map_size_bytes == size_bytes


@pytest.mark.slow
def test_every_setting_is_used() -> None:
    sources = "".join(module.path.read_text("utf-8") for module in modules().values())
    for name in set(settings.TABLE) - {"runtime_dir", "data_dir"}:
        assert f"settings.{name}" in sources, f"nothing reads {name}"


def test_the_page_of_the_manual_is_made_from_the_table() -> None:
    written = (ROOT / "docs" / "settings.md").read_text("utf-8")
    assert written == settings.reference_page(), "run `make docs`"
    for name in settings.TABLE:
        assert f"| `{name}` |" in written
