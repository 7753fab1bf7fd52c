"""What profiling found, as plain data: the content of `profile.json`.

No numpy here: `kubectl dynamo describe` and `pareto` read a profile on the light path. Times are milliseconds, sizes
GiB, rates tokens/s or requests/s; every number is finite.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Final, Literal

import msgspec

from crds.errors import InputError

Mode = Literal["agg", "disagg"]
Role = Literal["worker", "prefill", "decode"]


@dataclass(frozen=True)
class Layout:
    """How one engine is spread over GPUs. For MoE models tp * dp = moe_tp * moe_ep; dense models leave moe_* at 1."""

    tp: int = 1
    pp: int = 1
    dp: int = 1
    moe_tp: int = 1
    moe_ep: int = 1

    @property
    def gpus(self) -> int:
        """GPUs of one engine."""
        return self.tp * self.pp * self.dp

    @property
    def label(self) -> str:
        """TP4, TEP8 (attention TP, experts EP), DEP16 (attention DP, experts EP); one label per layout."""
        if self.dp > 1:
            name = f"DEP{self.gpus // self.pp}" if self.tp == 1 else f"DP{self.dp}TP{self.tp}"
        elif self.moe_ep > 1:
            name = f"TEP{self.tp}" if self.moe_tp == 1 else f"TP{self.tp}EP{self.moe_ep}"
        else:
            name = f"TP{self.tp}"
        return f"{name}PP{self.pp}" if self.pp > 1 else name


LAYOUT: Final = tuple(dimension.name for dimension in fields(Layout))  # the columns of a layout in any table


@dataclass(frozen=True)
class Worker:
    """One kind of engine in a deployment: its role, its layout and how many of it run."""

    role: Role
    layout: Layout
    replicas: int
    max_batch: int  # most sequences one engine runs at a time (its scheduler limit)
    kv_tokens: int  # tokens that fit in the KV cache of one engine (all ranks together)
    memory_gib: float  # per GPU: weights, activations and the KV cache at this load


@dataclass(frozen=True)
class Interval:
    """An 80 % prediction interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Metrics:
    """What a configuration is estimated to do at its operating point."""

    ttft_ms: float
    itl_ms: float
    e2e_latency_ms: float  # ttft_ms + (osl - 1) * itl_ms
    throughput_per_gpu: float  # output tokens/s/GPU over all GPUs of the deployment
    throughput_per_user: float  # tokens/s/user = 1000 / itl_ms
    request_rate: float  # requests/s of the whole deployment
    concurrency: float  # requests in flight in the whole deployment
    ttft_ms_interval: Interval
    itl_ms_interval: Interval
    throughput_per_gpu_interval: Interval


@dataclass(frozen=True)
class Configuration:
    """A whole deployment: backend, mode, workers with their counts, and its metrics."""

    backend: str
    mode: Mode
    workers: tuple[Worker, ...]
    gpus: int
    metrics: Metrics
    provenance: str  # "measured" or "transferred", perhaps followed by " calibrated"

    @property
    def label(self) -> str:
        """`vllm disagg 2x TP2 prefill + 1x TP4 decode`."""
        parts = " + ".join(
            f"{w.replicas}x {w.layout.label}" + ("" if w.role == "worker" else f" {w.role}") for w in self.workers
        )
        return f"{self.backend} {self.mode} {parts}"


@dataclass(frozen=True)
class Alternative:
    """A configuration that was not picked, and the constraint that decided against it."""

    configuration: Configuration
    why_not: str
    held_by: str = ""  # the limits of the request that keep it from more, where it meets them: "ITL"


@dataclass(frozen=True)
class Trade:
    """What a change of the request would buy, and the configuration that it would give."""

    change: str  # "ITL up to 55 ms", "18 GPUs"
    buys: str  # "12 % more throughput", "nothing"
    label: str = ""  # of the configuration, empty where there is none
    gpus: int = 0


@dataclass(frozen=True)
class Target:
    """One constraint of the request held against the pick: `ttft_ms <= 500`, met or by how much it is missed."""

    name: str  # ttft_ms | itl_ms | e2e_latency_ms | request_rate | concurrency
    limit: float
    value: float
    met: bool
    binding: bool  # whether this is the constraint that limits the pick


@dataclass(frozen=True)
class Asked:
    """The request as the profiler understood it, defaults and detected hardware filled in."""

    name: str
    namespace: str
    model: str
    backend: str
    strategy: str
    gpu_sku: str
    gpu_memory_gib: float
    total_gpus: int
    gpus_per_node: int
    isl: int
    osl: int
    optimization: str
    ttft_ms: float | None = None
    itl_ms: float | None = None
    e2e_latency_ms: float | None = None
    request_rate: float | None = None
    concurrency: float | None = None
    planner: bool = False
    mocker: bool = False
    hardware_source: str = "request"  # request | discovery | flags, or a mix as "request, discovery"


@dataclass(frozen=True)
class Searched:
    """What the search looked at: how many candidates, and why the others were excluded (reason -> count)."""

    candidates: int
    feasible: int
    excluded: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Measured:
    """A measurement of the user that corrects the estimates: which engine under which load, and its times.

    Lengths are mean tokens, `concurrency` the requests in flight on the engine; None where a time was not measured.
    """

    source: str  # the file and its row
    backend: str
    mode: Literal["agg", "prefill", "decode"]
    layout: Layout
    isl: float
    osl: float
    concurrency: float
    ttft_ms: float | None = None
    ttft_ms_estimated: float | None = None
    itl_ms: float | None = None
    itl_ms_estimated: float | None = None


@dataclass(frozen=True)
class Calibration:
    """What the user's own measurements changed: factors on the pick's times, and what would be picked without them."""

    used: int
    measurements: tuple[Measured, ...]  # those that were used, evenly thinned where there are many
    ttft_factor: float
    itl_factor: float
    instead_of: Configuration  # as estimates alone have it


@dataclass(frozen=True)
class Profile:
    """Everything that `describe`, `pareto` and `explain` show."""

    asked: Asked
    searched: Searched
    pick: Configuration
    why: str  # one sentence: what was maximised under which constraint
    sla_met: bool
    targets: tuple[Target, ...]
    frontier: tuple[Configuration, ...]  # ascending tokens/s/user, descending tokens/s/GPU
    alternatives: tuple[Alternative, ...]
    cloud: tuple[tuple[float, float], ...] = ()  # (tokens/s/user, tokens/s/GPU) of a thinned sample of candidates
    warnings: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    trades: tuple[Trade, ...] = ()
    operations: dict[str, float] = field(default_factory=dict)  # ms of one decode step of the pick, largest first
    calibration: Calibration | None = None  # where the user measured
    schema: int = 1

    def to_json(self) -> bytes:
        """Compact JSON, keys in declaration order."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, data: bytes | str) -> Profile:
        """Read a `profile.json`. Raises InputError where it is not one."""
        try:
            return msgspec.json.decode(data, type=cls)
        except msgspec.DecodeError as error:
            raise InputError("this is not a profile.json", str(error)) from error
