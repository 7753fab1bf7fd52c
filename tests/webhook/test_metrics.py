"""What is counted and logged of a review: enough to find it again, and nothing of what users wrote."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from crds.fields import invalid
from webhook import logs
from webhook.metrics import Metrics
from webhook.reviewer import Reviewer
from webhook.reviews import Answer, Review

PATH = "/validate/things"
SECRET = "hf_a-token-that-somebody-pasted"


def body(**request: Any) -> bytes:
    asked = {"uid": "u-1", "operation": "CREATE", "object": {"spec": {"token": SECRET}}, **request}
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked}).encode()


def refuse(review: Review) -> Answer:
    return Answer(review.uid, [invalid("spec.token", SECRET, "is a secret", "no-secrets")])


def fail(review: Review) -> Answer:
    raise KeyError(review.uid)


def samples(metrics: Metrics) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (sample.name, " ".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    logs.configure("debug", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def test_reviews_are_counted_by_path_operation_and_result() -> None:
    metrics = Metrics()
    patched = Reviewer({PATH: lambda review: Answer(review.uid, patch=[{"op": "add"}])}, metrics)  # type: ignore[typeddict-item]
    for _ in range(2):
        patched.reply(PATH, body())
    Reviewer({PATH: refuse}, metrics).reply(PATH, body(operation="UPDATE"))
    Reviewer({PATH: refuse}, metrics).reply(PATH, b"{}")
    Reviewer({PATH: fail}, metrics).reply(PATH, body())
    found = samples(metrics)
    for operation, result, count in [
        ("CREATE", "patched", 2),
        ("UPDATE", "denied", 1),
        ("other", "not_understood", 1),
        ("CREATE", "failed", 1),
    ]:
        assert found["dgdr_webhook_reviews_total", f"operation={operation} path={PATH} result={result}"] == count
    assert found["dgdr_webhook_denials_total", "rule=no-secrets"] == 1
    assert found["dgdr_webhook_review_duration_seconds_count", f"path={PATH}"] == 5


def test_a_client_cannot_make_new_series() -> None:
    metrics = Metrics()
    reviewer = Reviewer({PATH: lambda review: Answer(review.uid)}, metrics)
    reviewer.reply(PATH, body(operation="CREATE"))
    before = len(samples(metrics))
    for i in range(50):
        reviewer.reply(PATH, body(operation=f"INVENTED-{i}"))
    assert len(samples(metrics)) <= before + 2  # a count and when it began


def test_certificate_and_cache_are_asked_when_metrics_are_read() -> None:
    metrics = Metrics()
    assert samples(metrics)["dgdr_webhook_cache_age_seconds", ""] == -1
    metrics.follow_certificate(lambda: 1.8e9)
    metrics.follow_cache(lambda: 12.5)
    found = samples(metrics)
    assert found["dgdr_webhook_certificate_expiry_timestamp_seconds", ""] == 1.8e9
    assert found["dgdr_webhook_cache_age_seconds", ""] == 12.5


def test_a_refusal_is_one_line_with_the_uid_and_the_rule_and_without_what_was_written(logged: io.StringIO) -> None:
    Reviewer({PATH: refuse}, Metrics()).reply(PATH, body(name="qwen", namespace="team\nforged"))
    (line,) = logged.getvalue().splitlines()
    found = json.loads(line)
    assert {key: found[key] for key in ("level", "message", "uid", "name", "namespace", "rules")} == {
        "level": "info",
        "message": "denied",
        "uid": "u-1",
        "name": "qwen",
        "namespace": "team\nforged",
        "rules": ["no-secrets"],
    }
    assert SECRET not in line


def test_a_defect_is_answered_and_its_traceback_is_logged_with_the_uid(logged: io.StringIO) -> None:
    reply = Reviewer({PATH: fail}, Metrics()).reply(PATH, body())
    (line,) = logged.getvalue().splitlines()
    assert (reply.status, json.loads(line)["uid"]) == (500, "u-1")
    assert "KeyError" in json.loads(line)["exception"]
    assert "KeyError" not in reply.body.decode()
    assert SECRET not in line
