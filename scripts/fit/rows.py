"""From rows of the CSV to measurements: layouts repaired, launch options filled in, re-exports merged.

The CSV omits how engines were launched and writes some layouts into the wrong columns; each rule below says what it is
based on. Times are in ms, lengths in tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import log
from typing import Literal

from profiler.estimate import Arrival

Generator = Literal["public", "steady-lab", "sweep-lab", "burst-lab"]

ARCHITECTURES = {
    "deepseek-ai/DeepSeek-V3": "DeepSeek-R1",
    "deepseek-ai/DeepSeek-R1": "DeepSeek-R1",
    "nvidia/DeepSeek-R1-NVFP4": "DeepSeek-R1",
    "nvidia/DeepSeek-V3.1-NVFP4": "DeepSeek-R1",
    "moonshotai/Kimi-K2.5": "Kimi-K2.5",
    "zhipuai/GLM-5": "GLM-5",
    "MiniMaxAI/MiniMax-M2.5": "MiniMax-M2.5",
    "Qwen/Qwen3.5-397B-A17B": "Qwen3.5-397B",
    "openai/gpt-oss-120b": "gpt-oss-120b",
    "Qwen/Qwen3-235B-A22B-FP8": "Qwen3-235B",
    "Qwen/Qwen3-32B": "Qwen3-32B",
    "nvidia/Qwen3-32B-NVFP4": "Qwen3-32B",
    "meta-llama/Llama-3.1-70B": "Llama-3.1-70B",
    "meta-llama/Llama-3.1-8B-Instruct": "Llama-3.1-8B",
    "nvidia/Llama-3.1-8B-Instruct-FP8": "Llama-3.1-8B",
}
# The public benchmark draws prompts and answers uniformly from 80 to 100 % of the nominal length.
PUBLIC_LENGTHS = 0.9
# Two runs of one configuration never agree to this; a value exported twice does.
SAME = 2e-3
# TensorRT-LLM runs of DeepSeek-R1 that are 20-50 % faster than their neighbours: speculative decoding, not labelled.
SPECULATIVE = {("1.2.0rc6.post3", None), ("1.1.0rc2.post2", "2026-01-14")}
# A run whose first tokens take 5 to 12 s wherever more than 16k prompt tokens are in flight, three times as long as a
# week before and eight times as long as later, while its ITL is like theirs: over a minute in the first round, as if
# kernels were compiled.
STALLED = ("DeepSeek-R1|b200_sxm|sglang|fp4", "2025-11-10")


@dataclass(frozen=True)
class Measurement:
    """One run: a deployment under a load, and the means that were measured."""

    id: str
    architecture: str
    sku: str
    engine: str
    precision: str  # bf16 fp8 fp4 int4
    quantization: str  # as `Model.quantization`
    tp: int
    dp: int
    ep: int
    isl: float
    osl: float
    concurrency: float
    generator: Generator
    admission_wait_steps: float
    speculative: bool
    version: str
    ttft_ms: float
    itl_ms: float

    @property
    def arrival(self) -> Arrival:
        """What the load generator did."""
        return "burst" if self.generator == "burst-lab" else "closed"

    @property
    def deployment(self) -> str:
        """Architecture, GPU, engine and precision."""
        return f"{self.architecture}|{self.sku}|{self.engine}|{self.precision}"

    @property
    def stalled(self) -> bool:
        """Whether the TTFT says how long the engine stood still, and nothing of how it serves."""
        return (self.deployment, self.version.partition("@")[2]) == STALLED

    @property
    def architecture_and_engine(self) -> str:
        """What deployments on different GPUs share."""
        return f"{self.architecture}|{self.engine}"

    @property
    def configuration(self) -> tuple[object, ...]:
        """Everything that was set; runs that share it measure the same thing."""
        layout = (self.tp, self.dp, self.ep, self.isl, self.osl, self.concurrency)
        return (self.deployment, *layout, self.generator)


def measurements(rows: Iterable[Mapping[str, str]]) -> tuple[Measurement, ...]:
    """Distinct usable measurements of aggregated engines, ordered by id."""
    usable = (_measurement(row) for row in rows if row["mode"] == "agg" and not _unusable(row))
    return tuple(_without_reexports(sorted(usable, key=lambda found: found.id)))


def _measurement(row: Mapping[str, str]) -> Measurement:
    ranks, dp, ep = _layout(row)
    source = row["silicon_data_source"]
    stated = re.search(r"silicon_concurrency=(\d+)", source)
    date = re.search(r"measured=(\d{4}-\d\d-\d\d)", source)
    generator = _generator(row)
    shorter = PUBLIC_LENGTHS if generator == "public" else 1.0
    precision = row["precision"] or "bf16"
    known = {
        "architecture": ARCHITECTURES[row["model_path"]],
        "engine": row["backend"],
        "tp": ranks // dp,
        "dp": dp,
        "concurrency": float(stated[1]) if stated else float(row["batch_size"]) * dp,
    }
    version = row["backend_version"]
    return Measurement(
        id=row["id"],
        sku=row["system"],
        precision=precision,
        quantization=quantization(row, precision),
        ep=ep,
        isl=float(row["isl"]) * shorter,
        osl=max(2.0, float(row["osl"]) * shorter),
        generator=generator,
        admission_wait_steps=_admission(row, generator, **known),
        speculative=known["architecture"] == "DeepSeek-R1"
        and known["engine"] == "trtllm"
        and bool({(version, None), (version, date[1] if date else "")} & SPECULATIVE),
        version=f"{version}@{date[1] if date else ''}",
        ttft_ms=float(row["silicon_ttft_ms"]),
        itl_ms=float(row["silicon_tpot_ms"]),
        **known,
    )


def _unusable(row: Mapping[str, str]) -> bool:
    """Totals of several engines, jobs of several replicas, and rows with no layout at all."""
    source = row["silicon_data_source"]
    lost = row["system"] == "gb200" and _is_lab(row) and _whole(row["attention_dp_size"]) == 0
    return _layout(row)[0] > 8 or "gtl_job" in source or lost


def _layout(row: Mapping[str, str]) -> tuple[int, int, int]:
    """GPUs, attention DP and expert parallelism. The public rows have tp * ep written into tp or dp."""
    names = ("tp_size", "attention_dp_size", "moe_tp_size", "moe_ep_size")
    tp, dp, moe_tp, moe_ep = (_whole(row[name]) for name in names)
    dp = max(dp, 1)
    experts = moe_tp * max(moe_ep, 1)
    if _is_lab(row) or moe_tp * moe_ep == 0:
        wider = experts > tp * dp > 0  # experts spread wider than attention TP: attention is data parallel
        return (experts, experts // (tp * dp), max(moe_ep, 1)) if wider else (tp * dp, dp, max(moe_ep, 1))
    if moe_tp == moe_ep > 1 and tp * dp == moe_tp * moe_ep:
        return moe_tp, moe_tp if dp > 1 else 1, moe_ep
    if tp == dp and moe_ep == tp * dp and tp > 1:
        return tp, tp, tp
    return tp * dp, dp, moe_ep


def _generator(row: Mapping[str, str]) -> Generator:
    if not _is_lab(row):
        return "public"
    if row["backend_version"] == "0.5.1.post1":
        return "burst-lab"
    return "sweep-lab" if row["system"] == "h200_sxm" else "steady-lab"


def _is_lab(row: Mapping[str, str]) -> bool:
    """Whether internal sweeps are the source, rather than the public continuous benchmark."""
    start = row["silicon_data_source"][:40]
    first = re.search(r"db-dump|source_file=2026-\d\d-\d\d|harrli|[\w.-]*gap-analysis", start)
    return bool(first) and first[0] == "harrli"


def _admission(
    row: Mapping[str, str], generator: str, *, architecture: str, engine: str, tp: int, dp: int, concurrency: float
) -> float:
    """Steps for which the benchmark's public launch scripts hold requests back.

    SGLang: --scheduler-recv-interval 10 or 30; TensorRT-LLM: batch_wait_timeout_iters 20, or timeout_iters 60 of
    attention DP.
    """
    if generator != "public":
        return 0.0
    blackwell = row["system"] in ("b200_sxm", "b300_sxm")
    if engine == "sglang" and blackwell and architecture in ("DeepSeek-R1", "Qwen3.5-397B"):
        return 30.0 if concurrency >= 16 else 10.0
    if engine == "trtllm" and architecture == "DeepSeek-R1" and dp > 1:
        return 60.0
    square = row["isl"] == row["osl"] == "1024"
    return 20.0 if engine == "trtllm" and architecture == "Llama-3.1-70B" and square and tp < 8 else 0.0


def quantization(row: Mapping[str, str], precision: str) -> str:
    """`Model.quantization` of a row."""
    if precision == "fp8" and "fp8_block" in (row["gemm_quant_mode"], row["moe_quant_mode"]):
        return "fp8_block"
    if precision == "fp4":
        return "mxfp4" if "gpt-oss" in row["model_path"] else "nvfp4"
    return precision


def _without_reexports(rows: Iterable[Measurement]) -> Iterator[Measurement]:
    seen: dict[object, list[tuple[float, float]]] = {}
    for row in rows:
        values = log(row.ttft_ms), log(row.itl_ms)
        others = seen.setdefault((row.deployment, row.tp, row.dp, row.ep, row.isl, row.osl, row.concurrency), [])
        if not any(abs(values[0] - ttft) < SAME and abs(values[1] - itl) < SAME for ttft, itl in others):
            others.append(values)
            yield row


def _whole(text: str) -> int:
    return int(float(text)) if text else 0
