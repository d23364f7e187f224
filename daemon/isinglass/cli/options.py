"""A command's options as one table, and the small parser that reads a command line by it.

The same table makes the parser, the `--help` text (`cli/help.py`) and the shell completion
(`cli/completion.py`), so none of them can know an option that the others do not. It exists because
`isinglass dump` has about ten milliseconds to load, print and end, and argparse alone takes more
than that to import; so this module imports nothing but the errors.

Grammar, GNU's: `--name value`, `--name=value`, `-n value`, flags without a value, `--` ends the
options, `-` alone is a plain word, and so is `-5` (no option is a digit).
"""

from __future__ import annotations

from isinglass.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Converted = str | float | int | bool | list[str] | None

LAST_PORT = 65_535
GREATEST = 1e9  # as seconds 31 years; the kernel waits for 292 at most


class HelpAsked(Exception):
    """The user asked for the help of a command; carries the command."""

    def __init__(self, command: Command) -> None:
        super().__init__(command.name)
        self.command = command


def _number(text: str) -> float:
    number = float(text)
    if not abs(number) <= GREATEST:  # NaN neither
        raise ValueError(text)
    return number


def _positive(text: str) -> float:
    number = _number(text)
    if number <= 0:
        raise ValueError(text)
    return number


def _not_negative(text: str) -> float:
    number = _number(text)
    if number < 0:
        raise ValueError(text)
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _port(text: str) -> int:
    number = _count(text)
    if number > LAST_PORT:
        raise ValueError(text)
    return number


# kind: (what converts it, what the error calls it)
KINDS: dict[str, tuple[Callable[[str], Converted], str]] = {
    "text": (str, "text"),
    "number": (_number, "a number"),
    "positive": (_positive, "a number above 0"),
    "seconds": (_not_negative, "a number of seconds"),
    "count": (_count, "a whole number above 0"),
    "port": (_port, f"a whole number from 1 to {LAST_PORT:,}"),
}


class Option:
    """One option: `--name`, and its value's word when it takes one."""

    __slots__ = (
        "choices",
        "completes",
        "default",
        "help",
        "kind",
        "name",
        "repeat",
        "short",
        "value",
    )

    def __init__(
        self,
        name: str,
        help: str,  # noqa: A002 - the word that every option library uses
        *,
        value: str = "",
        kind: str = "text",
        short: str = "",
        default: Converted = None,
        choices: Sequence[str] = (),
        repeat: bool = False,
        completes: str = "",
    ) -> None:
        """Describe an option.

        Args:
            name: the long name without its dashes.
            help: one line; the default and the choices are added by the help text.
            value: the word that stands for the value in the help; empty for a flag.
            kind: a key of `KINDS`, for options with a value.
            short: one letter, or empty.
            default: what the command sees when the option is not given.
            choices: the only values allowed, when there is such a list.
            repeat: the option may come several times; its value is then a list.
            completes: what the shell offers for the value: "nodes", "files" or nothing.
        """
        self.name = name
        self.help = help
        self.value = value
        self.kind = kind
        self.short = short
        self.default = default
        self.choices = tuple(choices)
        self.repeat = repeat
        self.completes = completes

    def convert(self, text: str) -> Converted:
        """Turn the text of the command line into the option's value, or raise UsageError."""
        if self.choices and text not in self.choices:
            raise UsageError(f"--{self.name} takes {_either(self.choices)}, not {text!r}.")
        convert, description = KINDS[self.kind]
        try:
            return convert(text)
        except ValueError:
            raise UsageError(f"--{self.name} takes {description}, not {text!r}.") from None


