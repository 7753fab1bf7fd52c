"""docs/getting-started.md, line by line, as a person would type it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cluster.controlplane import REPOSITORY
from tests.end_to_end.conftest import Standalone

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("standalone")]

GUIDE = REPOSITORY / "docs" / "getting-started.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    blocks = "".join(BLOCK.findall(GUIDE.read_text(encoding="utf-8")))
    return [line.removeprefix("$ ") for line in blocks.splitlines() if line.startswith("$ ")]


def test_every_command_of_the_guide_works(standalone: Standalone, tmp_path: Path) -> None:
    for name in ("crds", "manifests"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    kubeconfig = tmp_path / "kubeconfig"
    shutil.copy(standalone.control_plane.kubeconfig, kubeconfig)
    environment = {**standalone.control_plane.environment, "KUBECONFIG": str(kubeconfig)}
    typed = [f"kubectl config set-context --current --namespace={standalone.namespace}", *commands()]
    assert len(typed) > 15
    for command in typed:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=150,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
