"""From rows of a table to what `profiler.estimate.operations` would say of them at full efficiency.

Only shapes that deployments have: tiny matrices and KV caches that stay in the L2 cache between repetitions of a
benchmark (and never do between layers of a model) would bend the efficiencies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from profiler.estimate.coefficients import link
from profiler.hardware import Gpu
from profiler.models.formats import WEIGHT_BYTES
from scripts.fit.operations.tables import ENGINES, Columns, Tables, take

Column = NDArray[np.float64]

# Number formats of the tables: ours, with the bits per weight and the rate that their arithmetic runs at.
FORMATS = {
    "bfloat16": "bf16",
    "fp8": "fp8",
    "fp8_block": "fp8_block",
    "nvfp4": "nvfp4",
    "int4_wo": "int4",
    "w4a16_mxfp4": "mxfp4",
    "w4a8_mxfp4_mxfp8": "mxfp4",
}
KV_BYTES = {"bfloat16": 2.0, "fp8": 1.0}
# KV caches smaller than this stay, at least in part, in the L2 cache of some GPU (50 to 126 MB).
BEYOND_CACHE = 250e6
LATENT_BEYOND_CACHE = 60e6  # the tables hold few larger ones
LARGEST_MESSAGE = 300e6  # bytes; steps move no more
LATENT, ROPE, NOPE, VALUE = 512, 64, 128, 128  # head widths of DeepSeek-V3, which the MLA tables are of


@dataclass(frozen=True)
class Samples:
    """Rows of one operation on one GPU under one engine in one number format; times in seconds."""

    engine: str
    format: str
    seconds: Column
    compute: Column  # at the peak rate of the format
    transfer: Column  # at the full bandwidth, of memory or links
    launches: Column  # by how often the fixed time counts: once, or once per doubling of ranks
    skewed: NDArray[np.bool_]  # experts that are picked unevenly, spread over ranks
    crowd: Column  # pairs of GPUs that share a PCIe host, as a logarithm; 0 elsewhere


@dataclass(frozen=True)
class Operation:
    """An operation: how to find its samples, and which coefficient of ours each fitted number is."""

    name: str
    samples: Callable[[Tables, str, Gpu], Iterator[Samples]]
    coefficients: Mapping[str, str]  # fixed, compute, transfer, sharing -> name in data/coefficients.json


def dense_gemm(tables: Tables, system: str, gpu: Gpu) -> Iterator[Samples]:
    """Matrices of m tokens. vLLM's block-scaled fp8 rows are bound by launches (one kernel takes 59 to 437 us)."""
    for engine, columns in _engines(tables, system, "gemm", "gemm_perf"):
        for name, rows in _by(columns, "gemm_dtype"):
            if name not in FORMATS or (engine, name) == ("vllm", "fp8_block"):
                continue
            rows = take(rows, (np.minimum(rows["n"], rows["k"]) >= 512) & (np.maximum(rows["n"], rows["k"]) <= 32768))
            weights = rows["n"] * rows["k"]
            yield _samples(
                engine,
                FORMATS[name],
                rows,
                compute=2 * rows["m"] * weights / _rate(gpu, name),
                transfer=weights * WEIGHT_BYTES[FORMATS[name]] / gpu.bandwidth,
            )


def experts(tables: Tables, system: str, gpu: Gpu) -> Iterator[Samples]:
    """Routed experts of one rank: all kernels from routing to the weighted sum."""
    for engine, columns in _engines(tables, system, "moe", "moe_perf"):
        for name, rows in _by(columns, "moe_dtype"):
            if name not in FORMATS or (name == "w4a16_mxfp4" and gpu.fp4_flops):
                continue  # engines feed 8-bit activations to mxfp4 experts where the GPU can
            local = rows["num_experts"] / rows["moe_ep_size"]
            rows = take(rows, (local >= 4) & (rows["inter_size"] / rows["moe_tp_size"] >= 128))
            tokens, share = rows["num_tokens"], rows["topk"] / rows["num_experts"]
            width = rows["inter_size"] / rows["moe_tp_size"]
            held = 3 * rows["hidden_size"] * width * rows["num_experts"] / rows["moe_ep_size"]
            touched = -np.expm1(tokens * np.log1p(-share))
            yield _samples(
                engine,
                FORMATS[name],
                rows,
                compute=2 * tokens * share * held / _rate(gpu, name),
                transfer=touched * held * WEIGHT_BYTES[FORMATS[name]] / gpu.bandwidth,
                skewed=(rows["distribution"] != "balanced") & (rows["moe_ep_size"] > 1),
            )


