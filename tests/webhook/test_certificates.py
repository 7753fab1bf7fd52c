"""Certificates of our own: what they say, and that others cannot read the key."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from webhook import certificates

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_leaf_names_its_hosts_and_is_signed_by_the_ca() -> None:
    ca = certificates.issue_ca(NOW)
    leaf = x509.load_pem_x509_certificate(certificates.issue_leaf(ca, ["127.0.0.1", "webhook.ns.svc"], NOW).certificate)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["127.0.0.1", "webhook.ns.svc"]
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(ca.certificate))


def test_a_leaf_is_short_lived_and_valid_for_a_server_whose_clock_is_behind() -> None:
    leaf = x509.load_pem_x509_certificate(
        certificates.issue_leaf(certificates.issue_ca(NOW), ["localhost"], NOW).certificate
    )
    assert leaf.not_valid_before_utc < NOW
    assert leaf.not_valid_after_utc - NOW <= timedelta(days=90)


def test_only_the_owner_reads_the_files(tmp_path: Path) -> None:
    files = certificates.write(tmp_path / "certs", ["localhost"], NOW)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (files.certificate, files.key, files.ca)} == {0o600}
