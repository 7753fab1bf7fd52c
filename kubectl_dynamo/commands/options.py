"""`kubectl dynamo options`: kubectl's own way to list global flags."""

from __future__ import annotations

import click

from kubectl_dynamo.options import GLOBAL_FLAGS, global_options
from kubectl_dynamo.session import show, style
from kubectl_dynamo.views.tables import fields


@click.command()
@global_options
@click.pass_context
def options(ctx: click.Context) -> None:
    """List the flags that every command takes, before or after the verb."""
    look = style(ctx)
    flags = [(", ".join(flag.names), flag.help) for flag in GLOBAL_FLAGS]
    show("Every command takes these, before or after the verb:\n\n" + fields(flags, look), look)
