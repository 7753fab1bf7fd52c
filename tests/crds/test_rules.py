"""What the rules refuse, what they tolerate, and that nothing makes them fall over."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crds.rules import RULES, Context, Findings, Mode, check
from crds.skus import sku_of
from crds.vocabulary import GPU_SKUS
from tests.crds import doc_examples
from tests.crds.cases import CASES, Case, condition, override, request


def said(findings: Findings) -> list[str]:
    return [str(error) for error in findings.errors]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_rules_say(case: Case) -> None:
    findings = check(case.new, case.old)
    assert said(findings) == list(case.errors)
    assert findings.warnings == case.warnings


@pytest.mark.parametrize("name", doc_examples.ACCEPTED)
def test_no_example_of_the_docs_is_refused(name: str) -> None:
    assert check(doc_examples.request(name, doc_examples.ACCEPTED[name])).errors == ()


def test_case_names_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


def test_every_violation_names_its_rule() -> None:
    rules = {error.rule for case in CASES for error in check(case.new, case.old).errors}
    assert rules == {rule.name for rule in RULES} - {"gpu-known"} | {"frozen"}


def test_an_object_that_is_being_deleted_is_never_refused() -> None:
    new = request({"sla": {"itl": -5}})
    new["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert check(new, request(status={"phase": "Ready"})) == Findings()


def test_metadata_and_finalizers_may_change_in_every_phase() -> None:
    old = request({"sla": {"itl": -5}}, status={"phase": "Profiling"})
    new = copy.deepcopy(old)
    new["metadata"] |= {"finalizers": ["nvidia.com/finalizer"], "labels": {"a": "b"}}
    assert check(new, old) == Findings()


def test_a_generated_name_must_fit_too() -> None:
    new = request()
    new["metadata"] = {"generateName": "q" * 37}
    assert [error.path for error in check(new).errors] == ["metadata.name"]
    new["metadata"] = {"generateName": "q" * 36}
    assert check(new).errors == ()


def test_a_request_needs_a_name() -> None:
    new = request()
    new["metadata"] = {}
    assert said(check(new)) == ["metadata.name: Required value"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_must_be_finite(value: float) -> None:
    (error,) = check(request({"sla": {"itl": value}})).errors
    assert error.path == "spec.sla.itl"


@pytest.mark.parametrize("mode", [Mode.LOCAL, Mode.STANDALONE])
def test_an_unknown_gpu_is_refused_where_we_decide(mode: Mode) -> None:
    findings = check(request(), context=Context(mode, hardware_known=False))
    assert said(findings) == [
        "spec.hardware.gpuSku: Required value: no GPU node was found to detect it from; "
        "set spec.hardware.gpuSku, numGpusPerNode and totalGpus"
    ]
    assert findings.errors[0].rule == "gpu-known"


def test_an_unknown_gpu_is_a_warning_beside_the_operator() -> None:
    findings = check(request(), context=Context(Mode.BESIDE, hardware_known=False))
    assert findings.errors == ()
    assert findings.warnings == (
        "spec.hardware.gpuSku: no GPU node was found to detect it from; set gpuSku, numGpusPerNode and totalGpus",
    )


@pytest.mark.parametrize("known", [True, None])
def test_a_gpu_that_was_found_or_not_looked_for_is_no_matter(known: bool | None) -> None:
    assert check(request(), context=Context(hardware_known=known)) == Findings()


def test_a_gpu_in_the_request_needs_no_discovery() -> None:
    new = request({"hardware": {"gpuSku": "l4"}})
    assert check(new, context=Context(hardware_known=False)) == Findings()


def test_an_existing_deployment_is_a_warning_on_create_only() -> None:
    context = Context(dgd_exists=True)
    assert check(request(), context=context).warnings == (
        "metadata.name: a DynamoGraphDeployment of the target name exists; it will be kept as it is",
    )
    assert check(request({"image": "new"}), request(), context).warnings == ()


def test_a_namespace_that_yaml_reads_as_a_bool_is_a_warning() -> None:
    new = request()
    new["metadata"]["namespace"] = "y"
    (warning,) = check(new).warnings
    assert warning.startswith('metadata.namespace: YAML reads "y" as a bool')


@pytest.mark.parametrize(
    "new",
    [
        *(case.new for case in CASES),
        request(override(metadata={"name": "1" * 60}, **{"f" * 300: 1}, spec={"s" * 300: 1}), name="o" * 253),
    ],
    ids=lambda new: str(new["metadata"]["name"])[:20],
)
def test_warnings_are_short_enough_for_an_api_server(new: dict[str, Any]) -> None:
    context = Context(Mode.BESIDE, hardware_known=False, dgd_exists=True)
    assert [text for text in check(new, context=context).warnings if len(text) >= 120] == []


def alpha(spec: dict[str, Any], state: str | None = None) -> dict[str, Any]:
    document = {
        "apiVersion": "nvidia.com/v1alpha1",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {"name": "qwen"},
        "spec": {"model": "Qwen/Qwen3-0.6B", "backend": "vllm", "profilingConfig": {"profilerImage": "i"}, **spec},
    }
    return document if state is None else {**document, "status": {"state": state}}


def test_the_old_version_is_checked_where_its_fields_are() -> None:
    new = alpha({"model": "", "backend": "vlm", "profilingConfig": {"config": {"sla": {"itl": 0, "isl": -1}}}})
    assert [error.path for error in check(new).errors] == [
        "spec.model",
        "spec.backend",
        "spec.profilingConfig.config.sla.itl",
        "spec.profilingConfig.config.sla.isl",
    ]


@pytest.mark.parametrize("state", ["Profiling", "Ready", "Deploying", "DeploymentDeleted"])
def test_the_old_version_is_frozen_by_its_state(state: str) -> None:
    (error,) = check(alpha({"backend": "sglang"}), alpha({}, state)).errors
    assert (error.path, error.rule) == ("spec", "frozen")


@pytest.mark.parametrize("state", ["Initializing", "Pending", "Failed"])
def test_the_old_version_may_change_before_profiling(state: str) -> None:
    assert check(alpha({"backend": "sglang"}), alpha({}, state)) == Findings()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KNOWN = st.fixed_dictionaries(
    {},
    optional={
        "model": JSON,
        "backend": JSON | st.sampled_from(["auto", "vllm"]),
        "searchStrategy": JSON | st.just("thorough"),
        "modelCache": JSON | st.fixed_dictionaries({}, optional={"pvcModelPath": JSON, "pvcMountPath": JSON}),
        "hardware": JSON | st.fixed_dictionaries({}, optional={"gpuSku": JSON, "totalGpus": JSON}),
        "workload": JSON | st.fixed_dictionaries({}, optional={"isl": JSON, "requestRate": JSON, "concurrency": JSON}),
        "sla": JSON | st.fixed_dictionaries({}, optional={"ttft": JSON, "e2eLatency": JSON, "optimizationType": JSON}),
        "overrides": JSON | st.fixed_dictionaries({"dgd": JSON | st.fixed_dictionaries({"spec": JSON, "kind": JSON})}),
        "features": JSON | st.fixed_dictionaries({"planner": JSON}),
        "profilingConfig": JSON,
    },
)
STATUS = JSON | st.fixed_dictionaries(
    {"phase": JSON | st.sampled_from(["Profiling", "Failed", "Ready"])},
    optional={"conditions": JSON | st.lists(st.just(condition("Profiling", "X")) | JSON, max_size=2)},
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "apiVersion": st.sampled_from(["nvidia.com/v1beta1", "nvidia.com/v1alpha1"]) | JSON,
        "metadata": st.fixed_dictionaries({"name": JSON | st.text(max_size=60)}) | JSON,
        "spec": KNOWN | JSON,
        "status": STATUS,
    },
)
CONTEXTS = st.builds(
    Context, st.sampled_from(Mode), st.sampled_from([None, True, False]), st.sampled_from([None, True])
)


@given(new=DOCUMENTS, old=st.none() | DOCUMENTS, context=CONTEXTS)
def test_any_document_gets_the_same_answer_twice(
    new: dict[str, Any], old: dict[str, Any] | None, context: Context
) -> None:
    before = copy.deepcopy((new, old))
    first = check(new, old, context)
    assert [str(error) for error in first.errors] == said(check(new, old, context))
    assert first.warnings == check(new, old, context).warnings
    assert repr((new, old)) == repr(before)


@given(document=DOCUMENTS, status=STATUS, context=CONTEXTS)
def test_an_unchanged_spec_always_passes(document: dict[str, Any], status: Any, context: Context) -> None:
    old = {**copy.deepcopy(document), "status": status}
    assert check(document, old, context) == Findings()


PRODUCTS = {
    "NVIDIA-H100-80GB-HBM3": "h100_sxm",
    "NVIDIA H100 80GB HBM3": "h100_sxm",
    "NVIDIA-H100-SXM5-80GB": "h100_sxm",
    "H100SXM5": "h100_sxm",
    "NVIDIA-H100-PCIe": "h100_pcie",
    "NVIDIA-H100-NVL": "h100_pcie",
    "NVIDIA H200": "h200_sxm",
    "NVIDIA-H200-NVL": "h200_sxm",
    "NVIDIA-GB200": "gb200_sxm",
    "NVIDIA-B200": "b200_sxm",
    "NVIDIA-A100-SXM4-80GB": "a100_sxm",
    "NVIDIA-A100-PCIE-40GB": "a100_pcie",
    "NVIDIA-A100-80GB-PCIe": "a100_pcie",
    "NVIDIA-A100-SXM4-40GB-SHARED": "a100_sxm",
    "NVIDIA-A30": "a30",
    "NVIDIA-L40S": "l40s",
    "NVIDIA-L40": "l40",
    "NVIDIA-L4": "l4",
    "Tesla-T4": "t4",
    "Tesla-V100-SXM2-16GB": "v100_sxm",
    "Tesla-V100S-PCIE-32GB": "v100_pcie",
    "Tesla-V100-FHHL-16GB": "v100_pcie",
    "AMD-Instinct-MI300X-OAM": "mi300",
    "MI250X": "mi200",
    # Their names hold the name of a SKU, and they are another GPU.
    "NVIDIA-GH200-480GB": None,
    "NVIDIA-GB300": None,
    "NVIDIA-B300-SXM6-AC": None,
    "NVIDIA-H20": None,
    "NVIDIA-H800": None,
    "NVIDIA-A800-SXM4-80GB": None,
    "NVIDIA-RTX-A3000": None,
    "NVIDIA-T400-4GB": None,
    "NVIDIA-T4000": None,
    "NVIDIA-L20": None,
    "NVIDIA-L40G": None,
    "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb": None,
    "": None,
}


@pytest.mark.parametrize(("product", "sku"), PRODUCTS.items())
def test_a_product_name_has_its_sku(product: str, sku: str | None) -> None:
    assert sku_of(product) == sku


@pytest.mark.parametrize("sku", GPU_SKUS)
def test_a_sku_is_its_own_product_name(sku: str) -> None:
    assert sku_of(sku) == sku
