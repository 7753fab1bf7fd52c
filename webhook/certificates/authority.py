"""The CA of our own: who signs now, and which CAs API servers must still trust.

A CA is renewed at two thirds of its life, and the old one stays in the bundle until it ends: a certificate that it
signed goes on being believed, whoever learns of the new CA first. All replicas share one Secret; whoever writes it
second is told so by its resourceVersion and reads what the first wrote.
"""

from __future__ import annotations

import base64
import binascii
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from crds.errors import ClusterError, Conflict
from crds.kube.kinds import SECRETS
from crds.kube.resources import Cluster
from webhook.certificates.issue import Pair, issue_ca
from webhook.certificates.validity import due, valid

log = logging.getLogger(__name__)

BUNDLE: Final = "ca.crt"
KEY: Final = "ca.key"
ATTEMPTS: Final = 5


@dataclass(frozen=True)
class Authority:
    """The CA that signs, and the bundle to publish: its certificate first, then those that came before it (PEM)."""

    signer: Pair
    bundle: bytes


class Source(Protocol):
    """Where the authority is kept."""

    def current(self, now: datetime) -> Authority:
        """The authority, renewed if it is time. Raises ClusterError."""


def renewed(authority: Authority | None, now: datetime) -> Authority:
    """The same authority while it is good for signing, else one with a new CA that keeps the old ones trusted."""
    if authority is None:
        ca = issue_ca(now)
        return Authority(ca, ca.certificate)
    known = x509.load_pem_x509_certificates(authority.bundle)
    if valid(known[0], now) and not due(known[0], now):
        return authority
    ca = issue_ca(now)
    old = [one.public_bytes(serialization.Encoding.PEM) for one in known if valid(one, now)]
    return Authority(ca, b"".join([ca.certificate, *old]))


class Memory:
    """An authority that lives as long as the process, for a webhook outside the cluster."""

    def __init__(self) -> None:
        self._authority: Authority | None = None

    def current(self, now: datetime) -> Authority:
        """See `Source`."""
        self._authority = renewed(self._authority, now)
        return self._authority


class InSecret:
    """An authority that replicas share. What the Secret holds and nobody can read is replaced, and said."""

    def __init__(self, cluster: Cluster, namespace: str, name: str) -> None:
        self._cluster, self._namespace, self._name = cluster, namespace, name

    def current(self, now: datetime) -> Authority:
        """See `Source`."""
        for _ in range(ATTEMPTS):
            secret = self._cluster.find(SECRETS, self._name, self._namespace)
            kept = _read(secret or {})
            wanted = renewed(kept, now)
            if wanted is kept:
                return wanted
            try:
                self._write(secret, wanted)
            except Conflict:
                continue  # another replica was first: use what it wrote
            log.info("a new CA signs serving certificates from now on")
            return wanted
        raise ClusterError(
            f"secret {self._namespace}/{self._name} changes faster than it can be written",
            next="look for another program that writes it",
        )

    def _write(self, secret: dict[str, Any] | None, authority: Authority) -> None:
        values = {BUNDLE: authority.bundle, KEY: authority.signer.key}
        data = {key: base64.b64encode(value).decode() for key, value in values.items()}
        if secret is None:
            metadata = {"name": self._name, "namespace": self._namespace}
            body = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": data}
            self._cluster.create(SECRETS, body, namespace=self._namespace)
        else:
            self._cluster.update(SECRETS, {**secret, "data": {**(secret.get("data") or {}), **data}})


def _read(secret: dict[str, Any]) -> Authority | None:
    """What a Secret holds; None where it holds no CA whose key fits."""
    data = secret.get("data") or {}
    if BUNDLE not in data and KEY not in data:
        return None
    try:
        bundle, key_pem = (base64.b64decode(data[name], validate=True) for name in (BUNDLE, KEY))
        newest = x509.load_pem_x509_certificates(bundle)[0]
        key = serialization.load_pem_private_key(key_pem, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != newest.public_key():
            raise ValueError("the key is not that of the first certificate")
    except (KeyError, ValueError, TypeError, binascii.Error) as error:
        log.warning("the CA in the secret cannot be used and is replaced: %s", error)
        return None
    return Authority(Pair(newest.public_bytes(serialization.Encoding.PEM), key_pem), bundle)
