"""`isinglass snapshot`: cuts a part out of a recording, for a colleague."""

from __future__ import annotations

from pathlib import Path

from isinglass.cli.options import Command, Option, Positional, Values
from isinglass.cli.printing import JSON, tell
from isinglass.cli.units import counted
from isinglass_console.model import format as text
from isinglass_console.recording.places import SUFFIX
from isinglass_console.recording.reading import Recording
from isinglass_console.recording.slicing import write_slice
from isinglass_monitor.query.times import parse_time

COMMAND = Command(
    "snapshot",
    "Cut a part out of a recording, for a colleague.",
    positionals=(Positional("FILE", "The recording.", completes="files"),),
    options=(
        Option(
            "since",
            "Only from then on: -5m (before the recording's end), 14:05, 2026-11-28 14:05.",
            value="TIME",
            short="S",
        ),
        Option("until", "Only up to then.", value="TIME", short="U"),
        Option(
            "output",
            f"The file to write; FILE with -slice before its {SUFFIX} when left out.",
            value="SLICE",
            short="o",
            completes="files",
        ),
        JSON,
    ),
    notes=(
        "O in the console does the same with the last 15 minutes, which need no recording.",
        "`isinglass console --replay SLICE` shows it.",
    ),
    examples=(
        "isinglass snapshot night.recording --since -5m -o incident.recording",
        "isinglass snapshot night.recording --since 14:00 --until 14:10",
    ),
)


def main(arguments: list[str]) -> int:
    """Write the slice."""
    values = COMMAND.parse(arguments)
    path = Path(values.text("FILE"))
    target = path.with_name(f"{path.stem}-slice{SUFFIX}")
    if values.given("output"):
        target = Path(values.text("output"))
    recording = Recording(path)
    first, last = _period(recording, values)
    frames, entries = recording.frames(first, last), recording.entries(first, last)
    count = write_slice(target, frames, entries, recording.sheet)
    size_bytes = target.stat().st_size
    sentence = f"{counted(count, 'frame')}, {text.size(size_bytes)}: {target}"
    tell(values, sentence, {"file": str(target), "frames": count, "size_bytes": size_bytes})
    return 0


def _period(recording: Recording, values: Values) -> tuple[int, int]:
    """Return the numbers of the first frame and the last; the first is greater if there is none."""
    end_ns = recording.wall_ns(recording.newest)
    first, last = recording.oldest, recording.newest
    if values.given("since"):
        since_ns = parse_time(values.text("since"), end_ns)
        first = recording.number_from(since_ns) + (end_ns < since_ns)
    if values.given("until"):
        until_ns = parse_time(values.text("until"), end_ns)
        last = recording.number_at(until_ns) - (recording.wall_ns(recording.oldest) > until_ns)
    return first, last
