"""python -m scripts.fit.operations   write scripts/fit/operations.json from the wheel's tables of single operations"""

from __future__ import annotations

import argparse
from pathlib import Path

from scripts.fit import wheel
from scripts.fit.operations import document
from scripts.fit.operations.efficiencies import fitted
from scripts.fit.operations.tables import Tables


def main() -> None:
    """Read, fit, write."""
    parser = argparse.ArgumentParser(prog="python -m scripts.fit.operations", description=__doc__)
    parser.add_argument("--data", type=Path, default=wheel.FOLDER, help="folder for the downloaded wheel")
    document.write(fitted(Tables(wheel.wheel(parser.parse_args().data))))


if __name__ == "__main__":
    main()
