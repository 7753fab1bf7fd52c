"""Which number formats a checkpoint is in, from the quantisation section that its publisher wrote."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from crds.errors import InputError
from profiler.models.formats import FOUR_BIT, QUANTIZATIONS, KvDtype, Quantization

FOUR_BIT_METHODS = {"awq", "gptq", "gptq_marlin", "awq_marlin", "auto-round", "bitsandbytes"}
MODELOPT: dict[str, Quantization] = {
    "FP8": "fp8",
    "FP8_PER_CHANNEL_PER_TOKEN": "fp8",
    "FP8_PB_WO": "fp8_block",
    "FP8_BLOCK": "fp8_block",
    "MXFP8": "mxfp8",
    "NVFP4": "nvfp4",
    "NVFP4_AWQ": "nvfp4",
    "W4A16_NVFP4": "w4a16_nvfp4",
    "W4A16_AWQ": "int4",
}
MIXED = "MIXED_PRECISION"
UNQUANTISED = ("ignore", "exclude_modules", "modules_to_not_convert")  # lists of modules that were left alone
ATTENTION, MLP, EXPERTS = "attention", "mlp", "experts"
QUERIES = re.compile(r"(attn|attention|q_proj|qkv_proj)[^a-z]*$")  # all of attention, or its queries
OUTSIDE = re.compile(r"vis|index|mtp")


class Formats(NamedTuple):
    """Of most weights (experts, or MLPs of a dense model), of attention where that is another one, of the KV cache."""

    weights: Quantization
    rest: Quantization | None
    kv: KvDtype


def formats_of(name: str, section: Any, *, layers: int, is_moe: bool, expert_dtype: str = "") -> Formats:
    """The formats of a checkpoint. Raises InputError for one that is not in `QUANTIZATIONS`.

    Engines keep the KV cache in 16 bit unless the checkpoint carries scales for it. `expert_dtype`: fp4 where experts
    are in MXFP4 whatever the section says (DeepSeek-V4).
    """
    if not section:
        return Formats("bf16", None, "bf16")
    if not isinstance(section, Mapping):
        raise InputError(f"{name}: config.json: quantization_config: Invalid value: {section!r}", "must be an object")
    kv = section.get("kv_cache_quant_algo") or section.get("kv_cache_scheme")
    eight_bit = kv.get("num_bits") == 8 if isinstance(kv, Mapping) else str(kv).upper() == "FP8"
    kv_dtype: KvDtype = "fp8" if eight_bit else "bf16"
    mixed = _mixed(name, section)
    if mixed:
        return Formats(*mixed, kv_dtype)
    found = _uniform(section)
    if found is None:
        method = section.get("quant_algo") or section.get("quant_method") or section.get("format") or "unnamed"
        raise _unknown(name, f'quantization "{method}"')
    if expert_dtype.lower() == "fp4" and found != "mxfp4":
        return Formats("mxfp4", found, kv_dtype)
    # 4-bit MoE checkpoints leave attention alone as a rule, by which the estimates of such models were fitted.
    usual = is_moe and found in FOUR_BIT
    return Formats(found, "bf16" if not usual and _leaves_attention(section, layers) else None, kv_dtype)


def _unknown(name: str, what: str, why: str = "") -> InputError:
    return InputError(
        f"{name}: cannot estimate {what}",
        f"{why + '; ' if why else ''}known are {', '.join(QUANTIZATIONS)}",
        "use a checkpoint in one of these formats",
    )


def _mixed(name: str, section: Mapping[str, Any]) -> tuple[Quantization, Quantization | None] | None:
    """Formats of most weights and of attention, where the section lists several; None where it does not.

    Raises InputError where most weights are in a format that is not known, or where it does not say which.
    """
    groups = section.get("config_groups")
    several = isinstance(groups, Mapping) and len(groups) > 1
    if str(section.get("quant_algo", "")).upper() != MIXED and not several:
        return None
    votes: dict[str, Counter[str]] = {ATTENTION: Counter(), MLP: Counter(), EXPERTS: Counter()}
    for module, scheme in _modules(section):
        part = _part(module)
        if part:
            votes[part][scheme] += 1
    most = next((votes[part] for part in (EXPERTS, MLP, ATTENTION) if votes[part]), None)
    if not most:
        raise _unknown(name, "mixed quantization", "config.json does not say which layers are in which format")
    weights = _known(most.most_common(1)[0][0])
    if weights is None:
        raise _unknown(name, "mixed quantization", f"most weights are in {most.most_common(1)[0][0]}")
    # What is not listed has the format of the checkpoint that this one was made from.
    rest: Quantization | None = "fp8_block" if section.get("weight_block_size") else "bf16"
    if votes[ATTENTION]:
        scheme = votes[ATTENTION].most_common(1)[0][0]
        rest = _known(scheme)
        if rest is None:
            raise _unknown(name, "mixed quantization", f"attention is in {scheme}")
    return weights, rest if rest != weights else None


def _modules(section: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names (or patterns) of modules, each with its format."""
    listed = section.get("quantized_layers")
    if isinstance(listed, Mapping):
        for module, scheme in listed.items():
            algorithm = str(scheme.get("quant_algo") if isinstance(scheme, Mapping) else scheme).upper()
            yield str(module), MODELOPT.get(algorithm, algorithm)
        return
    groups = section.get("config_groups")
    for group in groups.values() if isinstance(groups, Mapping) else ():
        targets = group.get("targets") if isinstance(group, Mapping) else None
        for target in targets if isinstance(targets, list) else ():
            yield str(target), _group(group) or "a format of its own"


