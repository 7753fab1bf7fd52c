"""scripts/fit/operations.json as it was written last: for priors and for the accuracy page."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "operations.json"


@cache
def read() -> dict[str, Any]:
    """Effects, errors and fits; see `scripts.fit.operations.document`."""
    content: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return content
