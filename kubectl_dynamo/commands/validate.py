"""`kubectl dynamo validate`: schema and rules, offline."""

from __future__ import annotations

import sys
from typing import Any

import click

from crds import vocabulary as v
from crds.errors import InputError
from kubectl_dynamo import failures, inputs
from kubectl_dynamo.options import global_options
from kubectl_dynamo.session import note, show


@click.command()
@click.option(
    "-f",
    "--filename",
    "paths",
    metavar="FILE|DIR",
    type=click.Path(),
    multiple=True,
    required=True,
    help="What to check; - reads stdin",
)
@click.option("--strict", is_flag=True, help="Treat warnings as errors")
@global_options
@click.pass_context
def validate(ctx: click.Context, paths: tuple[str, ...], strict: bool) -> None:
    """Check every request in files and directories against the schema and all rules, without a cluster."""
    failed = False
    for path in [file for given in paths for file in inputs.files_under(given)]:
        try:
            found = _requests(path, given=path in paths)
        except InputError as error:
            note(failures.explain(error))
            failed = True
            continue
        for request in found:
            failed |= not _report(inputs.source_of(path), request, strict)
    if failed:
        ctx.exit(1)


def _requests(path: str, *, given: bool) -> list[dict[str, Any]]:
    """The requests of a file. A file of a directory may hold none; one that was named may not."""
    from crds import documents  # help must not read YAML

    found = documents.read(path, sys.stdin)
    if not given and not any(document.get("kind") in {v.Kind.DGDR, "List"} for document in found):
        return []
    return documents.requests(found, inputs.source_of(path))


def _report(source: str, request: dict[str, Any], strict: bool) -> bool:
    """Print the verdict on one request; whether it is fine."""
    from crds.rules import Context

    errors, warnings = inputs.violations(request, Context())
    where = f"{source}: {inputs.label(request)}"
    lines = [f"{where}: {error}" for error in errors]
    lines += [f"{where}: {'' if strict else 'warning: '}{warning}" for warning in warnings]
    good = not errors and not (strict and warnings)
    for line in lines:
        show(line)
    if good:
        show(f"{where}: ok")
    return good
