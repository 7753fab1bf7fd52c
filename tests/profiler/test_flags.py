"""The check of arguments refuses what the engines refuse."""

from __future__ import annotations

import pytest

from tests.profiler.flags import parse


@pytest.mark.parametrize(
    ("engine", "arguments", "problem"),
    [
        ("vllm", "--modle x", "unknown flag --modle"),
        ("vllm", "--model x --model y", "--model is given twice"),
        ("vllm", "--tensor-parallel-size two", "--tensor-parallel-size does not take 'two'"),
        ("vllm", "--enable-expert-parallel 8", "--enable-expert-parallel takes no value"),
        ("vllm", "--max-model-len", "--max-model-len needs a value"),
        ("vllm", "--disaggregation-mode prefill", "a vLLM prefill worker needs --kv-transfer-config"),
        ("vllm", '--kv-transfer-config {"kv_conector":"X"}', "--kv-transfer-config does not take"),
        ("sglang", "--tp 8", "unknown flag --tp"),
        ("sglang", "--tp-size 1 --dp-size 16 --enable-dp-attention", "tp is no multiple of dp"),
        ("sglang", "--disaggregation-mode both", "--disaggregation-mode does not take 'both'"),
        ("sglang", "--page-size 16 --chunked-prefill-size 1000", "is no multiple of --page-size"),
        ("trtllm", "--trtllm.enable_chunked_prefill", "--trtllm.enable_chunked_prefill takes exactly one value"),
        ("trtllm", "--model-path x", "--model-path is deprecated"),
    ],
)
def test_a_wrong_argument_is_a_problem(engine: str, arguments: str, problem: str) -> None:
    assert any(problem in found for found in parse(engine, arguments.split()).problems)
