"""`profiler_status.yaml`: how a run stands, in a form that a shell script reads with grep.

NVIDIA's sidecar takes one line by `grep ^message:`, deletes quotes and pastes the rest into YAML, so a value is one
unfolded line without quotes, backslashes or ` #` (Dynamo 1.2 operator, output-copier). The file is replaced in one
step: a reader never sees half of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from crds.vocabulary import STATUS_FILE, ProfilingPhase

State = Literal["running", "success", "failed"]

NO_BREAK_SPACE: Final = "\u00a0"
_LONGEST: Final = 1000  # characters of a message: it ends in conditions and events, which people read


@dataclass(frozen=True)
class Status:
    """How a run stands. `outputs` maps what was written to its file name."""

    state: State
    phase: ProfilingPhase
    message: str = ""
    error: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)

    def render(self, now: datetime) -> str:
        """The file's text; `now` is in UTC."""
        lines = [f"status: {self.state}", f"timestamp: '{now:%Y-%m-%dT%H:%M:%SZ}'"]
        if self.message:
            lines.append(f"message: {one_line(self.message)}")
        if self.error:
            lines.append(f"error: {one_line(self.error)}")
        if self.outputs:
            lines.append("outputs: {" + ", ".join(f"{key}: {name}" for key, name in self.outputs.items()) + "}")
        return "\n".join([*lines, f"phase: {self.phase}"]) + "\n"


def one_line(text: str) -> str:
    """`text` as a plain YAML scalar on one line that survives the sidecar's shell script.

    `: ` would end a plain scalar and quotes are not allowed, so the blank after a colon becomes a no-break space:
    it reads the same. `plain` turns it back.
    """
    printable = "".join(character if character.isprintable() else " " for character in text)
    words = " ".join(re.sub(r"[\"'`\\]", "", printable).split())
    words = re.sub(r"(^| )#+", r"\1", words).lstrip(" ,[]{}&*!|>%@")
    words = re.sub(r"^([-?:]+ )+", "", " ".join(words.split()))
    return words[:_LONGEST].rstrip(": ").replace(": ", f":{NO_BREAK_SPACE}")


def plain(line: str) -> str:
    """The text behind a value that `one_line` wrote."""
    return line.replace(NO_BREAK_SPACE, " ")


def write(directory: Path, status: Status, now: datetime) -> None:
    """Write the status file of `directory`. Raises OSError."""
    replace(directory / STATUS_FILE, status.render(now).encode())


def replace(path: Path, content: bytes) -> None:
    """Put `content` at `path` in one step, or leave what was there. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
