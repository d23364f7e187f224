"""Completion scripts for bash, zsh and fish, made from the commands' own option tables.

Pure: tables in, text out. The scripts ask `isinglass complete-nodes` for the names of nodes, so a
node that started a second ago completes too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from isinglass.cli.options import Command, Option, Positional

NODES = "isinglass complete-nodes 2>/dev/null"
SHELLS = ("bash", "zsh", "fish")


def script(shell: str, lines: Mapping[str, str], tables: Mapping[str, Command]) -> str:
    """Return the completion script of a shell.

    Args:
        shell: one of `SHELLS`.
        lines: every command's name and its line of help.
        tables: the option tables of the commands that have one.
    """
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](lines, tables)


def _names(option: Option) -> list[str]:
    return [f"--{option.name}", *([f"-{option.short}"] if option.short else [])]


def _words(options: Iterable[Option]) -> str:
    return " ".join(["--help", *(f"--{option.name}" for option in options)])


def _offer(completes: str, choices: Sequence[str] = ()) -> str:
    """Return bash's statement that offers what may be a value; empty for nothing."""
    if choices:
        return _of_words(" ".join(choices))
    return {"nodes": _of_words(f"$({NODES})"), "files": "_isinglass_files"}.get(completes, "")


def _of_words(words: str) -> str:
    return f'COMPREPLY+=($(compgen -W "{words}" -- "$word"))'


def _bash(lines: Mapping[str, str], tables: Mapping[str, Command]) -> str:
    cases = "\n".join(_bash_command(name, table) for name, table in tables.items())
    return f"""\
# isinglass completion for bash: eval "$(isinglass completion bash)"
_isinglass_files() {{
    local IFS=$'\\n'
    compopt -o filenames 2>/dev/null
    COMPREPLY+=($(compgen -f -- "$word"))
}}
_isinglass() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}"
    local IFS=$' \\t\\n'
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        {_of_words(f"{' '.join(lines)} --help --version")}
        return
    fi
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
}}
complete -F _isinglass isinglass
"""


def _bash_command(name: str, table: Command) -> str:
    values = "\n".join(
        f"            {'|'.join(_names(option))})"
        f" {_offer(option.completes, option.choices) or ':'}; return ;;"
        for option in table.options
        if option.value
    )
    offers = dict.fromkeys(_offer(word.completes, word.choices) for word in table.positionals)
    plain = "; ".join(filter(None, offers)) or ":"
    before = f'        case "$before" in\n{values}\n        esac\n' if values else ""
    return f"""\
    {name})
{before}        case "$word" in
            -*) {_of_words(_words(table.options))} ;;
            *) {plain} ;;
        esac
        ;;"""


def _zsh(lines: Mapping[str, str], tables: Mapping[str, Command]) -> str:
    names = "\n".join(f"        {_single(f'{name}:{line}')}" for name, line in lines.items())
    cases = "\n".join(_zsh_command(name, table) for name, table in tables.items())
    return f"""\
#compdef isinglass
# isinglass completion for zsh: put this text into a file _isinglass on $fpath
_isinglass_nodes() {{ compadd -- $({NODES}) }}
_isinglass() {{
    local -a names
    names=(
{names}
    )
    if (( CURRENT == 2 )); then
        _describe 'command' names
        return
    fi
    case "$words[2]" in
{cases}
    esac
}}
if [ "$funcstack[1]" = _isinglass ]; then
    _isinglass "$@"
else
    compdef _isinglass isinglass
fi
"""


def _zsh_command(name: str, table: Command) -> str:
    specs = [spec for option in table.options for spec in _zsh_option(option)]
    specs.append("'--help[Show the help.]'")
    specs += _zsh_words(table.positionals)
    joined = " \\\n            ".join(specs)
    return f"""\
    {name})
        shift words; (( CURRENT-- ))
        _arguments {joined}
        ;;"""


def _zsh_words(words: Sequence[Positional]) -> Iterator[str]:
    """Yield what may stand at each place; zsh takes no more than one word that repeats.

    From the first one that does, any place may have what any of the words may be.
    """
    actions = [_zsh_action(word.completes, word.choices) for word in words]
    for place, word in enumerate(words):
        if word.repeat:
            rest = "; ".join(dict.fromkeys(filter(None, actions[place:])))
            yield _single(f"*:{word.name}:{{{rest}}}" if rest else f"*:{word.name}:")
            return
        yield _single(f"{place + 1}:{word.name}:{actions[place]}")


def _zsh_option(option: Option) -> list[str]:
    names, text = _names(option), option.help.replace("[", "(").replace("]", ")")
    before = "*" if option.repeat else f"({' '.join(names)})"
    action = _zsh_action(option.completes, option.choices)
    value = f":{option.value}:{action}" if option.value else ""
    return [_single(f"{before}{name}[{text}]{value}") for name in names]


def _zsh_action(completes: str, choices: Sequence[str]) -> str:
    if choices:
        return f"({' '.join(choices)})"
    return {"nodes": "_isinglass_nodes", "files": "_files"}.get(completes, "")


def _fish(lines: Mapping[str, str], tables: Mapping[str, Command]) -> str:
    out = [
        "# isinglass completion for fish: isinglass completion fish | source",
        "complete -c isinglass -f",
    ]
    for name, line in lines.items():
        out.append(f"complete -c isinglass -n __fish_use_subcommand -a {name} -d {_single(line)}")
    for name, table in tables.items():
        seen = f"complete -c isinglass -n '__fish_seen_subcommand_from {name}'"
        out.extend(f"{seen}{_fish_option(option)}" for option in table.options)
        offers = {word.completes for word in table.positionals}
        choices = [choice for word in table.positionals for choice in word.choices]
        if choices:
            out.append(f"{seen} -a '{' '.join(choices)}'")
        if "nodes" in offers:
            out.append(f"{seen} -a '({NODES})'")
        if "files" in offers:
            out.append(f"{seen} -F")
    return "\n".join(out) + "\n"


def _fish_option(option: Option) -> str:
    short = f" -s {option.short}" if option.short else ""
    value = ""
    if option.choices:
        value = f" -x -a '{' '.join(option.choices)}'"
    elif option.completes == "nodes":
        value = f" -x -a '({NODES})'"
    elif option.value:
        value = " -r -F" if option.completes == "files" else " -x"
    return f" -l {option.name}{short}{value} -d {_single(option.help)}"


def _single(text: str) -> str:
    """Quote for any of the three shells, with single quotes."""
    return "'" + text.replace("'", "'\\''") + "'"
