"""Every example of docs/overrides.md is merged as it says."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.cluster.controlplane import REPOSITORY
from tests.profiler.generate import cases
from tests.profiler.generate.cases import TP4

TEXT = (REPOSITORY / "docs" / "overrides.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
EXAMPLES = list(zip(BLOCKS[::2], BLOCKS[1::2], strict=True))
ENVELOPE = {"apiVersion": "nvidia.com/v1alpha1", "kind": "DynamoGraphDeployment"}
REST = "..."


def shows(found: Any, excerpt: Any) -> bool:
    """Whether an excerpt is what was found: all its keys, and lists whole but for a leading `...`."""
    if isinstance(excerpt, dict):
        return isinstance(found, dict) and all(key in found and shows(found[key], excerpt[key]) for key in excerpt)
    if isinstance(excerpt, list) and excerpt[:1] == [REST]:
        return len(found) >= len(excerpt) and found[len(found) - len(excerpt) + 1 :] == excerpt[1:]
    return bool(found == excerpt)


@pytest.mark.parametrize(("override", "result"), EXAMPLES)
def test_an_example_gives_what_it_shows(override: str, result: str) -> None:
    dgd = ENVELOPE | yaml.safe_load(override)
    found = cases.generated("vllm", "agg", TP4, modelCache={"pvcName": "models"}, overrides={"dgd": dgd})
    assert shows(found.documents[-1], yaml.safe_load(result))
    assert found.warnings == ()


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) == 7


def test_an_excerpt_must_be_there() -> None:
    assert shows({"a": [1, 2, 3], "b": 1}, {"a": [REST, 3]})
    assert not shows({"a": [1, 2, 3]}, {"a": [2, 3]})
    assert not shows({"a": [3]}, {"a": [REST, 3]})
    assert not shows({}, {"a": 1})
