"""What the parts of a DGD are built from: the request, the model and the configuration, with what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from profiler.profile import Configuration, Worker
from profiler.request import Request

if TYPE_CHECKING:
    from profiler.models import Model

# Prompt tokens of one step of one rank: what the estimates of time and memory suppose (`profiler.estimate`).
CHUNK_TOKENS = 8192
# isl and osl are means: a deployment also has to take the requests that are twice as long.
LENGTH_HEADROOM = 2
# Ids of checkpoints that bring their own code for tokenizer or architecture (`auto_map` in config.json), by prefix.
REMOTE_CODE = ("MiniMaxAI/", "XiaomiMiMo/", "moonshotai/", "nvidia/Kimi", "nvidia/Llama-3_", "nvidia/NVIDIA-Nemotron")
# The KV cache is estimated before an engine measured its own; an engine refuses to start where one sequence cannot fit.
KV_MARGIN = 0.9


@dataclass(frozen=True)
class Deployment:
    """One configuration of one request, as the engine modules see it."""

    request: Request
    model: Model
    configuration: Configuration

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

    @property
    def trust_remote_code(self) -> bool:
        """Whether the engine has to run code that comes with the checkpoint."""
        return self.request.model.startswith(REMOTE_CODE)

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


def flags(pairs: Mapping[str, str | int | float | bool | None]) -> list[str]:
    """Arguments in exec form: a long flag and its value apart (the operator reads nothing else), True as a bare flag.

    False and None leave the flag out.
    """
    arguments: list[str] = []
    for flag, value in pairs.items():
        if value is None or value is False:
            continue
        arguments += [flag] if value is True else [flag, str(value)]
    return arguments
