"""Reading as kubectl reads, writing what any reader reads back, and errors that name the place."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from crds import documents
from crds.errors import InputError
from crds.scalars import reads_as

REQUEST = "apiVersion: nvidia.com/v1beta1\nkind: DynamoGraphDeploymentRequest\nmetadata: {name: qwen}\n"


def refused(text: str) -> str:
    with pytest.raises(InputError) as caught:
        documents.load(text, "a.yaml")
    return str(caught.value)


def test_empty_documents_are_left_out() -> None:
    assert documents.load("---\n# nothing\n---\na: 1\n---\n", "a.yaml") == [{"a": 1}]
    assert documents.load("", "a.yaml") == []


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("on", True),
        ("y", True),
        ("No", False),
        ("1e3", 1000.0),
        ("012", 10),
        ("0o12", 10),
        ("0x1F", 31),
        ("-0b11", -3),
        ("1_000", 1000),
        ("+.5", 0.5),
        ("~", None),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("yEs", "yEs"),
        ("08", 8.0),
        ("h100_sxm", "h100_sxm"),
        ("'on'", "on"),
    ],
)
def test_words_mean_what_they_mean_to_kubectl(word: str, value: Any) -> None:
    ((read,),) = (document.values() for document in documents.load(f"a: {word}", "a.yaml"))
    assert (read, type(read)) == (value, type(value))


def test_keys_become_strings() -> None:
    assert documents.load("data: {8: a, true: b, on: c}", "a.yaml") == [{"data": {"8": "a", "true": "c"}}]


def test_json_with_its_own_escapes_is_read() -> None:
    assert documents.load('{"a": "\\ud83d\\ude00\\/", "b": [1e3]}', "a.json") == [{"a": "😀/", "b": [1000.0]}]


def test_flow_style_yaml_is_no_json_and_is_read_too() -> None:
    assert documents.load("{a: [1, x]}", "a.yaml") == [{"a": [1, "x"]}]


def test_aliases_and_merges_are_written_out() -> None:
    (document,) = documents.load("a: &x {k: [1]}\nb: *x\nc: {<<: *x, d: 2}", "a.yaml")
    assert document == {"a": {"k": [1]}, "b": {"k": [1]}, "c": {"k": [1], "d": 2}}
    document["a"]["k"].append(2)
    assert document["b"] == {"k": [1]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", 'a.yaml:3:1: not valid YAML: key "a" is given twice'),
        ('{"a": {"b": 1, "b": 2}}', 'a.yaml: not valid JSON: key "b" is given twice'),
        (
            "a: [1, 2\nb: 3",
            "a.yaml:2:2: not valid YAML: did not find expected ',' or ']' (while parsing a flow sequence)",
        ),
        (
            "a: 1\n\tb: 2",
            "a.yaml:2:1: not valid YAML: found a tab character that violates indentation (while scanning a plain "
            "scalar); a tab stands there; indent with blanks",
        ),
        (
            "a:\n\tb: 2",
            "a.yaml:2:1: not valid YAML: found character that cannot start any token (while scanning for the next "
            "token); a tab stands there; indent with blanks",
        ),
        ("a: \x00", "a.yaml: not valid YAML"),
        ("a: !!python/object:os.system x", "a.yaml:1:4: not valid YAML: could not determine a constructor"),
        ("a: *nothing", "a.yaml:1:4: not valid YAML: found undefined alias"),
        ("just words", "a.yaml: document 1 is a string, not a mapping; start it with apiVersion: and kind:"),
        ("a: 1\n---\n- 1", "a.yaml: document 2 is a list, not a mapping; start it with apiVersion: and kind:"),
        ("sla: {ttft: .nan}", "a.yaml: sla.ttft is nan: numbers must be finite"),
        ("a: [1, -.inf]", "a.yaml: a[1] is -inf: numbers must be finite"),
        ('{"a": 1e999}', "a.yaml: a is inf: numbers must be finite"),
        ('{"a": NaN}', "a.yaml: a is nan: numbers must be finite"),
        ("a: !!binary aGk=", "a.yaml: a is a bytes: JSON knows no such value"),
        ("? [1, 2]\n: a", "a.yaml:1:3: not valid YAML: found unhashable key"),
        ("1.5: a", "a.yaml: the document has the key 1.5: keys must be strings; quote it"),
        ("a: &x [*x]", "a.yaml:1: an alias inside its own anchor: it would never end"),
        ("[" * 200_000, "a.yaml: is nested more than 100 levels deep"),
        ("a: " + "[" * 150 + "]" * 150, "a.yaml: is nested more than 100 levels deep"),
        ('{"a":' * 150 + "1" + "}" * 150, "a.yaml: is nested more than 100 levels deep"),
        ('{"a":' * 50_000, "a.yaml: is nested more than 100 levels deep"),
        ("a: " + "x" * documents.MAX_CHARACTERS, "a.yaml: is larger than 3 MiB"),
    ],
    ids=lambda text: text[:30],
)
def test_text_that_cannot_be_used_is_one_sentence(text: str, message: str) -> None:
    said = refused(text)
    assert said.startswith(message)
    assert "\n" not in said


def test_a_billion_laughs_are_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert refused("\n".join(lines)).startswith("a.yaml: aliases repeat more than 100,000 values")
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 10)]
    assert refused("\n".join(lines)).startswith("a.yaml: aliases repeat more than 100,000 values")


def test_a_file_and_standard_input_are_read(tmp_path: Path) -> None:
    path = tmp_path / "request.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: \xc3\xa4\r\n")
    assert documents.read(path) == documents.read("-", io.StringIO("a: ä")) == [{"a": "ä"}]


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    binary = tmp_path / "model.bin"
    binary.write_bytes(b"a: \xff")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for path, message in {
        tmp_path / "none.yaml": "no such file",
        tmp_path: "is a directory; name a file in it",
        binary: "is not UTF-8 text: byte 3 is 0xff",
        loop: "cannot be read: Too many levels of symbolic links",
    }.items():
        with pytest.raises(InputError) as caught:
            documents.read(path)
        assert str(caught.value) == f"{path}: {message}"


def test_standard_input_that_is_no_text_says_so() -> None:
    with pytest.raises(InputError, match="standard input: is not UTF-8 text"):
        documents.read("-", io.TextIOWrapper(io.BytesIO(b"\xff"), encoding="utf-8"))


def test_the_requests_are_found_among_others_and_in_lists() -> None:
    text = f"kind: ConfigMap\n---\n{REQUEST}---\nkind: List\nitems:\n- {json.dumps(documents.load(REQUEST, '')[0])}\n"
    found = documents.requests(documents.load(text, "a.yaml"))
    assert [request["metadata"]["name"] for request in found] == ["qwen", "qwen"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.yaml: holds no DynamoGraphDeploymentRequest: it is empty"),
        (
            "kind: ConfigMap\n---\nkind: Pod\n---\na: 1",
            "a.yaml: holds no DynamoGraphDeploymentRequest: found ConfigMap, Pod, a document without kind",
        ),
        (
            "kind: DynamoGraphDeploymentRequests",
            "a.yaml: holds no DynamoGraphDeploymentRequest: found DynamoGraphDeploymentRequests; "
            "write kind: DynamoGraphDeploymentRequest",
        ),
        (
            "apiVersion: nvidia.com/v1beta2\nkind: DynamoGraphDeploymentRequest",
            'a.yaml: apiVersion "nvidia.com/v1beta2" has no DynamoGraphDeploymentRequest; '
            'did you mean "nvidia.com/v1beta1"?',
        ),
        (
            "kind: DynamoGraphDeploymentRequest",
            'a.yaml: DynamoGraphDeploymentRequest without apiVersion; did you mean "nvidia.com/v1beta1"?',
        ),
    ],
)
def test_input_without_a_request_says_what_it_holds(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        documents.requests(documents.load(text, "a.yaml"), "a.yaml")
    assert str(caught.value) == message


def test_output_is_plain_block_style() -> None:
    shared = {"name": "HF_HOME", "value": "/models"}
    document = {
        "kind": "DynamoGraphDeployment",
        "apiVersion": "nvidia.com/v1alpha1",
        "spec": {
            "a": [shared, shared],
            "nothing": None,
            "words": ["on", "y", "123", "1e3", "012", "0x1f", "1:30", "2024-01-01", "null", "", "vllm"],
            "numbers": [1, 1.5, True],
            "script": "set -e\npython3 -m dynamo.vllm\n",
            "long": "--model " * 40,
            "empty": [],
        },
    }
    assert documents.dump(document) == (
        "kind: DynamoGraphDeployment\n"
        "apiVersion: nvidia.com/v1alpha1\n"
        "spec:\n"
        "  a:\n"
        "  - name: HF_HOME\n"
        "    value: /models\n"
        "  - name: HF_HOME\n"
        "    value: /models\n"
        "  words:\n"
        "  - 'on'\n"
        "  - 'y'\n"
        "  - '123'\n"
        "  - '1e3'\n"
        "  - '012'\n"
        "  - '0x1f'\n"
        "  - '1:30'\n"
        "  - '2024-01-01'\n"
        "  - 'null'\n"
        "  - ''\n"
        "  - vllm\n"
        "  numbers:\n"
        "  - 1\n"
        "  - 1.5\n"
        "  - true\n"
        "  script: |\n"
        "    set -e\n"
        "    python3 -m dynamo.vllm\n"
        f"  long: '{'--model ' * 40}'\n"
        "  empty: []\n"
    )


def test_several_documents_are_separated() -> None:
    assert documents.dump_all([{"a": 1}, {"b": 2}]) == "a: 1\n---\nb: 2\n"


def test_what_is_no_json_is_not_written() -> None:
    with pytest.raises(InputError, match=r"a\.b is nan: numbers must be finite"):
        documents.dump({"a": {"b": float("nan")}})


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["on", "Y", "1e3", "0x1", ".5", "~", "=", "<<", "- a", "a: b", "# a", "a #b", "\n", " a\n b", "a\n\n", "\ta\n", "é"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value if item is not None] if isinstance(value, list) else value


@given(st.lists(st.dictionaries(TEXT, VALUES, max_size=4), max_size=3))
def test_what_is_written_reads_back_as_it_was(given_documents: list[dict[str, Any]]) -> None:
    text = documents.dump_all(given_documents)
    wanted = [without_nulls(document) for document in given_documents]
    assert documents.load(text, "dumped") == wanted
    assert list(yaml.safe_load_all(text)) == wanted
    assert text.endswith("\n") or not given_documents


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_in_one_sentence(text: str) -> None:
    try:
        said = str(documents.load(text, "a.yaml"))
    except InputError as error:
        said = str(error)
    assert "\n" not in said


@given(st.text("yno1e3.0x_+~trufals", min_size=1, max_size=6))
def test_the_loader_and_the_warning_agree_on_what_a_word_is(word: str) -> None:
    (document,) = documents.load(f"a: {word}", "a.yaml")
    assert (reads_as(word) is None) == isinstance(document["a"], str)
