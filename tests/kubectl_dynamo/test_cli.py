"""The command line as a whole: help, global flags, exit codes, what may be imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from kubectl_dynamo import cli as cli_module
from kubectl_dynamo.cli import COMMANDS, PROGRAM, cli
from kubectl_dynamo.options import GLOBAL_FLAGS, Duration
from kubectl_dynamo.session import overrides
from tests.kubectl_dynamo.conftest import FakeCluster, Run
from tests.kubectl_dynamo.profiles import MET

HEAVY = ("numpy", "flask", "pydantic", "requests", "rich", "gunicorn", "cryptography", "jsonpatch")
EXAMPLE = """\
apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeploymentRequest
metadata: {name: qwen}
spec: {model: Qwen/Qwen3-32B}
"""


def test_packaged_help_is_what_click_prints() -> None:
    packaged = Path(cli_module.__file__).with_name("help.txt").read_text(encoding="utf-8")
    assert CliRunner(env={"COLUMNS": "80"}).invoke(cli, ["--help"], prog_name=PROGRAM).stdout == packaged


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_exists_and_has_help(name: str, run: Run) -> None:
    result = run(name, "-h")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: kubectl dynamo {name}")


def test_a_misspelt_command_is_a_usage_error(run: Run) -> None:
    result = run("discribe", "x")
    assert result.exit_code == 2
    assert "describe" in result.stderr


def test_global_flags_work_before_and_after_the_verb(run: Run, cluster: FakeCluster) -> None:
    run("-n", "a", "--as-group", "g1", "get", "--context", "c", "--as-group", "g2", "--request-timeout", "1m30s")
    assert (cluster.overrides.namespace, cluster.overrides.context) == ("a", "c")
    assert cluster.overrides.as_groups == ("g1", "g2")
    assert cluster.overrides.request_timeout == 90


def test_the_flag_after_the_verb_wins(run: Run, cluster: FakeCluster) -> None:
    run("-n", "a", "get", "-n", "b")
    assert cluster.overrides.namespace == "b"


def test_every_field_of_the_overrides_has_a_flag() -> None:
    context = click.Context(cli)
    assert {flag.field for flag in GLOBAL_FLAGS} == set(overrides(context).__dataclass_fields__)


def test_rare_global_flags_are_listed_by_options_alone(run: Run) -> None:
    assert "--as-uid" not in run("get", "-h").stdout
    assert "--as-uid" in run("options").stdout


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("5", 5), ("1s", 1), ("2m", 120), ("1h30m", 5400), ("250ms", 0.25)]
)
def test_durations(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "s", "1d", "1 s", "-1s", "1.5.2s"])
def test_a_wrong_duration_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="30s, 2m or 1h30m"):
        Duration().convert(text, None, None)


@pytest.mark.parametrize(
    ("flag", "text", "told"),
    [
        ("--ttft", "500ms", "'500ms' is not a number of ms in plain digits"),
        ("--isl", "4k", "'4k' is not a whole number of tokens in plain digits"),
        ("--gpus", "8.5", "'8.5' is not a whole number in plain digits"),
    ],
)
def test_a_number_with_a_unit_is_refused(run: Run, flag: str, text: str, told: str) -> None:
    result = run("profile", "--model", "m", flag, text)
    assert result.exit_code == 2
    assert told in result.stderr


def test_an_unexpected_error_is_one_sentence(run: Run, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "table", lambda *_, **__: {}["columns"])
    result = run("get")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: this should not happen: KeyError")
    assert "Traceback" not in result.output
    monkeypatch.setenv("KUBECTL_DYNAMO_DEBUG", "1")
    assert "Traceback" in run("get").stderr


def test_ctrl_c_exits_130(run: Run, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cluster, "table", interrupt)
    result = run("get")
    assert (result.exit_code, result.stdout) == (130, "")


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    profile.write_bytes(MET.to_json())
    asked = "--model Qwen/Qwen3-32B --gpu h200_sxm --gpus 8"
    for command in (f"pareto -f {profile} -o wide", f"profile {asked} --output-dir {tmp_path}"):
        # `read` leaves at once, so that what is printed later finds the pipe closed.
        line = f"{sys.executable} -m kubectl_dynamo {command} | (read line; echo $line)"
        result = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr) == (0, "")
        assert len(result.stdout.splitlines()) == 1


def test_a_full_disk_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "profile.json").write_bytes(MET.to_json())
    command = f"{sys.executable} -m kubectl_dynamo pareto -f {tmp_path}/profile.json > /dev/full"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (1, "error: cannot write the output: no space left on device\n")


def test_colour_can_be_forced_into_a_pipe(run: Run, tmp_path: Path) -> None:
    (tmp_path / "profile.json").write_bytes(MET.to_json())
    assert "\x1b[" in run("pareto", "-f", "profile.json", "--color=always").stdout
    assert "\x1b[" not in run("pareto", "-f", "profile.json").stdout


def loaded(*arguments: str, stdin: str = "") -> set[str]:
    """Top-level modules that a fresh interpreter holds after a command."""
    code = (
        "import sys, json, atexit\n"
        "names = lambda: sorted({name.partition('.')[0] for name in sys.modules})\n"
        "atexit.register(lambda: print(json.dumps(names()), file=sys.stderr))\n"
        f"sys.argv = ['kubectl-dynamo', *{list(arguments)!r}]\n"
        "from kubectl_dynamo.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], input=stdin, capture_output=True, text=True, check=False)
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_help_has_kubectls_spelling_too() -> None:
    command = [sys.executable, "-m", "kubectl_dynamo"]
    spelled = [[*command, "help", "get"], [*command, "get", "--help"]]
    first, second = (subprocess.run(words, capture_output=True, text=True, check=True).stdout for words in spelled)
    assert first == second
    assert first.startswith("Usage: kubectl dynamo get")


def test_plain_help_does_not_even_load_click() -> None:
    assert "click" not in loaded("--help")
    assert "click" not in loaded()


@pytest.mark.parametrize(
    "arguments",
    [
        ("version",),
        ("options",),
        ("get", "-s", "http://127.0.0.1:1", "--request-timeout", "1s"),
        ("describe", "qwen", "-s", "http://127.0.0.1:1", "--request-timeout", "1s"),
        ("create", "qwen", "--model", "m", "--dry-run=client", "-o", "yaml"),
        ("create", "qwen", "--model", "m", "-s", "http://127.0.0.1:1", "--request-timeout", "1s"),
        ("validate", "-f", "-"),
        ("pareto", "-f", "-"),
        *((name, "-h") for name in COMMANDS),
    ],
    ids=" ".join,
)
def test_commands_load_nothing_heavy(arguments: tuple[str, ...]) -> None:
    stdin = MET.to_json().decode() if arguments[0] == "pareto" else EXAMPLE
    assert not loaded(*arguments, stdin=stdin) & set(HEAVY)


def test_completion_of_a_command_loads_no_other() -> None:
    code = (
        "import sys; from kubectl_dynamo.completion import candidates; candidates(['ge']); "
        "print([m for m in sys.modules if m.startswith('kubectl_dynamo.commands.')])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_data_alone_goes_to_stdout(run: Run, tmp_path: Path) -> None:
    (tmp_path / "profile.json").write_bytes(MET.to_json())
    rows = json.loads(run("pareto", "-f", "profile.json", "-o", "json").stdout)
    assert [row["configuration"] for row in rows if row["pick"]] == [MET.pick.label]
