"""What a TAB offers: what the cluster has, names in the kubeconfig, models and GPUs that can be estimated."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from kubectl_dynamo.session import overrides

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

    from crds.kube.resources import Cluster

PATIENCE_S: Final = 1.0  # a TAB that waits longer than this is worse than none


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

        config = kubeconfig.load(kubeconfig.search_path(overrides(ctx).kubeconfig, os.environ))
        return _items(getattr(config, f"{field}s"), incomplete)
    if field in {"kubeconfig", "certificate_authority", "client_certificate", "client_key"}:
        from click.shell_completion import CompletionItem  # loaded on TAB only

        return [CompletionItem(incomplete, type="file")]
    return []


def models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Names of the catalogue."""
    from profiler.models import catalogue  # loaded on TAB only

    return _items(catalogue.names(), incomplete)


def gpus(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """SKUs that can be estimated."""
    from profiler import hardware  # loaded on TAB only

    return _items(hardware.skus(), incomplete)


def _asked(ctx: click.Context, question: Callable[[Cluster], Any]) -> list[str]:
    from crds.kube.resources import Cluster  # loaded on TAB only

    given = overrides(ctx)
    return list(question(Cluster.connect(replace(given, request_timeout=given.request_timeout or PATIENCE_S))))


def _items(values: Iterable[str], incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem  # loaded on TAB only

    return [CompletionItem(value) for value in sorted(values) if value.startswith(incomplete)]
