"""One call of the plugin: what its global flags add up to, the cluster that they name, and where it prints."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from kubectl_dynamo.views.style import Style

if TYPE_CHECKING:
    from crds.kube.access import Overrides
    from crds.kube.resources import Cluster

_OVERRIDES: Final = "kubectl_dynamo.overrides"
_COLOR: Final = "kubectl_dynamo.color"


def keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Callback of a global flag: what is typed later wins, what may be repeated adds up."""
    if value is None or value == ():
        return
    given = ctx.meta.setdefault(_OVERRIDES, {})
    given[param.name] = (*given.get(param.name, ()), *value) if isinstance(value, tuple) else value


def keep_color(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    """Callback of --color."""
    if value:
        ctx.meta[_COLOR] = value


def overrides(ctx: click.Context) -> Overrides:
    """The global flags that were given."""
    from crds.kube.access import Overrides  # offline commands never need it

    return Overrides(**ctx.meta.get(_OVERRIDES, {}))


def namespace(ctx: click.Context) -> str | None:
    """`-n`, or None. For commands that work offline."""
    value = ctx.meta.get(_OVERRIDES, {}).get("namespace")
    return str(value) if value else None


def connect(ctx: click.Context) -> Cluster:
    """The cluster that the global flags and the kubeconfig name; its warnings go to stderr."""
    from crds.kube.resources import Cluster  # offline commands never need it

    return Cluster.connect(overrides(ctx), on_warning=lambda text: click.echo(f"Warning: {text}", err=True))


def style(ctx: click.Context) -> Style:
    """How stdout may look."""
    return Style.of(sys.stdout, os.environ, ctx.meta.get(_COLOR, "auto"))


def show(text: str, look: Style | None = None) -> None:
    """Print data on stdout."""
    click.echo(text, color=look.color if look else None, nl=not text.endswith("\n"))


def note(text: str) -> None:
    """Print what is not data: stderr."""
    click.echo(text, err=True)
