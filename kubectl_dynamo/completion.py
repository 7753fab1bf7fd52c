"""`kubectl_complete-dynamo`: what kubectl runs on TAB after `kubectl dynamo`.

kubectl passes the words so far, the last one unfinished; it reads one candidate a line, a tab and its help behind it,
and `:N` at the end, cobra's directive bits. A failure would make it offer files, so this never fails: exit 0, always.
Source: kubernetes/kubectl pkg/cmd/plugin_completion.go, spf13/cobra completions.go.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

FILES, NO_FILES, DIRECTORIES = 0, 4, 16
GIVE_UP_S: Final = 1.5  # half a second more than a cluster has to answer


class _TooSlow(BaseException):
    """The patience ran out. No Exception, so that nothing on the way takes it for an error of its own."""


def main() -> None:
    """Print the candidates for the words in argv."""
    directive = NO_FILES
    lines: list[str] = []
    signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, GIVE_UP_S)
    # A library that complains on stderr would write over the user's prompt.
    with open(os.devnull, "w") as silence:  # noqa: PTH123 - a device, not a path of ours
        before, sys.stderr = sys.stderr, silence
        try:
            lines, directive = candidates(sys.argv[1:])
        except (Exception, _TooSlow):  # noqa: BLE001 - see above: no failure may show
            lines = []
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            sys.stderr = before
    sys.stdout.write("".join(f"{line}\n" for line in [*lines, f":{directive}"]))


def candidates(words: Sequence[str]) -> tuple[list[str], int]:
    """The lines to offer for these words, and cobra's directive."""
    from click.shell_completion import ShellComplete  # within main's guard

    from kubectl_dynamo.cli import PROGRAM, cli

    *done, incomplete = words or [""]
    items = ShellComplete(cli, {}, PROGRAM, "").get_completions(list(done), incomplete)
    kinds = {item.type for item in items}
    if kinds & {"file", "dir"}:
        return [], FILES if "file" in kinds else DIRECTORIES
    return [_line(item) for item in items], NO_FILES


def _give_up(*_: object) -> None:
    raise _TooSlow


def _line(item: CompletionItem) -> str:
    text = " ".join((item.help or "").split())
    return f"{item.value}\t{text}" if text else str(item.value)


if __name__ == "__main__":
    main()
