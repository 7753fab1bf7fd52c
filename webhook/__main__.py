"""`python -m webhook serve`: the admission webhook as a process."""

from __future__ import annotations

import logging
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import click

from crds.errors import DynamoError, InputError
from crds.kube.access import Overrides
from crds.kube.resources import Cluster
from webhook import certificates
from webhook.app import create_app
from webhook.registration import register
from webhook.server import Server

log = logging.getLogger("webhook")


@click.group()
def cli() -> None:
    """Admission webhook of kubectl dynamo."""


@cli.command()
@click.option("--host", default="0.0.0.0", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8443, show_default=True, help="TLS port.")
@click.option(
    "--register",
    "url",
    metavar="URL",
    help="Write the webhook configurations so that the API server asks us at this https URL (outside the cluster).",
)
@click.option(
    "--cert-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to put the certificates that are issued at start (ca.crt, tls.crt, tls.key); default: temporary.",
)
@click.option("--kubeconfig", help="kubeconfig file for --register; default as for kubectl.")
@click.option("--context", help="Context of the kubeconfig.")
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
def serve(
    host: str,
    port: int,
    url: str | None,
    cert_dir: Path | None,
    kubeconfig: str | None,
    context: str | None,
    log_level: str,
) -> None:
    """Serve admission reviews over TLS with a CA of our own."""
    logging.basicConfig(
        stream=sys.stderr, level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    hosts = ["localhost", "127.0.0.1", *([_host(url)] if url else [])]
    with tempfile.TemporaryDirectory(prefix="webhook-") as temporary:
        files = certificates.write(cert_dir or Path(temporary), list(dict.fromkeys(hosts)), datetime.now(UTC))
        cluster = Cluster.connect(Overrides(kubeconfig=kubeconfig, context=context)) if url else None

        def ready() -> None:
            if cluster is not None and url is not None:
                register(cluster, url, files.ca.read_bytes())
                log.info("registered at %s", url)
            log.info("serving on %s:%d", host, port)

        Server(create_app(), bind=f"{host}:{port}", certificate=files.certificate, key=files.key, ready=ready).run()


def _host(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise InputError(f'--register "{url}" is no https URL', "", "try --register https://127.0.0.1:8443")
    return parts.hostname


def main() -> None:
    """Run; a known error is one sentence and exit code 1."""
    try:
        cli(prog_name="python -m webhook", standalone_mode=True)
    except DynamoError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
