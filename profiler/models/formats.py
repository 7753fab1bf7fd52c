"""The number formats of weights and of a KV cache, and what they weigh."""

from __future__ import annotations

from typing import Literal, get_args

Quantization = Literal["bf16", "fp8", "fp8_block", "mxfp8", "int4", "mxfp4", "nvfp4", "w4a16_nvfp4"]
KvDtype = Literal["bf16", "fp8"]

QUANTIZATIONS: tuple[Quantization, ...] = get_args(Quantization)
KV_DTYPES: tuple[KvDtype, ...] = get_args(KvDtype)
FOUR_BIT: tuple[Quantization, ...] = ("int4", "mxfp4", "nvfp4", "w4a16_nvfp4")
# With scales: below 0.1 % for fp8; an 8-bit scale per 16 weights for nvfp4, per 32 for mxfp4 and mxfp8 (OCP
# Microscaling Formats 1.0); a 16-bit scale per 32 to 128 for int4.
WEIGHT_BYTES: dict[Quantization, float] = {
    "bf16": 2.0,
    "fp8": 1.0,
    "fp8_block": 1.0,
    "mxfp8": 1.03125,
    "int4": 0.53,
    "mxfp4": 0.53125,
    "nvfp4": 0.5625,
    "w4a16_nvfp4": 0.5625,
}
FP8_BLOCK = 128  # edge of the tiles that `fp8_block` scales together (DeepSeek-V3's FP8 format), in weights
