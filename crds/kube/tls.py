"""The TLS context of an Access. Keys from a kubeconfig or a plugin touch the disk only for the moment of loading."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

from urllib3.util.ssl_ import create_urllib3_context

from crds.errors import InputError
from crds.kube.access import Tls
from crds.kube.credentials import Credential


def context_for(tls: Tls, credential: Credential) -> ssl.SSLContext:
    """Build the context: whom to trust, and which certificate to show (a plugin's wins over the kubeconfig's).

    Raises:
        InputError: a certificate or key cannot be read or parsed, or they do not belong together.
    """
    context = create_urllib3_context(cert_reqs=ssl.CERT_NONE if tls.insecure else ssl.CERT_REQUIRED)
    if not tls.insecure:
        _trust(context, tls)
    certificate = credential.certificate or tls.certificate_data
    key = credential.key or tls.key_data
    if certificate or tls.certificate_file:
        _show(context, certificate, tls.certificate_file, key, tls.key_file)
    return context


def _trust(context: ssl.SSLContext, tls: Tls) -> None:
    try:
        if tls.ca_data:
            context.load_verify_locations(cadata=tls.ca_data)
        elif tls.ca_file:
            context.load_verify_locations(cafile=tls.ca_file)
        else:
            context.load_default_certs()
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        source = "certificate-authority-data" if tls.ca_data else tls.ca_file
        raise InputError(f"cannot use the certificate authority {source}", _reason(error)) from error


def _show(
    context: ssl.SSLContext,
    certificate: str | None,
    certificate_file: str | None,
    key: str | None,
    key_file: str | None,
) -> None:
    # load_cert_chain reads files only; a directory of our own keeps the key private even under a lax umask.
    with tempfile.TemporaryDirectory(prefix="kube-") as directory:
        if certificate:
            certificate_file = _write(directory, "certificate", certificate)
        if key:
            key_file = _write(directory, "key", key)
        try:
            context.load_cert_chain(str(certificate_file), key_file)
        except (OSError, ValueError) as error:
            source = "from the credentials" if certificate else str(certificate_file)
            raise InputError(f"cannot use the client certificate {source}", _reason(error)) from error


def _write(directory: str, name: str, content: str) -> str:
    path = Path(directory, name)  # the directory is 0700 already
    path.touch(mode=0o600)
    path.write_text(content, encoding="ascii")
    return str(path)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not PEM").replace("_", " ").lower()
    return getattr(error, "strerror", None) or str(error)
