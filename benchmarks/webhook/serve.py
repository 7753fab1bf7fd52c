"""The webhook with the facts of a cluster that does not change, to be measured: `serve.py PORT CERTIFICATE KEY`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.webhook.payloads import MODEL_CACHE, NAMESPACE, REQUEST, TAINTS
from profiler.discovery.pools import Discovery, Pool
from webhook.admission import Admission
from webhook.app import create_app
from webhook.defaults import Settings
from webhook.facts import NothingKnown
from webhook.metrics import Metrics
from webhook.reviewer import Reviewer
from webhook.server import Listener, Server


class Facts(NothingKnown):
    """Four nodes of eight tainted H200, and the one request."""

    def discovery(self) -> Discovery:
        """The nodes."""
        return Discovery((Pool("h200_sxm", ("a", "b", "c", "d"), 32, 8, 143771, None, TAINTS),))

    def request(self, namespace: str, name: str) -> dict[str, Any] | None:
        """The request of the payloads."""
        if (namespace, name) != (NAMESPACE, REQUEST):
            return None
        return {"spec": {"hardware": {"gpuSku": "h200_sxm"}, "modelCache": MODEL_CACHE}}


def main() -> None:
    """Serve on loopback until told to stop."""
    port, certificate, key = sys.argv[1:]
    admission = Admission(Settings(), Facts())
    listener = Listener(f"127.0.0.1:{port}", Path(certificate), Path(key))
    reviewer = Reviewer(admission.answerers(), Metrics())
    Server(create_app(reviewer), reviewer, listener).run()


if __name__ == "__main__":
    main()
