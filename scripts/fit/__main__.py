"""python -m scripts.fit fit        write profiler/data/coefficients.json
python -m scripts.fit accuracy   write the tables of docs/accuracy.md, and print them

Both download the measured rows with pip once (into --data) and use the same half of them.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from os import cpu_count
from pathlib import Path

from scripts.fit import report, wheel, write
from scripts.fit.crossvalidation import held_out
from scripts.fit.disaggregated import pools, powers
from scripts.fit.groups import fitting
from scripts.fit.intervals import Intervals
from scripts.fit.physics import deployed, shared
from scripts.fit.rows import measurements

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Read, fit, judge, write."""
    parser = argparse.ArgumentParser(prog="python -m scripts.fit", description=__doc__)
    parser.add_argument("action", choices=("fit", "accuracy"))
    parser.add_argument("--data", type=Path, default=wheel.FOLDER, help="folder for the downloaded wheel")
    arguments = parser.parse_args()
    data = wheel.wheel(arguments.data)
    found = measurements(wheel.even_rows(data))
    rows = fitting(found)
    stage1 = shared(rows)
    with ProcessPoolExecutor(cpu_count()) as pool:
        held = held_out(rows, stage1, pool)
    intervals = Intervals.of(held)
    if arguments.action == "fit":
        document = write.document(deployed(rows, stage1), rows, intervals)
        path = ROOT / "profiler" / "data" / "coefficients.json"
        path.write_text(write.text(document), encoding="utf-8")
        with ProcessPoolExecutor(1, get_context("spawn")) as fresh:  # which reads what was just written
            document = write.with_pools(document, fresh.submit(powers, pools(wheel.even_rows(data))).result())
        path.write_text(write.text(document), encoding="utf-8")
        return
    page = ROOT / "docs" / "accuracy.md"
    tables = report.tables(found, held, pools(wheel.even_rows(data)))
    print(tables)
    page.write_text(report.inserted(page.read_text(encoding="utf-8"), tables), encoding="utf-8")


if __name__ == "__main__":
    main()
