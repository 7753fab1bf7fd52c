"""Whether a certificate would be believed, and how long it still is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from webhook.certificates.files import Files
from webhook.certificates.issue import Pair

Clock = Callable[[], datetime]


def due(certificate: x509.Certificate, now: datetime) -> bool:
    """Whether two thirds of its life are over: time to renew, with time left for renewing to fail."""
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return now >= certificate.not_valid_before_utc + life * 2 / 3


def valid(certificate: x509.Certificate, now: datetime) -> bool:
    """Whether `now` is within its life."""
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc


def issued_by(certificate: x509.Certificate, issuers: Sequence[x509.Certificate]) -> bool:
    """Whether one of `issuers` signed it. A certificate that is its own CA counts."""
    return any(_signed(certificate, issuer) for issuer in issuers)


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def problem(pair: Pair, bundle: bytes | None, now: datetime) -> str | None:
    """Why an API server that trusts `bundle` would not believe `pair`, in a sentence; None where it would.

    Without a bundle, only the pair itself is looked at.
    """
    try:
        chain = x509.load_pem_x509_certificates(pair.certificate)
        key = serialization.load_pem_private_key(pair.key, password=None)
        trusted = x509.load_pem_x509_certificates(bundle) if bundle is not None else None
    except (ValueError, TypeError) as error:
        return f"the certificate, its key or the CA cannot be read: {error}"
    leaf = chain[0]
    if leaf.public_key() != key.public_key():
        return "the certificate and the key do not belong together"
    if not valid(leaf, now):
        return (
            f"the certificate is valid from {leaf.not_valid_before_utc:%F %T} to {leaf.not_valid_after_utc:%F %T} UTC"
        )
    if trusted is not None and not _leads_to(chain, trusted, now):
        return "the certificate does not lead to a valid CA of those that are published"
    return None


def _leads_to(chain: Sequence[x509.Certificate], trusted: Sequence[x509.Certificate], now: datetime) -> bool:
    roots = [root for root in trusted if valid(root, now)]
    for certificate, following in zip(chain, [*chain[1:], None], strict=True):
        if issued_by(certificate, roots) or certificate in roots:
            return True
        if following is None or not _signed(certificate, following):
            return False
    return False


class Watched:
    """Readiness and expiry of certificate files, read anew at each question."""

    def __init__(self, files: Files, clock: Clock) -> None:
        self._files, self._clock = files, clock

    def problem(self) -> str | None:
        """As `problem`, of what the files hold now."""
        try:
            pair = Pair(self._files.certificate.read_bytes(), self._files.key.read_bytes())
            bundle = self._files.ca.read_bytes() if self._files.ca else None
        except OSError as error:
            return f"cannot read {error.filename}: {error.strerror}"
        return problem(pair, bundle, self._clock())

    def expiry(self) -> float:
        """When the certificate ends, in seconds since the epoch; 0 without one."""
        try:
            leaf = x509.load_pem_x509_certificate(self._files.certificate.read_bytes())
        except (OSError, ValueError):
            return 0.0
        return leaf.not_valid_after_utc.timestamp()
