"""`kubectl dynamo models`: the models that are known, or what one of them needs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from crds.errors import InputError, UnknownModel
from kubectl_dynamo import suggestions
from kubectl_dynamo.options import Output, global_options, online_option
from kubectl_dynamo.session import show, style

if TYPE_CHECKING:
    from profiler.models import Model


@click.command()
@click.argument("words", metavar="[NAME | WORD...]", nargs=-1, shell_complete=suggestions.models)
@click.option("-o", "--output", "form", type=Output(["table", "json"]), default="table", help="json: as data")
@online_option
@global_options
@click.pass_context
def models(ctx: click.Context, words: tuple[str, ...], form: str, online: bool) -> None:
    """List the models of the catalogue, those with all words in their name, or show what one model needs.

    \b
    kubectl dynamo models deepseek
    kubectl dynamo models nvidia qwen3 nvfp4
    kubectl dynamo models Qwen/Qwen3-32B-FP8
    kubectl dynamo models ./my-checkpoint
    """
    found = _named(words, online)

    if form == "json":
        rows = [_row(model) for model in found]
        show(json.dumps(rows, indent=2))
        return
    from kubectl_dynamo.views import models as view

    look = style(ctx)
    if [model.name for model in found] == list(words):
        from profiler import hardware  # numpy, only where a model is weighed
        from profiler.search import needs

        rows_of_gpus = needs.needs(found[0], [hardware.gpu(sku) for sku in hardware.skus()])
        show(view.one(found[0], rows_of_gpus, needs.request_of(found[0]), look), look)
    else:
        show(view.catalogue(found, look), look)


def _named(words: tuple[str, ...], online: bool) -> list[Model]:
    """The model of that name, else those with all words in their name, else an InputError or UnknownModel."""
    from profiler.models import catalogue, load  # help must not pay for it

    known = tuple(name for name in catalogue.names() if all(word.lower() in name.lower() for word in words))
    if len(words) == 1 or (words and not known):
        name = " ".join(words)
        try:
            return [load(name, online=online and "/" in name)]  # the hub's names have an organisation
        except UnknownModel:
            if len(words) > 1:
                what = f"no model of the catalogue has all of these words: {name}"
                raise InputError(what, next="leave words out; kubectl dynamo models lists all models") from None
            if not known:
                raise
    return [model for name in known if (model := catalogue.find(name))]


def _row(model: Model) -> dict[str, Any]:
    derived = {
        "parameters": model.parameters,
        "active_parameters": model.active_parameters,
        "weight_bytes": model.weight_bytes,
        "kv_bytes_per_token": model.kv_bytes_per_token,
        "state_bytes": model.state_bytes,
    }
    return asdict(model) | derived
