"""The file of `--cluster`: what it names is looked at, what is wrong is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.commands import isinglass, on_terminal
from glass.node_program import NODE
from isinglass.errors import SettingsError
from isinglass_console.cluster_file import nodes_of, read
from isinglass_console.command import COMMAND
from isinglass_console.recording.reading import Recording
from programs import program

FOREST = "# the forest\n\nalder   # here\nssh://ops@db1:2222/birch\nssh://db2/\n"


@pytest.fixture
def forest(tmp_path: Path) -> Path:
    path = tmp_path / "forest.nodes"
    path.write_text(FOREST)
    return path


def test_it_adds_to_what_the_command_line_names(forest: Path) -> None:
    named = ["alder", "ssh://ops@db1:2222/birch", "ssh://db2/"]
    assert read(forest) == named
    values = COMMAND.parse(["oak", "alder", "--cluster", str(forest)])
    assert nodes_of(values) == ["oak", *named]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("alder\nOAK!\n", ":2: 'OAK!' is neither a node's name nor ssh://HOST/NODE."),
        ("# none\n\nalder birch\n", ":3: 'alder birch' is neither a node's name"),
        ("ssh://\n", ":1: '' is no host: an address is ssh://"),
        ("ssh://h/a?way=b\n", ":1: 'ssh://h/a?way=b' is no address of a node"),
        ("# nobody\n", " names no node: write one address a line"),
        ("\udcff\n", " is not text in UTF-8."),
    ],
)
def test_what_cannot_be_used_is_told_with_its_line(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = tmp_path / "file"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(SettingsError) as raised:
        read(path)
    assert str(raised.value).startswith(f"{path}{sentence}")


def test_each_command_says_so_before_it_begins(tmp_path: Path, forest: Path) -> None:
    gone = str(tmp_path / "gone")
    for command in ("record", "mirror"):
        told = isinglass(command, "--cluster", gone, "-o", f"{gone}.recording", expect=2).stderr
        assert told == f"isinglass: {gone} cannot be read: No such file or directory.\n"
    code, shown = on_terminal("console", "--cluster", gone)
    assert code == 2 and "cannot be read" in shown
    assert "not alder" in isinglass("mirror", "--cluster", str(forest), expect=2).stderr
    assert "ADDRESS or --cluster" in isinglass("mirror", expect=2).stderr


def test_the_nodes_of_the_file_are_recorded(tmp_path: Path) -> None:
    file, path = tmp_path / "nodes", tmp_path / "a.recording"
    file.write_text("alder\n")
    with program(NODE):
        line = ("record", "--cluster", str(file), "-o", str(path))
        isinglass(*line, "--interval", "0.1", "--seconds", "0.5")
    recording = Recording(path)
    frame = recording.frame(recording.newest)
    recording.close()
    assert frame is not None and [node.name for node in frame.nodes] == ["alder"]
