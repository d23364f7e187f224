"""Every key of the console in one table: the bindings, the help page and the key map come from it.

Each binding has an id. The operator's own keys go by these ids (`keymap`); so do texts that name
keys: they must name his (`named`).

Keys of other screens than the main one say so; what they need not say is on the help page, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from textual.keys import format_key


@dataclass(frozen=True, slots=True)
class Key:
    """One binding: its id, its keys as Textual names them, its action, and its line of help."""

    id: str
    keys: str
    action: str
    group: str
    help: str
    shown: str = ""
    screen: str = "main"


SOURCE, STACKS = "source", "stacks"  # the screens of a thread's source, a process's stacks
KEYS: tuple[Key, ...] = (
    Key("view.overview", "1", "view('overview')", "Views", "overview: every node side by side"),
    Key("view.probes", "2", "view('probes')", "Views", "probes: where each thread is"),
    Key("view.queue", "3", "view('queue')", "Views", "queue: what was merged away, what waits"),
    Key("view.flow", "4", "view('flow')", "Views", "flow: who limits the cluster, who is held up"),
    Key("view.lag", "5", "view('lag')", "Views", "lag: who is behind whom, and how it heals"),
    Key("view.store", "6", "view('store')", "Views", "store and timers"),
    Key("view.log", "7", "view('log')", "Views", "log: the events of all nodes"),
    Key("view.alarms", "8", "view('alarms')", "Views", "alarms: what is wrong, by a monitor"),
    Key("view.panels", "9,p", "view('panels')", "Views", "panels: every field of every process"),
    Key("view.compare", "0", "view('compare')", "Views", "compare: what changed most"),
    Key("view.next", "tab", "view_next(1)", "Views", "the next view"),
    Key("view.previous", "shift+tab", "view_next(-1)", "Views", "the view before"),
    Key("columns", "|", "columns", "Views", "overview: a column a node, or a row"),
    Key("threads.all", "t", "everywhere", "Views", "probes: threads of all nodes, or of one"),
    Key("heat.of", "u", "heat_of", "Views", "hot lines: of thread, process, node, all"),
    Key("zoom", "z", "zoom", "Views", "zoom: the table alone, and back"),
    Key("move.down", "j,down", "move(1)", "Move", "one row down", "j"),
    Key("move.up", "k,up", "move(-1)", "Move", "one row up", "k"),
    Key("move.page_down", "pagedown,ctrl+f", "page(1)", "Move", "one page down", "PgDn"),
    Key("move.page_up", "pageup,ctrl+b", "page(-1)", "Move", "one page up", "PgUp"),
    Key("move.first", "g,home", "move(-100000)", "Move", "the first row", "g"),
    Key("move.last", "G,end", "move(100000)", "Move", "the last row", "G"),
    Key("node.next", "l,right", "node(1)", "Move", "the next node", "l"),
    Key("node.previous", "h,left", "node(-1)", "Move", "the node before", "h"),
    Key("open", "enter", "open", "Move", "open: threads, their source, an event's time"),
    Key("back", "escape", "back", "Move", "back; clears the filter"),
    Key("filter", "slash", "filter", "Find", "show only rows that match (regex; ! inverts)"),
    Key("match.next", "n", "match(1)", "Find", "the next match"),
    Key("match.previous", "N", "match(-1)", "Find", "the match before"),
    Key("log.severity", "v", "log_severity", "Find", "log: only warnings; only errors; all"),
    Key("log.node", "o", "log_node", "Find", "log: only the selected node; all"),
    Key("sort.left", "<,comma", "sort_column(-1)", "Find", "sort by the column to the left", "<"),
    Key("sort.right", ">,full_stop", "sort_column(1)", "Find", "sort by the column right", ">"),
    Key("sort.invert", "I", "sort_invert", "Find", "turn the order round"),
    Key("freeze", "f", "freeze", "Find", "freeze the order of rows"),
    Key("tag", "x", "tag", "Find", "tag the row"),
    Key("copy", "y", "copy", "Find", "copy the row (or the tagged ones)"),
    Key("pause", "space", "pause", "Time", "pause; again: live"),
    Key("step.back", "[", "step(-1)", "Time", "one step back"),
    Key("step.on", "]", "step(1)", "Time", "one step on"),
    Key("step.back_ten", "{", "step(-10)", "Time", "ten steps back"),
    Key("step.on_ten", "}", "step(10)", "Time", "ten steps on"),
    Key("time", "b", "go_to_time", "Time", "go to a time: -3m, -90, 14:02:30"),
    Key("live", "L", "live", "Time", "live again"),
    Key("error.next", "e", "trouble('error',1)", "Time", "the next moment of an error"),
    Key("error.previous", "E", "trouble('error',-1)", "Time", "the error before"),
    Key("warning.next", "w", "trouble('warning',1)", "Time", "the next moment of a warning"),
    Key("warning.previous", "W", "trouble('warning',-1)", "Time", "the warning before"),
    Key("play", "P", "play", "Time", "play on from here; again: pause"),
    Key("play.slower", "(", "speed(-1)", "Time", "play slower"),
    Key("play.faster", ")", "speed(1)", "Time", "play faster"),
    Key("record", "R", "record", "Time", "record to a file; again: end it"),
    Key("save", "O", "save", "Time", "save the last minutes to a file"),
    Key("baseline", "=", "baseline", "Time", "count from now on; again: rates"),
    Key("rate.up", "+", "faster(1)", "Time", "more frames a second"),
    Key("rate.down", "-", "faster(-1)", "Time", "fewer frames a second"),
    Key("stacks", "S", "stacks", "Hands", "Python stacks of the process (touches it)"),
    Key("debug", "d", "debug", "Hands", "switch debug flags of the node, for a time"),
    Key("maintenance", "M", "maintenance", "Hands", "announce maintenance of the node"),
    Key("drain", "D", "drain", "Hands", "drain the node of its clients' writes"),
    Key("export", "X", "export", "Hands", "write hot lines: speedscope, flame graphs"),
    Key("note", "m", "note", "Alarms", "make a note on the timeline, for all to read"),
    Key("alarm.acknowledge", "a", "acknowledge", "Alarms", "take the alarm in hand"),
    Key("alarm.silence", "s", "silence", "Alarms", "silence its rule for its node, for a time"),
    Key("demo.stop", "Z", "deed('stop')", "Demo", "stop the node (SIGSTOP); again: it goes on"),
    Key("demo.kill", "K", "deed('kill')", "Demo", "kill the node (kill -9)"),
    Key("demo.start", "U", "deed('start')", "Demo", "start the node again"),
    Key("source.up", "up,k", "thread(-1)", "Source", "the thread before", "k", SOURCE),
    Key("source.down", "down,j", "thread(1)", "Source", "the next thread", "j", SOURCE),
    Key(
        "source.back",
        "left,h,left_square_bracket",
        "step(-1)",
        "Source",
        "one step back",
        "h",
        SOURCE,
    ),
    Key(
        "source.on", "right,l,right_square_bracket", "step(1)", "Source", "one step on", "l", SOURCE
    ),
    Key("source.page_up", "pageup", "scroll(-10)", "Source", "scroll up", "PgUp", SOURCE),
    Key("source.page_down", "pagedown", "scroll(10)", "Source", "scroll down", "PgDn", SOURCE),
    Key("source.pause", "space", "pause", "Source", "pause; again: live", "", SOURCE),
    Key("source.live", "L", "live", "Source", "live again", "", SOURCE),
    Key(
        "source.heat",
        "u",
        "heat_of",
        "Source",
        "heat of thread, process, node, all nodes",
        "",
        SOURCE,
    ),
    Key("source.leave", "escape,enter,q", "leave", "Source", "back to the views", "Esc", SOURCE),
    Key("stacks.up", "up,k", "scroll(-1)", "Stacks", "scroll up", "k", STACKS),
    Key("stacks.down", "down,j", "scroll(1)", "Stacks", "scroll down", "j", STACKS),
    Key("stacks.page_up", "pageup", "page(-1)", "Stacks", "one page up", "PgUp", STACKS),
    Key("stacks.page_down", "pagedown,space", "page(1)", "Stacks", "one page down", "PgDn", STACKS),
    Key("stacks.copy", "y", "copy", "Stacks", "copy all", "", STACKS),
    Key("stacks.leave", "escape,enter,q", "leave", "Stacks", "back", "Esc", STACKS),
    Key("palette", "colon,ctrl+p", "command_palette", "Console", "command palette", ":"),
    Key("help", "?,f1", "help", "Console", "this page"),
    Key("quit", "q,ctrl+c", "quit", "Console", "quit"),
)
DEMO = "Demo"
# The help page says these for the key and the next one in the table together.
TOGETHER = {
    "view.next": "the next view, the one before",
    "move.down": "one row down, up",
    "move.page_down": "one page down, up",
    "move.first": "the first row, the last",
    "node.next": "the next node, the one before",
    "match.next": "the next match, the one before",
    "sort.left": "sort by the column left, right",
    "step.back": "one step back, on",
    "step.back_ten": "ten steps back, on",
    "error.next": "the next error or worse, the one before",
    "warning.next": "the next warning or worse, the one before",
    "play.slower": "play slower, faster",
    "rate.up": "more or fewer frames a second",
    "stacks.up": "scroll up, down",
    "stacks.page_up": "one page up, down",
    "source.up": "the thread before, the next one",
    "source.back": "one step back, on",
    "source.page_up": "scroll up, down",
}

_NAMES = {
    "slash": "/", "escape": "Esc", "enter": "Enter", "pagedown": "PgDn", "pageup": "PgUp",
    "comma": ",", "full_stop": ".", "tab": "Tab", "shift+tab": "⇧Tab", "home": "Home",
    "end": "End", "colon": ":", "down": "↓", "up": "↑", "left": "←", "right": "→", "f1": "F1",
}  # fmt: skip

_ID = re.compile(r"<([a-z_.]+)>")
_BUILT_IN = {key.id: key.keys for key in KEYS}


def of_screen(screen: str) -> list[Key]:
    """Return the bindings of a screen."""
    return [key for key in KEYS if key.screen == screen]


def shown(key: Key, keymap: Mapping[str, str]) -> str:
    """Return the keys of a binding as the help page prints them."""
    own = keymap.get(key.id)
    if own is None and key.shown:
        return key.shown
    return " ".join(_names(own or key.keys))


def named(text: str, keymap: Mapping[str, str]) -> str:
    """Return a text in which the first key of a binding stands for each `<id>`."""
    return _ID.sub(lambda found: _names(keymap.get(found[1]) or _BUILT_IN[found[1]])[0], text)


def _names(keys: str) -> list[str]:
    """Return keys as they are printed: short, and a sign by itself."""
    parts = (key.strip().rpartition("+") for key in keys.split(","))
    return [
        _NAMES.get(f"{before}{plus}{name}")
        or f"{before}{plus}".replace("ctrl+", "^") + _NAMES.get(name, format_key(name))
        for before, plus, name in parts
    ]


def title(key: Key) -> str:
    """Return what the command palette calls an action."""
    words = f"view {key.help}" if key.id.startswith("view.") else key.help
    return words[:1].upper() + words[1:]


def help_lines(group: str, keymap: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the keys and the help of a group, keys that belong together on one line."""
    lines: list[tuple[str, str]] = []
    keys = [key for key in KEYS if key.group == group]
    for before, key in zip([None, *keys], keys, strict=False):
        if before is not None and before.id in TOGETHER:
            first = lines[-1][0]
            lines[-1] = (f"{first} {shown(key, keymap)}", TOGETHER[before.id])
        else:
            lines.append((shown(key, keymap), key.help))
    return lines


def groups(demo: bool = False) -> list[str]:
    """Return the groups in the order of the table; that of the demo only when there is one."""
    every = dict.fromkeys(key.group for key in KEYS)
    return [group for group in every if demo or group != DEMO]
