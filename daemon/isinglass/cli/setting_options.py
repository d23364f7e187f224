"""Settings as options under their own names, made from the table of settings."""

from __future__ import annotations

from pathlib import Path

from isinglass.cli.options import Option
from isinglass.settings import DURABILITIES, TABLE, Settings, default_text, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from isinglass.cli.options import Values


def options_of(names: Iterable[str]) -> tuple[Option, ...]:
    """Return the options of some settings."""
    return tuple(map(_option, names))


def _option(name: str) -> Option:
    row = TABLE[name]
    return Option(
        name.replace("_", "-"),
        f"{row.metadata['help']} Default: {default_text(row).replace('`', '')}.",
        value="" if row.default is False else "VALUE",
        choices=DURABILITIES if name == "durability" else (),
    )


def settings_of(values: Values, names: Iterable[str], node: str = "") -> Settings:
    """Return the settings that the options of these names, and the option `config`, ask for.

    Args:
        node: the node's name; "" when it is not given, either.

    Raises:
        SettingsError: one cannot be used.
    """
    flags: dict[str, object] = {
        name: values.text(option) or values.flag(option)
        for name in names
        if values.given(option := name.replace("_", "-"))
    }
    if node:
        flags["node"] = node
    config = Path(values.text("config")).absolute() if values.given("config") else None
    return load(flags, config=config)
