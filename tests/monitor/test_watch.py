"""The watch: files, orders, notifiers and statistics around the alarms, over restarts."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from import_graph import ROOT
from isinglass import clock
from isinglass.errors import SettingsError, StoreLocked
from isinglass_monitor.alarms.notifiers import parse_notifiers
from isinglass_monitor.alarms.rules import default_rules
from isinglass_monitor.orders import LOCK_FILE, MonitorAway, OrderRefused, ask, is_there
from isinglass_monitor.statistics_store import StatisticsFile
from isinglass_monitor.views import NodeView
from isinglass_monitor.watch import Watch, WatchSettings
from programs import program
from waiting import wait_until

SCHEMA = json.loads((ROOT / "docs" / "scoreboard.schema.json").read_text("utf-8"))


class WatchStage:
    """A real watch in its directories; `run` gives it seconds as fast as it takes them."""

    def __init__(self, runtime: Path, data: Path, notifiers: str = "") -> None:
        self.runtime, self.data, self.notifiers = runtime / "monitor", data / "monitor", notifiers
        self.figures: dict[str, dict[str, float | str]] = {}
        self.silent: set[str] = set()
        self.events: list[tuple[int, str, dict[str, object]]] = []
        self.now_ns = clock.monotonic_ns()
        self.watch = self.opened()

    def opened(self) -> Watch:
        settings = WatchSettings(default_rules(), parse_notifiers(self.notifiers, "x"), "orchard")

        def event(severity: int, flag: str, message: str, /, **fields: object) -> None:
            self.events.append((severity, message, fields))

        return Watch("monitor", self.runtime, self.data, settings, event)

    def restart(self) -> None:
        self.watch.close()
        self.watch = self.opened()

    def run(self, seconds: int = 1) -> None:
        for _ in range(seconds):
            self.now_ns += 10**9
            views = {
                node: NodeView(
                    node,
                    self.now_ns - (60 * 10**9 if node in self.silent else 0),
                    "daemon",
                    False,
                    dict(figures),
                )
                for node, figures in self.figures.items()
            }
            self.watch.observe(self.now_ns, views)

    def document(self, name: str) -> Any:
        return json.loads((self.runtime / name).read_text())

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """Give an order as a command does, while the watch goes on."""
        result: list[Any] = []

        def command() -> None:
            try:
                result.append(ask(self.runtime, order))
            except (OrderRefused, MonitorAway) as error:
                result.append(error)

        thread = threading.Thread(target=command)
        thread.start()
        while thread.is_alive():
            self.run()
            thread.join(0.02)
        if isinstance(result[0], Exception):
            raise result[0]
        return dict(result[0])


@pytest.fixture
def scene(runtime_dir: Path, data_dir: Path) -> Iterator[WatchStage]:
    stage = WatchStage(runtime_dir, data_dir)
    yield stage
    stage.watch.close()


def in_trouble(scene: WatchStage) -> int:
    """Fill alder's disk until that is told; return the alarm's number."""
    scene.figures = {"alder": {"store.state": "disk full"}, "birch": {"store.state": "ready"}}
    scene.run(12)
    [alarm] = scene.document("alarms.json")["alarms"]
    assert alarm["told"]
    return int(alarm["number"])


def test_the_scoreboard_file_is_as_its_schema_says(scene: WatchStage) -> None:
    in_trouble(scene)
    scene.silent.add("birch")
    scene.run(1)
    document = scene.document("scoreboard.json")
    jsonschema.validate(document, SCHEMA)
    assert {node["node"]: node["state"] for node in document["nodes"]} == {
        "alder": "up",
        "birch": "lost",
    }


def test_the_log_calls_an_alarm_by_its_number_from_its_beginning_to_its_end(
    scene: WatchStage,
) -> None:
    number = in_trouble(scene)
    scene.figures["alder"]["store.state"] = "ready"
    scene.run(40)
    told = [fields for _, _, fields in scene.events if fields.get("rule") == "store-refuses"]
    assert [fields["what"] for fields in told][-1] == "cleared"
    assert {fields["alarm"] for fields in told} == {number}


def test_an_alarm_is_acknowledged_and_silenced_by_order(scene: WatchStage) -> None:
    number = in_trouble(scene)
    answer = scene.ask({"do": "acknowledge", "alarm": number, "by": "ada"})
    assert answer["alarm"]["state"] == "acknowledged"
    silence = {"do": "silence", "rule": "lag", "node": "*", "by": "ada", "seconds": 60}
    made = scene.ask({**silence, "reason": "known"})["silence"]
    assert made["reason"] == "known"
    with pytest.raises(OrderRefused, match="needs a reason"):
        scene.ask({**silence, "reason": ""})
    assert scene.document("alarms.json")["holdings"]["silences"] == [made]
    scene.ask({"do": "end", "number": made["number"]})
    assert scene.document("alarms.json")["holdings"]["silences"] == []
    assert any(
        m.startswith("alarm 1 acknowledged: store-refuses alder") for _, m, _ in scene.events
    )


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ({"do": "acknowledge", "alarm": 99, "by": "ada"}, "is not raised"),
        ({"do": "acknowledge", "alarm": "1", "by": "ada"}, "a whole number"),
        ({"do": "explode"}, "does not know that order"),
        ({"do": ["end"]}, "does not know that order"),
        ({"do": "end", "number": 7}, "no silence or announcement"),
        ({"do": "test", "notifier": ""}, "no notifiers"),
        ({"do": "test", "notifier": "x"}, "no notifier x"),
        ({"do": "forget", "node": "nobody"}, "no node nobody"),
        ({"do": "announce", "kind": "war", "node": "*", "reason": "x", "by": "y", "seconds": 5},
         "none of chaos"),
        ({"do": "silence", "rule": "a\nb", "node": "*"}, "on one line"),
        ({"do": "silence", "rule": "*", "node": "*", "reason": "x", "by": "y", "seconds": 1e10},
         "how long it lasts"),
    ],
)  # fmt: skip
def test_an_order_that_cannot_be_obeyed_is_refused(
    scene: WatchStage, order: dict[str, Any], why: str
) -> None:
    with pytest.raises(OrderRefused, match=why):
        scene.ask(order)


def test_what_is_no_order_harms_nobody(scene: WatchStage) -> None:
    folder = scene.runtime / "orders"
    (folder / "a.order").write_text("{")
    (folder / "b.order").write_text("[1, 2]")
    (folder / "c.order").write_text('"' + "x" * 100_000 + '"')
    (folder / "d.order").mkdir()
    (folder / "e.order").write_text("[" * 60_000)
    scene.run(2)
    assert "refused" in json.loads((folder / "a.answer").read_text())
    assert not list(folder.glob("[abce].order"))


def test_a_second_watch_in_the_same_place_is_refused(scene: WatchStage) -> None:
    with pytest.raises(StoreLocked):
        scene.opened()


def test_who_looks_whether_a_monitor_is_there_keeps_none_from_starting(scene: WatchStage) -> None:
    scene.watch.close()
    looking = os.open(scene.runtime / LOCK_FILE, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    threading.Timer(0.2, os.close, (looking,)).start()
    scene.watch = scene.opened()
    scene.run(1)


def test_nobody_waits_for_a_monitor_that_is_not_there(runtime_dir: Path) -> None:
    with pytest.raises(MonitorAway, match="No monitor none runs"):
        ask(runtime_dir / "none", {"do": "end", "number": 1})


def test_an_order_to_a_monitor_that_hangs_is_taken_back(scene: WatchStage) -> None:
    with pytest.raises(MonitorAway, match="will not do it later"):
        ask(scene.runtime, {"do": "end", "number": 1}, patience=0.2)
    assert not list((scene.runtime / "orders").iterdir())


ASKING = """
import sys
from pathlib import Path
from isinglass_monitor.orders import ask
print("ready", flush=True)
ask(Path(sys.argv[1]), {"do": "end", "number": 1}, 60.0)
"""


def test_an_order_whose_giver_is_interrupted_is_taken_back(scene: WatchStage) -> None:
    folder = scene.runtime / "orders"
    with program(ASKING, str(scene.runtime)) as process:
        wait_until(lambda: list(folder.glob("*.order")), "the order")
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)
    assert not list(folder.iterdir())


@pytest.mark.root
def test_who_may_only_read_sees_that_a_monitor_is_there(scene: WatchStage) -> None:
    scene.runtime.parent.chmod(0o750)
    os.seteuid(65_534)
    try:
        assert is_there(scene.runtime)
    finally:
        os.seteuid(0)


def test_the_watch_goes_on_after_a_restart(scene: WatchStage) -> None:
    number = in_trouble(scene)
    scene.ask({"do": "acknowledge", "alarm": number, "by": "ada"})
    scene.figures["cedar"] = {}
    scene.run(1)
    del scene.figures["cedar"]
    scene.restart()
    (scene.runtime / "scoreboard.json").unlink()  # as after a boot
    scene.restart()
    scene.run(5)
    [alarm] = scene.document("alarms.json")["alarms"]
    assert (alarm["number"], alarm["state"]) == (number, "acknowledged")
    assert "cedar" in {node["node"] for node in scene.document("scoreboard.json")["nodes"]}
    scene.ask({"do": "forget", "node": "cedar"})
    scene.run(1)
    assert "cedar" not in {node["node"] for node in scene.document("scoreboard.json")["nodes"]}


@pytest.mark.parametrize(
    "damage", ["{", "[]", '{"format": 1}', '{"format": 1, "book": {"format": 1}}']
)
def test_a_damaged_state_is_begun_anew(scene: WatchStage, damage: str) -> None:
    in_trouble(scene)
    scene.watch.close()
    (scene.data / "watch.json").write_text(damage)
    scene.watch = scene.opened()
    scene.run(12)
    assert scene.document("alarms.json")["alarms"]


def test_statistics_are_kept_of_every_node(scene: WatchStage) -> None:
    in_trouble(scene)
    scene.figures["alder"]["queue.length"] = 5.0
    scene.figures["alder"]["store.last_commit"] = 1e18
    for _ in range(3):
        clock.sleep(1.0)
        scene.run()
    scene.watch.close()
    file = StatisticsFile(scene.data / "statistics", writes=False)
    now = clock.wall_ns() // 10**9
    assert {p.mean for p in file.read("alder", "queue.length", now - 60, now + 1)} == {5.0}
    assert file.read("birch", "node.up", now - 60, now + 1)
    assert "store.last_commit" not in file.fields("alder")
    file.close()
    scene.watch = scene.opened()


def test_a_notifier_is_told_and_tried(runtime_dir: Path, data_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "told"
    command = json.dumps(["sh", "-c", f'printf "%s\\n" "$ISINGLASS_SUBJECT" >> {out}'])
    scene = WatchStage(
        runtime_dir,
        data_dir,
        f'[[notifier]]\nname = "log"\nkind = "command"\ncommand = {command}\n',
    )
    try:
        in_trouble(scene)
        assert scene.ask({"do": "test", "notifier": ""})["notifiers"] == ["log"]
        wait_until(lambda: len(out.read_text().splitlines()) == 2, "both messages")
        assert out.read_text().splitlines() == [
            "[orchard] ERROR: store-refuses alder",
            "[orchard] test of a notifier",
        ]
        scene.run(1)
        [notifier] = scene.document("alarms.json")["notifiers"]
        assert (notifier["delivered"], notifier["waiting"]) == (2, 0)
    finally:
        scene.watch.close()


def test_a_file_of_rules_with_an_error_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "alarms.toml"
    path.write_text("[[rule]]\n")
    with pytest.raises(SettingsError, match=r"alarms.toml:1: a rule needs name"):
        WatchSettings.load(path)
    path.write_text('[[notifier]]\nkind = "pigeon"\n')
    with pytest.raises(SettingsError, match=r"alarms.toml:2: a notifier needs its kind"):
        WatchSettings.load(path)