class Positional:
    """One word of the command line that is not an option."""

    __slots__ = ("choices", "completes", "help", "name", "repeat", "required")

    def __init__(
        self,
        name: str,
        help: str,  # noqa: A002 - as for Option
        *,
        required: bool = True,
        repeat: bool = False,
        completes: str = "",
        choices: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.help = help
        self.required = required
        self.repeat = repeat
        self.completes = completes
        self.choices = tuple(choices)


class Values:
    """What a command line said, by the names of the table."""

    __slots__ = ("_words",)

    def __init__(self, words: dict[str, Converted]) -> None:
        self._words = words

    def given(self, name: str) -> bool:
        """Return whether the option or the word has a value, from the user or by default."""
        return self._words.get(name) is not None

    def flag(self, name: str) -> bool:
        """Return whether the flag was given."""
        return self._words.get(name) is True

    def text(self, name: str) -> str:
        """Return the text of an option or word; empty when it has none."""
        value = self._words.get(name)
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        """Return the values of an option or word that may repeat."""
        value = self._words.get(name)
        return value if isinstance(value, list) else []

    def number(self, name: str) -> float:
        """Return the number of an option that has one, given or by default."""
        value = self._words[name]
        if not isinstance(value, int | float):
            raise UsageError(f"--{name} needs a number.")
        return value

    def whole(self, name: str) -> int:
        """Return the whole number of an option of kind "count" or "port"."""
        return int(self.number(name))


class Command:
    """A command's table: its name, one line, its words and its options."""

    __slots__ = ("examples", "name", "notes", "options", "positionals", "summary")

    def __init__(
        self,
        name: str,
        summary: str,
        *,
        positionals: Sequence[Positional] = (),
        options: Sequence[Option] = (),
        notes: Sequence[str] = (),
        examples: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.summary = summary
        self.positionals = tuple(positionals)
        self.options = tuple(options)
        self.notes = tuple(notes)
        self.examples = tuple(examples)

    def parse(self, arguments: Sequence[str]) -> Values:
        """Read a command line.

        Raises:
            HelpAsked: `--help` or `-h` is among the options.
            UsageError: the line does not fit the table; the sentence says where.
        """
        words: dict[str, Converted] = {
            option.name: [] if option.repeat else option.default for option in self.options
        }
        plain: list[str] = []
        place = 0
        while place < len(arguments):
            argument = arguments[place]
            place += 1
            if argument == "--":
                plain.extend(arguments[place:])
                break
            if len(argument) < 2 or argument[0] != "-" or argument[1].isdigit():
                plain.append(argument)
                continue
            place += self._take_option(argument, arguments[place : place + 1], words)
        self._take_plain(plain, words)
        return Values(words)

    def _take_option(
        self, argument: str, following: Sequence[str], words: dict[str, Converted]
    ) -> int:
        """Store one option; return how many of the following words it used up."""
        if argument in ("--help", "-h"):
            raise HelpAsked(self)
        written, has_value, text = argument.partition("=")
        option = self._find(written)
        if not option.value:
            if has_value:
                raise UsageError(f"{written} takes no value.")
            words[option.name] = True
            return 0
        if not has_value and not following:
            raise UsageError(f"{written} needs its value, {option.value}.")
        value = option.convert(text if has_value else following[0])
        earlier = words[option.name]
        if option.repeat and isinstance(earlier, list):
            earlier.append(str(value))
        else:
            words[option.name] = value
        return 0 if has_value else 1

    def _find(self, written: str) -> Option:
        for option in self.options:
            if written == f"--{option.name}" or (option.short and written == f"-{option.short}"):
                return option
        names = ["--help", *(f"--{option.name}" for option in self.options)]
        raise UsageError(
            f"`isinglass {self.name}` has no option {written}{near(written, names)};"
            f" `isinglass {self.name} --help` lists them."
        )

    def _take_plain(self, plain: list[str], words: dict[str, Converted]) -> None:
        rest = list(plain)
        for positional in self.positionals:
            if positional.required and not rest:
                raise UsageError(
                    f"`isinglass {self.name}` needs {positional.name}: {positional.help}"
                )
            if positional.repeat:
                words[positional.name], rest = rest, []
            else:
                words[positional.name] = rest.pop(0) if rest else None
        if rest:
            raise UsageError(f"`isinglass {self.name}` has no use for {rest[0]!r}.")


def near(word: str, names: Sequence[str], most: int = 1) -> str:
    """Return ", did you mean X or Y" for at most so many names that are like `word`, or nothing."""
    from difflib import get_close_matches

    found = get_close_matches(word, names, n=most)
    return f", did you mean {_either(found)}" if found else ""


def _either(choices: Sequence[str]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}" if len(choices) > 1 else choices[0]
