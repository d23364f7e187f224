"""The demo's nodes: apart from each other demo, everyone at work, and equal when they are."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

import isinglass
from daemon_process import daemon
from isinglass import settings
from isinglass.errors import UsageError
from isinglass.wire import cluster_key
from isinglass_console.demo_convergence import store_digest, wait_until_equal
from isinglass_console.demo_nodes import MOST_NODES, NAMES, cast, cluster_settings


def test_two_demos_are_two_clusters(tmp_path: Path) -> None:
    both = []
    for name in "ab":
        (tmp_path / name).mkdir()
        both.append(cluster_settings(3, tmp_path / name))
    first, second = both
    assert first["ISINGLASS_CLUSTER"] != second["ISINGLASS_CLUSTER"]
    secrets = [cluster_key.load(Path(each["ISINGLASS_CLUSTER_KEY_FILE"])) for each in both]
    assert secrets[0] != secrets[1]
    mode = Path(first["ISINGLASS_CLUSTER_KEY_FILE"]).stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_stores_that_are_kept_stay_in_their_cluster(tmp_path: Path) -> None:
    names = set()
    for name in "ab":
        (tmp_path / name).mkdir()
        wanted = cluster_settings(3, tmp_path / name, tmp_path / "kept")
        names.add(wanted["ISINGLASS_CLUSTER"])
    assert len(names) == 1
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "c").mkdir()
    with pytest.raises(UsageError, match="--data-dir"):
        cluster_settings(3, tmp_path / "c", tmp_path / "file")


def test_the_settings_are_those_of_a_daemon(tmp_path: Path) -> None:
    wanted = cluster_settings(2, tmp_path)
    names = {name.removeprefix("ISINGLASS_").lower() for name in wanted}
    assert names <= set(settings.TABLE)
    loaded = settings.load({"node": "alder"}, environment=wanted)
    assert loaded.interface == "lo"
    assert str(loaded.cluster_key_file) == wanted["ISINGLASS_CLUSTER_KEY_FILE"]


def test_one_node_is_in_no_cluster(tmp_path: Path) -> None:
    assert cluster_settings(1, tmp_path) == {}
    assert not (tmp_path / "cluster.key").exists()


@pytest.mark.parametrize("nodes", range(1, MOST_NODES + 1))
def test_every_node_has_a_counter_and_every_process_a_name(nodes: int) -> None:
    players = cast(NAMES[:nodes], max(3, nodes))
    assert {player["node"] for player in players if player["role"] == "counter"} == set(
        NAMES[:nodes]
    )
    names = [player["process"] for player in players]
    assert len(names) == len(set(names))
    assert {"reader", "scanner"} <= set(names)


def test_a_digest_is_of_the_records_alone(home: Path, data_dir: Path) -> None:
    digests = []
    with daemon("alder") as process:
        for value in (1, 2):
            with isinglass.connect("alder") as database:
                database.create_table("words")
                database.put("words", "a", {"n": value})
            assert wait_until_equal(["alder"], 30) is not None
            process.stop()
            digests.append(store_digest(data_dir / "alder"))
            process.start()
        process.stop()
        shutil.copytree(data_dir / "alder", data_dir / "copy")
        digests += [store_digest(data_dir / "alder"), store_digest(data_dir / "copy")]
    assert digests[0] != digests[1], "another value is another digest"
    assert digests[1:] == [digests[1]] * 3, "a life of the daemon, or another place, is not"


def test_nodes_that_are_not_there_never_become_equal(home: Path) -> None:
    assert wait_until_equal(["nobody"], 0.2) is None
