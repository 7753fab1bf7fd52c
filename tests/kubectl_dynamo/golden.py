"""Golden files: what a view printed when a person last looked at it. `UPDATE_GOLDEN=1 pytest ...` writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def check(name: str, text: str) -> None:
    """Compare a text with its golden file."""
    path = FOLDER / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text.rstrip("\n") + "\n", f"{name} looks different: UPDATE_GOLDEN=1"
