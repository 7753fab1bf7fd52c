"""One container as a local process: a root directory of its own, its volumes mounted in it, its own environment.

The process sees this machine's files through an overlay whose changes are thrown away, so that a mount point such as
/data or /var/run/secrets exists for it alone and what it writes outside its volumes is gone with it. This needs Linux
with mount namespaces: as root, or as a user who may make user namespaces. Images, users and resource limits are not
imitated: a command that starts with `python` runs on the Python of the tests, with this repository on its path.
Where a mount point lies on another file system than /, its empty directory stays behind on this machine.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

REPOSITORY = Path(__file__).parents[2]
MOUNTS = Path("/proc/self/mounts")
# Volumes are mounted below /run (/var/run/secrets/...), where only root may create directories.
REPLACED = ("/run",)
ENTER = 'cd "$0" 2>/dev/null || cd /; exec "$@"'


@dataclass(frozen=True)
class Mount:
    """A file or directory of this machine and where the container sees it."""

    source: Path
    path: str
    read_only: bool = False


def spawn(
    command: Sequence[str],
    environment: Mapping[str, str],
    mounts: Sequence[Mount],
    *,
    scratch: Path,
    log: Path,
    working_directory: str = "",
) -> subprocess.Popen[bytes]:
    """Start a container. `scratch` is an empty directory to build its root in; stdout and stderr go to `log`.

    The process leads a process group of its own, and is killed when the thread that called this ends.
    """
    outside = [*_namespace(), "setpriv", "--pdeathsig", "KILL", "sh", "-c", _script(mounts, scratch), "container"]
    inside = ["env", "-i", *(f"{name}={value}" for name, value in environment.items()), "sh", "-c", ENTER]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*outside, *inside, working_directory or "/", *_on_this_machine(command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def end(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to everything that the container started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def obstacle() -> str:
    """Why containers cannot run on this machine, or an empty string if they can."""
    with tempfile.TemporaryDirectory(prefix="kubectl-dynamo-container-") as directory:
        scratch, log = Path(directory) / "root", Path(directory) / "log"
        scratch.mkdir()
        try:
            code = spawn(["true"], base_environment(), (), scratch=scratch, log=log).wait(30)
        except (OSError, subprocess.TimeoutExpired) as failure:
            return f"containers need Linux with mount namespaces: {failure}"
        return f"containers need Linux with mount namespaces: {log.read_text().strip()}" if code else ""


def base_environment() -> dict[str, str]:
    """What every container finds in its environment before its own variables."""
    path = f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": path, "HOME": "/", "LANG": "C.UTF-8", "PYTHONPATH": str(REPOSITORY)}


def _namespace() -> list[str]:
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--mount", "--propagation", "private"]


def _on_this_machine(command: Sequence[str]) -> list[str]:
    if PurePosixPath(command[0]).name.startswith("python"):
        return [sys.executable, *command[1:]]
    return list(command)


def _script(mounts: Sequence[Mount], scratch: Path) -> str:
    """Shell that builds the root and becomes its arguments, inside."""
    q = shlex.quote
    base, root = str(scratch), f"{scratch}/root"
    layers = f"lowerdir=/,upperdir={base}/upper,workdir={base}/work"
    if os.geteuid() != 0:
        layers += ",userxattr"
    lines = [
        "set -e",
        f"mount -t tmpfs -o mode=0755 tmpfs {q(base)}",
        f"mkdir {q(base)}/upper {q(base)}/work {q(root)}",
        f"mount -t overlay overlay -o {q(layers)} {q(root)}",
    ]
    for path in _mounted_below_root():
        source = f"-t tmpfs tmpfs {q(root + path)}" if path in REPLACED else f"--rbind {q(path)} {q(root + path)}"
        lines.append(f"mount {source}")
    for mount in sorted(mounts, key=lambda each: each.path):  # a volume may be mounted inside another
        # Resolved inside the root: /var/run is a link to /run, which outside would be this machine's.
        make = 'mkdir -p "$0"' if mount.source.is_dir() else 'mkdir -p "$(dirname "$0")" && touch "$0"'
        lines.append(f"chroot {q(root)} sh -c {q(make)} {q(mount.path)}")
        lines.append(f"target={q(root)}$(chroot {q(root)} readlink -f {q(mount.path)})")
        lines.append(f'mount --bind {q(str(mount.source))} "$target"')
        if mount.read_only:
            lines.append('mount -o remount,bind,ro "$target"')
    lines.append(f'exec chroot {q(root)} "$@"')
    return "\n".join(lines)


def _mounted_below_root() -> list[str]:
    """Outermost mount points below /, which an overlay of / does not show."""
    points = {line.split()[1].encode().decode("unicode_escape") for line in MOUNTS.read_text().splitlines()} - {"/"}
    return sorted(
        point for point in points if not any(str(parent) in points for parent in PurePosixPath(point).parents)
    )
