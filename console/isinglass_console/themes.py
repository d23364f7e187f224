"""The colours of the console: two themes of its own, and which one suits a terminal."""

from __future__ import annotations

import os

from rich.console import Console
from textual.theme import BUILTIN_THEMES, Theme

from isinglass.cli.options import near
from isinglass.errors import UsageError
from isinglass_console.configuration import Configuration

DARK = Theme(
    name="isinglass",
    primary="#7aa7d9",
    secondary="#7aa7d9",
    accent="#7aa7d9",
    warning="#e0a458",
    error="#f2793a",
    success="#7aa7d9",
    foreground="#c8ccd1",
    background="#14171b",
    surface="#1c2127",
    panel="#1c2127",
    dark=True,
    variables={"bright": "#f2f4f6"},
)
LIGHT = Theme(
    name="isinglass-light",
    primary="#2a6099",
    secondary="#2a6099",
    accent="#2a6099",
    warning="#a65f00",
    error="#b83c00",
    success="#2a6099",
    foreground="#33383d",
    background="#fafaf7",
    surface="#efefea",
    panel="#efefea",
    dark=False,
    variables={"bright": "#000000"},
)


def theme_names() -> list[str]:
    """Return the names of all themes that a console may have."""
    return sorted({DARK.name, LIGHT.name, *BUILTIN_THEMES})


def chosen_theme(asked: str, configuration: Configuration | None, *, served: bool) -> str:
    """Return the theme: the one asked for, or what suits the terminal, or the file's."""
    asked = asked or os.environ.get("TEXTUAL_THEME", "")
    if asked and asked not in theme_names():
        raise UsageError(
            f"there is no theme {asked!r}{near(asked, theme_names())}; there are"
            f" {', '.join(theme_names())}"
        )
    few_colours = Console().color_system in (None, "standard")
    plain = "NO_COLOR" in os.environ or (few_colours and not served)
    own = configuration.theme if configuration is not None else ""
    return asked or ("ansi-dark" if plain else own or DARK.name)
