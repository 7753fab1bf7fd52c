"""Which number format a checkpoint is in, from the quantisation section that its publisher wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crds.errors import InputError
from profiler.models.model import QUANTIZATIONS, KvDtype, Quantization

FOUR_BIT_METHODS = {"awq", "gptq", "gptq_marlin", "awq_marlin", "auto-round", "bitsandbytes"}
MODELOPT = {"FP8": "fp8", "FP8_PB_WO": "fp8_block", "FP8_BLOCK": "fp8_block", "NVFP4": "nvfp4", "W4A16_AWQ": "int4"}


def quantization_of(name: str, section: Any) -> tuple[Quantization, KvDtype]:
    """Weights and KV cache dtype. Raises InputError for a format that is not one of `QUANTIZATIONS`.

    Engines keep the KV cache in 16 bit unless the checkpoint carries scales for it.
    """
    if not section:
        return "bf16", "bf16"
    if not isinstance(section, Mapping):
        raise InputError(f"{name}: config.json: quantization_config: Invalid value: {section!r}", "must be an object")
    found = _weights(section)
    if found is None:
        method = section.get("quant_algo") or section.get("quant_method") or section.get("format") or "unnamed"
        raise InputError(
            f'{name}: cannot estimate quantization "{method}"',
            f"known are {', '.join(QUANTIZATIONS)}",
            "use a checkpoint in one of these formats",
        )
    kv = section.get("kv_cache_quant_algo") or section.get("kv_cache_scheme")
    eight_bit = kv.get("num_bits") == 8 if isinstance(kv, Mapping) else str(kv).upper() == "FP8"
    return found, "fp8" if eight_bit else "bf16"


def _weights(section: Mapping[str, Any]) -> Quantization | None:
    algorithm = section.get("quant_algo")
    method = str(section.get("quant_method", "")).lower()
    if algorithm:
        return _known(MODELOPT.get(str(algorithm).upper()))
    if method in ("fp8", "fbgemm_fp8"):
        return "fp8_block" if section.get("weight_block_size") else "fp8"
    if method in ("mxfp4", "quark"):
        return "mxfp4" if method == "mxfp4" else None
    if method in FOUR_BIT_METHODS:
        four = section.get("load_in_4bit", True) and section.get("bits", section.get("w_bit", 4)) == 4
        return "int4" if four else None
    return _grouped(section)


def _known(name: str | None) -> Quantization | None:
    return next((known for known in QUANTIZATIONS if known == name), None)


def _grouped(section: Mapping[str, Any]) -> Quantization | None:
    # compressed-tensors and newer ModelOpt: one scheme per group of layers; the first one covers the linear layers
    groups = section.get("config_groups")
    first: Any = next(iter(groups.values()), None) if isinstance(groups, Mapping) else None
    weights = first.get("weights") if isinstance(first, Mapping) else None
    if not isinstance(weights, Mapping):
        return None
    schemes: dict[tuple[Any, Any], Quantization] = {
        (8, "float"): "fp8_block" if weights.get("strategy") == "block" else "fp8",
        (4, "int"): "int4",
        (4, "float"): "mxfp4" if weights.get("group_size") == 32 else "nvfp4",
    }
    return schemes.get((weights.get("num_bits"), weights.get("type")))
