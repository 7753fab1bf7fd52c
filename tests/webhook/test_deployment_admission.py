"""Deployments and models are held against our rules only where NVIDIA's operator does not hold them against its own."""

from __future__ import annotations

from typing import Any

import pytest

from crds.rules import Mode
from tests.crds.deployment_cases import OPERATOR, PLANNER, deployment, epp, model
from tests.webhook.known import Known, review
from webhook.admission import Admission
from webhook.defaults import Settings
from webhook.hooks import VALIDATE_MODEL, HookKind, hooks

NO_HOST = deployment({"Frontend": {"ingress": {"enabled": True}}})
TWO_NODES = deployment({"decode": {"multinode": {"nodeCount": 2}}})
SCALED = {"scalingAdapter": {"enabled": True}}


def admission(mode: Mode = Mode.STANDALONE, **known: Any) -> Admission:
    return Admission(Settings(mode), Known(**known))


def test_a_wrong_deployment_is_refused_standalone_and_left_to_the_operator_beside_it() -> None:
    assert [error.path for error in admission().validate_deployment(review(NO_HOST)).errors] == [
        "spec.services[Frontend].ingress.host"
    ]
    assert admission(Mode.BESIDE).validate_deployment(review(NO_HOST)).allowed


def test_models_are_asked_about_standalone_only() -> None:
    asked = {mode: {hook.path for hook in hooks(HookKind.VALIDATING, mode)} for mode in (Mode.STANDALONE, Mode.BESIDE)}
    assert VALIDATE_MODEL in asked[Mode.STANDALONE] - asked[Mode.BESIDE]


def test_a_wrong_model_is_refused() -> None:
    answer = admission().validate_model(review(model(modelType="lora")))
    assert [error.path for error in answer.errors] == ["spec.source.uri"]
    assert admission().validate_model(review(model())).allowed


@pytest.mark.parametrize(("user", "allowed"), [("alice", False), (PLANNER, True), (OPERATOR, True)])
def test_who_writes_decides_about_scaled_replicas(user: str, allowed: bool) -> None:
    old, new = deployment({"decode": SCALED}), deployment({"decode": {**SCALED, "replicas": 5}})
    assert admission().validate_deployment(review(new, old, user=user)).allowed is allowed


@pytest.mark.parametrize(
    ("groups", "warned"),
    [(None, False), (set(), True), ({"leaderworkerset.x-k8s.io"}, False), ({"grove.io"}, False)],
)
def test_several_nodes_where_nothing_starts_them_is_a_warning(groups: set[str] | None, warned: bool) -> None:
    known = admission(groups=None if groups is None else frozenset(groups))
    answer = known.validate_deployment(review(TWO_NODES))
    assert answer.allowed
    assert bool(answer.warnings) is warned


@pytest.mark.parametrize(("groups", "allowed"), [(None, True), (set(), False), ({"inference.networking.k8s.io"}, True)])
def test_an_endpoint_picker_needs_the_inference_extension(groups: set[str] | None, allowed: bool) -> None:
    known = admission(groups=None if groups is None else frozenset(groups))
    assert known.validate_deployment(review(epp())).allowed is allowed


def test_long_names_matter_where_grove_is() -> None:
    long = deployment({"VllmPrefillWorker": {"multinode": {"nodeCount": 2}}}, name="deepseek-r1")
    answers = [admission(groups=frozenset({group})).validate_deployment(review(long)) for group in ("apps", "grove.io")]
    assert [answer.allowed for answer in answers] == [True, False]


@pytest.mark.parametrize("answerer", ["validate_deployment", "validate_model"])
def test_what_is_not_about_a_whole_living_object_passes(answerer: str) -> None:
    leaving = {"metadata": {"deletionTimestamp": "now"}, "spec": {}}
    for asked in (
        review(leaving),
        review({"spec": {}}, subresource="status"),
        review(None, {"spec": {}}, operation="DELETE"),  # type: ignore[arg-type]
    ):
        assert getattr(admission(), answerer)(asked).allowed
    assert not getattr(admission(), answerer)(review({"spec": {}})).allowed
