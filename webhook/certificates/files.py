"""Certificates as files, which the server and its readiness follow."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from webhook.certificates.issue import Pair


@dataclass(frozen=True)
class Files:
    """Where the serving certificate, its key and the CA bundle lie; without `ca` nobody told us what is published."""

    certificate: Path
    key: Path
    ca: Path | None

    @classmethod
    def within(cls, directory: Path) -> Files:
        """The names that cert-manager and Kubernetes' own Secrets use."""
        return cls(directory / "tls.crt", directory / "tls.key", directory / "ca.crt")

    def put_pair(self, leaf: Pair) -> None:
        """Write certificate and key, each at once, for the owner alone. A reader may see an old one beside a new."""
        _replace(self.key, leaf.key)
        _replace(self.certificate, leaf.certificate)

    def put_bundle(self, bundle: bytes) -> None:
        """Write the CA bundle that is published."""
        if self.ca is not None:
            _replace(self.ca, bundle)


def _replace(path: Path, content: bytes) -> None:
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    temporary.replace(path)
