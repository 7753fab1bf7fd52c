"""Certificates of our own: what they say, who believes them, and how they are renewed by replicas that race."""

from __future__ import annotations

import base64
import itertools
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from crds.errors import ClusterError, Conflict, Unreachable
from crds.kube.kinds import Resource
from crds.kube.resources import Cluster
from webhook.certificates.authority import Authority, InSecret, Memory, renewed
from webhook.certificates.files import Files
from webhook.certificates.issue import CA_LIFE, LEAF_LIFE, Pair, issue_ca, issue_leaf
from webhook.certificates.keeper import Keeper
from webhook.certificates.validity import Watched, problem

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HOSTS = ("webhook.ns.svc", "127.0.0.1")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Secrets:
    """An API server that knows one Secret, with the optimistic lock that a real one has."""

    def __init__(self) -> None:
        self.secret: dict[str, Any] | None = None
        self.versions = itertools.count(1)
        self.before_write = lambda: None

    def find(self, _resource: Resource, _name: str, _namespace: str) -> dict[str, Any] | None:
        return self.secret

    def create(self, _resource: Resource, body: dict[str, Any], *, namespace: str) -> None:
        self.before_write()
        if self.secret is not None:
            raise Conflict(409, {}, f"a secret exists in {namespace}")
        self._store(body)

    def update(self, _resource: Resource, body: dict[str, Any]) -> None:
        self.before_write()
        assert self.secret is not None
        if body["metadata"]["resourceVersion"] != self.secret["metadata"]["resourceVersion"]:
            raise Conflict(409, {}, "the secret was changed")
        self._store(body)

    def _store(self, body: dict[str, Any]) -> None:
        self.secret = {**body, "metadata": {**body["metadata"], "resourceVersion": str(next(self.versions))}}

    def source(self) -> InSecret:
        return InSecret(cast(Cluster, self), "ns", "ca")


def leaf_of(files: Files) -> x509.Certificate:
    return x509.load_pem_x509_certificate(files.certificate.read_bytes())


def cas(authority: Authority) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(authority.bundle)


def test_the_leaf_names_its_hosts_and_is_signed_by_the_ca() -> None:
    ca = issue_ca(NOW)
    leaf = x509.load_pem_x509_certificate(issue_leaf(ca, HOSTS, NOW).certificate)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == list(HOSTS)
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(ca.certificate))


def test_a_leaf_is_short_lived_and_valid_for_a_server_whose_clock_is_behind() -> None:
    leaf = x509.load_pem_x509_certificate(issue_leaf(issue_ca(NOW), ["localhost"], NOW).certificate)
    assert leaf.not_valid_before_utc < NOW
    assert leaf.not_valid_after_utc - NOW <= timedelta(days=90)


def test_a_leaf_does_not_outlive_its_ca() -> None:
    leaf = issue_leaf(issue_ca(NOW), HOSTS, NOW + CA_LIFE - DAY)
    assert x509.load_pem_x509_certificate(leaf.certificate).not_valid_after_utc == NOW + CA_LIFE


def test_only_the_owner_reads_the_files(tmp_path: Path) -> None:
    files = Files.within(tmp_path / "certs")
    ca = issue_ca(NOW)
    files.put_pair(issue_leaf(ca, HOSTS, NOW))
    files.put_bundle(ca.certificate)
    assert files.ca is not None
    assert {stat.S_IMODE(path.stat().st_mode) for path in (files.certificate, files.key, files.ca)} == {0o600}


CA, OTHER = issue_ca(NOW), issue_ca(NOW)
LEAF = issue_leaf(CA, HOSTS, NOW)


@pytest.mark.parametrize(
    ("pair", "bundle", "now", "why"),
    [
        (LEAF, CA.certificate, NOW, None),
        (LEAF, None, NOW, None),
        (LEAF, OTHER.certificate + CA.certificate, NOW, None),
        (LEAF, OTHER.certificate, NOW, "does not lead to a valid CA"),
        (LEAF, b"", NOW, "cannot be read"),
        (Pair(LEAF.certificate, CA.key), CA.certificate, NOW, "do not belong together"),
        (Pair(b"x", LEAF.key), CA.certificate, NOW, "cannot be read"),
        (LEAF, CA.certificate, NOW + LEAF_LIFE, "is valid from"),
        (LEAF, CA.certificate, NOW - DAY, "is valid from"),
    ],
    ids=["good", "no-bundle", "two-cas", "other-ca", "no-ca", "other-key", "no-certificate", "expired", "too-early"],
)
def test_it_is_said_why_an_api_server_would_not_believe_it(
    pair: Pair, bundle: bytes | None, now: datetime, why: str | None
) -> None:
    found = problem(pair, bundle, now)
    assert found is None if why is None else why in str(found)


def test_a_ca_is_renewed_at_two_thirds_and_the_old_one_stays_trusted_until_it_ends() -> None:
    first = renewed(None, NOW)
    assert renewed(first, NOW + CA_LIFE * 0.66) is first
    second = renewed(first, NOW + CA_LIFE * 0.67)
    assert cas(second) == [x509.load_pem_x509_certificate(second.signer.certificate), *cas(first)]
    third = renewed(second, NOW + CA_LIFE * 1.4)
    assert cas(third)[1:] == cas(second)[:1]


