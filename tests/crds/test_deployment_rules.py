"""What the rules for deployments and models refuse, what they tolerate, and that nothing makes them fall over."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crds import schema
from crds.documents import read
from crds.rules import DeploymentContext, Findings, check_deployment, check_model
from crds.rules.deployments.table import GRAPH, GRAPH_CHANGE, MOST_ERRORS, SERVICE, SERVICE_CHANGE
from tests.crds.deployment_cases import CASES, MODEL_CASES, PLANNER, RECIPES, Case, deployment, model

GOLDEN = sorted((Path(__file__).parents[1] / "profiler" / "generate" / "golden").glob("*.yaml"))
EVERYTHING = DeploymentContext("alice", grove=True, multinode=True, inference_pools=True)
NOTHING = DeploymentContext("alice", grove=False, multinode=False, inference_pools=False)


def said(findings: Findings) -> list[str]:
    return [str(error) for error in findings.errors]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_rules_say_of_a_deployment(case: Case) -> None:
    findings = check_deployment(case.new, case.old, case.context)
    assert said(findings) == list(case.errors)
    assert findings.warnings == case.warnings


@pytest.mark.parametrize("case", MODEL_CASES, ids=lambda case: case.name)
def test_the_rules_say_of_a_model(case: Case) -> None:
    assert said(check_model(case.new, case.old)) == list(case.errors)


@pytest.mark.parametrize("case", [*CASES, *MODEL_CASES], ids=lambda case: case.name)
def test_no_rule_repeats_the_schema(case: Case) -> None:
    assert schema.check(case.new) == []


def test_every_violation_names_its_rule() -> None:
    rules = {error.rule for case in CASES for error in check_deployment(case.new, case.old, case.context).errors}
    assert rules == {*GRAPH, *SERVICE, *GRAPH_CHANGE, *SERVICE_CHANGE}
    rules = {error.rule for case in MODEL_CASES for error in check_model(case.new, case.old).errors}
    assert rules == {"model-names", "model-source", "model-change"}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_what_the_profiler_generates_passes_without_a_warning(path: Path) -> None:
    (generated,) = (each for each in read(path) if each["kind"] == "DynamoGraphDeployment")
    assert check_deployment(generated, None, EVERYTHING) == Findings()


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_the_shapes_of_the_recipes_pass_without_a_warning(name: str) -> None:
    assert check_deployment(RECIPES[name], None, EVERYTHING) == Findings()


@pytest.mark.parametrize("case", [case for case in CASES if case.errors], ids=lambda case: case.name)
def test_a_deployment_that_is_being_deleted_is_never_refused(case: Case) -> None:
    leaving = {**case.new, "metadata": {**case.new["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    assert check_deployment(leaving, case.old, case.context) == Findings()


def test_a_model_that_is_being_deleted_is_never_refused() -> None:
    leaving = {**model(modelName=""), "metadata": {"name": "m", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    assert check_model(leaving, model(modelType="lora")) == Findings()


def test_a_generated_name_counts_with_what_is_appended() -> None:
    new = deployment()
    new["metadata"] = {"generateName": "n" * 50}
    assert said(check_deployment(new)) == [
        f'spec.services[Frontend]: Invalid value: "Frontend": its Service would be named {"n" * 50}xxxxx-frontend, '
        "which is 1 more than 63 characters; shorten metadata.name or the service's name"
    ]


def test_deployments_of_another_version_are_not_held() -> None:
    new = {**deployment(), "apiVersion": "nvidia.com/v1beta1", "spec": {"components": []}}
    assert check_deployment(new) == Findings()


def test_errors_stand_in_the_order_of_the_fields_and_services() -> None:
    new = deployment(
        {each: {"ingress": {"enabled": True}, "volumeMounts": [{"name": "a"}]} for each in ("prefill", "decode")},
        annotations={"nvidia.com/dynamo-operator-origin-version": "x"},
        restart={"id": "1", "strategy": {"order": ["decode"]}},
        backendFramework="vllm",
    )
    assert [error.path for error in check_deployment(new, deployment()).errors] == [
        "metadata.annotations[nvidia.com/dynamo-operator-origin-version]",
        "spec.services[decode].volumeMounts[0].mountPoint",
        "spec.services[decode].ingress.host",
        "spec.services[prefill].volumeMounts[0].mountPoint",
        "spec.services[prefill].ingress.host",
        "spec.backendFramework",
        "spec.restart.strategy.order",
    ]


def test_warnings_are_short_enough_for_an_api_server() -> None:
    mounts = [{"name": "v" * 63, "mountPoint": "/m"}] * 100
    fields = {"dynamoNamespace": "x", "autoscaling": {}, "volumeMounts": mounts, "multinode": {"nodeCount": 2}}
    warnings = check_deployment(deployment({"s" * 60: fields}), None, NOTHING).warnings
    assert len(warnings) == 103
    assert max(map(len, warnings)) < 120


def test_the_largest_object_costs_no_more_than_its_size() -> None:
    script = {"extraPodSpec": {"mainContainer": {"args": ["python " + "-python " * 200_000]}}}
    many = {"volumeMounts": [{"name": "a"}] * 50_000}
    order = {"id": "1", "strategy": {"order": ["decode", "x"] * 200_000}}
    new = deployment({"decode": script, "prefill": many}, restart=order, backendFramework="vllm")
    began = time.process_time()
    assert len(check_deployment(new, deployment()).errors) == MOST_ERRORS
    assert time.process_time() - began < 5  # what is quadratic takes minutes


# Whatever is sent.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=6,
)
WHOLE = [document for case in (*CASES, *MODEL_CASES) for document in (case.new, case.old) if document]
CONTEXTS = st.sampled_from([DeploymentContext(), EVERYTHING, NOTHING, DeploymentContext(PLANNER)])


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a document with each of its keys."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places(value[key])


@st.composite
def broken(draw: st.DrawFn) -> dict[str, Any]:
    """An object of the cases with up to three places in which anything may stand."""
    document = copy.deepcopy(draw(st.sampled_from(WHOLE)))
    for _ in range(draw(st.integers(0, 3))):
        container, key = draw(st.sampled_from(list(places(document))))
        container[key] = draw(JSON)
    return document


def other_order(document: dict[str, Any]) -> dict[str, Any]:
    """The same document with its services the other way round."""
    spec = document.get("spec")
    services = spec.get("services") if isinstance(spec, dict) else None
    if not isinstance(services, dict):
        return document
    return {**document, "spec": {**document["spec"], "services": dict(reversed(services.items()))}}


@given(broken(), st.none() | broken(), CONTEXTS)
@settings(max_examples=500, deadline=None)
def test_any_document_gets_the_same_answer_twice(
    new: dict[str, Any], old: dict[str, Any] | None, context: DeploymentContext
) -> None:
    before = copy.deepcopy((new, old))
    assert check_deployment(new, old, context) == check_deployment(other_order(new), old, context)
    assert check_model(new, old) == check_model(new, old)
    assert (new, old) == before


@given(broken(), JSON, CONTEXTS)
@settings(deadline=None)
def test_an_unchanged_spec_always_passes(document: dict[str, Any], status: Any, context: DeploymentContext) -> None:
    old = {**copy.deepcopy(document), "status": status}
    assert check_deployment(document, old, context) == Findings()
    assert check_model(document, old) == Findings()
