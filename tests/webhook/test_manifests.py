"""The manifests hold what the code would register, and what a restricted namespace lets run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from crds.rules import Mode
from tests.cluster.controlplane import REPOSITORY
from webhook import __main__ as main
from webhook.registration import Service, configurations
from webhook.server import GRACEFUL_SECONDS

MANIFESTS = REPOSITORY / "manifests" / "webhook"
SERVICE = Service("kubectl-dynamo-webhook", "kubectl-dynamo")


def read(path: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all((MANIFESTS / path).read_text()) if document]


@pytest.fixture
def pod() -> dict[str, Any]:
    spec: dict[str, Any] = read("base/deployment.yaml")[0]["spec"]["template"]["spec"]
    return spec


def test_the_configurations_are_those_that_the_command_prints() -> None:
    printed = CliRunner().invoke(main.cli, ["configurations"])
    assert printed.exit_code == 0
    assert (MANIFESTS / "base/configurations.yaml").read_text() == printed.output, (
        "python -m webhook configurations > manifests/webhook/base/configurations.yaml"
    )


def test_the_overlay_beside_the_operator_holds_its_configuration() -> None:
    ((patch,),) = read("overlays/beside/validating.yaml")
    assert patch["value"] == configurations(SERVICE, Mode.BESIDE)[1]["webhooks"]
    standalone, beside = (configurations(SERVICE, mode)[0] for mode in (Mode.STANDALONE, Mode.BESIDE))
    assert standalone == beside  # or the overlay needs a patch for it too


def test_the_overlay_that_fails_closed_does_so_for_every_validating_webhook() -> None:
    (patch,) = read("overlays/fail/fail.yaml")
    webhooks = configurations(SERVICE, Mode.STANDALONE)[1]["webhooks"]
    assert [one["path"] for one in patch] == [f"/webhooks/{i}/failurePolicy" for i in range(len(webhooks))]
    assert {one["value"] for one in patch} == {"Fail"}


def test_every_flag_of_the_manifests_exists(pod: dict[str, Any]) -> None:
    serve = main.cli.commands["serve"]
    known = {option for parameter in serve.params for option in parameter.opts}
    text = "".join(path.read_text() for path in MANIFESTS.rglob("*.yaml"))
    used = {word.partition("=")[0] for word in text.split() if word.startswith("--")}
    assert "--health-port" in used
    assert used - {"---"} <= known


def test_there_is_time_for_a_graceful_stop(pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    (*_, code) = container["lifecycle"]["preStop"]["exec"]["command"]
    assert code == "import time; time.sleep(5)"
    assert pod["terminationGracePeriodSeconds"] > 5 + GRACEFUL_SECONDS


def test_the_container_may_do_nothing_but_serve(pod: dict[str, Any]) -> None:
    security = pod["containers"][0]["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert pod["securityContext"]["runAsNonRoot"] is True


@pytest.mark.parametrize("path", sorted((MANIFESTS).rglob("rbac.yaml")), ids=lambda path: Path(path).parent.name)
def test_whatever_may_be_written_is_named(path: Path) -> None:
    for role in yaml.safe_load_all(path.read_text()):
        for rule in role.get("rules", ()):
            writes = set(rule["verbs"]) - {"get", "list", "watch"}
            assert "*" not in str(rule)
            assert "create" not in writes
            assert not writes or rule["resourceNames"]
            assert "secrets" not in rule["resources"] or rule["resourceNames"]
