"""What a monitor told the console last: a page of its log, its alarms; replaced whole."""

from __future__ import annotations

from dataclasses import dataclass

from isinglass_console.model.alarms import AlarmSheet
from isinglass_console.model.log_page import LogPage


@dataclass(frozen=True, slots=True)
class Told:
    """Nothing of it is there without a monitor; `sentence` then says why, when one was named."""

    monitor: str = ""
    sentence: str = ""
    page: LogPage | None = None
    sheet: AlarmSheet | None = None
