"""How the workers perform over their whole range: the profile data that planners and mocker workers read.

They fit their own models to these points (dynamo.planner and dynamo.mocker of Dynamo 1.2): a prompt's time over its
length, and a decode step's over running sequences and the tokens that they hold.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from profiler.estimate import Estimates, FloatArray, Points
from profiler.generate import names
from profiler.hardware import Gpu
from profiler.points.questions import Mode, Question
from profiler.profile import Configuration, Worker
from profiler.request import Request
from profiler.search.columns import significant

if TYPE_CHECKING:
    from profiler.models import Model
    from profiler.points.measured import Measurements

DIRECTORY = "/workspace/profiling_results"
VOLUME = "profile-data"
PREFILL_KEY, DECODE_KEY = "prefill_raw_data.json", "decode_raw_data.json"

PROMPTS = 16  # prompt lengths
CONTEXTS, BATCHES = 6, 6  # lengths and numbers of running sequences
SHORTEST = 100  # tokens of a prompt
ANSWER_TOKENS = 500  # of a decoding sequence, as upstream's sweep on GPUs has it
LEAST_POINTS = 3  # below this nothing can be fitted


@dataclass(frozen=True)
class Engines:
    """The engines of a configuration, and the longest sequence that they take, in tokens."""

    model: Model
    gpu: Gpu
    configuration: Configuration
    context_tokens: int
    measurements: Measurements | None = None

    def data(self) -> dict[str, str] | None:
        """Both files by name, or None where this model and GPU have too few estimates to fit anything to."""
        prefill, decode = self._prefill(), self._decode()
        if len(prefill["prefill_isl"]) < LEAST_POINTS or len(decode["z_itl"]) < LEAST_POINTS:
            return None
        return {PREFILL_KEY: json.dumps(prefill), DECODE_KEY: json.dumps(decode)}

    def _prefill(self) -> dict[str, list[float]]:
        """Tokens of a prompt, its TTFT alone in ms, and prompt tokens/s/GPU of all attention ranks."""
        worker, longest = self.configuration.workers[0], self.context_tokens - 1
        points = _points(worker, isl=_spread(min(SHORTEST, longest), longest, PROMPTS), osl=1)
        found = self._estimate("prefill", points)
        lengths, times = points.isl[found.answered], found.ttft_ms[found.answered]
        rate = lengths / times * 1000 * worker.layout.dp / worker.layout.gpus
        return {"prefill_isl": _list(lengths), "prefill_ttft": _list(times), "prefill_thpt_per_gpu": _list(rate)}

    def _decode(self) -> dict[str, Any]:
        """Share of the KV cache in use, mean tokens of a sequence, ITL in ms and tokens/s/GPU; a row for each pair."""
        worker = self.configuration.workers[-1]
        answer = min(ANSWER_TOKENS, self.context_tokens // 4)
        longest = self.context_tokens - answer
        # Beyond its scheduler's limit an engine never runs.
        axes = _spread(min(SHORTEST, longest), longest, CONTEXTS), _spread(1, worker.max_batch, BATCHES)
        isl, sequences = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
        points = _points(worker, isl=isl, osl=answer, concurrency=sequences)
        found = self._estimate("decode", points)
        context, sequences, itl = (c[found.answered] for c in (points.isl + answer / 2, sequences, found.itl_ms))
        return {
            "x_kv_usage": _list(sequences * context / worker.kv_tokens),
            "y_context_length": _list(context),
            "z_itl": _list(itl),
            "z_thpt_per_gpu": _list(sequences / itl * 1000 / worker.layout.gpus),
            "max_kv_tokens": worker.kv_tokens,
        }

    def _estimate(self, mode: Mode, points: Points) -> Estimates:
        question = Question(self.model, self.gpu, self.configuration.backend, mode)
        found = question.estimate(points)
        return self.measurements.correction(question).apply(found, points, mode) if self.measurements else found


def config_map(request: Request, files: dict[str, str]) -> dict[str, Any]:
    """The ConfigMap of these files. No namespace: it lands beside the deployment."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": names.profile_data(request), "labels": names.labels(request)},
        "data": files,
    }


def mount(service: dict[str, Any], request: Request) -> None:
    """Mount the ConfigMap into a service."""
    pod = service["extraPodSpec"]
    pod.setdefault("volumes", []).append({"name": VOLUME, "configMap": {"name": names.profile_data(request)}})
    mounts = pod["mainContainer"].setdefault("volumeMounts", [])
    mounts.append({"name": VOLUME, "mountPath": DIRECTORY, "readOnly": True})


def _points(worker: Worker, **columns: Any) -> Points:
    return Points.of(**asdict(worker.layout), **columns)


def _spread(low: int, high: int, most: int) -> FloatArray:
    """Whole numbers from `low` to `high`, evenly, each once."""
    values = np.rint(np.linspace(low, max(low, high), most))
    distinct: FloatArray = values[np.diff(values, prepend=-1) > 0]
    return distinct


def _list(column: FloatArray) -> list[float]:
    """Rounded, so that every machine writes the same bytes."""
    return [significant(value) for value in column]
