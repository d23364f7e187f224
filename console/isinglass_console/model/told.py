"""What a monitor told the console last: a page of its log, its alarms; replaced whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from isinglass_console.model.alarms import AlarmSheet
from isinglass_console.model.log_page import LogPage

Past = Mapping[tuple[str, str], Mapping[int, float]]


@dataclass(frozen=True, slots=True)
class Told:
    """Nothing of it is there without a monitor; `sentence` then says why, when one was named.

    `past`: of a node and a figure with a trend, its value at each second that is known.
    """

    monitor: str = ""
    sentence: str = ""
    page: LogPage | None = None
    sheet: AlarmSheet | None = None
    past: Past = field(default_factory=dict)
