"""`spec` of a DGDR: what corresponds to what in v1alpha1 and v1beta1.

Source of the correspondence: the conversion of Dynamo 1.2's operator. Where that one cuts a value to fit (a fractional
ISL) or drops it (a mocker that is off), ours keeps it aside.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from crds import schema
from crds import vocabulary as v
from crds.conversion.trees import MISSING, Path, Tree, filled, get, path, put, replaced, without

CONFIG: Final = path("profilingConfig.config")
PROFILER_IMAGE: Final = path("profilingConfig.profilerImage")
WORKERS_IMAGE: Final = path("deploymentOverrides.workersImage")
IMAGE: Final = path("image")
RESOURCES: Final = path("profilingConfig.resources")
JOB_POD: Final = path("overrides.profilingJob.template.spec")
CONTAINERS: Final = (*JOB_POD, "containers")
PROFILER: Final = "profiler"  # the container that v1alpha1's resources belong to

_GOALS: Final[tuple[str, ...]] = tuple(str(item) for item in v.OptimizationType)

# What v1alpha1 says of a request that says nothing; the same as the defaults of its schema.
ALPHA_DEFAULTS: Final = {"useMocker": False, "enableGpuDiscovery": True}


@dataclass(frozen=True)
class Kept:
    """What the other version cannot say of a spec, in its own version's terms.

    `fields` is sparse. `absent` names fields that the spec does not have although the other version's spec, converted
    back, would: as dotted paths.
    """

    fields: Tree = field(default_factory=dict)
    absent: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.fields or self.absent)


@dataclass(frozen=True)
class _Pair:
    """A field that both versions have. A value that does not fit has no counterpart and is kept aside."""

    alpha: Path
    beta: Path
    fits: Callable[[Any], bool]


def _string(value: Any) -> bool:
    return isinstance(value, str)


def _boolean(value: Any) -> bool:
    return isinstance(value, bool)


def _number(value: Any) -> bool:
    # A float64 holds it. Python reads integers without a limit, which overflow where they are made floats.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _int32(value: Any) -> bool:
    return _number(value) and -(2**31) <= value < 2**31 and float(value).is_integer()


def _pair(alpha: str, beta: str, fits: Callable[[Any], bool]) -> _Pair:
    return _Pair(path(alpha), path(beta), fits)


_PAIRS: Final = (
    _pair("model", "model", _string),
    _pair("backend", "backend", _string),
    _pair("autoApply", "autoApply", _boolean),
    _pair("useMocker", "features.mocker.enabled", lambda value: value is True),
    _pair("profilingConfig.config.sla.ttft", "sla.ttft", _number),
    _pair("profilingConfig.config.sla.itl", "sla.itl", _number),
    _pair("profilingConfig.config.sla.optimizationType", "sla.optimizationType", lambda value: value in _GOALS),
    _pair("profilingConfig.config.sla.isl", "workload.isl", _int32),
    _pair("profilingConfig.config.sla.osl", "workload.osl", _int32),
    _pair("profilingConfig.config.deployment.modelCache.pvcName", "modelCache.pvcName", _string),
    _pair("profilingConfig.config.deployment.modelCache.modelPathInPvc", "modelCache.pvcModelPath", _string),
    _pair("profilingConfig.config.deployment.modelCache.pvcMountPath", "modelCache.pvcMountPath", _string),
    # An empty planner turns the planner on in v1beta1 and means nothing in v1alpha1.
    _pair("profilingConfig.config.planner", "features.planner", lambda value: isinstance(value, dict) and bool(value)),
    _pair(
        "profilingConfig.tolerations",
        "overrides.profilingJob.template.spec.tolerations",
        lambda value: isinstance(value, list),
    ),
    _pair(
        "profilingConfig.nodeSelector",
        "overrides.profilingJob.template.spec.nodeSelector",
        lambda value: isinstance(value, dict),
    ),
)


@cache
def _filled_in() -> tuple[tuple[_Pair, Any], ...]:
    """Pairs whose v1beta1 field the API server fills in as soon as its parent is there, and with which value."""
    nested = [pair for pair in _PAIRS if len(pair.beta) == 2]
    parents: Tree = {pair.beta[0]: {} for pair in nested}
    spec = schema.defaulted({"apiVersion": v.DGDR_API_VERSION, "kind": v.Kind.DGDR, "spec": parents})["spec"]
    values = [(pair, get(spec, pair.beta)) for pair in nested]
    return tuple((pair, value) for pair, value in values if value is not MISSING)


def to_beta(alpha: Tree, kept: Kept) -> Tree:
    """The v1beta1 spec of a v1alpha1 one; `kept` is what v1alpha1 could not say of an earlier v1beta1 spec."""
    beta: Tree = {"autoApply": False}
    for pair in _PAIRS:
        value = get(alpha, pair.alpha)
        if pair.fits(value):
            put(beta, pair.beta, value)
    image = _alpha_image(alpha)
    if image and not (_dotted(IMAGE) in kept.absent and not get(alpha, PROFILER_IMAGE)):
        beta["image"] = image
    beta = filled(beta, kept.fields)
    resources = get(alpha, RESOURCES)
    if isinstance(resources, dict):
        return _with_resources(beta, resources)
    if isinstance(get(beta, JOB_POD), dict) and not isinstance(get(beta, CONTAINERS), list):
        return replaced(beta, CONTAINERS, [])  # the schema wants it
    return beta


def to_alpha(beta: Tree, kept: Kept) -> Tree:
    """The v1alpha1 spec of a v1beta1 one; `kept` is what v1beta1 could not say of an earlier v1alpha1 spec."""
    alpha: Tree = {"backend": str(v.Backend.AUTO), "autoApply": True}
    hidden = {
        pair for pair, value in _filled_in() if _dotted(pair.alpha) in kept.absent and get(beta, pair.beta) == value
    }
    for pair in _PAIRS:
        value = get(beta, pair.beta)
        if pair.fits(value) and pair not in hidden:
            put(alpha, pair.alpha, value)
    image = get(beta, IMAGE)
    from_workers = _dotted(PROFILER_IMAGE) in kept.absent and image == get(kept.fields, WORKERS_IMAGE)
    put(alpha, PROFILER_IMAGE, image if _string(image) and not from_workers else "")
    resources = _resources(beta)
    if isinstance(resources, dict):
        put(alpha, RESOURCES, resources)
    return {**ALPHA_DEFAULTS, **filled(alpha, kept.fields)}


def only_alpha(alpha: Tree, beta: Tree) -> Kept:
    """What `beta`, made of `alpha`, does not say."""
    absent = {
        _dotted(pair.alpha)
        for pair, _ in _filled_in()
        if isinstance(get(beta, pair.beta[:-1]), dict) and get(beta, pair.beta) is MISSING
    }
    if get(beta, IMAGE) and not get(alpha, PROFILER_IMAGE):
        absent.add(_dotted(PROFILER_IMAGE))
    return Kept(unsaid_of_alpha(alpha), frozenset(absent))


def only_beta(beta: Tree, alpha: Tree) -> Kept:
    """What `alpha`, made of `beta`, does not say."""
    workers_image_would_show = not get(beta, IMAGE) and bool(_alpha_image(alpha))
    return Kept(unsaid_of_beta(beta), frozenset({_dotted(IMAGE)} if workers_image_would_show else ()))


def unsaid_of_alpha(alpha: Tree) -> Tree:
    """A v1alpha1 spec without every value that v1beta1 has a field for, or that goes without saying."""
    for pair in _PAIRS:
        if pair.fits(get(alpha, pair.alpha)):
            alpha = without(alpha, pair.alpha)
    if _string(get(alpha, PROFILER_IMAGE)):
        alpha = without(alpha, PROFILER_IMAGE)
    if isinstance(get(alpha, RESOURCES), dict):
        alpha = without(alpha, RESOURCES)
    return {key: value for key, value in alpha.items() if key not in ALPHA_DEFAULTS or ALPHA_DEFAULTS[key] != value}


def unsaid_of_beta(beta: Tree) -> Tree:
    """A v1beta1 spec without every value that v1alpha1 has a field for."""
    for pair in _PAIRS:
        if pair.fits(get(beta, pair.beta)):
            beta = without(beta, pair.beta)
    image = get(beta, IMAGE)
    if _string(image) and image:
        beta = without(beta, IMAGE)
    if isinstance(_resources(beta), dict):
        first, *others = get(beta, CONTAINERS)
        containers = [without(first, ("resources",)), *others]
        return replaced(beta, CONTAINERS, containers)
    return beta


def _alpha_image(alpha: Tree) -> str:
    """The image that v1beta1 shows: of the profiler, else of the workers; "" where neither is given."""
    given = (get(alpha, PROFILER_IMAGE), get(alpha, WORKERS_IMAGE))
    return next((image for image in given if isinstance(image, str) and image), "")


def _resources(beta: Tree) -> Any:
    """Resources of the profiler: of the first container, whatever its name."""
    containers = get(beta, CONTAINERS)
    return get(containers[0], ("resources",)) if isinstance(containers, list) and containers else MISSING


def _with_resources(beta: Tree, resources: Tree) -> Tree:
    containers = get(beta, CONTAINERS)
    first, *others = containers if isinstance(containers, list) and containers else [{"name": PROFILER}]
    named = first if isinstance(first, dict) else {"name": PROFILER}
    return replaced(beta, CONTAINERS, [{**named, "resources": resources}, *others])


def _dotted(at: Path) -> str:
    return ".".join(at)
