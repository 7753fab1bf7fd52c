"""Merging `spec.overrides.dgd` into the generated deployment, once."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from crds.fields import did_you_mean, get
from profiler.generate import names

Path = tuple[str, ...]

FIELDS = ("metadata", "spec")  # of a DGD; apiVersion and kind say what the override is, and change nothing
METADATA = ("labels", "annotations")  # the name is taken where the deployment is named
# Lists of named things, and by what they are named: an entry of the override replaces the generated one of its name.
# So a variable of one's own does not take the token or the model cache away.
KEYED = {"env": "name", "envs": "name", "pvcs": "name", "volumes": "name", "volumeMounts": "mountPoint"}
CONTAINER_MOUNT = "mountPath"  # what `volumeMounts` of a container are named by
NOT_AN_OBJECT = "must be an object; it is ignored"
# Flags that say how many GPUs an engine takes, in every spelling of the engines. With attention data parallelism
# SGLang's ranks are counted by its tensor size already, and TensorRT-LLM has no size for it.
SIZES = {
    **dict.fromkeys(("--tensor-parallel-size", "--tp-size", "--tp", "-tp"), "tensor"),
    **dict.fromkeys(("--pipeline-parallel-size", "--pp-size", "-pp"), "pipeline"),
    **dict.fromkeys(("--data-parallel-size", "--dp-size", "--dp", "-dp"), "data"),
}
APPENDED: Path = ("extraPodSpec", "mainContainer", "args")


def merged(
    dgd: Mapping[str, Any], override: Mapping[str, Any], aliases: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """A copy of `dgd` with the override merged in, and a warning for each part of it that could not be applied.

    Objects merge key by key, null removes a key, arguments of workers are appended, lists of named things merge by
    name, other lists and scalars replace. `aliases`: other names by which an override may call a service.
    """
    result: dict[str, Any] = copy.deepcopy(dict(dgd))
    warnings = [
        f"overrides.dgd.{key}: a deployment has no such field; it is ignored"
        for key in override
        if key not in ("apiVersion", "kind", *FIELDS)
    ]
    for key, value in _object(override, "metadata", "overrides.dgd", warnings).items():
        if key in METADATA:
            added = _object({key: value}, key, "overrides.dgd.metadata", warnings)
            if added:
                _merge(result["metadata"].setdefault(key, {}), added, ("metadata", key))
        elif key != "name":
            warnings.append(f"overrides.dgd.metadata.{key}: only name, labels and annotations are taken over")
    spec = dict(_object(override, "spec", "overrides.dgd", warnings))
    if spec.pop("components", None) is not None:
        warnings.append("overrides.dgd.spec.components: this is the shape of v1beta1; write v1alpha1 spec.services")
    services = _object(spec, "services", "overrides.dgd.spec", warnings)
    spec.pop("services", None)
    _merge(result["spec"], spec, ("spec",))
    _merge_services(result["spec"]["services"], services, aliases, warnings)
    return result, warnings


def resized(generated: Mapping[str, Any], merged: Mapping[str, Any]) -> list[str]:
    """A warning for each service whose override changes how many GPUs an engine takes and leaves its GPUs, or nodes."""
    warnings = []
    for name, service in merged["spec"]["services"].items():
        before = generated["spec"]["services"].get(name)
        if not isinstance(service, Mapping) or before is None or get(before, "resources.limits.gpu") is None:
            continue
        engine, was = _engine_gpus(service), _engine_gpus(before)
        asked = _pod_gpus(service)
        if engine != was and engine is not None and asked is not None and engine != asked:
            where = f"overrides.dgd.spec.services[{name}]"
            warnings.append(
                f"{where}: its parallel sizes make an engine of {engine} GPU{'' if engine == 1 else 's'}, "
                f"but its pods have {asked}; "
                "set resources.limits.gpu (per node) and multinode.nodeCount too"
            )
    return warnings


def _engine_gpus(service: Mapping[str, Any]) -> int | None:
    """GPUs of one engine by its arguments, the last of a flag counting; None where they are no plain numbers."""
    arguments = get(service, "extraPodSpec.mainContainer.args", [])
    if not isinstance(arguments, list):
        return None
    words = [part for word in map(str, arguments) for part in (word.split("=", 1) if word[:1] == "-" else [word])]
    sizes = {"tensor": "1", "pipeline": "1", "data": "1"} | {
        SIZES[flag]: value for flag, value in pairwise(words) if flag in SIZES
    }
    if not all(size.isdecimal() for size in sizes.values()):
        return None
    gpus = int(sizes["tensor"]) * int(sizes["pipeline"])
    return gpus if "--enable-dp-attention" in words else gpus * int(sizes["data"])


def _pod_gpus(service: Mapping[str, Any]) -> int | None:
    """GPUs of all pods of one engine."""
    limit, nodes = str(get(service, "resources.limits.gpu", "")), get(service, "multinode.nodeCount", 1)
    return int(limit) * nodes if limit.isdecimal() and isinstance(nodes, int) else None


def _object(parent: Mapping[str, Any], key: str, path: str, warnings: list[str]) -> Mapping[str, Any]:
    """The object at `key`, empty where there is none; anything else cannot be merged and is ignored with a warning."""
    value = parent.get(key)
    if isinstance(value, Mapping):
        return value
    if value is not None:
        warnings.append(f"{path}.{key}: {NOT_AN_OBJECT}")
    return {}


def _merge_services(
    generated: dict[str, Any], given: Mapping[str, Any], aliases: Mapping[str, str], warnings: list[str]
) -> None:
    for called, value in given.items():
        name = called if called in generated else aliases.get(called, called)
        path = f"overrides.dgd.spec.services[{called}]"
        if name not in generated:
            near = did_you_mean(called, generated)
            hint = f'did you mean "{near}"?' if near else f"there are {', '.join(generated)}"
            warnings.append(f"{path}: no such service, so this is ignored; {hint}")
            continue
        if name != called:
            warnings.append(f'{path}: the service is called "{name}" here; applied to it')
        if value is None:
            del generated[name]
            continue
        if not isinstance(value, Mapping):
            warnings.append(f"{path}: {NOT_AN_OBJECT}")
            continue
        _merge(generated[name], value, ("services", name))
        if name == names.FRONTEND:
            _complete_frontend(generated[name])


def _merge(target: dict[str, Any], override: Mapping[str, Any], path: Path) -> None:
    for key, value in override.items():
        here = (*path, key)
        current = target.get(key)
        if value is None:
            target.pop(key, None)
        elif isinstance(value, Mapping):
            inner = current if isinstance(current, dict) else {}
            target[key] = inner
            _merge(inner, value, here)
        elif isinstance(value, list) and isinstance(current, list):
            target[key] = _merged_list(current, copy.deepcopy(value), here)
        else:
            target[key] = copy.deepcopy(value)


def _merged_list(current: list[Any], given: list[Any], path: Path) -> list[Any]:
    is_worker = path[0] == "services" and path[1] not in (names.FRONTEND, names.PLANNER)
    if is_worker and path[2:] == APPENDED:
        return current + given
    key = KEYED.get(path[-1])
    if path[-1] == "volumeMounts" and "mainContainer" in path:
        key = CONTAINER_MOUNT
    if key is None or not all(isinstance(item, Mapping) and isinstance(item.get(key), str) for item in current + given):
        return given
    named = {item[key]: item for item in current} | {item[key]: item for item in given}
    return list(named.values())


def _complete_frontend(service: dict[str, Any]) -> None:
    """Flags alone would replace the operator's `-m dynamo.frontend`, so the command is written out beside them."""
    pod = service.get("extraPodSpec")
    container = pod.get("mainContainer") if isinstance(pod, dict) else None
    if not isinstance(container, dict) or container.get("command"):
        return
    args = container.get("args")
    if isinstance(args, list) and args and args[0] != "-m":
        container["command"] = ["python3", "-m", "dynamo.frontend"]
