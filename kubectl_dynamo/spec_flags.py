"""Flags for the fields of a request's spec, shared by `create` and `profile`, and their marriage with a file."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import click
from click.shell_completion import CompletionItem

from crds import vocabulary as v
from crds.errors import InputError
from crds.fields import did_you_mean, get, show
from kubectl_dynamo.options import Number

F = TypeVar("F", bound=Callable[..., Any])
_GIVEN: Final = "kubectl_dynamo.spec"
_MISSING: Final = object()


class Sku(click.ParamType):  # type: ignore[type-arg]
    """A GPU by SKU (`h200_sxm`) or by the name that the GPU itself reports (`NVIDIA-H200`)."""

    name = "sku"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The SKU."""
        if value in v.GPU_SKUS:
            return str(value)
        # `h200_smx` is a SKU misspelt, to be asked about; `H200-SXM5-141GB` is what a GPU calls itself.
        if "_" not in str(value):
            from crds.skus import AMBIGUOUS, sku_of  # only needed for a name that is no SKU

            if str(value).lower() in AMBIGUOUS:
                both = " or ".join(sku for sku in v.GPU_SKUS if sku.startswith(f"{value.lower()}_"))
                raise click.BadParameter(f"{value!r} is two GPUs: say {both}", ctx, param)
            if known := sku_of(str(value)):
                return known
        if value in _elsewhere():
            raise click.BadParameter(f"a request cannot name {value}: the API has no such SKU", ctx, param)
        near = did_you_mean(value, v.GPU_SKUS)
        hint = f"; did you mean {near}?" if near else f"; known are {', '.join(v.GPU_SKUS)}"
        raise click.BadParameter(f"unknown GPU {value!r}{hint}", ctx, param)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """All SKUs."""
        return [CompletionItem(sku) for sku in v.GPU_SKUS if sku.startswith(incomplete)]


def _elsewhere() -> tuple[str, ...]:
    """GPUs that can be estimated, but not asked for."""
    from profiler import hardware  # only for a name that is no SKU of the API

    return hardware.skus()


class Document(click.Path):
    """A file that holds one YAML document, which becomes the value of a field."""


class SpecFlag(NamedTuple):
    """One flag, the field of the spec that it sets, its type and its help."""

    name: str
    path: str
    type: Any
    help: str


def _choice(values: Any) -> click.Choice[str]:
    return click.Choice([str(value) for value in values])


_FILE: Final = Document(dir_okay=False)
SPEC_FLAGS: Final = (
    SpecFlag("--model", "model", str, "Model: a Hugging Face id or a private name"),
    SpecFlag("--backend", "backend", _choice(v.Backend), "Engine; auto tries all three"),
    SpecFlag("--image", "image", str, "Image of the profiling Job"),
    SpecFlag("--strategy", "searchStrategy", _choice(v.SearchStrategy), "rapid estimates, thorough measures"),
    SpecFlag("--auto-apply/--no-auto-apply", "autoApply", bool, "Deploy the result at once"),
    SpecFlag("--isl", "workload.isl", Number(int, "tokens"), "Mean input length in tokens (4000)"),
    SpecFlag("--osl", "workload.osl", Number(int, "tokens"), "Mean output length in tokens (1000)"),
    SpecFlag("--request-rate", "workload.requestRate", Number(float), "Load in requests/s"),
    SpecFlag("--concurrency", "workload.concurrency", Number(float), "Load in requests in flight"),
    SpecFlag("--ttft", "sla.ttft", Number(float, "ms"), "Highest time to first token, ms (2000)"),
    SpecFlag("--itl", "sla.itl", Number(float, "ms"), "Highest inter-token latency, ms (30)"),
    SpecFlag(
        "--e2e-latency",
        "sla.e2eLatency",
        Number(float, "ms"),
        "Highest latency of a request, ms; instead of ttft and itl",
    ),
    SpecFlag("--optimize", "sla.optimizationType", _choice(v.OptimizationType), "What to optimise under the SLA"),
    SpecFlag("--gpu", "hardware.gpuSku", Sku(), "GPU: h200_sxm, b200_sxm, ... (kubectl dynamo gpus)"),
    SpecFlag("--gpus", "hardware.totalGpus", Number(int), "GPUs to use at most"),
    SpecFlag("--gpus-per-node", "hardware.numGpusPerNode", Number(int), "GPUs of one node"),
    SpecFlag("--vram-mb", "hardware.vramMb", Number(float, "MiB"), "Memory of one GPU in MiB"),
    SpecFlag(
        "--interconnect",
        "hardware.interconnect",
        str,
        "Link between the GPUs of a node: nvlink or pcie",
    ),
    SpecFlag("--rdma/--no-rdma", "hardware.rdma", bool, "Whether nodes have RDMA"),
    SpecFlag("--model-cache-pvc", "modelCache.pvcName", str, "PVC that holds checkpoints"),
    SpecFlag("--model-cache-path", "modelCache.pvcModelPath", str, "Directory of the checkpoint in the PVC"),
    SpecFlag("--model-cache-mount", "modelCache.pvcMountPath", str, "Where pods mount the PVC"),
    SpecFlag("--planner", "features.planner.enabled", True, "Add the SLA planner"),
    SpecFlag("--planner-config", "features.planner", _FILE, "File with the planner's configuration"),
    SpecFlag("--mocker", "features.mocker.enabled", True, "Simulated workers instead of engines"),
    SpecFlag("--override-dgd", "overrides.dgd", _FILE, "File with what to merge into the deployment"),
    SpecFlag("--override-job", "overrides.profilingJob", _FILE, "File with what to merge into the profiling Job"),
)


