"""Images: one name in the request, one image for each service."""

from __future__ import annotations

import pytest

from profiler.generate.images import sibling
from tests.profiler.generate import cases

SHA = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("image", "name", "expected"),
    [
        (
            "nvcr.io/nvidia/ai-dynamo/dynamo-planner:1.2.1",
            "vllm-runtime",
            "nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.2.1",
        ),
        ("dynamo-frontend:latest", "tensorrtllm-runtime", "tensorrtllm-runtime:latest"),
        ("localhost:5000/dynamo-planner", "sglang-runtime", "localhost:5000/sglang-runtime"),
        ("mirror/sglang-runtime:1.2.0", "sglang-runtime", "mirror/sglang-runtime:1.2.0"),
        ("mirror/sglang-runtime:1.2.0", "vllm-runtime", "mirror/vllm-runtime:1.2.0"),
        (f"mirror/vllm-runtime@{SHA}", "vllm-runtime", f"mirror/vllm-runtime@{SHA}"),
        (f"mirror:443/a/dynamo-planner:1.2.0@{SHA}", "vllm-runtime", "mirror:443/a/vllm-runtime:1.2.0"),
    ],
)
def test_the_runtime_lies_beside_the_image_of_the_request(image: str, name: str, expected: str) -> None:
    assert sibling(image, name).reference == expected
    assert sibling(image, name).warning == ""


def test_a_digest_is_not_carried_to_another_image() -> None:
    """Upstream 1.2.1 kept the digest of the planner's image on the runtime's name, which exists nowhere."""
    derived = sibling(f"mirror/dynamo-planner@{SHA}", "vllm-runtime")
    assert derived.reference == "mirror/vllm-runtime:1.2.1"
    assert "names no other image" in derived.warning


def test_an_image_of_another_product_is_not_taken_for_a_folder_of_dynamo() -> None:
    result = cases.generated("vllm", "disagg", image="registry.example.com/tools/profiler:0.1.0")
    images = {cases.container(service)["image"] for service in cases.services(result).values()}
    assert images == {"nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.2.1"}
    assert len(result.warnings) == 1
    assert "registry.example.com/tools/profiler:0.1.0" in result.warnings[0]


def test_the_planner_has_its_own_image() -> None:
    result = cases.generated("sglang", "disagg", image="mirror/sglang-runtime:1.2.0", features={"planner": {}})
    assert cases.container(cases.services(result)["Planner"])["image"] == "mirror/dynamo-planner:1.2.0"
