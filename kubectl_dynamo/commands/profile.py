"""`kubectl dynamo profile`: from a request to a deployment, here, without a cluster."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crds import vocabulary as v
from crds.errors import InputError
from crds.fields import get
from kubectl_dynamo import inputs
from kubectl_dynamo.measurements import measured_option
from kubectl_dynamo.measurements import read as read_measurements
from kubectl_dynamo.options import Output, global_options, online_option
from kubectl_dynamo.progress import Progress
from kubectl_dynamo.session import namespace, show, style
from kubectl_dynamo.spec_flags import Given, given, merged, spec_options
from kubectl_dynamo.views.numbers import count

if TYPE_CHECKING:
    from profiler.models import Model
    from profiler.pipeline import Answer
    from profiler.points.measured import Measurements
    from profiler.request import GpuPool, Request

HARDWARE = "hardware."
FORMS = ("wide", "yaml", "json", "name", "html", "svg")


@click.command()
@click.option(
    "-f", "--filename", metavar="FILE", type=click.Path(), help="File with the request (- for standard input)"
)
@click.option("--name", help="Name of the request, where there is no file")
@click.option(
    "-o", "--output", "form", type=Output(FORMS), help="Print data and write no file; wide: the page with every point"
)
@click.option("--output-dir", metavar="DIR", type=click.Path(file_okay=False), help="Where to write the deployment")
@click.option("--explain", is_flag=True, help="Show what limits the pick, where the time goes, and every alternative")
@measured_option
@online_option
@spec_options
@global_options
@click.pass_context
def profile(
    ctx: click.Context,
    filename: str | None,
    name: str | None,
    form: str | None,
    output_dir: str | None,
    explain: bool,
    measured_files: tuple[str, ...],
    online: bool,
) -> None:
    """Find the best deployment for a request.

    --gpu and --gpus stand for the cluster that is not there: they complete what the request leaves open. A request of
    v1alpha1 is profiled as what it is in v1beta1.

    \b
    kubectl dynamo profile -f request.yaml --gpu h200_sxm --gpus 16
    kubectl dynamo profile --model Qwen/Qwen3-32B --gpu h200_sxm --gpus 8 --ttft 500 --itl 30
    kubectl dynamo profile -f request.yaml -o yaml | kubectl apply -f -
    kubectl dynamo profile -f request.yaml --explain
    kubectl dynamo profile -f request.yaml --measured profile_export_aiperf.json,backend=vllm,tp=4
    """
    if filename and name:
        raise click.UsageError("--name goes with flags alone; a file has its own metadata.name")
    request = _request(filename, name, namespace(ctx), given(ctx))

    answer, seconds = _answer(request, measured_files, online)

    inputs.warn(answer.profile.warnings)
    if form and form != "wide":
        show(_data(answer, form))
        return
    look = style(ctx)
    from kubectl_dynamo.views.profile import report  # data needs no picture

    timed = replace(answer.profile, searched=replace(answer.profile.searched, seconds=seconds))
    show(report(timed, look, everything=form == "wide", explained=explain), look)
    paths = _written(answer, Path(output_dir) if output_dir else None)
    show(f"\n{look.bold('Written')}\n" + "\n".join(f"  {path}: {what}" for path, what in paths.items()), look)
    show(f"\n{look.bold('Next')}\n  kubectl apply -f {next(iter(paths))}", look)


def _request(filename: str | None, name: str | None, space: str | None, flags: Mapping[str, Given]) -> Request:
    """The request of a file, of flags, or of both. Raises InputError, InvalidRequest or UnknownHardware."""
    from crds.rules import Context, Mode  # help and completion must not pay for it
    from profiler.request import Request

    if filename:
        source = inputs.source_of(filename)
        document = inputs.current(inputs.one_request(filename), source)
    else:
        if "model" not in flags:
            raise click.UsageError("name a file with -f, or at least --model, --gpu and --gpus")
        source = "the flags"
        document = inputs.new_request(name or inputs.dns_name(str(flags["model"].value)))
    whole = merged(document, flags, source)
    inputs.check(whole, source, Context(mode=Mode.LOCAL))
    rest = {path: flag for path, flag in flags.items() if not path.startswith(HARDWARE)}
    spec = merged(document, rest, source)["spec"]
    detected = _pool(spec, flags)
    # Flags that say too little are still said: else the error asks for what was given.
    return Request.from_spec(
        spec if detected else whole["spec"],
        name=document["metadata"]["name"],
        namespace=space or document["metadata"].get("namespace") or "default",
        detected=detected,
    )


def _pool(spec: Mapping[str, Any], flags: Mapping[str, Given]) -> GpuPool | None:
    """The GPUs that the flags name, standing in for discovery; None where they say too little."""
    from profiler.request import GpuPool

    def flag(field: str) -> Any:
        typed = flags.get(f"{HARDWARE}{field}")
        return typed.value if typed else None

    sku = flag("gpuSku") or get(spec, "hardware.gpuSku")
    total = flag("totalGpus") or get(spec, "hardware.totalGpus")
    if not sku or not total or not any(path.startswith(HARDWARE) for path in flags):
        return None
    return GpuPool(
        sku=sku,
        total_gpus=total,
        gpus_per_node=flag("numGpusPerNode"),
        vram_mb=flag("vramMb"),
        interconnect=flag("interconnect"),
        rdma=flag("rdma"),
        source="flags",
    )


def _answer(request: Request, measured_files: tuple[str, ...], online: bool) -> tuple[Answer, float]:
    """Profile; with the seconds that it took, which are no part of the answer: that is the same on every machine."""
    cache = request.model_cache
    with Progress(sys.stderr) as progress:
        progress.step(f"Reading the model {request.model}")
        from profiler import models, pipeline  # numpy, only when there is something to compute

        model = models.load(
            request.model, path=(cache.checkpoint or cache.mount_path) if cache else None, online=online
        )
        measurements = _measurements(measured_files, request, model, online)
        started = time.perf_counter()
        answer = pipeline.profile(
            request, model, measurements=measurements, on_phase=lambda _phase, message: progress.step(message)
        )
        return answer, time.perf_counter() - started


def _measurements(files: tuple[str, ...], request: Request, model: Model, online: bool) -> Measurements | None:
    """What was measured; the request stands in for what the files leave open, but never for layout and load."""
    gpu, workload = request.hardware.gpu_in_nodes, request.workload
    defaults = {
        "model": request.model,
        "gpu_sku": gpu.sku,
        "kv_cache_dtype": model.kv_dtype,
        "isl": str(workload.isl),
        "osl": str(workload.osl),
    }
    if request.backend is not v.Backend.AUTO:
        defaults["backend"] = str(request.backend)
    return read_measurements(
        files,
        defaults=defaults,
        required=("backend", "tp", "concurrency"),
        models={request.model: model},
        gpus={gpu.sku: gpu},
        online=online,
    )


def _data(answer: Answer, form: str) -> str:
    if form == "json":
        return answer.profile.to_json().decode()
    if form == "name":
        return f"{v.Kind.DGD.lower()}.{v.GROUP}/{answer.documents[-1]['metadata']['name']}"
    if form == "yaml":
        return answer.to_yaml(answer.deployment)
    from kubectl_dynamo.views import html, pareto, svg  # pictures, where they are asked for

    if form == "html":
        return html.page([answer.profile])
    return svg.svg(pareto.chart([answer.profile]), pareto.series_name(answer.profile.asked))


def _written(answer: Answer, directory: Path | None) -> dict[str, str]:
    """Write the deployment (into a directory: the profile and its page too); path -> what it holds, that one first."""
    name, deploy = answer.profile.asked.name, answer.deployment
    extras = f" and {count(len(deploy) - 1, 'ConfigMap')}" if len(deploy) > 1 else ""
    what = f"{v.Kind.DGD} {deploy[-1]['metadata']['name']}{extras}"
    place = directory or Path()
    files = {place / f"{name}.dgd.yaml": (what, answer.to_yaml(deploy))}
    if directory:
        files[place / f"{name}.profile.json"] = ("for kubectl dynamo pareto -f", _data(answer, "json") + "\n")
        files[place / f"{name}.html"] = ("all of this, for a browser", _data(answer, "html"))
    try:
        place.mkdir(parents=True, exist_ok=True)
        for path, (_, content) in files.items():
            _replace(path, content.encode())
    except OSError as error:
        why = error.strerror or str(error)
        raise InputError(
            f"cannot write to {place}: {why.lower()}", next="name a directory with --output-dir"
        ) from error
    return {str(path): what for path, (what, _) in files.items()}


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
