"""The layers of the project, enforced from the imports themselves; the rules are the tables.

ARCHITECTURE.md says why each layer is where it is. A rule that is broken is named with the chain of
imports that breaks it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator

import pytest

from import_graph import (
    FOR_TERMINALS,
    ROOT,
    Module,
    broken,
    chain,
    cycles,
    foreign_imports,
    modules,
    own_imports,
    reached_from,
)

# package: what it may import of the product, itself included
DIRECTION = {
    "isinglass": {"isinglass"},
    "isinglass_monitor": {"isinglass_monitor", "isinglass"},
    "isinglass_console": {"isinglass_console", "isinglass_monitor", "isinglass"},
}

# modules (pattern): what they must never reach, directly or through others (pattern), and why
UNREACHABLE = [
    (
        r"isinglass\.glass\.(reader|snapshot|snapshot_codec|unpacking|schema|header|panel_views"
        r"|journal|histogram|look|ring_tails|probe_counts)",
        r"isinglass\.glass\.(segment|region|shared|probe|hook|catalog|events|flags|heartbeat)",
        "a reader carries nothing that can write a segment",
    ),
    (
        r"isinglass_console\.widgets\..*",
        r"isinglass_console\.(app|screens\..*)",
        "widgets post messages and take data",
    ),
    (
        r"isinglass_console\.model\..*",
        r"isinglass_console\.(app|screens|widgets|sources)(\..*)?",
        "the model is a function of snapshots",
    ),
    (
        r"isinglass\.cli\.(dump|ps|top|watch|relay)|isinglass\.remote(\..*)?",
        r"isinglass\.(store|wire|client|node)(\..*)?",
        "what looks at a node must work when the node cannot answer",
    ),
]

# modules (pattern): names outside the product that they must not import, and why
SANS_IO = {"asyncio", "lmdb", "os", "select", "socket", "subprocess", "textual", "threading"}
NOT_IMPORTED = [
    (r"isinglass(_monitor)?(\..*)?", {"textual"}, "it is for headless processes"),
    (
        r"isinglass\.remote\.(address|arrivals|message_bodies|frames|looks|pacing)",
        SANS_IO - {"os"},
        "what is said over a link is bytes and times",
    ),
    (
        r"isinglass\.store\.(merge|line|lanes|records|counters|adding|buckets)",
        SANS_IO,
        "the queue and the codecs are sans-IO",
    ),
    (
        r"isinglass\.wire\.(streams|journal|membership|placement|reports)"
        r"|isinglass\.node\.(replica|receiving|publishing|repairs|healing|primary|vectors"
        r"|horizon|roster|verifying|outside)",
        SANS_IO,
        "the protocol takes datagrams and the time as arguments",
    ),
    (
        r"isinglass\.wire\.(messages|bodies|packing|datagrams|replay|calls|handshake|events|event_bodies)",
        SANS_IO,
        "codecs are sans-IO",
    ),
    (
        r"isinglass\.wire\.(admission|backlog|flow|limiters)",
        SANS_IO,
        "flow control takes reports and the time as arguments",
    ),
    (
        r"isinglass\.(node\.(load|watchdog)|emit\.answers)",
        SANS_IO,
        "they take the time as an argument",
    ),
    (r"isinglass_console\.model\..*", SANS_IO | {"rich"}, "the model is pure"),
    (r"isinglass\.(durations|harmless|toml_lines)", SANS_IO, "they say what a text says"),
    (
        r"isinglass_monitor\.spool\.(interval_set|records|streams|batch|retention)"
        r"|isinglass_monitor\.ingest\.(window|sender|intake|figures|backlog)",
        SANS_IO - {"threading"},
        "what came of each event is decided by functions of datagrams and the time",
    ),
    (
        r"isinglass_monitor\.(views|moment|figure_names|scoreboard|statistics|obeying)"
        r"|isinglass_monitor\.alarms\.(alarm|book|findings|grammar|holding|messages"
        r"|notifiers|rules|sights|states)",
        SANS_IO,
        "what is alarming is decided by functions of figures and the time",
    ),
]

# name imported: the only files that may, one a package; or the folder, where it takes several
OWNED = {
    "socket": {"daemon/isinglass/wire/transport/"},
    "socketserver": set[str](),
    "lmdb": {
        "daemon/isinglass/store/engine.py",
        "monitor/isinglass_monitor/spool/segment_file.py",
        "monitor/isinglass_monitor/statistics_store.py",
        "console/isinglass_console/recording/file.py",
    },
    "time": {"daemon/isinglass/clock.py"},
    "asyncssh": {"daemon/isinglass/remote/ssh.py"},
}

# what makes a connection without the module `socket`
CONNECTORS = re.compile(
    r"(open|start)_(unix_)?(connection|server)|create_(unix_)?(connection|server|datagram_endpoint)"
)
TRANSPORTS = "daemon/isinglass/wire/transport/"

CALLED_PURE = re.compile(r"[;.] pure\.", re.IGNORECASE)  # in the first sentence of a module

CLOCK_READERS = {"now", "utcnow", "today"}  # of datetime and date
GLASS_MAY_IMPORT = {"isinglass.errors", "isinglass.clock"}


def matching(pattern: str) -> list[str]:
    """Return the modules whose whole name fits the pattern."""
    return [name for name in modules() if re.fullmatch(pattern, name)]


def is_standard(name: str) -> bool:
    return name in sys.stdlib_module_names


def is_owner(place: str, owners: set[str]) -> bool:
    return any(
        place == owner or (owner.endswith("/") and place.startswith(owner)) for owner in owners
    )


def test_the_rules_look_at_real_modules() -> None:
    assert {"isinglass", "isinglass.glass.reader", "isinglass_console.cli"} <= set(modules())
    for path in {path for owners in OWNED.values() for path in owners}:
        assert (ROOT / path).exists(), f"{path} owns an import, but is not there"
    assert own_imports("isinglass.glass.reader"), "the graph has no edges: it proves nothing"


def test_packages_import_downward_only() -> None:
    broken(
        f"{module.place} imports {target}"
        for name, module in modules().items()
        for target in own_imports(name)
        if target.partition(".")[0] not in DIRECTION[name.partition(".")[0]]
    )


def test_no_import_cycle_even_inside_functions() -> None:
    broken("a cycle of " + ", ".join(ring) for ring in cycles())


def test_the_search_for_cycles_finds_one() -> None:
    graph = {"a": ["b"], "b": ["c"], "c": ["b", "d"], "d": []}
    assert cycles(graph) == [["b", "c"]]


def test_glass_carries_nothing_but_the_standard_library() -> None:
    broken(
        f"{modules()[name].place} imports {target}"
        for name in matching(r"isinglass\.glass(\..*)?")
        for target in (
            {t for t in own_imports(name) if not t.startswith("isinglass.glass")} - GLASS_MAY_IMPORT
        )
        | {t for t in foreign_imports(name) if not is_standard(t)}
    )


@pytest.mark.parametrize(("sources", "targets", "why"), UNREACHABLE)
def test_layers_never_reach_each_other(sources: str, targets: str, why: str) -> None:
    for name in matching(sources):
        via = reached_from([name])
        broken(f"{chain(via, reached)}: {why}" for reached in via if re.fullmatch(targets, reached))


@pytest.mark.parametrize(("sources", "forbidden", "why"), NOT_IMPORTED)
def test_modules_keep_out_what_is_not_theirs(sources: str, forbidden: set[str], why: str) -> None:
    broken(
        f"{modules()[name].place} imports {foreign}: {why}"
        for name in matching(sources)
        for foreign in foreign_imports(name) & forbidden
    )


def test_what_calls_itself_pure_touches_nothing_outside() -> None:
    broken(
        f"{module.place} calls itself pure, and imports {foreign}"
        for name, module in modules().items()
        if CALLED_PURE.search((ast.get_docstring(module.tree) or "").partition("\n\n")[0])
        for foreign in foreign_imports(name) & (SANS_IO - {"threading"})
    )


@pytest.mark.parametrize(("imported", "owners"), OWNED.items())
def test_what_touches_the_world_has_one_owner(imported: str, owners: set[str]) -> None:
    broken(
        f"{module.place} imports {imported}, which is for {sorted(owners) or 'nobody'}"
        for name, module in modules().items()
        if imported in foreign_imports(name) and not is_owner(module.place, owners)
    )


def test_connections_are_made_in_the_transport_alone() -> None:
    broken(
        f"{module.place}:{call.lineno} makes a connection"
        for module in modules().values()
        if not module.place.startswith(TRANSPORTS)
        for call in calls(module)
        if isinstance(call.func, ast.Attribute) and CONNECTORS.fullmatch(call.func.attr)
    )


def test_only_the_clock_tells_the_time() -> None:
    broken(
        f"{module.place}:{call.lineno} asks {ast.unparse(call.func)} for the time"
        for module in modules().values()
        for call in calls(module)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in CLOCK_READERS
        and ast.unparse(call.func.value).split(".")[-1] in ("datetime", "date")
    )


def test_one_file_has_the_textual_app() -> None:
    places = [
        module.place
        for module in modules().values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and any(is_app(base) for base in node.bases)
    ]
    assert places == ["console/isinglass_console/app.py"]


def is_app(base: ast.expr) -> bool:
    """Tell whether a base class is Textual's App, with or without a result type."""
    return ast.unparse(base).partition("[")[0].rpartition(".")[2] == "App"


def calls(module: Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.Call))


def test_rich_is_imported_late_below_the_console() -> None:
    broken(
        f"{modules()[name].place} imports rich at its top: only a terminal needs it"
        for name in matching(r"isinglass(_monitor)?(\..*)?")
        if name not in FOR_TERMINALS
        for statement in modules()[name].tree.body
        if isinstance(statement, ast.Import | ast.ImportFrom)
        and any(n.split(".")[0] == "rich" for n in statement_names(statement))
    )


def statement_names(statement: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    return [statement.module or ""]
