"""`kubectl dynamo estimate`: what one engine does at a point, or at every point of a table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from crds import vocabulary as v
from crds.errors import InputError, ProfileError
from kubectl_dynamo import suggestions
from kubectl_dynamo.inputs import content, source_of
from kubectl_dynamo.measurements import measured_option
from kubectl_dynamo.measurements import read as read_measurements
from kubectl_dynamo.options import Number, Output, global_options, online_option
from kubectl_dynamo.session import note, show, style

if TYPE_CHECKING:
    from profiler.points.answers import Answer
    from profiler.points.measured import Measurements

WIDER: Final = (1, 2, 4, 8, 16, 32)  # tensor-parallel sizes to suggest where a point has no answer


class PointFlag(NamedTuple):
    """A flag, the column of a table of points that it stands for, its type and its help."""

    name: str
    column: str
    type: Any
    help: str


def _choice(values: Any) -> click.Choice[str]:
    return click.Choice([str(value) for value in values])


POINT_FLAGS: Final = (
    PointFlag("--model", "model", str, "Model: a Hugging Face id, or a directory with its config.json"),
    PointFlag("--gpu", "gpu_sku", str, "GPU: h200_sxm, b200_sxm, ... (kubectl dynamo gpus)"),
    PointFlag("--backend", "backend", _choice(v.ENGINES), "Engine (vllm)"),
    PointFlag("--quantization", "quantization", str, "Weights: bf16, fp8, int4, mxfp4, nvfp4, ... (as the checkpoint)"),
    PointFlag("--kv-cache-dtype", "kv_cache_dtype", str, "KV cache: bf16 or fp8 (as the checkpoint)"),
    PointFlag("--mode", "mode", _choice(("agg", "prefill", "decode")), "What the engine does (agg: both)"),
    PointFlag("--tp", "tp", Number(int), "Tensor parallel GPUs (1)"),
    PointFlag("--pp", "pp", Number(int), "Pipeline stages (1)"),
    PointFlag("--dp", "dp", Number(int), "Attention data parallel ranks (1)"),
    PointFlag("--moe-tp", "moe_tp", Number(int), "Ranks that split each expert (tp * dp / ep)"),
    PointFlag("--ep", "moe_ep", Number(int), "Ranks that experts are spread over (1; with --dp: all)"),
    PointFlag("--isl", "isl", Number(float, "tokens"), "Mean input length in tokens (4000)"),
    PointFlag("--osl", "osl", Number(float, "tokens"), "Mean output length in tokens (1000)"),
    PointFlag("--concurrency", "concurrency", Number(float), "Requests in flight on one engine (1)"),
    PointFlag("--request-rate", "request_rate", Number(float), "Requests/s to one engine, instead of --concurrency"),
    PointFlag("--arrival", "arrival", _choice(("steady", "closed", "burst")), "How requests arrive (steady)"),
    PointFlag("--admission-wait-steps", "admission_wait_steps", Number(float), "Decode steps that admission waits (0)"),
)


COMPLETIONS: Final = {"model": suggestions.models, "gpu_sku": suggestions.gpus}


def _point_options(command: Any) -> Any:
    for flag in reversed(POINT_FLAGS):
        offers = COMPLETIONS.get(flag.column)
        command = click.option(flag.name, flag.column, type=flag.type, help=flag.help, shell_complete=offers)(command)
    return command


@click.command()
@click.option("-f", "--filename", metavar="FILE", type=click.Path(), help="CSV with one point a row (- for stdin)")
@click.option(
    "-o", "--output", "form", type=Output(["table", "json", "csv"]), default="table", help="json, csv: as data"
)
@measured_option
@online_option
@_point_options
@global_options
@click.pass_context
def estimate(
    ctx: click.Context,
    /,
    filename: str | None,
    form: str,
    measured_files: tuple[str, ...],
    online: bool,
    **flags: Any,
) -> None:
    """Estimate TTFT, ITL, throughput and memory of one engine.

    With -f, flags fill the cells that the file leaves empty.

    \b
    kubectl dynamo estimate --model Qwen/Qwen3-32B --gpu h200_sxm --tp 2 --concurrency 32
    kubectl dynamo estimate -f points.csv -o csv > estimates.csv
    kubectl dynamo estimate --model Qwen/Qwen3-32B --gpu h200_sxm --measured profile_export_aiperf.json
    """
    given = {column: _text(value) for column, value in flags.items() if value is not None}
    if not filename and not (given.get("model") and given.get("gpu_sku")):
        raise click.UsageError("name a file with -f, or at least --model and --gpu")

    measurements = read_measurements(measured_files, defaults=given, online=online)
    if filename:
        _many(ctx, filename, form, given, measurements, online)
    else:
        _one(ctx, form, given, measurements, online)


def _text(value: Any) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _many(
    ctx: click.Context, path: str, form: str, given: dict[str, str], measurements: Measurements | None, online: bool
) -> None:
    from profiler.points import answers, cells, tables  # numpy

    table = tables.read(content(path), source_of(path), given=tuple(given))
    for name, meant in tables.misspelt(table).items():
        note(f'Warning: {source_of(path)}: column "{name}" is kept but not read; did you mean {meant}?')
    asked = cells.understand(table, defaults=given, online=online)
    found = answers.answers(asked, measurements)
    columns = answers.columns(asked, found, len(table))

    if form == "csv":
        show(tables.to_csv(table, columns))
    elif form == "json":
        show(json.dumps(tables.to_rows(table, columns), indent=2, ensure_ascii=False))
    else:
        from kubectl_dynamo.views import estimates as view

        look = style(ctx)
        show(view.many(table, given, columns, look), look)
    if measurements and not any(measurements.correction(answer.question).evidence for answer in found):
        note("Warning: no point is of a model, GPU and engine that was measured")


def _one(ctx: click.Context, form: str, given: dict[str, str], measurements: Measurements | None, online: bool) -> None:
    from profiler import models  # numpy
    from profiler.points import answers, cells, parts, tables

    models.load(given["model"], online=online)  # these two say more of what they do not know than a reason can
    cells.gpu_of(given["gpu_sku"])
    table = tables.Table.of(given)
    asked = cells.understand(table, online=online)
    if asked.faults:
        raise InputError("this point cannot be estimated", "\n".join(asked.faults[0].split("; ")))
    found = answers.answers(asked, measurements)
    (answer,) = found
    why_not = answer.why_not(0)
    if why_not:
        raise ProfileError("this point has no answer", why_not, _advice(given, answer, online))
    split = parts.Parts.of(answer)

    if form == "csv":
        show(tables.to_csv(table, answers.columns(asked, found, 1)))
    elif form == "json":
        row = tables.to_rows(table, answers.columns(asked, found, 1))[0]
        times = {"decode_step_ms": split.operations, "first_token_ms": split.first_token}
        moved = {"kv_transfer_ms": split.kv_transfer_ms} if split.kv_transfer_ms else {}
        show(json.dumps(row | times | moved, indent=2, ensure_ascii=False))
    else:
        from kubectl_dynamo.views import estimates as view

        look = style(ctx)
        show(view.one(answer, split, look), look)
    if measurements and not measurements.correction(answer.question).evidence:
        note("Warning: what was measured is of another model, GPU or engine")


def _advice(given: dict[str, str], answer: Answer, online: bool) -> str:
    """A tensor-parallel size with which the point has an answer, else how many such engines serve its request rate."""
    from profiler.points import answers, cells, tables

    sizes = [str(tp) for tp in WIDER if str(tp) != given.get("tp", "1")]
    rows = tuple(tuple({**given, "tp": tp}.values()) for tp in sizes)
    names = tuple({**given, "tp": ""})
    asked = cells.understand(tables.Table(names, names, rows, {}), online=online)
    good = {row for answer in answers.answers(asked) for row in answer.rows[answer.estimates.answered].tolist()}
    if good:
        return f"with --tp {sizes[min(good)]} it has one"
    engines = answer.load.engines(0)
    return f"ask for less, or spread it over {engines} such engines" if engines else ""
