"""`kubectl_complete-dynamo`: what kubectl runs on TAB after `kubectl dynamo`.

kubectl passes the words so far, the last one unfinished; it reads one candidate a line, a tab and its help behind it,
and `:N` at the end, cobra's directive bits. A failure would make it offer files, so this never fails: exit 0, always.
Source: kubernetes/kubectl pkg/cmd/plugin_completion.go, spf13/cobra completions.go.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

    from crds.kube.resources import Cluster

FILES, NO_FILES, DIRECTORIES = 0, 4, 16
PATIENCE_S: Final = 1.0  # a TAB that waits longer than this is worse than none


class _TooSlow(BaseException):
    """The patience ran out. No Exception, so that nothing on the way takes it for an error of its own."""


def main() -> None:
    """Print the candidates for the words in argv."""
    directive = NO_FILES
    lines: list[str] = []
    signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S + 0.5)
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


def requests(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the requests in the namespace, if the cluster answers in time."""
    from crds.kube.kinds import DGDR  # loaded on TAB only

    def names(cluster: Cluster) -> list[str]:
        return [row["object"]["metadata"]["name"] for row in cluster.table(DGDR)["rows"]]

    typed = set(ctx.params.get(param.name or "") or ())
    return _items([name for name in _asked(ctx, names) if name not in typed], incomplete)


def global_values(ctx: click.Context, field: str, incomplete: str) -> list[CompletionItem]:
    """Values of a global flag: namespaces from the cluster; contexts, clusters and users from the kubeconfig."""
    if field == "namespace":
        from crds.kube.kinds import NAMESPACES  # loaded on TAB only

        return _items(
            _asked(ctx, lambda cluster: [item["metadata"]["name"] for item in cluster.list(NAMESPACES).items]),
            incomplete,
        )
    if field in {"context", "cluster", "user"}:
        from crds.kube import kubeconfig  # loaded on TAB only
        from kubectl_dynamo.options import overrides

        config = kubeconfig.load(kubeconfig.search_path(overrides(ctx).kubeconfig, os.environ))
        return _items(getattr(config, f"{field}s"), incomplete)
    if field in {"kubeconfig", "certificate_authority", "client_certificate", "client_key"}:
        from click.shell_completion import CompletionItem  # loaded on TAB only

        return [CompletionItem(incomplete, type="file")]
    return []


def _asked(ctx: click.Context, question: Callable[[Cluster], Any]) -> list[str]:
    from crds.kube.resources import Cluster  # loaded on TAB only
    from kubectl_dynamo.options import overrides

    given = overrides(ctx)
    return list(question(Cluster.connect(replace(given, request_timeout=given.request_timeout or PATIENCE_S))))


def _items(values: Iterable[str], incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem  # loaded on TAB only

    return [CompletionItem(value) for value in sorted(values) if value.startswith(incomplete)]


if __name__ == "__main__":
    main()
