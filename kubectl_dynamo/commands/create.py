"""`kubectl dynamo create`: a request from flags or from a file."""

from __future__ import annotations

import sys
from typing import Any

import click

from crds.errors import InputError
from kubectl_dynamo import inputs, output
from kubectl_dynamo.inputs import NAME
from kubectl_dynamo.options import Output, global_options
from kubectl_dynamo.session import connect, namespace, note, show
from kubectl_dynamo.spec_flags import given, merged, spec_options

_SUFFIXES = {"none": "created", "client": "created (dry run)", "server": "created (server dry run)"}


@click.command()
@click.argument("name", required=False)
@click.option(
    "-f",
    "--filename",
    metavar="FILE",
    type=click.Path(),
    help="File with the request (- for standard input); flags complete it",
)
@click.option(
    "--dry-run", type=click.Choice(["none", "client", "server"]), default="none", help="Stop short of creating"
)
@click.option("-o", "--output", "form", type=Output(["yaml", "json", "name"], jsonpath=True), help="Print the request")
@spec_options
@global_options
@click.pass_context
def create(ctx: click.Context, name: str | None, filename: str | None, dry_run: str, form: str | None) -> None:
    """Create a request.

    \b
    kubectl dynamo create qwen --model Qwen/Qwen3-32B --ttft 500 --itl 30
    kubectl dynamo create qwen --model Qwen/Qwen3-32B --dry-run=client -o yaml
    """
    from crds.rules import Context  # completion of flags must not pay for it

    source = inputs.source_of(filename) if filename else "the flags"
    request = merged(_base(name, filename, namespace(ctx)), given(ctx), source)
    # Whether hardware can be discovered, only the cluster knows.
    inputs.check(request, source, Context())

    if dry_run != "client":
        request = _sent(ctx, request, dry_run == "server")

    if form and form != "name":
        show(output.objects([request], form, single=True))
        return
    if form == "name":
        show(f"{NAME}/{request['metadata']['name']}")
        return
    show(f"{NAME}/{request['metadata']['name']} {_SUFFIXES[dry_run]}")
    if dry_run == "none" and sys.stderr.isatty():
        note(_next_steps(request))


def _base(name: str | None, filename: str | None, flag_namespace: str | None) -> dict[str, Any]:
    """The file's request or an empty one, its name and namespace settled."""
    if filename is None:
        if not name:
            raise click.UsageError("give the request a NAME, or a file with -f")
        return inputs.new_request(name, flag_namespace)
    request = inputs.one_request(filename)
    metadata = request.setdefault("metadata", {})
    for field, typed, spelled in (("name", name, "NAME"), ("namespace", flag_namespace, "--namespace")):
        in_file = metadata.get(field) if isinstance(metadata, dict) else None
        if typed and in_file and typed != in_file:
            why = f"{spelled} says {typed}, {inputs.source_of(filename)} has metadata.{field}: {in_file}"
            raise InputError("the command line contradicts the file", why, "leave one of the two out")
        if typed:
            metadata[field] = typed
    return request


def _sent(ctx: click.Context, request: dict[str, Any], dry_run: bool) -> dict[str, Any]:
    from crds.kube.kinds import by_kind  # a client dry run needs no cluster

    resource = by_kind(request["apiVersion"], request["kind"])
    return connect(ctx).create(resource, request, namespace=request["metadata"].get("namespace"), dry_run=dry_run)


def _next_steps(request: dict[str, Any]) -> str:
    name, space = request["metadata"]["name"], request["metadata"].get("namespace", "default")
    where = "" if space == "default" else f" -n {space}"
    return (
        f"next:\n"
        f"  kubectl dynamo describe {name}{where}   how far it is and what was chosen\n"
        f"  kubectl dynamo pareto {name}{where}     the alternatives\n"
        f"  kubectl get dgdr {name}{where} -w       follow its phases"
    )
