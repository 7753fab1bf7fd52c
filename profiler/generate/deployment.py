"""What the parts of a DGD are built from: the request, the model and the configuration, with what follows from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from profiler.generate import curves
from profiler.profile import Configuration, Worker
from profiler.request import Request

if TYPE_CHECKING:
    from profiler.models import Model
    from profiler.points.measured import Measurements

# Prompt tokens of one step of one rank: what the estimates of time and memory suppose (`profiler.estimate`).
CHUNK_TOKENS = 8192
# isl and osl are means: a deployment also has to take the requests that are twice as long.
LENGTH_HEADROOM = 2
# The KV cache is estimated before an engine measured its own; an engine refuses to start where one sequence cannot fit.
KV_MARGIN = 0.9

# Why a flag is there, where several engines have it.
LIMITS = "beyond this a rank misses the latency that was asked; requests queue instead"
REMOTE_CODE = "the checkpoint brings code of its own"


@dataclass(frozen=True)
class Deployment:
    """One configuration of one request, as the engine modules see it."""

    request: Request
    model: Model
    configuration: Configuration
    measurements: Measurements | None = None

    @property
    def disaggregated(self) -> bool:
        """Whether prefill and decode run in workers of their own."""
        return self.configuration.mode == "disagg"

    @property
    def planned(self) -> bool:
        """Whether a planner scales the workers."""
        return self.request.planner is not None

    @property
    def served_name(self) -> str:
        """The name that clients ask for. The planner and the Frontend look for it in the workers' arguments."""
        return self.request.model

    @property
    def model_path(self) -> str:
        """Where the weights are: a directory of the model cache, or the id to download."""
        cache = self.request.model_cache
        return (cache.checkpoint if cache else None) or self.request.model

    @cached_property
    def context_tokens(self) -> int:
        """Longest sequence, prompt and answer, that every worker takes.

        One value for prefill and decode, so that both take the same requests; never more than the model knows, nor than
        the KV cache of one rank holds (without a limit, vLLM takes the model's and refuses to start: dynamo#10104).
        """
        workload = self.request.workload
        mean = workload.isl + workload.osl
        held = min(worker.kv_tokens // worker.layout.dp for worker in self.configuration.workers)
        wanted = min(LENGTH_HEADROOM * mean, int(KV_MARGIN * held))
        return min(max(mean, wanted), self.model.context)

    @cached_property
    def curves(self) -> dict[str, str] | None:
        """Files that say how the workers perform over their whole range, where that can be estimated."""
        gpu = self.request.hardware.gpu_in_nodes
        return curves.Engines(self.model, gpu, self.configuration, self.context_tokens, self.measurements).data()

    @property
    def trust_remote_code(self) -> bool:
        """Whether the engine has to run code that comes with the checkpoint."""
        return self.model.remote_code

    @property
    def fp8_cache(self) -> bool:
        """Whether the estimates suppose a KV cache in FP8: the checkpoint asks for it, the GPU computes with it."""
        return self.model.kv_dtype == "fp8" and self.request.hardware.gpu.fp8_flops > 0

    def nodes(self, worker: Worker) -> int:
        """Nodes that one engine of this worker spans: the fewest that hold it in equal shares."""
        gpus, per_node = worker.layout.gpus, self.request.hardware.gpus_per_node
        return next(nodes for nodes in range(rounded_up(gpus, per_node), gpus + 1) if gpus % nodes == 0)

    def gpus_per_pod(self, worker: Worker) -> int:
        """GPUs that each pod of this worker asks for."""
        return worker.layout.gpus // self.nodes(worker)


def sequences(worker: Worker) -> int:
    """Most sequences that one data-parallel rank runs at a time."""
    return max(1, rounded_up(worker.max_batch, worker.layout.dp))


def step_tokens(worker: Worker) -> int:
    """Most tokens of one step of one rank: a chunk of prompts, with room for one token of every sequence."""
    return max(CHUNK_TOKENS, sequences(worker))


def rounded_up(value: int, unit: int) -> int:
    """How many units hold a value."""
    return -(-value // unit)


def rounded(value: int, unit: int) -> int:
    """The next multiple of a unit."""
    return rounded_up(value, unit) * unit


@dataclass(frozen=True)
class Flag:
    """A long flag, its value, and why it is there where that does not go without saying.

    True is a bare flag; False and None leave the flag out.
    """

    name: str
    value: str | int | float | bool | None
    why: str = ""

    @property
    def arguments(self) -> list[str]:
        """In exec form: the flag and its value apart (the operator reads nothing else)."""
        if self.value is None or self.value is False:
            return []
        return [self.name] if self.value is True else [self.name, str(self.value)]


def arguments(flags: Iterable[Flag]) -> list[str]:
    """The arguments of all flags, in order."""
    return [argument for flag in flags for argument in flag.arguments]
