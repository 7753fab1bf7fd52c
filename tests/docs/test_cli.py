"""docs/cli.md has every command with its flags, in the commands' own words. `UPDATE_GOLDEN=1 pytest ...` writes it."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from typing import Final

import click

from kubectl_dynamo.cli import COMMANDS, PROGRAM, cli
from kubectl_dynamo.options import GLOBAL_FLAGS
from tests.cluster.controlplane import REPOSITORY

PAGE: Final = REPOSITORY / "docs" / "cli.md"
MARK: Final = "the rest anew -->\n"
OF_ALL: Final = {*(flag.field for flag in GLOBAL_FLAGS), "color"}


def _overview() -> Iterator[str]:
    for group in dict.fromkeys(row.group for row in COMMANDS.values()):
        yield f"\n| {group.lower()} | |\n|---|---|"
        yield from (f"| [`{name}`](#{name}) | {row.help} |" for name, row in COMMANDS.items() if row.group == group)


def _command(name: str, command: click.Command, ctx: click.Context) -> Iterator[str]:
    """A heading, how it is typed, the paragraphs of its help (examples as they are) and its flags."""
    yield f"\n## {name}\n\n```\n{command.get_usage(ctx).removeprefix('Usage: ')}\n```"
    for paragraph in textwrap.dedent((command.help or "").replace("\f", "")).split("\n\n"):
        lines = paragraph.strip().splitlines()
        if lines[0] == "\b":
            yield "\n".join(["\n```", *(line.strip() for line in lines[1:]), "```"])
        else:
            yield "\n" + textwrap.fill(" ".join(line.strip() for line in lines), 120)
    rows = list(_flags(command, ctx))
    if rows:
        yield "\n| flag | meaning |\n|---|---|"
        yield from rows


def _flags(command: click.Command, ctx: click.Context) -> Iterator[str]:
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
        if record and parameter.name not in OF_ALL and "--help" not in parameter.opts:
            spelling, meaning = (text.replace("|", r"\|") for text in record)
            yield f"| `{spelling}` | {meaning} |"


def _generated() -> str:
    lines = [*_overview()]
    root = click.Context(cli, info_name=PROGRAM, terminal_width=100, **cli.context_settings)
    for name in COMMANDS:
        command = cli.get_command(root, name)
        assert command is not None
        lines += _command(name, command, click.Context(command, info_name=name, parent=root, terminal_width=100))
    lines.append("\n## Flags of every command\n\nThey may stand before or after the command.")
    lines.append("\n| flag | meaning |\n|---|---|")
    lines += [f"| `{', '.join(flag.names)}` | {flag.help} |" for flag in GLOBAL_FLAGS]
    lines.append("| `--color [auto\\|always\\|never]` | Colour; auto is for a terminal without NO_COLOR |")
    return "\n".join(lines) + "\n"


def test_the_page_of_commands_is_what_they_say() -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, _, written = text.partition(MARK)
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(before + MARK + _generated(), encoding="utf-8")
        return
    assert written == _generated()


def test_the_page_names_the_commands_that_need_no_cluster() -> None:
    assert "The first six commands need neither a cluster" in PAGE.read_text(encoding="utf-8")
    assert [row.group for row in COMMANDS.values()].count("Find a deployment") == 6
