"""The wire protocol of `python -m profiler`: flags, files, phases and exit codes of `python -m dynamo.profiler` 1.2.

Reads a DGDR's spec, writes the result files and, from start to end, the status file, whose last state is always
success or failed. Everything heavy is imported after the first status is written.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from crds.errors import DynamoError, InputError, InvalidRequest, UnknownHardware
from crds.fields import ErrorType, get
from crds.vocabulary import DGD_API_VERSION, DGDR_API_VERSION, STATUS_FILE, Kind, ProfilingPhase
from profiler import status
from profiler.status import Status

if TYPE_CHECKING:
    from profiler.request import Request

_UNUSED = "accepted for compatibility and without effect: nothing is deployed or measured while profiling"


class Stopped(BaseException):
    """A signal asked the run to end. Not an Exception: no handler below may take it for a failure of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


def parser() -> argparse.ArgumentParser:
    """The command line of Dynamo 1.2's profiler."""
    found = argparse.ArgumentParser(
        prog="python -m profiler",
        description="Profile a DynamoGraphDeploymentRequest and write the deployment that answers it.",
        epilog="Environment: DGDR_NAME and DGDR_NAMESPACE name the request; HUGGING_FACE_HUB_TOKEN reads gated models.",
        allow_abbrev=False,
    )
    found.add_argument(
        "--config", required=True, help="DGDR spec (or a whole DGDR): a .json or .yaml file, or inline JSON"
    )
    found.add_argument("--output-dir", default="profiling_results", type=Path, help="where the files go (%(default)s)")
    found.add_argument("--deployment-timeout", type=int, default=3600, metavar="SECONDS", help=_UNUSED)
    found.add_argument("--prefill-interpolation-granularity", type=int, default=16, metavar="N", help=_UNUSED)
    found.add_argument("--decode-interpolation-granularity", type=int, default=6, metavar="N", help=_UNUSED)
    found.add_argument("--dry-run", action="store_true", help="check the request and its model, then stop: no result")
    return found


