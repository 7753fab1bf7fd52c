"""What `kubectl dynamo gpus` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crds.vocabulary import GPU_SKUS
from kubectl_dynamo.views.numbers import number
from kubectl_dynamo.views.style import Color, Style
from kubectl_dynamo.views.tables import Cell, Column, fields, paragraph, table

if TYPE_CHECKING:
    from profiler.hardware import Gpu

LEGEND = (
    "Peak rates are dense TFLOP/s; - is a format that the GPU lacks. Estimates for a measured GPU rest on measurements "
    "of whole engines on it; by operation: of single operations; transferred: on other GPUs and its data sheet, with "
    "the widest intervals."
)
UNASKED = "The API has no SKU for {}: estimate takes it, profile and create do not."


def page(gpus: Sequence[Gpu], style: Style, *, sources: bool = False) -> str:
    """All GPUs as a table; `sources` adds where each line comes from."""
    columns = (
        Column("SKU"),
        Column("GiB", right=True),
        Column("TB/s", right=True),
        Column("FP16", right=True),
        Column("BF16", right=True),
        Column("FP8", right=True),
        Column("FP4", right=True),
        Column("PER NODE", right=True, optional=True),
        Column("LINK GB/s", right=True, optional=True),
        Column("NET GB/s", right=True, optional=True),
        Column("ESTIMATES"),
    )
    rows = [_row(gpu) for gpu in gpus]
    unasked = ", ".join(gpu.sku for gpu in gpus if gpu.sku not in GPU_SKUS)
    legend = f"{LEGEND} {UNASKED.format(unasked)}" if unasked else LEGEND
    sections = [table(columns, rows, style), paragraph(legend, style)]
    if sources:
        sections.append(f"{style.bold('Sources')}\n{fields([(gpu.sku, gpu.source) for gpu in gpus], style)}")
    return "\n\n".join(sections)


def _row(gpu: Gpu) -> list[str | Cell]:
    peaks = (gpu.fp16_flops, gpu.bf16_flops, gpu.fp8_flops, gpu.fp4_flops)
    return [
        Cell(gpu.sku, Color.BOLD),
        number(gpu.memory_bytes / 2**30),
        number(gpu.bandwidth / 1e12),
        *(number(peak / 1e12) if peak else "-" for peak in peaks),
        str(gpu.gpus_per_node),
        number(gpu.link_bandwidth / 1e9),
        number(gpu.network_bandwidth / 1e9),
        Cell("measured", Color.GREEN) if gpu.end_to_end else origin(gpu),
    ]


def origin(gpu: Gpu) -> str:
    """What estimates for this GPU rest on, in a word or two."""
    if gpu.end_to_end:
        return "measured"
    return "by operation" if gpu.measured else "transferred"
