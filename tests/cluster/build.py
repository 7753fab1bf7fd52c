"""Builds the real control plane that the tests run on, once, into a cache outside the checkout.

    python -m tests.cluster.build

etcd (its binary is called `server`), kube-apiserver, kube-controller-manager, kube-scheduler and kubectl are compiled
from the modules named in `controlplane/go.mod`; no container engine is needed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MODULE = Path(__file__).parent / "controlplane"
TOOLS = ("server", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
# Without a version in the binaries, CRDs and kubectl see v0.0.0 and refuse or warn.
VERSION = "v1.33.4"
VERSION_PACKAGE = "k8s.io/component-base/version"
SECONDS_BETWEEN_LINES = 10.0


class BuildFailed(Exception):
    """Go could not build the control plane; the text says what it printed."""


def directory() -> Path:
    """Where the binaries of this go.mod and go.sum lie once they are built."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        digest.update((MODULE / name).read_bytes())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "kubectl-dynamo" / "controlplane" / digest.hexdigest()[:16]


def ensure() -> Path:
    """Build the binaries unless they are there, and return their directory. Raises BuildFailed."""
    target = directory()
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with _lock(target.with_suffix(".lock")):
        if not target.is_dir():  # another builder may have finished while we waited
            _build(target)
    return target


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another process is building the control plane; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build(target: Path) -> None:
    for leftover in target.parent.glob(f"{target.name}.building-*"):  # of a builder that was killed; we hold the lock
        shutil.rmtree(leftover, ignore_errors=True)
    started = time.monotonic()
    _say(f"building the Kubernetes {VERSION} control plane that the tests run on, from source: {', '.join(TOOLS)}")
    _say("this happens once and takes minutes, because it compiles all of Kubernetes; later runs reuse")
    _say(f"  {target}")
    scratch = Path(tempfile.mkdtemp(prefix=f"{target.name}.building-", dir=target.parent))
    try:
        packages = len(_go("list", "-deps", "tool", doing="fetching modules").split())
        _go("build", "-v", "-trimpath", "-ldflags", _linker_flags(), "-o", f"{scratch}/", "tool", total=packages)
        missing = [tool for tool in TOOLS if not (scratch / tool).is_file()]
        if missing:
            raise BuildFailed(f"go build left out {', '.join(missing)}")
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    _say(f"the control plane is built ({time.monotonic() - started:.0f} s)")


def _linker_flags() -> str:
    major, minor, _ = VERSION.removeprefix("v").split(".")
    values = {"gitVersion": VERSION, "gitMajor": major, "gitMinor": minor}
    return " ".join(["-s", "-w", *(f"-X {VERSION_PACKAGE}.{name}={value}" for name, value in values.items())])


def _go(*arguments: str, doing: str = "compiling", total: int = 0) -> str:
    """Run go in the module, counting the lines it prints as progress; return its stdout. Raises BuildFailed."""
    environment = os.environ | {"CGO_ENABLED": "0", "GOWORK": "off"}
    printed: list[str] = []
    started = said = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        with subprocess.Popen(
            ["go", *arguments], cwd=MODULE, env=environment, stdout=output, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            for line in process.stderr:
                printed.append(line.rstrip())
                if time.monotonic() - said >= SECONDS_BETWEEN_LINES:
                    said = time.monotonic()
                    count = f"{len(printed)} of at most {total} packages" if total else f"{len(printed)} modules"
                    _say(f"  {said - started:4.0f} s  {doing}: {count}")
        if process.returncode:
            tail = "\n".join(f"  {line}" for line in printed[-15:])
            raise BuildFailed(f"`go {arguments[0]}` failed with exit code {process.returncode}:\n{tail}")
        output.seek(0)
        return output.read()


def _say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    """Build, or say in one sentence why not. Exit code 1 on a failed build, and without Go where CI=true."""
    if not directory().is_dir() and shutil.which("go") is None:
        _say(
            "Go is not installed, so the tests that need a real control plane "
            "cannot run: install Go 1.24 or newer from https://go.dev/dl"
        )
        return 1 if os.environ.get("CI") == "true" else 0
    try:
        ensure()
    except BuildFailed as failure:
        _say(f"the control plane could not be built: {failure}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
