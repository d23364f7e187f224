"""How bad an event is: the severity numbers of OpenTelemetry's log data model, and their names.

Each name stands for four numbers (WARN is 13 to 16); 0 is not specified.
"""

from __future__ import annotations

DEBUG, INFO, WARNING, ERROR, FATAL = 5, 9, 13, 17, 21
NAMES = ((FATAL, "FATAL"), (ERROR, "ERROR"), (WARNING, "WARN"), (INFO, "INFO"), (DEBUG, "DEBUG"))


def severity_name(severity: int) -> str:
    """Return the name of a severity number."""
    return next((name for least, name in NAMES if severity >= least), "TRACE")
