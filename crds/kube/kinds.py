"""The resource types that we use, each with its path at the API server."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from crds import vocabulary
from crds.errors import InputError
from crds.vocabulary import Kind, Version


@dataclass(frozen=True)
class Resource:
    """A resource type. `group` is "" for the core group."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As documents spell it: `v1`, `nvidia.com/v1beta1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """As kubectl prints it: `pods`, `dynamographdeployments.nvidia.com`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The path of the collection, of one object or of its subresource; without a namespace, across all of them."""
        parts = ["/api" if not self.group else "/apis", self.api_version]
        if namespace is not None and self.namespaced:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name is not None:
            parts.append(quote(name, safe=""))
        if subresource is not None:
            parts.append(subresource)
        return "/".join(parts)


def _nvidia(version: Version, kind: Kind) -> Resource:
    return Resource(vocabulary.GROUP, version.value, vocabulary.PLURALS[kind], kind.value)


DGDR: Final = _nvidia(Version.V1BETA1, Kind.DGDR)
DGD: Final = _nvidia(Version.V1ALPHA1, Kind.DGD)
DCD: Final = _nvidia(Version.V1ALPHA1, Kind.DCD)
DGDSA: Final = _nvidia(Version.V1ALPHA1, Kind.DGDSA)
MODELS: Final = _nvidia(Version.V1ALPHA1, Kind.MODEL)

CONFIGMAPS: Final = Resource("", "v1", "configmaps", "ConfigMap")
EVENTS: Final = Resource("", "v1", "events", "Event")
NAMESPACES: Final = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
NODES: Final = Resource("", "v1", "nodes", "Node", namespaced=False)
PODS: Final = Resource("", "v1", "pods", "Pod")
PVCS: Final = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
SECRETS: Final = Resource("", "v1", "secrets", "Secret")
SERVICES: Final = Resource("", "v1", "services", "Service")
SERVICE_ACCOUNTS: Final = Resource("", "v1", "serviceaccounts", "ServiceAccount")
DEPLOYMENTS: Final = Resource("apps", "v1", "deployments", "Deployment")
JOBS: Final = Resource("batch", "v1", "jobs", "Job")
LEASES: Final = Resource("coordination.k8s.io", "v1", "leases", "Lease")
NETWORK_POLICIES: Final = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
POD_DISRUPTION_BUDGETS: Final = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
ROLES: Final = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role")
ROLE_BINDINGS: Final = Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
CLUSTER_ROLES: Final = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTER_ROLE_BINDINGS: Final = Resource(
    "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
)
CRDS: Final = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
VALIDATING_WEBHOOKS: Final = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    namespaced=False,
)
MUTATING_WEBHOOKS: Final = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
    namespaced=False,
)
POLICIES: Final = Resource(
    "admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", namespaced=False
)
POLICY_BINDINGS: Final = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingadmissionpolicybindings",
    "ValidatingAdmissionPolicyBinding",
    namespaced=False,
)
ACCESS_REVIEWS: Final = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)

_ALL: Final = {
    (value.api_version, value.kind): value for value in list(globals().values()) if isinstance(value, Resource)
}
# Another served version of the same kind has the same plural.
_OTHER_VERSIONS: Final = {
    (f"{vocabulary.GROUP}/{version.value}", kind.value): _nvidia(version, kind)
    for version in Version
    for kind in (Kind.DGDR,)
}
_BY_KIND: Final = _OTHER_VERSIONS | _ALL


def find_kind(api_version: str, kind: str) -> Resource | None:
    """The resource type of a document, None when it is not one of ours."""
    return _BY_KIND.get((api_version, kind))


def by_kind(api_version: str, kind: str) -> Resource:
    """The resource type of a document. Raises InputError for one that is not in this table."""
    if found := find_kind(api_version, kind):
        return found
    near = difflib.get_close_matches(f"{api_version} {kind}", [f"{a} {k}" for a, k in _BY_KIND], n=1)
    raise InputError(
        f"no resource type is known for {kind} in {api_version}", next=f"did you mean {near[0]}?" if near else ""
    )
