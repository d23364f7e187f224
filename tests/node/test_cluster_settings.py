"""Which settings of a cluster go together, and what a daemon says when they do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli.commands import isinglass
from isinglass import settings
from isinglass.errors import SettingsError
from isinglass.node.cluster_settings import cluster_of
from isinglass.wire import cluster_key
from isinglass.wire.datagrams import origin_number


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """The file of a new key."""
    path = tmp_path / "cluster.key"
    cluster_key.create(path)
    return path


def load(**given: Any) -> settings.Settings:
    return settings.load({"node": "oak", **given}, environment={})


def test_a_node_is_on_its_own_unless_it_is_told() -> None:
    assert cluster_of(load()) is None


def test_a_cluster_has_its_key_or_says_that_it_has_none(key_file: Path) -> None:
    found = cluster_of(load(cluster="shop", cluster_key_file=str(key_file), multicast_port=9))
    assert found == (
        *("shop", cluster_key.load(key_file), origin_number("oak"), "239.255.73.71", 9, "", 1),
        4 * 2**20,
    )
    found = cluster_of(load(cluster="shop", insecure=True, origin_number=7))
    assert found and (found.key, found.origin) == (b"", 7)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"cluster": "shop"}, "The cluster shop has no cluster_key_file: make one with `isingl"),
        ({"cluster": "shop", "insecure": True, "key": True}, "leave out `insecure`"),
        ({"key": True}, "no cluster: set `cluster`"),
        ({"insecure": True}, "no cluster: set `cluster`"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(
    key_file: Path, given: dict[str, Any], says: str
) -> None:
    given = dict(given)
    if given.pop("key", False):
        given["cluster_key_file"] = str(key_file)
    with pytest.raises(SettingsError, match=says):
        cluster_of(load(**given))


def test_a_daemon_says_it_before_it_makes_anything(runtime_dir: Path, data_dir: Path) -> None:
    for action in ("run", "start"):
        said = isinglass("daemon", action, "oak", "--cluster", "shop", expect=2)
        assert "has no cluster_key_file" in said.stderr
        said = isinglass("daemon", action, "oak", "--insecure", expect=2)
        assert "but no cluster" in said.stderr
    assert list(runtime_dir.iterdir()) == list(data_dir.iterdir()) == []
