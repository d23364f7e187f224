"""What a role looks like: derived from the Textual theme, plain where there is no colour.

Roles combine with `+` ("dim+cursor"). Blue and orange, not green and red; what is well is dim, what
is not is bright. Under NO_COLOR and in ANSI themes only the terminal's own colours and weights are
used, so light terminals work too.
"""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style

_ANSI: dict[str, str] = {
    "plain": "",
    "bright": "bold",
    "dim": "dim",
    "rule": "dim",
    "title": "bold",
    "accent": "cyan",
    "bar": "cyan",
    "bar_dim": "bright_blue",
    "spark": "cyan",
    "tick": "bold",
    "changed": "underline",
    "warning": "yellow",
    "bar_warning": "yellow",
    "critical": "bold red",
    "bar_critical": "red",
    "code": "",
    "keyword": "bold",
    "comment": "dim",
    "string": "",
    "banner": "bold reverse",
    "banner_live": "bold",
    "key": "bold",
    "cursor": "bold",
    "stale": "dim",
    "tagged": "bold",
}


def _blend(first: str, second: str, part: float) -> str:
    channels = [
        round(int(first[at : at + 2], 16) * (1 - part) + int(second[at : at + 2], 16) * part)
        for at in (1, 3, 5)
    ]
    return "#{:02x}{:02x}{:02x}".format(*channels)


def _themed(colours: Mapping[str, str]) -> dict[str, str]:
    front, back = colours["foreground"], colours["background"]
    accent, warning, critical = colours["primary"], colours["warning"], colours["error"]
    dim = _blend(front, back, 0.48)
    return {
        "plain": front,
        "bright": f"bold {colours['bright']}",
        "dim": dim,
        "rule": _blend(front, back, 0.76),
        "title": f"bold {_blend(front, back, 0.25)}",
        "accent": accent,
        "bar": accent,
        "bar_dim": _blend(accent, back, 0.5),
        "spark": _blend(accent, back, 0.2),
        "tick": _blend(front, back, 0.2),
        "changed": f"bold {colours['bright']}",
        "warning": warning,
        "bar_warning": warning,
        "critical": f"bold {critical}",
        "bar_critical": critical,
        "code": _blend(front, back, 0.1),
        "keyword": _blend(accent, front, 0.35),
        "comment": dim,
        "string": _blend(front, back, 0.25),
        "banner": f"bold {back} on {warning}",
        "banner_live": f"{dim}",
        "key": _blend(front, back, 0.15),
        "cursor": f"on {_blend(accent, back, 0.80)}",
        "stale": dim,
        "tagged": f"bold {accent}",
    }


class Palette:
    """Roles to styles, remembered; make a new one when the theme changes."""

    def __init__(self, colours: Mapping[str, str] | None) -> None:
        """Take the theme's colours as `#rrggbb`, or None for the terminal's own."""
        self._roles = _themed(colours) if colours is not None else dict(_ANSI)
        self._styles: dict[str, Style] = {}
        self._ground = Style.parse(f"on {colours['background']}") if colours is not None else None

    @property
    def has_ground(self) -> bool:
        """Whether its styles say what is behind the text, too."""
        return self._ground is not None

    def style(self, role: str) -> Style:
        """Return the style of a role or of several joined by `+`."""
        style = self._styles.get(role)
        if style is None:
            style = Style.null()
            for name in role.split("+"):
                style += Style.parse(self._roles.get(name, ""))
            if self._ground is not None:
                style = self._ground + style
            self._styles[role] = style
        return style
