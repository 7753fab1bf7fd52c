"""The command line: one table of commands. Help and completion read the table and load no command."""

from __future__ import annotations

import importlib
from typing import Any, Final, NamedTuple

import click
from click.shell_completion import CompletionItem

from crds.fields import did_you_mean
from kubectl_dynamo import failures
from kubectl_dynamo.options import global_options

PROGRAM: Final = "kubectl dynamo"


class Command(NamedTuple):
    """Where a command lives (`module:attribute`), its line of help and the heading that it stands under."""

    target: str
    help: str
    group: str


_FIND, _CLUSTER, _OTHER = "Find a deployment", "Requests in a cluster", "Other"
COMMANDS: Final = {
    "profile": Command("commands.profile:profile", "Find the best deployment for a request, without a cluster", _FIND),
    "pareto": Command("commands.pareto:pareto", "Draw the Pareto front of finished profiles", _FIND),
    "validate": Command("commands.validate:validate", "Check request files against all rules, offline", _FIND),
    "estimate": Command("commands.estimate:estimate", "Estimate one engine, or every point of a table", _FIND),
    "gpus": Command("commands.gpus:gpus", "List the GPUs that are known, and how well", _FIND),
    "models": Command("commands.models:models", "List the models that are known, or show one", _FIND),
    "create": Command("commands.create:create", "Create a request from flags or a file", _CLUSTER),
    "get": Command("commands.get:get", "List requests, as kubectl get does", _CLUSTER),
    "describe": Command("commands.describe:describe", "Show one request on one page", _CLUSTER),
    "options": Command("commands.options:options", "List the global flags that every command takes", _OTHER),
    "version": Command("commands.version:version", "Print the version", _OTHER),
}


class LazyGroup(click.Group):
    """A group that imports a command when it is typed, and no sooner."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command, or None where the table has no such name."""
        row = COMMANDS.get(cmd_name)
        if row is None:
            return None
        module, _, attribute = row.target.partition(":")
        command = getattr(importlib.import_module(f"kubectl_dynamo.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click, with the command that was meant."""
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            near = did_you_mean(args[0], COMMANDS)
            ctx.fail(f"No such command '{args[0]}'." + (f" Did you mean '{near}'?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The table under its headings."""
        for group in dict.fromkeys(row.group for row in COMMANDS.values()):
            with formatter.section(group):
                formatter.write_dl([(name, row.help) for name, row in COMMANDS.items() if row.group == group])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names from the table, with their line of help."""
        names = [CompletionItem(n, help=row.help) for n, row in COMMANDS.items() if n.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run, and turn whatever goes wrong into text on stderr and an exit code."""
        extra["standalone_mode"] = False
        raise SystemExit(failures.exit_code(lambda: super(LazyGroup, self).main(*args, **extra)))


@click.group(
    cls=LazyGroup,
    epilog="Every command takes kubectl's global flags: kubectl dynamo options",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@global_options
def cli() -> None:
    """From a model, GPUs and a latency target to an NVIDIA Dynamo deployment.

    \b
    kubectl dynamo profile --model Qwen/Qwen3-32B --gpu h200_sxm --gpus 8
    kubectl dynamo create qwen --model Qwen/Qwen3-32B --ttft 500 --itl 30
    kubectl dynamo describe qwen
    """
