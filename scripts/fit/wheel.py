"""The measured rows: the wheel by pip, its CSV read as a stream, and only the half that may be looked at."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "build" / "fit"  # where the wheel is kept
REQUIREMENT = "aiconfigurator-core==0.12.0"
PLATFORM = ("--platform", "manylinux_2_28_x86_64", "--python-version", "3.11", "--only-binary", ":all:")
MEMBER = "systems/silicon_sample.csv"


def wheel(folder: Path) -> Path:
    """The wheel in `folder`, downloaded by pip where it is not there yet. Raises SystemExit where pip fails."""
    found = sorted(folder.glob("aiconfigurator_core-0.12.0-*.whl"))
    if not found:
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *PLATFORM, "--dest", str(folder)]
        if subprocess.run([*command, REQUIREMENT], check=False).returncode:
            raise SystemExit(f"pip could not download {REQUIREMENT}; put its wheel into {folder} and try again")
        found = sorted(folder.glob("aiconfigurator_core-0.12.0-*.whl"))
    return found[0]


def even_rows(path: Path) -> Iterator[dict[str, str]]:
    """Rows whose id hashes to an even number; the others are a blind test and are dropped as they are read."""
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith(MEMBER))
        with archive.open(name) as file:
            for row in csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline="")):
                if zlib.crc32(row["id"].encode()) % 2 == 0:
                    yield row
