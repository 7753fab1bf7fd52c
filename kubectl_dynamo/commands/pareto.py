"""`kubectl dynamo pareto`: the front of one or more profiles, as a picture, a table or data."""

from __future__ import annotations

import json

import click

from crds.errors import InputError
from crds.kube.kinds import DGDR
from kubectl_dynamo import suggestions
from kubectl_dynamo.inputs import content, source_of
from kubectl_dynamo.options import Output, global_options
from kubectl_dynamo.session import connect, show, style
from kubectl_dynamo.views import pareto as view
from profiler.profile import Profile


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME...]", shell_complete=suggestions.requests)
@click.option(
    "-f",
    "--filename",
    "files",
    metavar="FILE",
    type=click.Path(),
    multiple=True,
    help="A profile.json; may be repeated",
)
@click.option(
    "-o",
    "--output",
    "form",
    type=Output(["picture", "wide", "table", "json", "csv", "svg", "html"]),
    default="picture",
    help="A picture with the front's points (wide: all of them), the points alone, or a page for a browser",
)
@global_options
@click.pass_context
def pareto(ctx: click.Context, names: tuple[str, ...], files: tuple[str, ...], form: str) -> None:
    """Draw the Pareto front of finished profiles; several overlay.

    \b
    kubectl dynamo pareto qwen
    kubectl dynamo pareto -f profile.json -o svg > front.svg
    kubectl dynamo pareto qwen llama -o html > fronts.html
    """
    if not names and not files:
        raise click.UsageError("name a request, or a profile.json with -f")
    look = style(ctx)

    profiles = [_from_file(path) for path in files] + _from_cluster(ctx, names)

    if form == "json":
        show(json.dumps(view.rows(profiles), indent=2))
    elif form == "csv":
        show(view.to_csv(profiles))
    elif form == "svg":
        from kubectl_dynamo.views.svg import svg  # one format among many

        show(svg(view.chart(profiles), ", ".join(view.series_name(profile.asked) for profile in profiles)))
    elif form == "html":
        from kubectl_dynamo.views.html import page  # one format among many

        show(page(profiles))
    elif form == "table":
        show("\n\n".join(view.front_table(profile, look, everything=True) for profile in profiles), look)
    else:
        show(view.report(profiles, look, everything=form == "wide"), look)


def _from_file(path: str) -> Profile:
    data = content(path)
    try:
        return Profile.from_json(data)
    except InputError as error:
        advice = "kubectl dynamo profile -f request.yaml -o json > profile.json makes one"
        raise InputError(f"{source_of(path)}: is not a profile.json", error.why, advice) from error


def _from_cluster(ctx: click.Context, names: tuple[str, ...]) -> list[Profile]:
    if not names:
        return []
    from kubectl_dynamo import stored  # a file needs no cluster

    cluster, found = connect(ctx), []
    for name in names:
        profile = stored.profile(cluster, cluster.get(DGDR, name))
        if profile is None:
            why = "its profiling has not finished, or another profiler made its result, without profile.json"
            raise InputError(f"{name} has no profile to draw", why, f"kubectl dynamo describe {name}")
        found.append(profile)
    return found
