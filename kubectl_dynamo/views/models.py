"""What `kubectl dynamo models` shows: the catalogue, or one model and what it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kubectl_dynamo.views.numbers import count, number
from kubectl_dynamo.views.style import Color, Style
from kubectl_dynamo.views.tables import Cell, Column, fields, paragraph, table

if TYPE_CHECKING:
    from profiler.models import Model
    from profiler.points.needs import Need


def catalogue(models: Sequence[Model], style: Style) -> str:
    """A line for each model."""
    columns = (
        Column("MODEL"),
        Column("KIND"),
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
    listed = f"{count(len(models), 'model')}. Other spellings of these names are found too."
    return f"{table(columns, rows, style)}\n\n{paragraph(listed, style)}"


def kind(model: Model) -> str:
    """dense, MoE, MLA, and what else its attention is."""
    attention = "MLA" if model.latent else "linear" if model.linear else ""
    return " ".join(word for word in (attention, "MoE" if model.is_moe else "") if word) or "dense"


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
    return "\n\n".join(
        [
            f"{style.bold(model.name)}\n{_shape(model, style)}",
            f"{style.bold('On each GPU')}\n{table(columns, [_need(need) for need in needs], style)}",
            paragraph(fits, style),
        ]
    )


def _shape(model: Model, style: Style) -> str:
    size = f"{_size(model.parameters)} parameters"
    pairs = [
        ("kind", kind(model)),
        ("size", f"{size}, {_size(model.active_parameters)} active" if model.is_moe else size),
        ("weights", f"{model.quantization}, {number(model.weight_bytes / 2**30)} GiB"),
        ("KV cache", f"{model.kv_dtype}, {number(model.kv_bytes_per_token / 2**10)} KiB per token"),
        ("context", f"{model.context:,} tokens"),
        ("layers", f"{model.layers} of width {model.hidden:,}, {model.heads} heads, {model.kv_heads} KV heads"),
    ]
    if model.is_moe:
        pairs.append(
            ("experts", f"{model.experts} of width {model.expert_intermediate:,}, {model.experts_per_token} a token")
        )
    if model.window_layers:
        pairs.append(("window", f"{model.window:,} tokens in {count(model.window_layers, 'layer')}"))
    if model.mtp_layers:
        pairs.append(("MTP", f"{count(model.mtp_layers, 'layer')} to speculate with; estimates are without"))
    return fields(pairs, style)


def _need(need: Need) -> list[str | Cell]:
    if not need.gpus:
        return [Cell(need.gpu.sku, Color.BOLD), "-", "", "", Cell(need.reason, Color.YELLOW)]
    known = "measured" if need.gpu.measured else "transferred"
    calibrated = f", calibrated on {', '.join(need.calibrated)}" if need.calibrated else ""
    return [
        Cell(need.gpu.sku, Color.BOLD),
        f"TP{need.gpus}",
        number(need.memory_gib),
        f"{need.kv_tokens:,.0f}",
        f"{', '.join(need.engines)}: {known}{calibrated}",
    ]


def _size(parameters: int) -> str:
    return f"{number(parameters / 1e9)}B"
