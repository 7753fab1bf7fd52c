"""Keeps a serving certificate good and its CA published, without a restart.

The order is what makes a renewal safe: a CA is published before anything that it signed is served, and a certificate is
renewed only when its time has come, however often CAs change before.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from cryptography import x509

from crds.errors import DynamoError
from webhook.certificates.authority import Source
from webhook.certificates.files import Files
from webhook.certificates.issue import Pair, issue_leaf
from webhook.certificates.validity import Clock, due, problem

log = logging.getLogger(__name__)

CHECK_SECONDS = 60.0
RETRY_SECONDS = 5.0


class Keeper:
    """Issues certificates for `hosts` into `files`; `publish` makes API servers trust a bundle (raises DynamoError)."""

    def __init__(
        self, source: Source, files: Files, hosts: Sequence[str], publish: Callable[[bytes], None], clock: Clock
    ) -> None:
        self._source, self._files, self._hosts = source, files, tuple(hosts)
        self._publish, self._clock = publish, clock

    def prepare(self) -> None:
        """Have a certificate to serve; the server is not ready before `check` published its CA. Raises DynamoError."""
        now = self._clock()
        authority = self._source.current(now)
        if self._outdated(authority.bundle, now):
            self._files.put_pair(issue_leaf(authority.signer, self._hosts, now))

    def check(self) -> None:
        """Publish the bundle, then renew the certificate if it is time. Raises DynamoError; safe to repeat."""
        now = self._clock()
        authority = self._source.current(now)
        self._publish(authority.bundle)
        self._files.put_bundle(authority.bundle)
        if self._outdated(authority.bundle, now):
            self._files.put_pair(issue_leaf(authority.signer, self._hosts, now))
            log.info("a new certificate is served from now on")

    def run(self, stopped: threading.Event) -> None:
        """Check now and then until `stopped`."""
        pause = RETRY_SECONDS
        while not stopped.wait(pause):
            pause = RETRY_SECONDS
            try:
                self.check()
                pause = CHECK_SECONDS
            except DynamoError as error:
                log.warning("the certificate could not be looked after: %s", error)
            except Exception:
                log.exception("the certificate could not be looked after")

    def _served(self) -> Pair | None:
        try:
            return Pair(self._files.certificate.read_bytes(), self._files.key.read_bytes())
        except OSError:
            return None

    def _outdated(self, bundle: bytes, now: datetime) -> bool:
        pair = self._served()
        if pair is None or problem(pair, bundle, now) is not None:
            return True
        leaf = x509.load_pem_x509_certificate(pair.certificate)
        return due(leaf, now) or not self._names_hosts(leaf)

    def _names_hosts(self, leaf: x509.Certificate) -> bool:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return [str(name.value) for name in names] == list(self._hosts)
