"""kubectl's JSONPath, on the expressions that the docs of Dynamo and of Kubernetes use."""

from __future__ import annotations

from typing import Any

import pytest

from crds.errors import InputError
from kubectl_dynamo.jsonpath import render

DOCUMENT: dict[str, Any] = {
    "metadata": {"name": "a", "annotations": {"dgdr.nvidia.com/x": "1"}},
    "items": [{"n": "x", "v": 1}, {"n": "y", "v": 2.5}],
    "status": {"conditions": [{"type": "A", "status": "True"}, {"type": "B", "status": "False"}], "on": True},
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{.metadata.name}", "a"),
        (".metadata.name", "a"),
        ("{$.items[0].n}-{.items[-1].n}", "x-y"),
        ("{.items[*].v}", "1 2.5"),
        (r"{.metadata.annotations.dgdr\.nvidia\.com/x}", "1"),
        ("{.metadata.annotations['dgdr.nvidia.com/x']}", "1"),
        ('{.status.conditions[?(@.type=="B")].status}', "False"),
        ('{range .items[*]}{.n}={.v}{"\\n"}{end}', "x=1\ny=2.5\n"),
        ("{.status.on}", "true"),
        ("{.items[0]}", '{"n":"x","v":1}'),
        ("{.nothing.here}", ""),
        ("{.items[7].n}", ""),
    ],
)
def test_expressions(template: str, text: str) -> None:
    assert render(template, DOCUMENT) == text


@pytest.mark.parametrize("template", ["{.a", "{..name}", "{range .items[*]}x", "{.items[1:2]}", "{.items[?(@.n)]}"])
def test_what_cannot_be_read_is_an_error(template: str) -> None:
    with pytest.raises(InputError, match="JSONPath"):
        render(template, DOCUMENT)
