"""NVIDIA's public model as the judge: how it rates its own best configuration, and one layout that it is given.

Runs in an environment that has `aiconfigurator`, and nothing of ours: reads cases as JSON from standard input, writes
one JSON line for each. The measured tables and the arithmetic are aiconfigurator's own.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from aiconfigurator.cli.main import build_default_task_configs  # type: ignore[import-not-found]
from aiconfigurator.sdk.task import TaskRunner  # type: ignore[import-not-found]


def best(tasks: dict[str, Any], case: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each mode's best row within the targets: its tokens/s per GPU of the budget, and what it is."""
    found = {}
    for mode, task in tasks.items():
        try:
            table = TaskRunner().run(task)["pareto_df"]
        except Exception as error:  # noqa: BLE001 - a mode without measured tables is no answer, whatever it raises
            print(f"{case['name']}, {mode}: {error}", file=sys.stderr)
            continue
        if table is None or table.empty:
            continue
        table = table[(table["tpot"] <= case["itl"]) & (table["ttft"] <= case["ttft"])].copy()
        total, unit = case["gpus"], table["num_total_gpus"]
        table["rate"] = table["tokens/s/gpu"] * (total // unit) * unit / total
        if table.empty:
            continue
        row = table.loc[table["rate"].idxmax()]
        kept = [
            name for name in row.index if name in ("parallel", "bs") or name.endswith(("parallel", "workers", ")bs"))
        ]
        found[mode] = {"rate": float(row["rate"]), "ttft": float(row["ttft"]), "tpot": float(row["tpot"])}
        found[mode]["what"] = ", ".join(f"{name} {row[name]}" for name in kept)
    return found


def restricted(tasks: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    """The task of our pick's mode with our pick's layouts alone."""
    pick = case["pick"]
    task = tasks[pick["mode"]]
    for role, sizes in pick["layouts"].items():
        config = task.config[f"{role}_config"]
        config.num_gpu_per_worker = [sizes["tp"] * sizes["dp"]]
        for name in ("tp", "pp", "dp", "moe_tp", "moe_ep"):
            config[f"{name}_list"] = [sizes[name]]
    return {pick["mode"]: task}


def tasks_of(case: dict[str, Any]) -> dict[str, Any]:
    """The two experiments that NVIDIA's profiler runs for one engine."""
    names = {"model_path": "model", "total_gpus": "gpus", "system": "system", "backend": "backend"}
    given = {ours: case[theirs] for ours, theirs in names.items()}
    found = build_default_task_configs(**given, isl=case["isl"], osl=case["osl"], ttft=case["ttft"], tpot=case["itl"])
    return {name: task for name, task in found.items() if name in ("agg", "disagg")}


def main() -> None:
    """Judge every case."""
    logging.disable(logging.CRITICAL)
    for case in json.load(sys.stdin):
        theirs = best(tasks_of(case), case)
        ours = best(restricted(tasks_of(case), case), case)
        print(json.dumps({"name": case["name"], "best": theirs, "pick": ours}), flush=True)


if __name__ == "__main__":
    main()
