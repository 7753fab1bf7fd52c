"""What a cluster keeps about a request: the object, its events, its deployment and its profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crds import vocabulary as v
from crds.errors import ApiError, InputError
from crds.fields import get
from crds.kube.kinds import CONFIGMAPS, DGD, DGDR, EVENTS
from kubectl_dynamo.views.describe import Story
from profiler.profile import Profile

if TYPE_CHECKING:
    from crds.kube.resources import Cluster

Object = dict[str, Any]


def story(cluster: Cluster, name: str, *, events: bool = True) -> Story:
    """Everything about one request. Only the request itself must be readable; what else is not becomes a note."""
    dgdr = cluster.get(DGDR, name)
    notes: list[str] = []
    found = None
    try:
        found = profile(cluster, dgdr)
    except (ApiError, InputError) as error:
        notes.append(f"The profile cannot be read: {error}")
    if found is None and not notes and get(dgdr, "status.profilingResults.selectedConfig"):
        notes.append(
            "Its profiler left no profile.json, so how it chose, the estimates and their intervals are not known here."
        )
    dgd = None
    dgd_name = get(dgdr, "status.dgdName")
    if dgd_name:
        try:
            dgd = cluster.find(DGD, dgd_name)
        except ApiError as error:
            notes.append(f"The deployment {dgd_name} cannot be read: {error}")
    return Story(dgdr, _events(cluster, dgdr, notes) if events else (), dgd, found, tuple(notes))


def _events(cluster: Cluster, dgdr: Object, notes: list[str]) -> tuple[Object, ...]:
    """Events of the request and of its profiling Job."""
    about = [dgdr["metadata"]["name"], f"{v.JOB_PREFIX}{dgdr['metadata']['name']}"]
    found: list[Object] = []
    try:
        for name in about:
            found += cluster.list(EVENTS, fields=f"involvedObject.name={name}").items
    except ApiError as error:
        notes.append(f"Events cannot be read: {error}")
    kinds = {str(v.Kind.DGDR), "Job"}
    return tuple(event for event in found if get(event, "involvedObject.kind") in kinds)


def profile(cluster: Cluster, dgdr: Object) -> Profile | None:
    """The profile of a request, or None where it is not finished or its profiler left none.

    From its own ConfigMap, else from the profiler's output. Raises InputError where what is stored is no profile.
    """
    # The ConfigMap outlives its request: an unfinished one would show the answer of an earlier one of its name.
    if get(dgdr, "status.phase", v.Phase.PENDING) in {v.Phase.PENDING, v.Phase.PROFILING}:
        return None
    name = dgdr["metadata"]["name"]
    own = cluster.find(CONFIGMAPS, f"{v.PROFILE_CONFIGMAP_PREFIX}{name}")
    text = get(own, "data", {}).get(v.PROFILE_KEY)
    if text is None:
        output = cluster.find(CONFIGMAPS, f"{v.OUTPUT_CONFIGMAP_PREFIX}{name}")
        text = _from_result(get(output, "data", {}).get(v.RESULT_FILE), name)
    return Profile.from_json(text) if text else None


def _from_result(result: str | None, name: str) -> str | None:
    if not result:
        return None
    from crds import documents  # a profile of its own needs no YAML

    for document in documents.load(result, v.RESULT_FILE):
        if get(document, "metadata.name") == f"{v.PROFILE_CONFIGMAP_PREFIX}{name}":
            text = get(document, "data", {}).get(v.PROFILE_KEY)
            return str(text) if text else None
    return None