def decode_attention(tables: Tables, system: str, gpu: Gpu) -> Iterator[Samples]:
    """Grouped-query attention of one token per sequence over a cache that is larger than the L2 cache."""
    for engine, columns in _engines(tables, system, "attention", "generation_attention_perf"):
        for name, rows in _by(_plain_heads(columns), "kv_cache_dtype"):
            positions = rows["batch_size"] * (rows["step"] + 1)
            moved = positions * 2 * rows["num_key_value_heads"] * rows["head_dim"] * KV_BYTES[name]
            keep = moved >= BEYOND_CACHE
            yield _samples(engine, f"{FORMATS[name]} KV", take(rows, keep), transfer=moved[keep] / gpu.bandwidth)


def prefill_attention(tables: Tables, system: str, gpu: Gpu) -> Iterator[Samples]:
    """Grouped-query attention of whole prompts, at the 16-bit rate whatever the cache's format."""
    for engine, columns in _engines(tables, system, "attention", "context_attention_perf"):
        for name, rows in _by(_plain_heads(columns), "kv_cache_dtype"):
            rows = take(rows, _whole_steps(rows))
            flops = 2 * rows["batch_size"] * rows["isl"] ** 2 * rows["num_heads"] * rows["head_dim"]
            yield _samples(engine, f"{FORMATS[name]} KV", rows, compute=flops / gpu.bf16_flops)


def latent_decode(tables: Tables, system: str, gpu: Gpu) -> Iterator[Samples]:
    """Multi-head latent attention with absorbed projections, in the latent space of DeepSeek-V3."""
    for engine, columns in _engines(tables, system, "mla", "generation_mla_perf"):
        for name, rows in _by(columns, "kv_cache_dtype"):
            positions = rows["batch_size"] * (rows["step"] + 1)
            moved = positions * (LATENT + ROPE) * KV_BYTES[name]
            keep = (moved >= LATENT_BEYOND_CACHE) & (rows["num_heads"] >= 8)
            flops = positions * 2 * rows["num_heads"] * (2 * LATENT + ROPE)
            yield _samples(
                engine,
                f"{FORMATS[name]} KV",
                take(rows, keep),
                compute=flops[keep] / gpu.bf16_flops,
                transfer=moved[keep] / gpu.bandwidth,
            )


def latent_prefill(tables: Tables, system: str, gpu: Gpu) -> Iterator[Samples]:
    """Multi-head latent attention of whole prompts, with expanded heads."""
    for engine, columns in _engines(tables, system, "mla", "context_mla_perf"):
        for name, rows in _by(columns, "kv_cache_dtype"):
            rows = take(rows, _whole_steps(rows) & (rows["num_heads"] >= 8))
            flops = rows["batch_size"] * rows["isl"] ** 2 * rows["num_heads"] * (NOPE + ROPE + VALUE)
            yield _samples(engine, f"{FORMATS[name]} KV", rows, compute=flops / gpu.bf16_flops)


def all_reduce(tables: Tables, system: str, gpu: Gpu) -> Iterator[Samples]:
    """The engines' own all-reduce inside CUDA graphs."""
    for engine, rows in _engines(tables, system, "comm", "custom_allreduce_perf"):
        if "backend" in rows:
            rows = take(rows, ~np.char.endswith(rows["backend"], "eager"))
        yield from _collective(engine, rows, gpu, passes=2)


def nccl(operation: str) -> Callable[[Tables, str, Gpu], Iterator[Samples]]:
    """A collective of NCCL in 16 bit."""

    def samples(tables: Tables, system: str, gpu: Gpu) -> Iterator[Samples]:
        rows = tables.read(system, "comm", "nccl", "nccl_perf")
        if rows is not None:
            yield from _collective(
                "nccl", take(rows, (rows["op_name"] == operation) & (rows["nccl_dtype"] == "half")), gpu, passes=1
            )

    return samples


def exchange(tables: Tables, system: str, gpu: Gpu) -> Iterator[Samples]:
    """Dispatch and combine of tokens over the ranks of one NVLink domain, TensorRT-LLM's kernels; each is a sample."""
    rows = tables.read(system, "comm", "trtllm", "trtllm_alltoall_perf")
    if rows is not None:
        rows = take(rows, np.isin(rows["op_name"], ("alltoall_dispatch", "alltoall_combine")))
        back = rows["op_name"] == "alltoall_combine"
        width = np.where(back, 2.0, [WEIGHT_BYTES[FORMATS[name]] for name in rows["moe_dtype"]])
        moved = _copies(rows["topk"], rows["moe_ep_size"]) * rows["num_tokens"] * rows["hidden_size"] * width
        yield _samples("trtllm", "all", rows, transfer=moved / gpu.link_bandwidth)