def test_replicas_share_one_ca() -> None:
    secrets = Secrets()
    assert secrets.source().current(NOW) == secrets.source().current(NOW)


@pytest.mark.parametrize("when", [NOW, NOW + CA_LIFE * 0.7], ids=["at the first start", "at a renewal"])
def test_of_two_replicas_that_race_the_second_takes_what_the_first_wrote(when: datetime) -> None:
    secrets = Secrets()
    if when != NOW:
        secrets.source().current(NOW)
    winner: list[Authority] = []

    def interfere() -> None:
        secrets.before_write = lambda: None
        winner.append(secrets.source().current(when))

    secrets.before_write = interfere
    assert secrets.source().current(when) == winner[0]


def test_a_secret_that_never_holds_still_is_an_error() -> None:
    secrets = Secrets()
    secrets.source().current(NOW)

    def interfere() -> None:
        secrets.secret = {**secrets.secret, "metadata": {"resourceVersion": str(next(secrets.versions))}, "data": {}}  # type: ignore[dict-item]

    secrets.before_write = interfere
    with pytest.raises(ClusterError, match="changes faster than it can be written"):
        secrets.source().current(NOW + CA_LIFE)


@pytest.mark.parametrize(
    "data",
    [
        {"ca.crt": "!", "ca.key": "!"},
        {"ca.crt": base64.b64encode(CA.certificate).decode()},
        {"ca.crt": base64.b64encode(CA.certificate).decode(), "ca.key": base64.b64encode(OTHER.key).decode()},
        {"ca.crt": "", "ca.key": ""},
    ],
    ids=["no base64", "no key", "another key", "empty"],
)
def test_an_unusable_secret_is_replaced_and_the_rest_of_it_kept(data: dict[str, str]) -> None:
    secrets = Secrets()
    secrets.secret = {"metadata": {"name": "ca", "resourceVersion": "0"}, "data": {**data, "other": "eA=="}}
    made = secrets.source().current(NOW)
    assert secrets.source().current(NOW) == made
    assert secrets.secret["data"]["other"] == "eA=="


def test_nothing_is_ready_before_its_ca_is_published(tmp_path: Path) -> None:
    clock, files = Clock(), Files.within(tmp_path)
    watched = Watched(files, clock)
    keeper = Keeper(Memory(), files, HOSTS, lambda _bundle: None, clock)
    keeper.prepare()
    assert "cannot read" in str(watched.problem())
    keeper.check()
    assert watched.problem() is None
    assert watched.expiry() == leaf_of(files).not_valid_after_utc.timestamp()


def test_a_renewal_that_cannot_be_published_keeps_what_is_believed(tmp_path: Path) -> None:
    clock, files = Clock(), Files.within(tmp_path)
    source = Memory()
    Keeper(source, files, HOSTS, lambda _bundle: None, clock).check()
    before = leaf_of(files)

    def unreachable(_bundle: bytes) -> None:
        raise Unreachable("the API server is away")

    clock.now += LEAF_LIFE * 0.7
    with pytest.raises(Unreachable):
        Keeper(source, files, HOSTS, unreachable, clock).check()
    assert leaf_of(files) == before
    assert Watched(files, clock).problem() is None


def test_a_leaf_is_renewed_at_two_thirds_and_for_other_hosts(tmp_path: Path) -> None:
    clock, files, source = Clock(), Files.within(tmp_path), Memory()
    keeper = Keeper(source, files, HOSTS, lambda _bundle: None, clock)
    keeper.check()
    first = leaf_of(files)
    clock.now += LEAF_LIFE * 0.65
    keeper.check()
    assert leaf_of(files) == first
    clock.now += LEAF_LIFE * 0.02
    keeper.check()
    second = leaf_of(files)
    assert second.not_valid_after_utc == clock.now + LEAF_LIFE
    Keeper(source, files, ("other.ns.svc",), lambda _bundle: None, clock).check()
    assert leaf_of(files) != second


@given(looks=st.lists(st.tuples(st.integers(0, 1), st.integers(1, 55)), min_size=1, max_size=30))
def test_whatever_replica_looks_whenever_each_is_believed_by_what_was_published_last(
    looks: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Days pass and one of two replicas looks after its certificate; no leaf ever outlives the trust in its CA."""
    clock, secrets = Clock(), Secrets()
    published: list[bytes] = []
    files = [Files.within(tmp_path_factory.mktemp("replica")) for _ in range(2)]
    keepers = [Keeper(secrets.source(), each, HOSTS, published.append, clock) for each in files]
    for keeper in keepers:
        keeper.check()
    for replica, days in looks:
        clock.now += days * DAY
        keepers[replica].check()
        for each in files:
            pair = Pair(each.certificate.read_bytes(), each.key.read_bytes())
            found = problem(pair, published[-1], clock.now)
            # A replica that did not look for 90 days may have let its leaf end; that its CA is trusted must hold.
            assert found is None or "is valid from" in found
