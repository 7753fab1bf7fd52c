"""`kubectl-dynamo`: what kubectl runs for `kubectl dynamo`. Plain help comes from a file, without loading click."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    """Run the command line and exit."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["help"]:  # kubectl has this spelling too
        arguments = [*arguments[1:], "--help"]
    if arguments in ([], ["-h"], ["--help"]):
        _print_help()
        return
    try:
        from kubectl_dynamo.cli import PROGRAM, cli  # help above must not pay for it
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    cli.main(args=arguments, prog_name=PROGRAM)


def _print_help() -> None:
    try:
        sys.stdout.write(Path(__file__).with_name("help.txt").read_text(encoding="utf-8"))
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stderr.close()


if __name__ == "__main__":
    main()
