"""What is known of the cluster when a review is answered, and what of it the rules ask for.

None means that nobody could look: then no rule and no mutation rests on it, and a review is answered by the object
alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, Protocol

from crds import vocabulary as v
from crds.fields import get
from crds.rules import Context, DeploymentContext, Mode
from profiler.discovery.pools import Discovery
from profiler.hardware import gpu
from profiler.models import catalogue

Document = Mapping[str, Any]

# API groups that a cluster has once something is installed in it.
GROVE: Final = "grove.io"
LEADER_WORKER_SET: Final = "leaderworkerset.x-k8s.io"
PROMETHEUS: Final = "monitoring.coreos.com"
INFERENCE_POOLS: Final = "inference.networking.k8s.io"


class Facts(Protocol):
    """What reviews ask of the cluster; each answer comes from memory."""

    def discovery(self) -> Discovery | None:
        """GPUs of the cluster."""

    def request(self, namespace: str, name: str, /) -> Document | None:
        """A DGDR's spec under `spec`, None where there is no such request or nobody could look."""

    def has_deployment(self, namespace: str, name: str, /) -> bool | None:
        """Whether a DGD exists."""

    def has_claim(self, namespace: str, name: str, /) -> bool | None:
        """Whether a PersistentVolumeClaim exists."""

    def has_token(self, namespace: str, /) -> bool | None:
        """Whether the secret with the Hugging Face token exists."""

    def api_groups(self) -> frozenset[str] | None:
        """API groups that the cluster serves."""


class NothingKnown:
    """The facts where no cluster can be asked."""

    def _unknown(self, *_: str) -> None:
        return None

    discovery = request = has_deployment = has_claim = has_token = api_groups = _unknown


def context(document: Document, namespace: str, facts: Facts, mode: Mode) -> Context:
    """What the rules need to know besides a DGDR."""
    discovery, groups = facts.discovery(), facts.api_groups()
    claim, model = _text(document, "spec.modelCache.pvcName"), _text(document, "spec.model")
    name = v.dgd_name(_text(document, "metadata.name"), get(document, "spec.overrides.dgd"))
    return Context(
        mode=mode,
        hardware_known=bool(discovery.pools) if discovery else None,
        dgd_exists=facts.has_deployment(namespace, name),
        claim_exists=facts.has_claim(namespace, claim) if claim else None,
        token_exists=facts.has_token(namespace),
        prometheus=PROMETHEUS in groups if groups is not None else None,
        multinode=bool({GROVE, LEADER_WORKER_SET} & groups) if groups is not None else None,
        detected_skus=tuple(pool.sku for pool in discovery.pools) if discovery else None,
        measured_skus=measured_skus(),
        weights_bytes=weights_bytes(model),
    )


def deployment_context(user: str, facts: Facts) -> DeploymentContext:
    """What the rules need to know besides a DGD that `user` writes."""
    groups = facts.api_groups()
    if groups is None:
        return DeploymentContext(user)
    return DeploymentContext(
        user,
        grove=GROVE in groups,
        multinode=bool({GROVE, LEADER_WORKER_SET} & groups),
        inference_pools=INFERENCE_POOLS in groups,
    )


@cache
def measured_skus() -> frozenset[str]:
    """SKUs whose estimates rest on measurements."""
    return frozenset(sku for sku in v.GPU_SKUS if gpu(sku).measured)


def weights_bytes(model: str) -> float | None:
    """Bytes of a model's weights, None where the packaged catalogue does not know it."""
    found = catalogue.find(model) if model else None
    return found.weight_bytes if found else None


def _text(document: Document, path: str) -> str:
    value = get(document, path)
    return value if isinstance(value, str) else ""
