"""Dynamo 1.2.1's own Python, installed once into a cache outside the checkout: its parsers judge what we generate.

    python -m tests.upstream.install

Without its dependencies, which are gigabytes of engines; what little the parsers import is named here.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ALONE = ("ai-dynamo==1.2.1", "ai-dynamo-runtime==1.2.1")  # without what they depend on
BESIDE = (
    "msgspec>=0.19,<1",
    "numpy>=2,<3",
    "pydantic>=2.11,<3",
    "pyyaml>=6,<7",
    "scikit-learn>=1.7,<2",
    "uvloop>=0.21,<1",
)


class NotInstalled(Exception):
    """pip could not install it (no network, most often); the text is its last line."""


def python() -> Path:
    """The interpreter that has it; installs it on first use. Raises NotInstalled."""
    names = repr((ALONE, BESIDE, sys.version_info[:2]))
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)  # the account's own: tests run under another HOME
    cache = home / ".cache" / "kubectl-dynamo" / "upstream"
    target = cache / hashlib.sha256(names.encode()).hexdigest()[:16]
    cache.mkdir(parents=True, exist_ok=True)
    with target.with_suffix(".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not target.is_dir():
            _install(target)
    return target / "bin" / "python"


def _install(target: Path) -> None:
    """Into the place where it stays: a virtual environment cannot be moved. What fails is removed."""
    subprocess.run([sys.executable, "-m", "venv", str(target)], check=True)
    pip = [str(target / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        for more in (["--no-deps", *ALONE], list(BESIDE)):
            done = subprocess.run([*pip, *more], capture_output=True, text=True, cwd=tempfile.gettempdir(), check=False)
            if done.returncode:
                raise NotInstalled((done.stderr.strip() or "pip failed").splitlines()[-1])
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


if __name__ == "__main__":
    print(python())
