"""The README shows what the demo really prints. `UPDATE_GOLDEN=1 pytest ...` writes it anew."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.cluster.controlplane import REPOSITORY

README = REPOSITORY / "README.md"
PROMPT = "$ kubectl dynamo profile -f manifests/examples/llama-chat.yaml --gpu h200_sxm --gpus 16\n"
SECONDS = re.compile(r" in [\d.]+ s,")


def _shown() -> tuple[str, str, str]:
    """The README before, in and after the demo's output."""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(PROMPT, 1)
    output, after = rest.split("```\n", 1)
    return before + PROMPT, output, "```\n" + after


def _printed(directory: Path) -> str:
    """What the command prints into a pipe, without the time that the search took."""
    request = REPOSITORY / "manifests" / "examples" / "llama-chat.yaml"
    plugin = Path(sys.executable).with_name("kubectl-dynamo")
    command = [str(plugin), "profile", "-f", str(request), "--gpu", "h200_sxm", "--gpus", "16"]
    environment = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=True)
    return SECONDS.sub(" in 0.01 s,", done.stderr + done.stdout)


def test_the_readme_shows_what_the_demo_prints(tmp_path: Path) -> None:
    before, shown, after = _shown()
    printed = _printed(tmp_path)
    if os.environ.get("UPDATE_GOLDEN"):
        README.write_text(before + printed + after, encoding="utf-8")
        return
    assert shown == printed
