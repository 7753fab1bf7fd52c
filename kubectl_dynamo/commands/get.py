"""`kubectl dynamo get`: the server's own table, as kubectl get prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from crds.kube.kinds import DGDR
from kubectl_dynamo import output, suggestions
from kubectl_dynamo.options import Output, global_options
from kubectl_dynamo.session import connect, note, show
from kubectl_dynamo.views.tables import Column, table

if TYPE_CHECKING:
    from crds.kube.resources import Cluster


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME...]", shell_complete=suggestions.requests)
@click.option("-A", "--all-namespaces", is_flag=True, help="List the requests of every namespace")
@click.option("-l", "--selector", metavar="LABELS", help="Label selector, as a=b,c!=d")
@click.option(
    "-o",
    "--output",
    "form",
    type=Output(["table", "wide", "json", "yaml", "name"], jsonpath=True),
    default="table",
    help="As kubectl get",
)
@click.option("--no-headers", is_flag=True, help="Leave the column titles out")
@global_options
@click.pass_context
def get(
    ctx: click.Context, names: tuple[str, ...], all_namespaces: bool, selector: str | None, form: str, no_headers: bool
) -> None:
    """List requests: all of a namespace, or those that are named."""
    if names and (all_namespaces or selector):
        raise click.UsageError("names cannot be combined with --all-namespaces or --selector")
    cluster = connect(ctx)

    if form not in {"table", "wide"}:
        items = _objects(cluster, names, all_namespaces, selector)
        if items or form in {"json", "yaml"}:
            show(output.objects(items, form, single=len(names) == 1))
        return
    tables = _tables(cluster, names, all_namespaces, selector)

    rows = [row for one in tables for row in one["rows"]]
    if not rows:
        where = "" if all_namespaces else f" in {cluster.namespace} namespace"
        note(f"No resources found{where}.")
        return
    show(_text(tables[0]["columnDefinitions"], rows, all_namespaces, form == "wide", no_headers))


def _objects(
    cluster: Cluster, names: tuple[str, ...], all_namespaces: bool, selector: str | None
) -> list[dict[str, Any]]:
    if names:
        return [cluster.get(DGDR, name) for name in names]
    return cluster.list(DGDR, all_namespaces=all_namespaces, labels=selector).items


def _tables(
    cluster: Cluster, names: tuple[str, ...], all_namespaces: bool, selector: str | None
) -> list[dict[str, Any]]:
    if names:
        return [cluster.table(DGDR, name=name) for name in names]
    return [cluster.table(DGDR, all_namespaces=all_namespaces, labels=selector)]


def _text(
    definitions: list[dict[str, Any]], rows: list[dict[str, Any]], namespaced: bool, wide: bool, no_headers: bool
) -> str:
    """Columns of priority 0, all with `wide`; the namespace first where several are listed."""
    shown = [i for i, column in enumerate(definitions) if wide or not column.get("priority")]
    titles = [str(definitions[i]["name"]).upper() for i in shown]
    cells = [["" if row["cells"][i] is None else str(row["cells"][i]) for i in shown] for row in rows]
    if namespaced:
        titles = ["NAMESPACE", *titles]
        cells = [[row["object"]["metadata"]["namespace"], *line] for row, line in zip(rows, cells, strict=True)]
    if no_headers:  # then titles take no room; kubectl's columns are three wide at least
        titles = ["   " for _ in titles]
    text = table([Column(title) for title in titles], cells, indent="", gap=3)
    return text.partition("\n")[2] if no_headers else text