def deep_ep(across: bool) -> Callable[[Tables, str, Gpu], Iterator[Samples]]:
    """DeepEP's low-latency dispatch (8 bit) and combine (16 bit), within a node or across two to eight."""

    def samples(tables: Tables, system: str, gpu: Gpu) -> Iterator[Samples]:
        for rows in tables.releases(system, "comm", "sglang", "wideep_deepep_ll_perf"):
            rows = take(rows, (rows["node_num"] > 1) == across)
            ranks = rows["node_num"] * gpu.gpus_per_node
            moved = _copies(rows["num_topk"], ranks) * rows["num_token"] * rows["hidden_size"]
            share = (1 - 1 / rows["node_num"]) * ranks / (ranks - 1) if across else 1.0
            rate = gpu.network_bandwidth if across else gpu.link_bandwidth
            for phase, width in (("dispatch", 1.0), ("combine", 2.0)):
                mine = rows | {"latency": rows[f"{phase}_avg_t_us"] * 1e-3}
                yield _samples("sglang", phase, mine, transfer=moved * width * share / rate)

    return samples


# Of `kernel_us` only what GPUs differ in counts: the fixed time of an operation is that of several kernels.
OPERATIONS = (
    Operation(
        "dense GEMM",
        dense_gemm,
        {"fixed": "kernel_us", "compute": "dense_compute", "transfer": "dense_bandwidth"},
    ),
    Operation(
        "experts",
        experts,
        {"fixed": "kernel_us", "compute": "expert_compute", "transfer": "expert_bandwidth"},
    ),
    Operation("decode attention", decode_attention, {"fixed": "kernel_us", "transfer": "decode_bandwidth"}),
    Operation("prefill attention", prefill_attention, {"compute": "prefill_compute"}),
    Operation("MLA decode", latent_decode, {}),
    Operation("MLA prefill", latent_prefill, {"compute": "prefill_compute"}),
    Operation(
        "all-reduce",
        all_reduce,
        {"fixed": "hop_us", "transfer": "link_efficiency", "sharing": "link_sharing"},
    ),
    Operation("all-gather", nccl("all_gather"), {}),
    Operation("reduce-scatter", nccl("reduce_scatter"), {}),
    Operation("all-to-all", nccl("alltoall"), {}),
    Operation("dispatch, combine", exchange, {"fixed": "exchange_us"}),
    Operation("DeepEP in a node", deep_ep(across=False), {}),
    Operation("DeepEP across nodes", deep_ep(across=True), {}),
)


def _samples(
    engine: str,
    number_format: str,
    rows: Columns,
    *,
    compute: Column | None = None,
    transfer: Column | None = None,
    launches: Column | None = None,
    skewed: NDArray[np.bool_] | None = None,
    crowd: Column | None = None,
) -> Samples:
    seconds = rows["latency"] * 1e-3
    none = np.zeros_like(seconds)
    return Samples(
        engine,
        number_format,
        seconds,
        compute=none if compute is None else compute,
        transfer=none if transfer is None else transfer,
        launches=np.ones_like(seconds) if launches is None else launches,
        skewed=none > 0 if skewed is None else skewed,
        crowd=none if crowd is None else crowd,
    )


def _collective(engine: str, rows: Columns, gpu: Gpu, passes: int) -> Iterator[Samples]:
    message, ranks = 2 * rows["message_size"], rows["num_gpus"]
    keep = message <= LARGEST_MESSAGE
    moved = passes * message * (ranks - 1) / ranks
    if keep.any():
        yield _samples(
            engine,
            "bf16",
            take(rows, keep),
            transfer=moved[keep] / gpu.link_bandwidth,
            launches=np.log2(ranks[keep]),
            crowd=np.log(ranks[keep] / 2) if link(gpu) == "pcie" else None,
        )


def _copies(topk: Column, ranks: Column) -> Column:
    """Other ranks that a token goes to, as in `profiler.estimate.operations.exchange`."""
    copies: Column = (ranks - 1) * (1 - (1 - 1 / ranks) ** topk)
    return copies


def _rate(gpu: Gpu, name: str) -> float:
    native = {"fp8": gpu.fp8_flops, "fp8_block": gpu.fp8_flops, "nvfp4": gpu.fp4_flops, "mxfp4": gpu.fp4_flops}
    return native.get(FORMATS[name], 0.0) or gpu.bf16_flops


def _plain_heads(columns: Columns) -> Columns:
    """Grouped queries with heads of 128 and no window, as many heads as a rank may have."""
    window = columns.get("window_size", np.zeros_like(columns["head_dim"]))
    plain = (columns["head_dim"] == 128) & (window == 0) & (columns["num_heads"] > columns["num_key_value_heads"])
    return take(columns, plain & (columns["num_heads"] >= 4) & (columns["num_heads"] <= 64))


def _whole_steps(rows: Columns) -> NDArray[np.bool_]:
    return (rows["isl"] >= 256) & (rows["batch_size"] * rows["isl"] >= 1024)


def _engines(tables: Tables, system: str, family: str, table: str) -> Iterator[tuple[str, Columns]]:
    for engine in ENGINES:
        found = tables.read(system, family, engine, table)
        if found is not None:
            yield engine, found


def _by(columns: Columns, name: str) -> Iterator[tuple[str, Columns]]:
    for value in sorted(set(columns[name].tolist())):
        yield value, take(columns, columns[name] == value)
