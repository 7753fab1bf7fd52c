"""Decode slots of the public benchmark's disaggregated TensorRT-LLM deployments, which no measured row states.

A decode worker runs at most `max_batch_size` sequences per attention-DP rank, and the recipes (their file names say it,
as in ctx1_gen4_tep8_batch32) set it below what a share of the load would need: the rest waits for a slot, and TTFT
says so. Only rows without speculative decoding; recipes of SGLang and vLLM set no such limit. From the configuration of
InferenceX (SemiAnalysis) and the recipes of srt-slurm (NVIDIA) that it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_Workers = tuple[int, int]  # prefill, decode

# Model, GPU, precision, isl and osl; workers; requests in flight that were run with a batch.
BATCHES: Final[Mapping[tuple[str, str, str, int, int], Mapping[_Workers, Mapping[int, tuple[int, ...]]]]] = {
    ("DeepSeek-R1", "b200_sxm", "fp4", 1024, 1024): {
        (1, 1): {512: (4096,)},
        (1, 2): {128: (2192,)},
        (1, 5): {1: (6,), 32: (10, 15, 25, 45, 90, 180, 1365)},
        (1, 6): {64: (450,)},
    },
    ("DeepSeek-R1", "b200_sxm", "fp4", 8192, 1024): {
        (1, 5): {1: (6,), 8: (10, 15, 25)},  # not of 50 and 100, which decode as slowly as larger batches
        (2, 5): {64: (370,)},
        (4, 1): {192: (1606,)},
        (4, 3): {32: (837,)},
        (7, 2): {128: (2222,)},
    },
    ("DeepSeek-R1", "b200_sxm", "fp8", 1024, 1024): {(1, 1): {512: (4096,)}, (1, 5): {48: (1920,)}},
    ("DeepSeek-R1", "b200_sxm", "fp8", 8192, 1024): {
        (1, 1): {1: (1,), 128: (128,), 256: (256,)},
        (1, 2): {64: (128,)},
        (1, 4): {32: (32, 128)},
        (1, 6): {16: (96,)},
        (2, 1): {640: (640,)},
    },
    ("DeepSeek-R1", "gb200", "fp4", 1024, 1024): {
        (1, 1): {16: (666,), 512: (4301,)},
        (1, 2): {768: (6144,)},
        (1, 4): {1: (5,), 32: (12, 24, 48, 96, 192)},
        (2, 1): {64: (2253,), 256: (4301,)},
    },
    ("DeepSeek-R1", "gb200", "fp4", 1024, 8192): {
        (1, 1): {16: (563,), 64: (2048,), 128: (4096,), 256: (8192,)},
        (1, 7): {1: (5, 7)},
        (1, 15): {4: (60,), 8: (135,)},
    },
    ("DeepSeek-R1", "gb200", "fp4", 8192, 1024): {
        (1, 4): {1: (5,), 16: (12, 44, 76)},
        (2, 1): {8: (333,)},
        (7, 1): {32: (1229,)},
        (8, 1): {128: (2253,)},
        (10, 1): {256: (4096,)},
    },
    ("DeepSeek-R1", "gb200", "fp8", 1024, 1024): {
        (1, 1): {8: (256,), 32: (1127,), 128: (2151,), 512: (4301,), 768: (6144,)},
        (1, 3): {1: (3,), 8: (27,)},
    },
    ("DeepSeek-R1", "gb200", "fp8", 1024, 8192): {
        (1, 1): {16: (564,), 64: (2048,)},
        (1, 2): {256: (8192,)},
        (1, 4): {1: (4,), 8: (36,)},
    },
    ("DeepSeek-R1", "gb200", "fp8", 8192, 1024): {
        (1, 3): {1: (6,), 4: (18,), 16: (63,)},
        (2, 1): {8: (333,)},
        (3, 1): {32: (615,)},
        (4, 1): {16: (666,)},
        (5, 1): {64: (1229,)},
    },
    ("DeepSeek-R1", "gb300", "fp4", 1024, 1024): {
        (1, 4): {1: (5,), 32: (12, 48, 96, 192)},
        (2, 1): {32: (1229,), 1024: (8192,)},
        (3, 1): {64: (2253,), 256: (4301,)},
    },
    ("DeepSeek-R1", "gb300", "fp4", 1024, 8192): {
        (1, 1): {32: (1024,), 128: (4096,), 256: (8192,)},
        (1, 7): {1: (7,), 32: (245,)},
        (1, 15): {4: (60,)},
    },
    ("DeepSeek-R1", "gb300", "fp4", 8192, 1024): {
        (1, 3): {16: (72,)},
        (1, 4): {1: (5,), 2: (12,)},
        (1, 5): {4: (5, 15, 30)},
        (7, 1): {16: (666,)},
        (9, 1): {64: (1229,)},
        (11, 3): {256: (3228,)},
        (14, 1): {128: (2253,)},
    },
    ("DeepSeek-R1", "gb300", "fp8", 1024, 1024): {
        (1, 4): {1: (4,), 4: (24,), 16: (84,)},
        (2, 1): {32: (1229,), 128: (2253,)},
        (3, 2): {512: (8602,), 768: (12288,)},
    },
    ("DeepSeek-R1", "gb300", "fp8", 1024, 8192): {
        (1, 1): {8: (282,), 32: (1024,)},
        (1, 2): {128: (4096,), 256: (8192,)},
        (1, 4): {1: (4,), 8: (36,)},
    },
    ("DeepSeek-R1", "gb300", "fp8", 8192, 1024): {
        (1, 4): {1: (4,), 4: (24,), 8: (36,)},
        (4, 1): {32: (666,)},
        (6, 1): {16: (512,)},
        (7, 1): {64: (1229,), 256: (2151,)},
    },
    ("DeepSeek-R1", "h100_sxm", "fp8", 1024, 1024): {
        (1, 3): {1: (6,), 2: (9,), 4: (231,), 8: (30, 462), 16: (60, 924), 32: (1845,)},
        (2, 1): {256: (4916,)},
    },
    ("DeepSeek-R1", "h100_sxm", "fp8", 8192, 1024): {
        (1, 2): {64: (154,)},
        (1, 3): {1: (6,), 2: (9,), 8: (30,)},
        (2, 1): {16: (308,)},
    },
    ("Kimi-K2.5", "gb200", "fp4", 1024, 1024): {
        (1, 4): {1: (4,), 128: (192, 668)},
        (1, 5): {8: (15, 30, 55)},
    },
    ("Kimi-K2.5", "gb200", "fp4", 8192, 1024): {
        (1, 4): {1: (4,), 32: (156,)},
        (1, 5): {16: (15, 30, 105)},
    },
}


def batch(model: str, sku: str, precision: str, lengths: tuple[int, int], workers: _Workers, load: int) -> int | None:
    """Sequences that each attention-DP rank of a decode worker runs at most, or None where no recipe says it."""
    known = BATCHES.get((model, sku, precision, *lengths), {}).get(workers, {})
    return next((size for size, loads in known.items() if load in loads), None)
