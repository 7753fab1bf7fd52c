"""Which writes the API server asks us about, as a table: webhook configurations and manifests are made from it.

The match conditions keep away what can never be refused or changed, so that it costs nothing and cannot fail: writes
that leave the spec as it was, objects on their way out, and deployments that are not made for a request.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from crds import vocabulary as v
from crds.rules import Mode

MUTATE_DGDR = "/mutate/dynamographdeploymentrequests"
VALIDATE_DGDR = "/validate/dynamographdeploymentrequests"
MUTATE_DGD = "/mutate/dynamographdeployments"
VALIDATE_DGD = "/validate/dynamographdeployments"
VALIDATE_MODEL = "/validate/dynamomodels"


class HookKind(StrEnum):
    """Which configuration a hook belongs to."""

    MUTATING = "mutating"
    VALIDATING = "validating"


@dataclass(frozen=True)
class MatchCondition:
    """A CEL expression that must be true for the API server to ask."""

    name: str
    expression: str


SPEC_IS_NEW = MatchCondition("spec-is-new", "oldObject == null || object.spec != oldObject.spec")
NOT_BEING_DELETED = MatchCondition("not-being-deleted", "!has(object.metadata.deletionTimestamp)")
MADE_FOR_A_REQUEST = MatchCondition(
    "made-for-a-request", f'has(object.metadata.labels) && "{v.LABEL_DGDR_NAME}" in object.metadata.labels'
)

BESIDE = frozenset({Mode.BESIDE})
STANDALONE = frozenset({Mode.STANDALONE})


@dataclass(frozen=True)
class Hook:
    """One webhook: its name in the configuration, where it is asked, and about what.

    `modes` says in which clusters it is registered: beside NVIDIA's operator its own webhooks hold deployments and
    models against their rules.
    """

    name: str
    kind: HookKind
    path: str
    resource: str
    versions: tuple[v.Version, ...]
    match_conditions: tuple[MatchCondition, ...] = (SPEC_IS_NEW, NOT_BEING_DELETED)
    operations: tuple[str, ...] = ("CREATE", "UPDATE")
    modes: frozenset[Mode] = BESIDE | STANDALONE


_DGDR = v.PLURALS[v.Kind.DGDR]
_DGD = v.PLURALS[v.Kind.DGD]
_MODEL = v.PLURALS[v.Kind.MODEL]
_GENERATED = (SPEC_IS_NEW, NOT_BEING_DELETED, MADE_FOR_A_REQUEST)

# Asked about by their stored version; matchPolicy Equivalent has the API server convert what comes in another one.
HOOKS: tuple[Hook, ...] = (
    Hook("dgdr.kubectl-dynamo.nvidia.com", HookKind.MUTATING, MUTATE_DGDR, _DGDR, (v.Version.V1BETA1,)),
    Hook("dgdr.kubectl-dynamo.nvidia.com", HookKind.VALIDATING, VALIDATE_DGDR, _DGDR, (v.Version.V1BETA1,)),
    Hook("dgd.kubectl-dynamo.nvidia.com", HookKind.MUTATING, MUTATE_DGD, _DGD, (v.Version.V1ALPHA1,), _GENERATED),
    Hook(
        "dgd.kubectl-dynamo.nvidia.com",
        HookKind.VALIDATING,
        VALIDATE_DGD,
        _DGD,
        (v.Version.V1ALPHA1,),
        modes=STANDALONE,
    ),
    Hook(
        "dgd.kubectl-dynamo.nvidia.com",
        HookKind.VALIDATING,
        VALIDATE_DGD,
        _DGD,
        (v.Version.V1ALPHA1,),
        _GENERATED,
        modes=BESIDE,
    ),
    Hook(
        "model.kubectl-dynamo.nvidia.com",
        HookKind.VALIDATING,
        VALIDATE_MODEL,
        _MODEL,
        (v.Version.V1ALPHA1,),
        modes=STANDALONE,
    ),
)


def hooks(kind: HookKind, mode: Mode) -> tuple[Hook, ...]:
    """The webhooks of one configuration."""
    return tuple(hook for hook in HOOKS if hook.kind is kind and mode in hook.modes)
