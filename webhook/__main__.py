"""`python -m webhook`: the admission webhook as a process, and its configurations as YAML."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from crds.documents import dump
from crds.errors import DynamoError, InputError
from crds.kube.access import Overrides
from crds.kube.resources import Cluster
from crds.rules import Mode
from webhook import logs
from webhook.certificates.files import Files
from webhook.defaults import Settings
from webhook.process import Plan, certificate_directory, run
from webhook.registration import Service, Url, configurations
from webhook.server import THREADS, Listener

CA_SECRET = "kubectl-dynamo-webhook-ca"
LOOPBACK = ("localhost", "127.0.0.1")
_FILE = click.Path(dir_okay=False, path_type=Path)
_MODES = click.Choice([Mode.STANDALONE.value, Mode.BESIDE.value])
_PORT = click.IntRange(1, 65535)


@click.group()
def cli() -> None:
    """Admission webhook of kubectl dynamo."""


@cli.command()
@click.option("--host", default="0.0.0.0", show_default=True, help="Address to listen on.")
@click.option("--port", type=_PORT, default=8443, show_default=True, help="TLS port for reviews.")
@click.option("--health-port", type=_PORT, help="Plain port for /livez, /readyz and /metrics; without it, none.")
@click.option("--threads", type=click.IntRange(1), default=THREADS, show_default=True, help="Reviews at a time.")
@click.option("--reuse-port", is_flag=True, help="Let a second process listen on the same port, to take over.")
@click.option("--mode", type=_MODES, default=Mode.STANDALONE.value, show_default=True, help="Beside NVIDIA's operator?")
@click.option("--default-image", help="Image for requests that name none.")
@click.option(
    "--register",
    "url",
    metavar="URL",
    help="Run outside the cluster: write webhook configurations that make the API server call this https URL.",
)
@click.option(
    "--service",
    metavar="NAME",
    help="Run inside the cluster behind this Service: keep a CA of our own in a Secret, and its caBundle up to date"
    " in the webhook configurations that are installed.",
)
@click.option("--namespace", default="kubectl-dynamo", show_default=True, help="Namespace of --service and the Secret.")
@click.option("--watch", is_flag=True, help="Answer by facts of the cluster too; --register and --service imply it.")
@click.option(
    "--convert/--no-convert",
    help="With --register or --service: have the API server ask us to convert DGDRs between versions, too. It cannot"
    " read the other version while no webhook runs. Never beside NVIDIA's operator, which converts.",
)
@click.option("--ca-secret", default=CA_SECRET, show_default=True, help="Secret that holds the CA of our own.")
@click.option(
    "--cert-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to put certificates of our own (ca.crt, tls.crt, tls.key); default: a temporary directory.",
)
@click.option("--tls-cert-file", type=_FILE, help="Serve this certificate (cert-manager's or any other's).")
@click.option("--tls-key-file", type=_FILE, help="Key of --tls-cert-file. Both are read anew when they change.")
@click.option("--ca-file", type=_FILE, help="The CA that API servers were given: /readyz holds the certificate to it.")
@click.option("--kubeconfig", help="kubeconfig file; default as for kubectl, or the pod's service account.")
@click.option("--context", help="Context of the kubeconfig.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="Least severe log line to write, as JSON to stderr. At info refusals are logged, at debug every review.",
)
def serve(**flags: Any) -> None:
    """Serve admission reviews over TLS.

    The certificate is issued by a CA of our own, unless --tls-cert-file and --tls-key-file name another. It is
    renewed, and changed files are served, without a restart.
    """
    logs.configure(flags["log_level"])
    target = _target(flags)
    own = _own_certificate(flags)
    cluster = None
    if target is not None or flags["watch"]:
        cluster = Cluster.connect(Overrides(kubeconfig=flags["kubeconfig"], context=flags["context"]))
    settings = Settings(mode=Mode(flags["mode"]), default_image=flags["default_image"])
    with certificate_directory(flags["cert_dir"]) as directory:
        if own:
            files = Files.within(directory)
        else:
            files = Files(flags["tls_cert_file"], flags["tls_key_file"], flags["ca_file"])
        bind = f"{flags['host']}:{flags['port']}"
        plan = Plan(
            listener=Listener(bind, files.certificate, files.key, flags["threads"], flags["reuse_port"]),
            files=files,
            issue=own,
            target=target,
            hosts=_hosts(target),
            ca_secret=flags["ca_secret"],
            convert=flags["convert"] and settings.mode is Mode.STANDALONE,
            health=(flags["host"], flags["health_port"]) if flags["health_port"] else None,
        )
        run(plan, settings, cluster)


@cli.command(name="configurations")
@click.option("--service", metavar="NAME", default="kubectl-dynamo-webhook", show_default=True, help="Our Service.")
@click.option("--namespace", default="kubectl-dynamo", show_default=True, help="Its namespace.")
@click.option("--mode", type=_MODES, default=Mode.STANDALONE.value, show_default=True, help="Beside NVIDIA's operator?")
def print_configurations(service: str, namespace: str, mode: str) -> None:
    """Print the webhook configurations for a Service as YAML, as manifests/webhook holds them."""
    documents = configurations(Service(service, namespace), Mode(mode))
    click.echo("---\n".join(dump(document) for document in documents), nl=False)


def _target(flags: dict[str, Any]) -> Url | Service | None:
    if flags["url"] and flags["service"]:
        raise InputError("--register is for outside the cluster and --service for inside", next="give one of them")
    if flags["url"]:
        parts = urlsplit(flags["url"])
        if parts.scheme != "https" or not parts.hostname:
            raise InputError(
                f'--register "{flags["url"]}" is no https URL', next="try --register https://127.0.0.1:8443"
            )
        return Url(flags["url"])
    return Service(flags["service"], flags["namespace"]) if flags["service"] else None


def _own_certificate(flags: dict[str, Any]) -> bool:
    given = [name for name in ("tls_cert_file", "tls_key_file") if flags[name]]
    if len(given) == 1:
        raise InputError("--tls-cert-file and --tls-key-file belong together", next="give both, or neither")
    if not given and flags["ca_file"]:
        raise InputError("--ca-file says who issued --tls-cert-file, which is missing", next="give both, or neither")
    if given and flags["url"]:
        raise InputError("--register publishes a CA of our own", next="leave --tls-cert-file and --tls-key-file out")
    return not given


def _hosts(target: Url | Service | None) -> tuple[str, ...]:
    if isinstance(target, Service):
        return target.hosts
    host = [str(urlsplit(target.base).hostname)] if target else []
    return tuple(dict.fromkeys([*LOOPBACK, *host]))


def main() -> None:
    """Run; a known error is one sentence and exit code 1."""
    try:
        cli(prog_name="python -m webhook", standalone_mode=True)
    except DynamoError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
