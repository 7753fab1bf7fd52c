"""Objects of the cluster as `-o` asks for them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from kubectl_dynamo.inputs import NAME

Object = dict[str, Any]


def objects(items: Sequence[Object], form: str, *, single: bool) -> str:
    """Objects as json, yaml, name or jsonpath; `single` prints one as itself, else all stand in a List."""
    if form == "name":
        return "\n".join(f"{NAME}/{item['metadata']['name']}" for item in items)
    shown = [_without_managed_fields(item) for item in items]
    whole: Object = shown[0] if single else {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": shown}
    if form.startswith("jsonpath="):
        from kubectl_dynamo import jsonpath  # one format among many

        return jsonpath.render(form.removeprefix("jsonpath="), whole)
    if form == "json":
        return json.dumps(whole, indent=4, ensure_ascii=False)
    from crds import documents  # only YAML needs PyYAML

    return documents.dump(whole)


def _without_managed_fields(item: Object) -> Object:
    """As kubectl hides them: bookkeeping that nobody reads."""
    metadata = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
    return {**item, "metadata": metadata}