def _part(module: str) -> str | None:
    """Which part of a layer a module is; None outside of layers."""
    name = module.lower()
    if "experts" in name and "shared" not in name:
        return EXPERTS
    if any(
        word in name for word in ("attn", "attention", "in_proj", "out_proj", "q_proj", "k_proj", "v_proj", "o_proj")
    ):
        return ATTENTION
    return MLP if any(word in name for word in ("mlp", "ffn", "shared", "up_proj", "down_proj", "gate_proj")) else None


def _leaves_attention(section: Mapping[str, Any], layers: int) -> bool:
    """Whether a list of what was left alone names attention, by a pattern or in half of the layers at least."""
    listed: list[Any] = next((section[key] for key in UNQUANTISED if isinstance(section.get(key), list)), [])
    names = [str(module).lower() for module in listed]
    named = [module for module in names if QUERIES.search(module) and not OUTSIDE.search(module)]
    patterns = [module for module in named if not any(character.isdigit() for character in module)]
    return bool(patterns) or 2 * len(named) >= max(layers, 1) > 1


def _uniform(section: Mapping[str, Any]) -> Quantization | None:
    algorithm = section.get("quant_algo")
    method = str(section.get("quant_method", "")).lower()
    if algorithm:
        return MODELOPT.get(str(algorithm).upper())
    if method in ("fp8", "fbgemm_fp8"):
        return "fp8_block" if section.get("weight_block_size") else "fp8"
    if method in ("mxfp4", "mxfp8"):
        return _known(method)
    if method == "quark":
        return None
    if method in FOUR_BIT_METHODS:
        four = section.get("load_in_4bit", True) and section.get("bits", section.get("w_bit", 4)) == 4
        return "int4" if four else None
    groups = section.get("config_groups")
    return _group(next(iter(groups.values()), None)) if isinstance(groups, Mapping) else None


def _known(name: str) -> Quantization | None:
    return next((known for known in QUANTIZATIONS if known == name), None)


def _group(group: Any) -> Quantization | None:
    """The format of a group of compressed-tensors or of newer ModelOpt."""
    weights = group.get("weights") if isinstance(group, Mapping) else None
    if not isinstance(weights, Mapping):
        return None
    eight: Quantization = "fp8_block" if weights.get("strategy") == "block" else "fp8"
    four: Quantization = "nvfp4" if group.get("input_activations", True) else "w4a16_nvfp4"
    in_thirties = weights.get("group_size") == 32  # the block of the OCP formats
    schemes: dict[tuple[Any, Any], Quantization] = {
        (8, "float"): "mxfp8" if in_thirties else eight,
        (4, "int"): "int4",
        (4, "float"): "mxfp4" if in_thirties else four,
    }
    return schemes.get((weights.get("num_bits"), weights.get("type")))
