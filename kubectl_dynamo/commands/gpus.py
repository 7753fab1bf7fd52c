"""`kubectl dynamo gpus`: every GPU that the estimator knows, and how well."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from kubectl_dynamo.options import Output, global_options
from kubectl_dynamo.session import show, style


@click.command()
@click.option(
    "-o",
    "--output",
    "form",
    type=Output(["table", "wide", "json"]),
    default="table",
    help="wide: with links and sources",
)
@global_options
@click.pass_context
def gpus(ctx: click.Context, form: str) -> None:
    """List the GPUs that are known: memory, bandwidth, peak rates, and whether anybody measured them."""
    from profiler import hardware  # help must not pay for it

    found = [hardware.gpu(sku) for sku in hardware.skus()]

    if form == "json":
        show(json.dumps([asdict(gpu) for gpu in found], indent=2))
        return
    from kubectl_dynamo.views import gpus as view

    look = style(ctx)
    show(view.page(found, look, sources=form == "wide"), look)
