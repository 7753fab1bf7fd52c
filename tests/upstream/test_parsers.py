"""Dynamo 1.2.1's own parsers and models take what is generated. Skipped where they cannot be installed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from profiler import estimate, models, pipeline
from profiler.estimate import Points
from tests.profiler.generate import cases
from tests.profiler.generate.cases import DEP8, MOE, TEP8, TP1, TP4
from tests.profiler.requests import DENSE, request
from tests.upstream import install

pytestmark = [pytest.mark.upstream, pytest.mark.xdist_group("upstream")]
JUDGE = Path(__file__).with_name("judge.py")
BY_SLA = {"optimization_target": "sla"}
ENGINES = ("vllm", "sglang", "trtllm")


@pytest.fixture(scope="module")
def python() -> Path:
    try:
        return install.python()
    except install.NotInstalled as error:
        pytest.skip(f"ai-dynamo 1.2.1 cannot be installed here: {error}")


def judged(python: Path, **case: Any) -> dict[str, Any]:
    done = subprocess.run(
        [str(python), str(JUDGE)], input=json.dumps(case), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def generated(engine: str, mode: Any, *layouts: Any, **spec: Any) -> Any:
    return cases.generated(engine, mode, *layouts, model=MOE if layouts[0].gpus > 4 else cases.DENSE, **spec)


def test_the_mocker_parses_its_arguments(python: Path) -> None:
    results = [
        generated(engine, mode, *layouts, features={"mocker": {"enabled": True}})
        for engine in ENGINES
        for mode, layouts in (("agg", (TP4,)), ("disagg", (TP1, TP4)), ("disagg", (TEP8, DEP8)))
    ]
    lists = [cases.container(service)["args"] for result in results for service in cases.workers(result).values()]
    answers = judged(python, mocker=lists)["mocker"]
    assert [answer.get("error") for answer in answers] == [None] * len(lists)
    assert {answer["values"]["planner_profile_data"] for answer in answers} == {"/workspace/profiling_results"}


def test_the_parsers_are_the_ones_that_refuse(python: Path, tmp_path: Path) -> None:
    answer = judged(python, mocker=[["--block-size", "many"]], frontend=[["--model-path", str(tmp_path / "none")]])
    assert "invalid int value" in answer["mocker"][0]["error"]
    assert answer["frontend"][0]["error"]


def test_the_frontend_parses_its_arguments(python: Path, tmp_path: Path) -> None:
    """Its model path must exist in the pod, so a directory here stands for the mounted cache."""
    (tmp_path / "deepseek-r1").mkdir()
    cache = {"pvcName": "cache", "pvcMountPath": str(tmp_path), "pvcModelPath": "deepseek-r1"}
    result = cases.generated("vllm", "agg", TP4, modelCache=cache)
    (answer,) = judged(python, frontend=[cases.container(cases.services(result)["Frontend"])["args"]])["frontend"]
    assert answer["values"]["model_path"] == str(tmp_path / "deepseek-r1")


def test_the_planner_takes_its_configuration(python: Path) -> None:
    given = ({}, BY_SLA, BY_SLA | {"enable_load_scaling": True, "min_endpoint": 2}, {"advisory": True, "itl": 20})
    configs = [
        json.loads(generated(engine, mode, TP4, features={"planner": said}).documents[0]["data"]["planner_config.json"])
        for engine in ENGINES
        for mode in ("agg", "disagg")
        for said in given
    ]
    for config, read in zip(configs, judged(python, planner=configs)["planner"], strict=True):
        assert all(read[key] == value for key, value in config.items() if key != "aic_interpolation")


@pytest.mark.parametrize("sku", ["h200_sxm", "a30"])
@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_fitted_to_our_curves_predicts_our_estimates(
    python: Path, tmp_path: Path, engine: str, sku: str
) -> None:
    """Planner and mocker fit straight lines to the points; around the request's lengths these must hold."""
    name = DENSE if sku == "h200_sxm" else "Qwen/Qwen3-8B"
    asked, model = request(name, 16, sku=sku, backend=engine, features={"planner": BY_SLA}), models.load(name)
    answer = pipeline.profile(asked, model)
    data = next(d for d in answer.documents if d["metadata"]["name"] == "planner-profile-data-llama")["data"]
    for file, text in data.items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    first, last = answer.profile.pick.workers[0], answer.profile.pick.workers[-1]
    gpu, isl, osl = asked.hardware.gpu, asked.workload.isl, asked.workload.osl
    running = [last.max_batch // 4, last.max_batch // 2, last.max_batch]
    steps = estimate.decode(model, gpu, engine, Points.of(tp=last.layout.tp, isl=isl, osl=osl, concurrency=running))
    prompt = estimate.prefill(model, gpu, engine, Points.of(tp=first.layout.tp, isl=isl, osl=1))
    batches = [[n, n * (isl + osl / 2)] for n in running]
    found = judged(python, profile=str(tmp_path), prefill=[isl], decode=batches)["profile"]
    assert found["decode"] == pytest.approx(steps.itl_ms.tolist(), rel=0.1)
    assert found["prefill"] == pytest.approx(prompt.ttft_ms.tolist(), rel=0.15)
