"""`kubectl dynamo version`."""

from __future__ import annotations

import json
import platform
from importlib import metadata

import click

from crds import vocabulary as v
from kubectl_dynamo.options import Output, global_options
from kubectl_dynamo.session import show


@click.command()
@click.option("-o", "--output", type=Output(["json", "yaml"]), help="Print it as data")
@global_options
def version(output: str | None) -> None:
    """Print the version of this program and of the API that it speaks."""
    facts = {
        "version": metadata.version("kubectl-dynamo"),
        "api": v.DGDR_API_VERSION,
        "dynamo": v.DEFAULT_IMAGE.rpartition(":")[2],
        "python": platform.python_version(),
    }
    if output == "json":
        show(json.dumps(facts, indent=2))
    elif output == "yaml":
        show("\n".join(f"{key}: {value}" for key, value in facts.items()))
    else:
        show(f"kubectl-dynamo {facts['version']} (API {facts['api']}, made for Dynamo {facts['dynamo']})")
