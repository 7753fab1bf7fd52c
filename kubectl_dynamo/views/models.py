"""What `kubectl dynamo models` shows: the catalogue, or one model and what it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kubectl_dynamo.views.gpus import origin
from kubectl_dynamo.views.numbers import count, number
from kubectl_dynamo.views.style import Color, Style
from kubectl_dynamo.views.tables import Cell, Column, fields, paragraph, table

if TYPE_CHECKING:
    from profiler.models import Model
    from profiler.search.needs import Need


def catalogue(models: Sequence[Model], style: Style) -> str:
    """A line for each model."""
    columns = (
        Column("MODEL"),
        Column("KIND", optional=True),
        Column("SIZE", right=True),
        Column("ACTIVE", right=True, optional=True),
        Column("CONTEXT", right=True, optional=True),
        Column("WEIGHTS"),
        Column("GiB", right=True, optional=True),
    )
    rows: list[list[str | Cell]] = [
        [
            Cell(model.name, Color.BOLD),
            kind(model),
            _size(model.parameters),
            _size(model.active_parameters) if model.is_moe else "",
            f"{model.context:,}",
            model.quantization,
            number(model.weight_bytes / 2**30),
        ]
        for model in models
    ]
    listed = (
        f"{count(len(models), 'model')}. Words list those with all of them in their name, a name shows what it needs. "
        "Other spellings of these names are found too."
    )
    return f"{table(columns, rows, style)}\n\n{paragraph(listed, style)}"


def kind(model: Model) -> str:
    """dense or MoE, and what its attention is where it is more than grouped heads."""
    words = (
        ("Mamba" if model.linear.rule == "mamba2" else "linear") if model.linear else "",
        "MLA" if model.latent else "",
        "compressed" if model.compressed else "sparse" if model.sparse and not model.latent else "",
        "MoE" if model.is_moe else "",
    )
    return " ".join(filter(None, words)) or "dense"


def one(model: Model, needs: Sequence[Need], request: tuple[int, int], style: Style) -> str:
    """A model, and the smallest engine that holds it on each GPU."""
    columns = (
        Column("GPU"),
        Column("SMALLEST", right=True),
        Column("GiB/GPU", right=True),
        Column("KV TOKENS", right=True, optional=True),
        Column("ENGINES AND ESTIMATES, OR WHY NOT", wraps=True),
    )
    isl, osl = request
    fits = (
        "The smallest tensor parallel engine, of up to 32 GPUs, that holds the weights and one request of "
        f"{isl:,} + {osl:,} tokens."
    )
    if any(need.calibrated for need in needs):
        fits += " Calibrated on: measurements of this model on that GPU with these engines are part of the estimates."
    return "\n\n".join(
        [
            f"{style.bold(model.name)}\n{_shape(model, style)}",
            f"{style.bold('On each GPU')}\n{table(columns, [_need(need) for need in needs], style)}",
            paragraph(fits, style),
        ]
    )


def _shape(model: Model, style: Style) -> str:
    size = f"{_size(model.parameters)} parameters"
    rest = f" (attention {model.rest_quantization})" if model.rest_quantization else ""
    pairs = [
        ("kind", kind(model)),
        ("size", f"{size}, {_size(model.active_parameters)} active" if model.is_moe else size),
        ("weights", f"{model.quantization}{rest}, {number(model.weight_bytes / 2**30)} GiB"),
        ("KV cache", f"{model.kv_dtype}, {number(model.kv_bytes_per_token / 2**10)} KiB per token"),
        ("context", f"{model.context:,} tokens"),
        (
            "layers",
            f"{model.layers} of width {model.hidden:,}, {model.heads} heads, {count(model.kv_heads, 'KV head')}",
        ),
    ]
    if model.is_moe:
        pairs.append(
            ("experts", f"{model.experts} of width {model.expert_intermediate:,}, {model.experts_per_token} a token")
        )
    pairs += _attention(model)
    if model.mtp_layers:
        pairs.append(("MTP", f"{count(model.mtp_layers, 'layer')} to speculate with; estimates are without"))
    return fields(pairs, style)


def _attention(model: Model) -> list[tuple[str, str]]:
    """What its layers have other than attention to all positions."""
    pairs = []
    if model.window_layers:
        own = model.window_heads
        heads = f", with {own.queries} heads and {count(own.kv, 'KV head')}" if own else ""
        pairs.append(("window", f"{model.window:,} tokens in {count(model.window_layers, 'layer')}{heads}"))
    if model.linear:
        size = f"{number(model.state_bytes / 2**20)} MiB per request"
        pairs.append(("state", f"{size} in {count(model.linear.layers, 'layer')} without a KV cache"))
    if model.compressed:
        how = model.compressed
        fine = f"one entry per {how.fine_ratio} tokens in {count(how.fine_layers, 'layer')}"
        coarse = f"per {how.coarse_ratio} in {how.coarse_layers}"
        pairs.append(("cache", f"{fine}, {coarse}; the last {model.window} tokens in all"))
    if model.sparse:
        layers = count(model.sparse.layers or model.full_attention_layers, "layer")
        what = "entries" if model.compressed else "tokens"
        pairs.append(("sparse", f"{layers} see {model.sparse.top_k:,} picked {what}, {model.indexer_layers} pick"))
    if model.without_attention or model.without_mlp:
        blocks = {
            "attention": model.full_attention_layers,
            "states": model.linear.layers if model.linear else 0,
            "MLPs": model.dense_layers,
            "experts": model.moe_layers,
        }
        pairs.append(("blocks", ", ".join(f"{layers} of {name}" for name, layers in blocks.items() if layers)))
    return pairs


def _need(need: Need) -> list[str | Cell]:
    if not need.gpus:
        return [Cell(need.gpu.sku, Color.BOLD), "-", "", "", Cell(need.reason, Color.YELLOW)]
    calibrated = f", calibrated on {', '.join(need.calibrated)}" if need.calibrated else ""
    return [
        Cell(need.gpu.sku, Color.BOLD),
        f"TP{need.gpus}",
        number(need.memory_gib),
        f"{need.kv_tokens:,.0f}",
        f"{', '.join(need.engines)}: {origin(need.gpu)}{calibrated}",
    ]


def _size(parameters: int) -> str:
    return f"{number(parameters / 1e9)}B"