class Run:
    """One run: keeps the status file, and knows the phase that a failure belongs to."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.phase = ProfilingPhase.INITIALIZING

    def enter(self, phase: ProfilingPhase, message: str) -> None:
        """A phase begins."""
        self.phase = phase
        status.write(self.directory, Status("running", phase, message), datetime.now(UTC))

    def succeed(self, message: str, outputs: dict[str, str]) -> None:
        """The run is done, and no signal undoes it."""
        _ignore_signals()
        status.write(
            self.directory, Status("success", ProfilingPhase.DONE, message, outputs=outputs), datetime.now(UTC)
        )

    def fail(self, message: str, error: str) -> None:
        """The run has failed in its phase. Where even that cannot be written, standard error says so.

        On a full disk the last status gives its place to this one: it must not go on saying that the run is running.
        """
        _ignore_signals()
        failed = Status("failed", self.phase, message, error)
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            try:
                status.write(self.directory, failed, datetime.now(UTC))
            except OSError:
                (self.directory / STATUS_FILE).unlink()
                status.write(self.directory, failed, datetime.now(UTC))
        except OSError as fault:
            _complain(f"cannot write the status file in {self.directory}: {fault.strerror}")


def main(arguments: list[str] | None, pending: Sequence[int]) -> int:
    """Run, and return the exit code: 0, 1 after a failed status, 128 + n after a signal.

    `pending` holds the signals that came while this module was imported.
    """
    options = parser().parse_args(arguments)
    run = Run(options.output_dir)
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _stop)
        if pending:
            raise Stopped(pending[0])
        return _attempt(options, run)
    except Stopped as signalled:
        _failed(run, "Profiler was stopped", f"stopped by {signalled} in phase {run.phase}")
        return signalled.exit_code


def _attempt(options: argparse.Namespace, run: Run) -> int:
    """Profile, and turn every failure into a failed status."""
    try:
        run.directory.mkdir(parents=True, exist_ok=True)
        run.enter(ProfilingPhase.INITIALIZING, "Profiler job started")
        _profile(options, run)
    except (InputError, InvalidRequest, UnknownHardware) as error:
        return _failed(run, "Config validation failed", str(error))
    except DynamoError as error:
        return _failed(run, "Profiler found no answer", str(error))
    except OSError as error:
        reason = f"{error.filename or run.directory}: {error.strerror or error}"
        return _failed(run, "Profiler could not read or write a file", reason)
    except Exception as error:  # noqa: BLE001 - whatever happens, the status file ends in failed
        traceback.print_exc()
        kind = type(error).__name__
        return _failed(run, f"Profiler failed with exception: {kind}", f"{kind}: {error}")
    return 0


def _profile(options: argparse.Namespace, run: Run) -> None:
    from profiler import models, outcome, pipeline

    request, notes = _request(_document(options.config))
    token = os.environ.get("HUGGING_FACE_HUB_TOKEN")  # the name in NVIDIA's Job; the hub client reads HF_TOKEN
    if token:
        os.environ.setdefault("HF_TOKEN", token)
    cache = request.model_cache
    model = models.load(request.model, path=(cache.checkpoint or cache.mount_path) if cache else None, online=True)
    if options.dry_run:
        run.succeed(f"Dry run: the request and its model {request.model} can be profiled; no result was written", {})
        return
    answer = pipeline.profile(request, model, on_phase=run.enter)
    outputs = outcome.write(run.directory, request, model, answer)
    warnings = "".join(f"; warning: {warning}" for warning in (*notes, *answer.profile.warnings))
    run.succeed(f"Profiler completed successfully: {answer.profile.pick.label}{warnings}", outputs)


def _document(config: str) -> dict[str, Any]:
    """The DGDR that `--config` names or holds; a spec alone is put into one, named by the environment."""
    from crds import documents

    inline = config.lstrip()[:1] in ("{", "[")
    found = documents.load(config, "--config") if inline else documents.read(config)
    if len(found) != 1:
        raise InputError(f"--config holds {len(found)} documents", "one is needed", "give the spec of one DGDR")
    given = found[0]
    whole = given if "spec" in given and "model" not in given else {"spec": _spec(given)}
    version = whole.get("apiVersion") or DGDR_API_VERSION
    if version != DGDR_API_VERSION:
        next_step = "kubectl get dgdr NAME -o yaml prints the request in that version"
        raise InputError(f"--config is of version {version}", f"{DGDR_API_VERSION} is needed", next_step)
    name, namespace = get(whole, "metadata.name", "dynamo"), get(whole, "metadata.namespace", "default")
    metadata = {
        "name": os.environ.get("DGDR_NAME") or name,
        "namespace": os.environ.get("DGDR_NAMESPACE") or namespace,
    }
    return {"apiVersion": version, "kind": str(Kind.DGDR), "metadata": metadata, "spec": whole["spec"]}


def _spec(given: dict[str, Any]) -> dict[str, Any]:
    """A spec as NVIDIA's profiler takes it: `overrides.dgd` may leave out what kind of object it is part of."""
    partial = get(given, "overrides.dgd")
    if not isinstance(partial, dict):
        return given
    kind = {"apiVersion": DGD_API_VERSION, "kind": str(Kind.DGD)}
    return {**given, "overrides": {**given["overrides"], "dgd": kind | partial}}


def _request(document: dict[str, Any]) -> tuple[Request, tuple[str, ...]]:
    """The request behind a DGDR, and notes on how it is written. Raises InvalidRequest with every rule that it breaks.

    An API server has held it against the schema already, a person's file has not. Unknown fields are only noted:
    NVIDIA's profiler ignores them, and a newer API may have them.
    """
    from crds import rules, schema
    from profiler.request import Request

    findings = rules.check(document, context=rules.Context(mode=rules.Mode.BESIDE))
    found = schema.check(document)
    wrong = findings.errors or tuple(error for error in found if error.type is not ErrorType.UNKNOWN)
    if wrong:
        raise InvalidRequest("the request cannot be used", wrong)
    unknown = tuple(f"{error.path} is ignored: no such field" for error in found)
    return Request.from_spec(document["spec"], **document["metadata"]), findings.warnings + unknown


def _failed(run: Run, message: str, error: str) -> int:
    run.fail(message, error)
    _complain(f"{message}: {error}")
    return 1


def _complain(text: str) -> None:
    print(f"profiler: {text}", file=sys.stderr)  # noqa: T201 - the log of the Job


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    raise Stopped(number)


def _ignore_signals() -> None:
    """What is left takes milliseconds and must not be cut."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
