"""`kubectl dynamo describe`: one request on one page."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from kubectl_dynamo import stored, suggestions
from kubectl_dynamo.options import global_options
from kubectl_dynamo.session import connect, show, style
from kubectl_dynamo.views.describe import page


@click.command()
@click.argument("name", shell_complete=suggestions.requests)
@click.option("--events/--no-events", default=True, help="Show events")
@global_options
@click.pass_context
def describe(ctx: click.Context, name: str, events: bool) -> None:
    """Show one request: is it fine, what was asked, how far it is, what was chosen, what runs, what went wrong."""
    look = style(ctx)

    story = stored.story(connect(ctx), name, events=events)

    show(page(story, datetime.now(UTC), look), look)
