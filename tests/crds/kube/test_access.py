"""Which cluster, as whom: held against kubectl itself wherever kubectl can be asked."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from crds.errors import InputError, NoCluster
from crds.kube import access
from crds.kube.access import Access, Overrides

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")

NAMES = st.sampled_from(["a", "b", "c"])
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def entries(key: str, body: st.SearchStrategy[dict[str, str]]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """A section of a kubeconfig: no name twice, which kubectl refuses as well."""
    entry = st.builds(lambda name, content: {"name": name, key: content}, NAMES, body)
    return st.lists(entry, max_size=3, unique_by=lambda one: one["name"])


FILES = st.integers(0, 9).flatmap(
    lambda number: st.fixed_dictionaries(
        {
            "clusters": entries(
                "cluster",
                st.fixed_dictionaries(
                    {"server": st.just(f"https://s{number}")}, optional={"tls-server-name": st.just(f"n{number}")}
                ),
            ),
            "users": entries(
                "user",
                st.fixed_dictionaries({}, optional={"token": st.just(f"t{number}"), "username": st.just(f"u{number}")}),
            ),
            "contexts": entries(
                "context",
                st.fixed_dictionaries(
                    {"cluster": NAMES, "user": NAMES}, optional={"namespace": st.just(f"ns{number}")}
                ),
            ),
        },
        optional={"current-context": NAMES},
    )
)


def minified(files: list[Path], *flags: str) -> dict[str, Any]:
    """What kubectl makes of the files: the chosen context, its cluster and user; {} when it cannot."""
    environment = os.environ | {"KUBECONFIG": os.pathsep.join(map(str, files))}
    command = ["kubectl", "config", "view", "--minify", "--raw", "-o", "json", *flags]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {}


def body(document: dict[str, Any], section: str, key: str) -> dict[str, Any]:
    return (document.get(section) or [{}])[0].get(key, {})


@needs_kubectl
@settings(max_examples=60, deadline=None)
@given(documents=st.lists(st.one_of(FILES, st.none()), min_size=1, max_size=3), context=st.none() | NAMES)
def test_several_files_are_merged_as_kubectl_does(documents: list[dict[str, Any] | None], context: str | None) -> None:
    with tempfile.TemporaryDirectory() as directory:
        files = [Path(directory, str(index)) for index in range(len(documents))]
        for file, document in zip(files, documents, strict=True):
            if document is not None:  # a missing file is skipped
                file.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config"} | document))
        expected = minified(files, *([f"--context={context}"] if context else []))
        environ = {"KUBECONFIG": os.pathsep.join(map(str, files))}
        if not expected:
            with pytest.raises((NoCluster, InputError)):
                access.load(Overrides(context=context), environ)
            return
        found = access.load(Overrides(context=context), environ)
    cluster, user = body(expected, "clusters", "cluster"), body(expected, "users", "user")
    assert found.context == expected["current-context"]
    assert found.namespace == body(expected, "contexts", "context").get("namespace", "default")
    assert (found.server, found.tls.server_name) == (cluster["server"], cluster.get("tls-server-name"))
    assert (found.token, found.username) == (user.get("token"), user.get("username"))


@needs_kubectl
def test_file_names_belong_to_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("sub/ca.crt", "cert.pem", "key.pem"):
        (tmp_path / name).write_text(name)
    cluster = {"server": "https://s", "certificate-authority": "ca.crt"}
    user = {"client-certificate": "../cert.pem", "client-key": str(tmp_path / "key.pem")}
    file = write(tmp_path / "sub" / "config", cluster=cluster, user=user)
    flat = minified([file], "--flatten")
    found = access.load(Overrides(kubeconfig=str(file)), {})
    for path, data in (
        (found.tls.ca_file, body(flat, "clusters", "cluster")["certificate-authority-data"]),
        (found.tls.certificate_file, body(flat, "users", "user")["client-certificate-data"]),
        (found.tls.key_file, body(flat, "users", "user")["client-key-data"]),
    ):
        assert Path(str(path)).read_bytes() == base64.b64decode(data)


def write(path: Path, *, cluster: object = None, user: object = None, context: object = None, **more: object) -> Path:
    """A kubeconfig with one context `here` of cluster `c` and user `u`."""
    document = {
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": "https://c:6443"} if cluster is None else cluster}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"} | (context or {})}],  # type: ignore[operator]
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document | more))
    return path


def loaded(path: Path, **flags: Any) -> Access:
    return access.load(Overrides(kubeconfig=str(path), **flags), {})


# Where it looks.


def test_kubeconfig_flag_beats_the_variable_beats_home_beats_the_pod(tmp_path: Path) -> None:
    pod, account = in_pod(tmp_path)
    for name in ("flag", "variable", "home/.kube/config"):
        write(tmp_path / name, cluster={"server": f"https://{name.partition('/')[0]}"})
    home = pod | {"HOME": str(tmp_path / "home")}
    variable = home | {"KUBECONFIG": f":{tmp_path}/none:{tmp_path}/variable"}

    def server(environ: dict[str, str], flag: str | None = None) -> str:
        return access.load(Overrides(kubeconfig=flag), environ, account).server

    assert server(variable, str(tmp_path / "flag")) == "https://flag"
    assert server(variable) == "https://variable"
    assert server(home) == "https://home"
    assert server(pod) == "https://10.0.0.1:443"


def in_pod(directory: Path) -> tuple[dict[str, str], Path]:
    """Environment and service account of a pod."""
    account = directory / "account"
    account.mkdir()
    for name, content in (("token", "t"), ("namespace", "team\n"), ("ca.crt", PEM)):
        (account / name).write_text(content)
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443", "HOME": str(directory / "none")}
    return environ, account


def test_a_pod_uses_its_service_account(tmp_path: Path) -> None:
    environ, account = in_pod(tmp_path)
    found = access.load(environ=environ, service_account=account)
    assert (found.namespace, found.token, found.token_file) == ("team", None, str(account / "token"))
    assert found.tls.ca_file == str(account / "ca.crt")
    assert access.load(environ=environ | {"POD_NAMESPACE": "mine"}, service_account=account).namespace == "mine"
    assert access.load(Overrides(namespace="flag"), environ, account).namespace == "flag"


def test_an_ipv6_service_gets_brackets(tmp_path: Path) -> None:
    environ, account = in_pod(tmp_path)
    found = access.load(environ=environ | {"KUBERNETES_SERVICE_HOST": "fd00::1"}, service_account=account)
    assert found.server == "https://[fd00::1]:443"


def test_nothing_anywhere_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(
        NoCluster, match=r"no kubeconfig was found .*: looked at /nowhere/.kube/config; set KUBECONFIG or"
    ):
        access.load(environ={"HOME": "/nowhere"}, service_account=tmp_path)
    with pytest.raises(NoCluster, match=r"looked at /x, /y \(from KUBECONFIG\)"):
        access.load(environ={"KUBECONFIG": "/x:/y"}, service_account=tmp_path)


def test_no_current_context_says_how_to_choose_one(tmp_path: Path) -> None:
    path = write(tmp_path / "config", **{"current-context": ""})
    with pytest.raises(
        NoCluster, match=r"no cluster is chosen: .* add --context=here, or run: kubectl config use-context"
    ):
        loaded(path)


# What is wrong with it.


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", "is not YAML"),
        ("- a", "is not a kubeconfig"),
        ("clusters: {}\nusers: 3", "users must be a list"),
        ("clusters: [{name: c, cluster: x}]", r"clusters\[0\]\.cluster must be a mapping"),
        ("users: [{name: u}, {name: u}]", "users names 'u' twice"),
        ("contexts: [{name: 123}]", r"contexts\[0\]: name must be text, not 123; put it in quotes"),
    ],
)
def test_a_broken_file_is_named_with_its_fault(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(InputError, match=f"config.*{message}"):
        loaded(path)


def test_a_file_that_was_asked_for_must_exist() -> None:
    with pytest.raises(InputError, match="there is no kubeconfig /x; check the path given to --kubeconfig"):
        access.load(Overrides(kubeconfig="/x"), {})


def test_unknown_names_get_a_suggestion(tmp_path: Path) -> None:
    path = write(tmp_path / "config")
    with pytest.raises(InputError, match=r"context 'hree' does not exist in the kubeconfig; did you mean 'here'\?"):
        loaded(path, context="hree")
    with pytest.raises(InputError, match="cluster 'prod' does not exist in the kubeconfig; the kubeconfig has: c"):
        loaded(path, cluster="prod")
    with pytest.raises(InputError, match="user 'root' does not exist"):
        loaded(path, user="root")


def test_data_that_is_no_base64_is_refused_without_showing_it(tmp_path: Path) -> None:
    path = write(tmp_path / "config", user={"client-key-data": "s$cret"})
    with pytest.raises(InputError, match="user u: client-key-data is not base64") as caught:
        loaded(path)
    assert "s$cret" not in str(caught.value)


def test_an_old_auth_provider_says_what_replaces_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"auth-provider 'oidc'.*kubelogin"):
        loaded(write(tmp_path / "config", user={"auth-provider": {"name": "oidc"}}))


# What the flags change.


def test_the_namespace_is_the_flags_then_the_contexts_then_default(tmp_path: Path) -> None:
    path = write(tmp_path / "config", context={"namespace": "ctx"})
    assert loaded(path, namespace="flag").namespace == "flag"
    assert loaded(path).namespace == "ctx"
    assert loaded(write(tmp_path / "config")).namespace == "default"


def test_flags_replace_data_as_well_as_files(tmp_path: Path) -> None:
    data = base64.b64encode(PEM.encode()).decode()
    path = write(
        tmp_path / "config",
        cluster={"server": "https://c", "certificate-authority-data": data, "tls-server-name": "n"},
        user={"client-certificate-data": data, "client-key-data": data, "token": "old", "tokenFile": "f"},
    )
    plain = loaded(path)
    assert (plain.tls.ca_data, plain.tls.certificate_data, plain.tls.key_data) == (PEM, PEM, PEM)
    assert (plain.token, plain.token_file) == ("old", str(tmp_path / "f"))
    flags = {"certificate_authority": "/ca", "client_certificate": "/cert", "client_key": "/key", "token": "new"}
    found = loaded(path, **flags)
    assert (found.tls.ca_file, found.tls.certificate_file, found.tls.key_file) == ("/ca", "/cert", "/key")
    assert (found.tls.ca_data, found.tls.certificate_data, found.tls.key_data) == (None, None, None)
    assert (found.token, found.token_file) == ("new", None)


def test_another_server_does_not_keep_the_tls_name_of_the_old(tmp_path: Path) -> None:
    path = write(tmp_path / "config", cluster={"server": "https://c", "tls-server-name": "n"})
    assert loaded(path).tls.server_name == "n"
    assert loaded(path, server="https://other").tls.server_name is None


def test_insecure_drops_the_authority(tmp_path: Path) -> None:
    path = write(tmp_path / "config", cluster={"server": "https://c", "certificate-authority": "/ca"})
    tls = loaded(path, insecure_skip_tls_verify=True).tls
    assert (tls.insecure, tls.ca_file) == (True, None)


def test_a_server_alone_is_enough(tmp_path: Path) -> None:
    found = access.load(Overrides(server="localhost:8080"), {"HOME": "/nowhere"}, tmp_path)
    assert (found.server, found.namespace) == ("http://localhost:8080", "default")


@pytest.mark.parametrize("server", ["ftp://x", "https://", "https://[::1", "https://h:port", "https://h:99999"])
def test_a_server_that_is_no_url_is_refused(tmp_path: Path, server: str) -> None:
    with pytest.raises(InputError, match="is not a URL; write it as https://host:port"):
        loaded(write(tmp_path / "config"), server=server)


def test_impersonation_from_flags_replaces_the_kubeconfigs(tmp_path: Path) -> None:
    user = {"as": "al", "as-uid": "1", "as-groups": ["g"], "as-user-extra": {"a/b": ["x", "y"]}}
    path = write(tmp_path / "config", user=user)
    assert loaded(path).impersonation == (
        ("Impersonate-User", "al"),
        ("Impersonate-Uid", "1"),
        ("Impersonate-Group", "g"),
        ("Impersonate-Extra-a%2Fb", "x"),
        ("Impersonate-Extra-a%2Fb", "y"),
    )
    flags = {"as_user": "bo", "as_groups": ("p", "q"), "as_user_extra": ("a/b=z=1",)}
    assert loaded(path, **flags).impersonation == (
        ("Impersonate-User", "bo"),
        ("Impersonate-Uid", "1"),
        ("Impersonate-Group", "p"),
        ("Impersonate-Group", "q"),
        ("Impersonate-Extra-a%2Fb", "z=1"),
    )


def test_impersonation_without_a_user_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs a user; add --as=USER"):
        loaded(write(tmp_path / "config"), as_groups=("g",))
    with pytest.raises(InputError, match="--as-user-extra=x is not KEY=VALUE"):
        loaded(write(tmp_path / "config"), as_user="a", as_user_extra=("x",))


def test_an_exec_plugin_is_read_whole(tmp_path: Path) -> None:
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "./bin/login",
        "args": ["-v"],
        "env": [{"name": "A", "value": "b"}],
        "provideClusterInfo": True,
        "installHint": "get it",
    }
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}
    cluster = {"server": "https://c", "extensions": [extension]}
    found = loaded(write(tmp_path / "config", user={"exec": plugin}, cluster=cluster)).exec_plugin
    assert found is not None
    assert (found.command, found.args, found.env) == (str(tmp_path / "bin/login"), ("-v",), (("A", "b"),))
    assert (found.cluster_config, found.interactive_mode) == ({"audience": "x"}, "IfAvailable")


def test_an_exec_plugin_of_a_retired_version_is_refused(tmp_path: Path) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1alpha1", "command": "x"}
    with pytest.raises(InputError, match=r"speaks client.authentication.k8s.io/v1alpha1: supported: .*/v1, .*/v1beta1"):
        loaded(write(tmp_path / "config", user={"exec": plugin}))


def test_secrets_do_not_show_in_a_repr(tmp_path: Path) -> None:
    data = base64.b64encode(b"s3cret").decode()
    user = {"token": "s3cret", "password": "s3cret", "username": "u", "client-key-data": data}
    assert "s3cret" not in repr(loaded(write(tmp_path / "config", user=user)))
