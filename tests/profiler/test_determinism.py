"""The same request gives the same bytes: in any process, with any hash seed, threads and vector instructions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REQUESTS: dict[str, dict[str, Any]] = {
    "dense": {"model": "Qwen/Qwen3-32B", "backend": "auto", "workload": {"requestRate": 3.0}},
    "experts": {"model": "Qwen/Qwen3-235B-A22B-FP8", "backend": "sglang"},
    "planner": {"model": "deepseek-ai/DeepSeek-R1", "backend": "sglang", "features": {"planner": {}}},
}
PLACES: dict[str, dict[str, str]] = {
    "another hash seed": {"PYTHONHASHSEED": "42"},
    "one thread": {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    "many threads": {"OPENBLAS_NUM_THREADS": "8", "OMP_NUM_THREADS": "8"},
    "a processor without wide vectors": {
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 X86_V3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL "
        "AVX512_SPR AVX2 FMA3"
    },
    "another language and time zone": {"LANG": "C", "LC_ALL": "C", "TZ": "Asia/Tokyo"},
}


def files(name: str, directory: Path, environment: dict[str, str]) -> dict[str, bytes]:
    hardware = {"gpuSku": "h200_sxm", "totalGpus": 32, "numGpusPerNode": 8}
    command = [sys.executable, "-W", "ignore", "-m", "profiler", "--config"]
    command += [json.dumps({**REQUESTS[name], "hardware": hardware}), "--output-dir", str(directory)]
    subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": "0", **environment}, timeout=60, check=True)
    return {file: (directory / file).read_bytes() for file in ("final_config.yaml", "webui_data.json")}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    return {name: files(name, tmp_path_factory.mktemp(name), {}) for name in REQUESTS}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", REQUESTS)
def test_every_place_gives_the_same_bytes(
    here: dict[str, dict[str, bytes]], name: str, place: str, tmp_path: Path
) -> None:
    assert files(name, tmp_path, PLACES[place]) == here[name]
