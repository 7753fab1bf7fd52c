"""From a request to its answer, in one call: the same on a laptop, in a profiling Job and in the controller.

No clock, randomness, file or network in here: the same request and model give byte-identical documents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from crds import vocabulary as v
from profiler import estimate, generate, pick, search
from profiler.pick import calibration, choice, sensitivity
from profiler.profile import Asked, Configuration, Profile
from profiler.request import Request
from profiler.search import sizing
from profiler.search.columns import Candidates, significant

if TYPE_CHECKING:
    from profiler.models import Model
    from profiler.points.measured import Measurements

VERSION: Final = "0.1.0"  # of this distribution; `importlib.metadata` would cost a twentieth of a whole run
MAX_PROFILE_BYTES: Final = 80_000  # NVIDIA's operator keeps it in an annotation, beside all else that must fit
MAX_MEASUREMENTS: Final = 20
MAX_WARNINGS: Final = 30
MAX_WARNING: Final = 400  # characters
PROMPTS: Final = "prefill of other requests"  # an aggregated engine's decode steps wait for it

OnPhase = Callable[[v.ProfilingPhase, str], None]
T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """What was found, and the documents that deploy it: ConfigMaps first, the DGD last."""

    profile: Profile
    documents: tuple[dict[str, Any], ...]
    reasons: generate.Reasons = field(default_factory=dict)  # why each flag is there; comments of `to_yaml`

    @property
    def deployment(self) -> tuple[dict[str, Any], ...]:
        """What is applied: the documents without the explanation, which a cluster stores but nothing mounts."""
        return tuple(d for d in self.documents if not d["metadata"]["name"].startswith(v.PROFILE_CONFIGMAP_PREFIX))

    def to_yaml(self, documents: Sequence[dict[str, Any]] | None = None) -> str:
        """These documents, or all, as YAML with comments."""
        return generate.dump_all(self.documents if documents is None else documents, self.reasons)


def profile(
    request: Request, model: Model, *, measurements: Measurements | None = None, on_phase: OnPhase | None = None
) -> Answer:
    """Search, pick and generate. `on_phase` is told each phase as it begins, with a sentence for people.

    `measurements` correct every estimate of the systems that they are of. Raises NoCandidate where nothing fits the
    GPUs, InputError for a request that cannot be used and where nothing that was measured is of what it asks about.
    """
    generate.check(request)
    unused = calibration.unused(request, model, measurements) if measurements else ()
    find = partial(search.candidates, model=model, measurements=measurements)
    tell = on_phase or (lambda _phase, _message: None)
    tell(v.ProfilingPhase.SWEEPING_PREFILL, "Estimating every layout of prefill and decode engines")
    found = find(request)
    tell(v.ProfilingPhase.SELECTING_CONFIG, f"Selecting from {len(found)} candidates")
    chosen = _chosen(request, model, found)
    tell(v.ProfilingPhase.GENERATING_DGD, f"Generating the deployment of {chosen.winner.label}")
    generated = generate.documents(request, model, chosen.winner, measurements)
    measured = calibration.effect(request, model, measurements, found, chosen) if measurements else None
    complete = Profile(
        asked=_asked(request),
        searched=chosen.searched,
        pick=chosen.winner,
        why=chosen.why,
        sla_met=chosen.sla_met,
        targets=chosen.targets,
        frontier=chosen.frontier,
        alternatives=chosen.alternatives,
        cloud=chosen.cloud,
        warnings=_unique(request.warnings, unused, _of_estimates(request, model), chosen.warnings, generated.warnings),
        versions={"kubectl-dynamo": VERSION, "dynamo": v.DEFAULT_IMAGE.rpartition(":")[2]},
        trades=sensitivity.trades(request, find, found, chosen),
        operations=_operations(request, model, found, chosen, measured.itl_factor if measured else 1.0),
        calibration=measured,
    )
    kept = fitted(complete, MAX_PROFILE_BYTES)
    *config_maps, dgd = generated.documents
    return Answer(kept, (*config_maps, _config_map(request, kept), dgd), generated.reasons)


def frontier_deployments(
    request: Request, model: Model, found: Profile, most: int
) -> tuple[tuple[Configuration, dict[str, Any]], ...]:
    """Up to `most` configurations of the frontier, evenly spread, each with its DGD, which carries the estimates."""
    return tuple(
        (
            configuration,
            generate.annotated(generate.documents(request, model, configuration).documents[-1], configuration),
        )
        for configuration in thinned(found.frontier, most)
    )


def fitted(found: Profile, most_bytes: int) -> Profile:
    """The same profile within `most_bytes` of JSON: first the cloud is thinned, then the frontier and alternatives.

    The frontier keeps both ends; of the alternatives the best stay.
    """
    if found.calibration:
        few = replace(found.calibration, measurements=thinned(found.calibration.measurements, MAX_MEASUREMENTS))
        found = replace(found, calibration=few)
    while len(found.to_json()) > most_bytes:
        if len(found.cloud) > 50:
            found = replace(found, cloud=thinned(found.cloud, len(found.cloud) // 2))
        elif len(found.frontier) > 16 and len(found.frontier) >= len(found.alternatives):
            found = replace(found, frontier=thinned(found.frontier, len(found.frontier) * 3 // 4))
        elif found.alternatives:
            found = replace(found, alternatives=found.alternatives[: len(found.alternatives) * 3 // 4])
        else:
            break
    return found


def thinned(items: Sequence[T], most: int) -> tuple[T, ...]:
    """At most `most` items (two or more), evenly spread, with the first and the last."""
    if len(items) <= most:
        return tuple(items)
    return tuple(items[i * (len(items) - 1) // (most - 1)] for i in range(most))


def _chosen(request: Request, model: Model, found: Candidates) -> pick.Pick:
    """The pick. Where nothing fits, other hardware is tried to say what would do."""
    if len(found):
        return pick.choose(request, found)
    raise pick.no_candidate(request, found.excluded, sizing.enough(request, model))


def _asked(request: Request) -> Asked:
    hardware, workload, sla = request.hardware, request.workload, request.sla
    return Asked(
        name=request.name,
        namespace=request.namespace,
        model=request.model,
        backend=str(request.backend),
        strategy=str(request.strategy),
        gpu_sku=hardware.gpu.sku,
        gpu_memory_gib=round(hardware.gpu.memory_bytes / 2**30, 2),
        total_gpus=hardware.total_gpus,
        gpus_per_node=hardware.gpus_per_node,
        isl=workload.isl,
        osl=workload.osl,
        optimization=str(sla.optimization),
        ttft_ms=sla.ttft_ms,
        itl_ms=sla.itl_ms,
        e2e_latency_ms=sla.e2e_latency_ms,
        request_rate=workload.request_rate,
        concurrency=workload.concurrency,
        planner=request.planner is not None,
        mocker=request.mocker,
        hardware_source=hardware.source,
    )


def _operations(
    request: Request, model: Model, found: Candidates, chosen: pick.Pick, factor: float
) -> dict[str, float]:
    """Where the time of one decode step of the pick goes: ms by operation, largest first.

    `factor` is what measurements put on the whole step; which operation it belongs to, they do not say.
    """
    winner, workload = chosen.winner, request.workload
    worker, metrics = winner.workers[-1], winner.metrics
    running = float(found.engines.concurrency[found.engine[chosen.row]])
    if winner.mode == "agg":  # some of those in flight wait, or are prefilled
        running = metrics.request_rate * workload.osl * metrics.itl_ms / 1000 / worker.replicas  # Little's law
    points = estimate.Points.of(
        **asdict(worker.layout),
        isl=workload.isl,
        osl=workload.osl,
        concurrency=max(running, 1.0),
    )
    parts = estimate.breakdown(model, request.hardware.gpu_in_nodes, winner.backend, points)
    step = {name: significant(factor * column[0]) for name, column in parts.items() if column[0] > 0}
    if winner.mode == "agg" and (rest := significant(metrics.itl_ms - sum(step.values()))) > 0:
        step[PROMPTS] = rest
    return dict(sorted(step.items(), key=lambda item: -item[1]))


def _of_estimates(request: Request, model: Model) -> tuple[str, ...]:
    """What one should know about where the numbers come from."""
    warnings = []
    if request.strategy is v.SearchStrategy.THOROUGH:
        warnings.append("searchStrategy thorough: answered by estimates, not by measurements on the cluster")
    gpu = request.hardware.gpu
    if not gpu.measured:
        warnings.append(f"{gpu.sku}: estimates are transferred from other GPUs by data sheet")
    elif not gpu.end_to_end:
        warnings.append(f"{gpu.sku}: estimates follow from measurements of single operations, none end to end")
    if model.unmeasured:
        layers = choice.listed(model.unmeasured)
        warnings.append(f"{model.name}: no measurement had {layers}; see that the engine of your image runs it")
    return tuple(warnings)


def _unique(*groups: Sequence[str]) -> tuple[str, ...]:
    """Each once, and no more than anyone reads: an override may have a thousand fields that do not exist."""
    found = list(dict.fromkeys(warning for group in groups for warning in group))
    shown = [text if len(text) <= MAX_WARNING else f"{text[:MAX_WARNING]}..." for text in found[:MAX_WARNINGS]]
    return (*shown, *([f"and {len(found) - MAX_WARNINGS} more warnings"] if len(found) > MAX_WARNINGS else ()))


def _config_map(request: Request, found: Profile) -> dict[str, Any]:
    """The ConfigMap from which `describe`, `pareto` and `explain` read. No namespace: it lands beside the DGD."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"{v.PROFILE_CONFIGMAP_PREFIX}{request.name}",
            "labels": {
                v.LABEL_DGDR_NAME: request.name,
                v.LABEL_DGDR_NAMESPACE: request.namespace,
                v.LABEL_MANAGED_BY: v.MANAGED_BY,
            },
        },
        "data": {v.PROFILE_KEY: found.to_json().decode()},
    }
