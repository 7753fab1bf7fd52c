"""The one place where something that went wrong becomes text on stderr and an exit code.

0 done · 1 error · 2 usage · 124 time ran out · 130 interrupted
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

import click

from crds.errors import DynamoError, InvalidRequest

DEBUG = "KUBECTL_DYNAMO_DEBUG"


def exit_code(run: Callable[[], Any]) -> int:
    """Run a command; say what went wrong, if anything; return the exit code. Never lets a traceback out."""
    try:
        result = run()
        sys.stdout.flush()
    except DynamoError as error:
        click.echo(explain(error), err=True)
        return error.exit_code
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return 130
    except SystemExit:
        return 0  # click's own answer to a reader that left; as it is called here it exits for nothing else
    except BrokenPipeError:
        # The reader left (`| head`). Python would complain once more when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the last line of defence of a command line
        click.echo(_unexpected(error), err=True)
        return 1
    return result if isinstance(result, int) else 0


def explain(error: DynamoError) -> str:
    """`error: what`, then why and what to type next, a line each; a request that breaks rules lists them all."""
    if isinstance(error, InvalidRequest):
        details = [str(violation) for violation in error.errors]
    else:
        details = [line for text in (error.why, error.next) for line in text.splitlines()]
    return "\n".join([f"error: {error.what}", *(f"  {detail}" for detail in details)])


def _unexpected(error: Exception) -> str:
    if os.environ.get(DEBUG) == "1":
        return "".join(traceback.format_exception(error)).rstrip()
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "error: cannot write the output: no space left on device"
    what = " ".join(str(error).split()) or "no message"
    return (
        f"error: this should not happen: {type(error).__name__}: {what}\n"
        f"  run it again with {DEBUG}=1 and report what it prints, with the command"
    )
