"""Runs inside Dynamo 1.2.1's environment: reads one case as JSON from standard input, prints what Dynamo makes of it.

{"mocker": [arguments], "frontend": [arguments], "planner": [config], "profile": directory, "decode": [[n, tokens]]}
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import io
import json
import sys
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

# Imported beside what is asked, and never called here.
ABSENT = ("aiohttp", "filterpy", "kubernetes", "pandas", "pmdarima", "prometheus_api_client", "prometheus_client")
ABSENT += ("huggingface_hub", "plotly", "prophet", "tqdm", "transformers", "zmq")


class _Stub(ModuleType):
    __path__: list[str] = []  # noqa: RUF012 - what makes a package

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return MagicMock(name=name)


class _Stubs(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        return importlib.machinery.ModuleSpec(name, self) if name.partition(".")[0] in ABSENT else None

    def create_module(self, spec: Any) -> ModuleType:
        return _Stub(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


def without_stubs() -> None:
    """Others ask what is loaded: scikit-learn takes a loaded pandas for a real one."""
    for name in [name for name in sys.modules if name.partition(".")[0] in ABSENT]:
        del sys.modules[name]


def parsed(parse: Any, arguments: list[str]) -> dict[str, Any]:
    """Its values, or what it says before it exits."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return {"values": {key: str(value) for key, value in vars(parse(arguments)).items()}}
    except SystemExit:
        return {"error": said.getvalue().strip().splitlines()[-1]}
    except ValueError as error:
        return {"error": str(error)}


def main() -> None:
    """Answer each part of the case that is there."""
    sys.meta_path.append(_Stubs())
    case = json.load(sys.stdin)
    answer: dict[str, Any] = {}
    if "mocker" in case:
        from dynamo.mocker.args import parse_args

        answer["mocker"] = [parsed(parse_args, arguments) for arguments in case["mocker"]]
    if "frontend" in case:
        from argparse import ArgumentParser

        from dynamo.frontend.frontend_args import FrontendArgGroup

        parser = ArgumentParser()
        FrontendArgGroup().add_arguments(parser)
        answer["frontend"] = [parsed(parser.parse_args, arguments) for arguments in case["frontend"]]
    if "planner" in case:
        from dynamo.planner.config.planner_config import PlannerConfig

        answer["planner"] = [
            json.loads(PlannerConfig.from_config_arg(json.dumps(config)).model_dump_json())
            for config in case["planner"]
        ]
    if "profile" in case:
        answer["profile"] = _profile(case["profile"], case["prefill"], case["decode"])
    json.dump(answer, sys.stdout)


def _profile(directory: str, prompts: list[float], batches: list[list[float]]) -> dict[str, list[float]]:
    """What planner and mocker predict from the files: ms of a prompt, and of a decode step of (sequences, tokens)."""
    from dynamo.planner.core.perf_model import DecodeRegressionModel, PrefillRegressionModel
    from dynamo.planner.monitoring.perf_metrics import _convert_decode_profiling, _convert_prefill_profiling

    without_stubs()
    prefill, decode = PrefillRegressionModel(64), DecodeRegressionModel(64)
    prefill.load_benchmark_fpms(_convert_prefill_profiling(directory))
    decode.load_benchmark_fpms(_convert_decode_profiling(directory))
    assert prefill._ensure_fitted()
    assert decode._ensure_fitted()
    return {
        "prefill": [1000 * prefill._predict_wall_time(isl) for isl in prompts],
        "decode": [1000 * decode._predict_2d(sequences, tokens) for sequences, tokens in batches],
    }


if __name__ == "__main__":
    main()