class Given(NamedTuple):
    """A flag that was typed."""

    flag: SpecFlag
    value: Any

    @property
    def typed(self) -> str:
        """`--gpu h200_sxm`, as a person would type it."""
        name, _, negative = self.flag.name.partition("/")
        if isinstance(self.value, bool):
            return name if self.value else negative
        return f"{name} {self.value:.15g}" if isinstance(self.value, float) else f"{name} {self.value}"


def spec_options(command: F) -> F:
    """Add a flag for every field of the spec; what was typed is in `given(ctx)`."""
    for flag in reversed(SPEC_FLAGS):
        settings: dict[str, Any] = {"type": flag.type}
        if flag.type is bool:
            settings = {"default": None}
        elif flag.type is True:
            settings = {"is_flag": True, "default": None}
        command = click.option(
            flag.name, _parameter(flag), expose_value=False, callback=_keep, help=flag.help, **settings
        )(command)
    return command


def _parameter(flag: SpecFlag) -> str:
    return "spec_" + flag.path.replace(".", "_")


_BY_PARAMETER: Final = {_parameter(flag): flag for flag in SPEC_FLAGS}


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is not None:
        flag = _BY_PARAMETER[param.name or ""]
        ctx.meta.setdefault(_GIVEN, {})[flag.path] = Given(flag, value)


def given(ctx: click.Context) -> dict[str, Given]:
    """The spec flags that were typed, by the path of their field."""
    return dict(ctx.meta.get(_GIVEN, {}))


def merged(document: Mapping[str, Any], flags: Mapping[str, Given], source: str) -> dict[str, Any]:
    """The request with the flags in its spec. Raises InputError where a flag contradicts what `source` says."""
    result = copy.deepcopy(dict(document))
    if not isinstance(result.get("spec") or {}, dict):
        raise InputError(f"{source}: spec is not a mapping", next="write fields such as model: under spec:")
    before = document.get("spec") or {}
    spec = result["spec"] = result.get("spec") or {}
    conflicts = []
    for path, flag in sorted(flags.items()):  # a whole object (features.planner) comes before one of its fields
        value, in_file = _value(flag), get(before, path, _MISSING)
        if in_file is not _MISSING and in_file != value:
            conflicts.append(f"{flag.typed}, but {source} has spec.{path}: {show(in_file)}")
        else:
            _put(spec, path, value)
    if conflicts:
        raise InputError("flags contradict the file", "\n".join(conflicts), "leave the flag out or change the file")
    return result


def _value(given_flag: Given) -> Any:
    if not isinstance(given_flag.flag.type, Document):
        return given_flag.value
    from crds import documents  # YAML is read only where a file is named

    found = documents.read(Path(given_flag.value))
    if len(found) != 1:
        raise InputError(f"{given_flag.value}: holds {len(found)} documents", f"{given_flag.flag.name} takes one")
    return found[0]


def _put(spec: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for key in parents:
        child = spec.get(key)
        if child is not None and not isinstance(child, dict):
            return  # a value of the wrong type stays for the schema check to name
        spec[key] = {} if child is None else child
        spec = spec[key]
    spec[last] = value
