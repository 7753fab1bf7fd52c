"""What the pages say can be followed: links lead somewhere, commands exist, examples of estimates run as they stand."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import click
import pytest

from kubectl_dynamo.cli import PROGRAM, cli
from tests.cluster.controlplane import REPOSITORY

PAGES: Final = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md")])
LINK: Final = re.compile(r"\]\(([^)#\s]*)(#[^)\s]*)?\)")
BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE: Final = re.compile(r"^`(?P<name>[\w.]+)`:\n\n```\w*\n(?P<content>.*?)^```$", re.MULTILINE | re.DOTALL)

EXPORT: Final = {
    "time_to_first_token": {"unit": "ms", "avg": 900},
    "inter_token_latency": {"unit": "ms", "avg": 27},
    "input_sequence_length": {"unit": "tokens", "avg": 4000},
    "output_sequence_length": {"unit": "tokens", "avg": 1000},
    "input_config": {"endpoint": {"model_names": ["Qwen/Qwen3-32B"]}, "loadgen": {"concurrency": 32}},
}
REQUEST: Final = """\
apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeploymentRequest
metadata: {name: qwen}
spec: {model: Qwen/Qwen3-32B, sla: {ttft: 2000, itl: 50}}
"""


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def typed(page: Path) -> list[str]:
    """Every line of a page's code that calls the plugin."""
    lines = [line.removeprefix("$ ") for _, block in BLOCK.findall(read(page)) for line in block.splitlines()]
    return [line for line in lines if line.startswith(f"{PROGRAM} ")]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", read(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(read(page)):
        if "://" in target:
            continue
        found = (page.parent / target) if target else page
        assert found.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor[1:] in anchors(found), f"{page.name}: {target}{anchor}"


def test_the_readme_leads_to_every_page() -> None:
    targets = {target for target, _ in LINK.findall(read(REPOSITORY / "README.md"))}
    assert {f"docs/{page.name}" for page in REPOSITORY.glob("docs/*.md")} <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_flags_exist(page: Path) -> None:
    for line in typed(page):
        words = shlex.split(line.partition(" | ")[0].partition(" > ")[0])[2:]
        if words == ["COMMAND", "--help"] or "[OPTIONS]" in words:
            continue
        root = click.Context(cli, info_name=PROGRAM, **cli.context_settings)
        name, command, rest = cli.resolve_command(root, words)
        assert command is not None
        command.make_context(name, rest, parent=root)


def ran(line: str, folder: Path) -> str:
    """What a command of a page prints into a pipe, without warnings."""
    command = line.replace(PROGRAM, f"{sys.executable} -m kubectl_dynamo", 1)
    environment = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"$ {line}\n{done.stderr}"
    assert "Warning" not in done.stderr, f"$ {line}\n{done.stderr}"
    return done.stdout


def test_estimates_run_as_they_stand_and_print_what_is_shown(tmp_path: Path) -> None:
    page = REPOSITORY / "docs" / "estimate.md"
    text = read(page)
    for found in FILE.finditer(text):
        (tmp_path / found["name"]).write_text(found["content"], encoding="utf-8")
    (tmp_path / "profile_export_aiperf.json").write_text(json.dumps(EXPORT), encoding="utf-8")
    (tmp_path / "request.yaml").write_text(REQUEST, encoding="utf-8")
    assert len(typed(page)) > 12
    for line in typed(page):
        printed = ran(line, tmp_path)
        shown = re.search(rf"^\$ {re.escape(line)}\n((?:(?!\$ |# |```).*\n)+)", text, re.MULTILINE)
        if not shown:
            continue
        if os.environ.get("UPDATE_GOLDEN"):
            text = text[: shown.start(1)] + printed + text[shown.end(1) :]
        else:
            assert shown[1] == printed
    if os.environ.get("UPDATE_GOLDEN"):
        page.write_text(text, encoding="utf-8")
