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
    """`hardware_known` and `dgd_exists` are None where nobody looked: then no rule speaks of them."""

    mode: Mode = Mode.STANDALONE
    hardware_known: bool | None = None  # whether discovery found a GPU node (or flags name the GPU)
    dgd_exists: bool | None = None  # whether a DGD of the request's target name exists already
