# SPDX-License-Identifier: Apache-2.0
"""`shmcov completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import argparse

from shmcov.command_table import Command, Option


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shmcov completion",
        description="Print what a shell needs to complete shmcov's commands and options: "
        "source <(shmcov completion bash), the same with zsh, or "
        "shmcov completion fish | source.",
    )
    parser.add_argument("shell", choices=sorted(SHELLS))
    return parser


def main(argv: list[str], table: list[Command]) -> int:
    print(SHELLS[parser().parse_args(argv).shell](table), end="")
    return 0


# -- bash --

BASH = """\
_shmcov() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} i options values
    local commands="{commands}"
    COMPREPLY=()
    if [[ $COMP_CWORD == 1 ]]; then
        COMPREPLY=($(compgen -W "$commands --help --version" -- "$cur"))
        return
    fi
    case ${{COMP_WORDS[1]}} in
{cases}
    help) options=$commands ;;
    *) return ;;
    esac
    # What follows the program is the program's.
    for ((i = 2; i < COMP_CWORD; i++)); do
        case ${{COMP_WORDS[i]}} in
        --) return ;;
        = | -*) ;;
        *) [[ ${{COMP_WORDS[i-1]}} == = || $values == *" ${{COMP_WORDS[i-1]}} "* ]] || return ;;
        esac
    done
    # --option=value is three words.
    if [[ $cur == = ]]; then cur=; fi
    if [[ $prev == = ]]; then prev=${{COMP_WORDS[COMP_CWORD-2]}}; fi
    case $prev in
{choices}
    esac
    if [[ $values == *" $prev "* ]]; then return; fi
    if [[ $cur == -* || ${{COMP_WORDS[1]}} == @(help|completion) ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$cur"))
    fi
}}
complete -o bashdefault -o default -F _shmcov shmcov
"""


def bash(table: list[Command]) -> str:
    cases = []
    for command in table:
        if command.name == "help":
            continue
        options = [name for option in command.options for name in option.names]
        options += SHELLS if command.name == "completion" else []
        values = [name for option in command.options if option.value for name in option.names]
        cases.append(
            f"    {command.name}) options='{' '.join(options)}' values=' {' '.join(values)} ' ;;"
        )
    choices = dict.fromkeys(
        f"    {'|'.join(option.names)}) "
        f"COMPREPLY=($(compgen -W '{' '.join(option.choices)}' -- \"$cur\")); return ;;"
        for command in table
        for option in command.options
        if option.choices
    )
    names = " ".join(command.name for command in table)
    return BASH.format(commands=names, cases="\n".join(cases), choices="\n".join(choices))


# -- zsh --

ZSH = """\
#compdef shmcov
_shmcov() {{
    local -a commands
    commands=(
{commands}
    )
    if (( CURRENT == 2 )); then
        _describe command commands
        return
    fi
    shift words
    (( CURRENT-- ))
    case $words[1] in
{cases}
    help) _describe command commands ;;
    esac
}}
if [[ $funcstack[1] == _shmcov ]]; then _shmcov "$@"; else compdef _shmcov shmcov; fi
"""


def zsh(table: list[Command]) -> str:
    names = [f"        {_quoted(f'{command.name}:{command.line}')}" for command in table]
    cases = []
    for command in table:
        if command.name == "help":
            continue
        specs = [_zsh_option(option) for option in command.options]
        rest = {
            "bench": "*:::command:_normal",
            "exec": "*:::command:_normal",
            "completion": f":shell:({' '.join(SHELLS)})",
        }
        specs.append(_quoted(rest.get(command.name, "*:file:_files")))
        lines = " \\\n            ".join(specs)
        cases.append(f"    {command.name})\n        _arguments -S {lines} ;;")
    return ZSH.format(commands="\n".join(names), cases="\n".join(cases))


def _zsh_option(option: Option) -> str:
    line = option.line
    for special in "\\[]:":
        line = line.replace(special, f"\\{special}")
    what = f"[{line}]"
    if option.value:
        what += (
            f":{option.value}:({' '.join(option.choices)})" if option.choices else ":value:_files"
        )
    names = [name + "=" * bool(option.value and name.startswith("--")) for name in option.names]
    if len(names) == 1:
        return _quoted(names[0] + what)
    return f"'({' '.join(option.names)})'{{{','.join(names)}}}{_quoted(what)}"


# -- fish --


def fish(table: list[Command]) -> str:
    names = " ".join(command.name for command in table)
    lines = [
        "complete -c shmcov -n __fish_use_subcommand -f -l help -d 'Get help'",
        "complete -c shmcov -n __fish_use_subcommand -f -l version -d 'Show versions'",
        f"complete -c shmcov -n '__fish_seen_subcommand_from help' -f -a '{names}'",
        "complete -c shmcov -n '__fish_seen_subcommand_from completion' -f "
        f"-a '{' '.join(SHELLS)}'",
    ]
    for command in table:
        name = command.name
        lines.append(
            f"complete -c shmcov -n __fish_use_subcommand -f -a {name} -d {_quoted(command.line)}"
        )
        lines += (
            f"complete -c shmcov -n '__fish_seen_subcommand_from {name}' {_fish_option(option)}"
            for option in command.options
        )
    return "\n".join(lines) + "\n"


def _fish_option(option: Option) -> str:
    parts = [
        f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names
    ]
    if option.choices:
        parts.append(f"-x -a {_quoted(' '.join(option.choices))}")
    elif option.value:
        parts.append("-r")
    parts.append(f"-d {_quoted(option.line)}")
    return " ".join(parts)


def _quoted(text: str) -> str:
    """For all three shells."""
    return "'" + text.replace("'", "’") + "'"  # noqa: RUF001


SHELLS = {"bash": bash, "fish": fish, "zsh": zsh}
