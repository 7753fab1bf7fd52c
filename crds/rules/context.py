"""What a caller of the rules knows besides the object."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """Who moves a DGDR through its phases: nobody (no cluster), NVIDIA's operator, or our controller."""

    LOCAL = "local"
    BESIDE = "beside"
    STANDALONE = "standalone"


@dataclass(frozen=True)
class Context:
    """Each fact is None where nobody looked: then no rule speaks of it."""

    mode: Mode = Mode.STANDALONE
    hardware_known: bool | None = None  # whether discovery found a GPU node (or flags name the GPU)
    dgd_exists: bool | None = None  # whether a DGD of the request's target name exists already
    claim_exists: bool | None = None  # whether the PVC of the model cache exists
    token_exists: bool | None = None  # whether the secret with the Hugging Face token exists
    prometheus: bool | None = None  # whether the cluster has a Prometheus operator
    multinode: bool | None = None  # whether Grove or LeaderWorkerSet can run an engine over several nodes
    detected_skus: tuple[str, ...] | None = None  # SKUs of the nodes that can be used
    measured_skus: frozenset[str] | None = None  # SKUs whose estimates rest on measurements
    weights_bytes: float | None = None  # of the request's model
