"""The closed form against the reference implementation that its coefficients were fitted with."""

from dataclasses import replace

import pytest

from profiler.estimate import Points, aggregated
from profiler.hardware import gpu
from profiler.models import load

NAMES = {
    "Llama-3.1-8B": "meta-llama/Llama-3.1-8B",
    "Llama-3.1-70B": "meta-llama/Llama-3.1-70B",
    "Qwen3-32B": "Qwen/Qwen3-32B",
    "Qwen3-235B": "Qwen/Qwen3-235B-A22B",
    "Qwen3.5-397B": "Qwen/Qwen3.5-397B-A17B",
    "DeepSeek-R1": "deepseek-ai/DeepSeek-R1",
    "Kimi-K2.5": "moonshotai/Kimi-K2.5",
    "GLM-5": "zai-org/GLM-5",
    "MiniMax-M2.5": "MiniMaxAI/MiniMax-M2.5",
    "gpt-oss-120b": "openai/gpt-oss-120b",
}
QUANTIZATION = {"bf16": "bf16", "fp8": "fp8_block", "fp4": "nvfp4", "int4": "int4"}
# model, precision, GPU, engine, tp, dp, ep, isl, osl, concurrency -> ITL and TTFT in ms of the reference
CASES = (
    ("Llama-3.1-70B", "fp8", "h100_sxm", "vllm", 4, 1, 1, 1000, 1000, 32, 15.671, 199.0),
    ("Llama-3.1-8B", "bf16", "h100_sxm", "trtllm", 1, 1, 1, 4000, 500, 16, 12.520, 284.4),
    ("Qwen3-32B", "fp8", "h200_sxm", "sglang", 2, 1, 1, 2000, 200, 8, 11.082, 316.3),
    ("Qwen3-235B", "fp8", "h200_sxm", "sglang", 8, 1, 8, 8000, 1000, 64, 39.548, 2740.0),
    ("DeepSeek-R1", "fp8", "b200_sxm", "trtllm", 1, 8, 8, 1000, 1000, 256, 34.615, 662.9),
    ("DeepSeek-R1", "fp4", "b200_sxm", "sglang", 8, 1, 8, 1000, 8000, 32, 13.849, 204.6),
    ("gpt-oss-120b", "fp4", "h100_sxm", "vllm", 4, 1, 1, 1000, 1000, 64, 9.496, 144.4),
    ("MiniMax-M2.5", "fp8", "b200_sxm", "vllm", 4, 1, 4, 8000, 1000, 16, 12.172, 271.5),
    ("Kimi-K2.5", "int4", "h200_sxm", "vllm", 8, 1, 1, 1000, 1000, 32, 20.465, 277.6),
    ("GLM-5", "fp8", "b200_sxm", "sglang", 8, 1, 8, 8000, 1000, 32, 34.127, 1299.8),
    ("Llama-3.1-70B", "fp4", "b200_sxm", "trtllm", 2, 1, 1, 1000, 1000, 128, 16.930, 255.9),
    ("Qwen3.5-397B", "fp8", "h200_sxm", "sglang", 8, 1, 8, 8000, 1000, 32, 22.572, 987.8),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case[:4])))
def test_a_closed_loop_reproduces_the_reference(case):
    name, precision, sku, engine, tp, dp, ep, isl, osl, concurrency, itl, ttft = case
    # The fit assumed an 8-bit cache wherever weights are 8 bit, or 4 bit on a GPU with such instructions.
    eight_bit_cache = precision == "fp8" or (precision == "fp4" and sku == "b200_sxm")
    model = replace(
        load(NAMES[name]), quantization=QUANTIZATION[precision], kv_dtype="fp8" if eight_bit_cache else "bf16"
    )
    moe = {"moe_ep": ep, "moe_tp": tp * dp / ep} if model.is_moe else {}
    points = Points.of(tp=tp, dp=dp, isl=isl, osl=osl, concurrency=concurrency, **moe)
    found = aggregated(model, gpu(sku), engine, points, arrival="closed")
    assert found.itl_ms[0] == pytest.approx(itl, rel=0.01)
    assert found.ttft_ms[0] == pytest.approx(ttft, rel=0.01)
