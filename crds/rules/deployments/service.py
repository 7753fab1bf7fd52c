"""What one service may say: one function a rule."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from crds import vocabulary as v
from crds.fields import FieldError, get, invalid, required
from crds.rules.deployments.graph import (
    DeploymentContext,
    Document,
    Service,
    annotations_of,
    enabled,
    items,
    texts,
)
from crds.rules.deployments.spec import EXECUTORS, one_of

_SIDECAR: Final = "sidecar-frontend"
_MAIN: Final = "extraPodSpec.mainContainer"
# The module that a worker runs, as NVIDIA's operator looks for it: in the words of command and args, or in a script. A
# few flags of Python may come before it; without a limit on them a hostile script takes quadratic time.
_ENGINE: Final = re.compile(rf"\bpython[0-9.]*\s+(?:-\S+\s+){{0,8}}?-m\s+dynamo\.({'|'.join(v.ENGINES)})\b")


def executor(service: Service, _: Document, __: DeploymentContext) -> Iterator[FieldError]:
    """A service chooses what vLLM's ranks are started with as the deployment does."""
    name = v.ANNOTATION_VLLM_EXECUTOR
    yield from one_of(
        f"{service.path}.annotations[{name}]", annotations_of(service.spec, "annotations").get(name), EXECUTORS
    )


def mount_points(service: Service, _: Document, __: DeploymentContext) -> Iterator[FieldError]:
    """A volume is mounted somewhere; only the compilation cache has a place of its own."""
    for index, mount in items(service.spec, "volumeMounts"):
        if mount.get("mountPoint") in (None, "") and mount.get("useAsCompilationCache") is not True:
            why = f'say where the volume "{mount.get("name")}" goes, or set useAsCompilationCache: true'
            yield required(f"{service.path}.volumeMounts[{index}].mountPoint", why)


def ingress_host(service: Service, _: Document, __: DeploymentContext) -> Iterator[FieldError]:
    """An ingress answers to a host."""
    if enabled(service.spec, "ingress") and get(service.spec, "ingress.host") in (None, ""):
        yield required(f"{service.path}.ingress.host", "give the host name, or set ingress.enabled: false")


def frontend_sidecar(service: Service, _: Document, __: DeploymentContext) -> Iterator[FieldError]:
    """The injected sidecar's name is free."""
    if get(service.spec, "frontendSidecar") is None:
        return
    for index, container in items(service.spec, "extraPodSpec.containers"):
        if container.get("name") == _SIDECAR:
            why = "is the container that frontendSidecar adds; rename yours, or leave frontendSidecar out"
            yield invalid(f"{service.path}.extraPodSpec.containers[{index}].name", _SIDECAR, why)


def engine(service: Service, document: Document, _: DeploymentContext) -> Iterator[FieldError]:
    """A worker starts the engine that the deployment says it has."""
    framework = get(document, "spec.backendFramework")
    if framework not in v.ENGINES:
        return
    words = texts(service.spec, f"{_MAIN}.command") + texts(service.spec, f"{_MAIN}.args")
    started = _ENGINE.findall(" ".join(words))
    if started and framework not in started:
        why = f'contradicts spec.backendFramework "{framework}"; start dynamo.{framework}'
        yield invalid(
            f"{service.path}.{_MAIN}", f"dynamo.{started[0]}", f'{why}, or set spec.backendFramework to "{started[0]}"'
        )
