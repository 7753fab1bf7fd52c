"""The names of the API, once. `tests/crds/test_vocabulary.py` holds them against the YAML beside this file.

Source: the API types of Dynamo 1.2 (group nvidia.com); where two sources differ, what NVIDIA's operator was seen to do.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

GROUP: Final = "nvidia.com"


class Version(StrEnum):
    """Served versions. DGDR stores v1beta1; DGD, DCD, DGDSA and DynamoModel store v1alpha1."""

    V1ALPHA1 = "v1alpha1"
    V1BETA1 = "v1beta1"


DGDR_API_VERSION: Final = f"{GROUP}/{Version.V1BETA1}"
DGD_API_VERSION: Final = f"{GROUP}/{Version.V1ALPHA1}"


class Kind(StrEnum):
    """Kinds of the group."""

    DGDR = "DynamoGraphDeploymentRequest"
    DGD = "DynamoGraphDeployment"
    DCD = "DynamoComponentDeployment"
    DGDSA = "DynamoGraphDeploymentScalingAdapter"
    MODEL = "DynamoModel"


PLURALS: Final = {
    Kind.DGDR: "dynamographdeploymentrequests",
    Kind.DGD: "dynamographdeployments",
    Kind.DCD: "dynamocomponentdeployments",
    Kind.DGDSA: "dynamographdeploymentscalingadapters",
    Kind.MODEL: "dynamomodels",
}
SHORT_NAMES: Final = {Kind.DGDR: "dgdr", Kind.DGD: "dgd", Kind.DCD: "dcd", Kind.DGDSA: "dgdsa", Kind.MODEL: "dm"}


class Phase(StrEnum):
    """`.status.phase` of a DGDR."""

    PENDING = "Pending"
    PROFILING = "Profiling"
    READY = "Ready"
    DEPLOYING = "Deploying"
    DEPLOYED = "Deployed"
    FAILED = "Failed"


class ProfilingPhase(StrEnum):
    """`.status.profilingPhase` of a DGDR, and `phase:` of `profiler_status.yaml`."""

    INITIALIZING = "Initializing"
    SWEEPING_PREFILL = "SweepingPrefill"
    SWEEPING_DECODE = "SweepingDecode"
    SELECTING_CONFIG = "SelectingConfig"
    BUILDING_CURVES = "BuildingCurves"
    GENERATING_DGD = "GeneratingDGD"
    DONE = "Done"


class Condition(StrEnum):
    """Condition types of a DGDR; Succeeded sums the others up."""

    SUCCEEDED = "Succeeded"
    VALIDATION = "Validation"
    PROFILING = "Profiling"
    SPEC_GENERATED = "SpecGenerated"
    DEPLOYMENT_READY = "DeploymentReady"


class Backend(StrEnum):
    """`spec.backend` of a DGDR. AUTO searches the three others."""

    AUTO = "auto"
    SGLANG = "sglang"
    TRTLLM = "trtllm"
    VLLM = "vllm"


ENGINES: Final = (Backend.VLLM, Backend.SGLANG, Backend.TRTLLM)


class SearchStrategy(StrEnum):
    """`spec.searchStrategy`: estimate (rapid) or measure (thorough)."""

    RAPID = "rapid"
    THOROUGH = "thorough"


class OptimizationType(StrEnum):
    """`spec.sla.optimizationType`."""

    LATENCY = "latency"
    THROUGHPUT = "throughput"


class DgdState(StrEnum):
    """`.status.state` of a DGD."""

    INITIALIZING = "initializing"
    PENDING = "pending"
    SUCCESSFUL = "successful"
    FAILED = "failed"


GPU_SKUS: Final = (
    "gb200_sxm",
    "b200_sxm",
    "h200_sxm",
    "h100_sxm",
    "h100_pcie",
    "a100_sxm",
    "a100_pcie",
    "a30",
    "l40s",
    "l40",
    "l4",
    "v100_sxm",
    "v100_pcie",
    "t4",
    "mi200",
    "mi300",
)

# Labels and annotations.
LABEL_DGDR_NAME: Final = "dgdr.nvidia.com/name"
LABEL_DGDR_NAMESPACE: Final = "dgdr.nvidia.com/namespace"
LABEL_MANAGED_BY: Final = "nvidia.com/managed-by"
LABEL_JOB_DGDR_NAME: Final = "nvidia.com/dgdr-name"  # on profiling Jobs and pods: the public docs select on it
LABEL_APP: Final = "app"
LABEL_DGDR: Final = "dgdr"
APP_PROFILER: Final = "dynamo-profiler"
MANAGED_BY: Final = "dynamo-operator"  # the value that NVIDIA's operator and third parties select on

ANNOTATION_DETECTED_HARDWARE: Final = "dgdr.nvidia.com/detected-hardware"
ANNOTATION_ESTIMATE_PREFIX: Final = "dgdr.nvidia.com/estimate-"
ANNOTATION_VLLM_EXECUTOR: Final = "nvidia.com/vllm-distributed-executor-backend"

# Names that are derived from a DGDR's name.
JOB_PREFIX: Final = "profile-"
OUTPUT_CONFIGMAP_PREFIX: Final = "dgdr-output-"
PROFILE_CONFIGMAP_PREFIX: Final = "dgdr-profile-"
DGD_SUFFIX: Final = "-dgd"

# Well-known objects in a user's namespace.
HF_TOKEN_SECRET: Final = "hf-token-secret"
HF_TOKEN_KEY: Final = "HF_TOKEN"
PULL_SECRET: Final = "nvcr-imagepullsecret"
PROFILING_SERVICE_ACCOUNT: Final = "dgdr-profiling-job"

# Files and ConfigMap keys of the profiler's wire protocol.
STATUS_FILE: Final = "profiler_status.yaml"
RESULT_FILE: Final = "final_config.yaml"
WEBUI_FILE: Final = "webui_data.json"
PROFILE_KEY: Final = "profile.json"

DEFAULT_IMAGE: Final = "nvcr.io/nvidia/ai-dynamo/dynamo-planner:1.2.1"
DEFAULT_MODEL_MOUNT: Final = "/opt/model-cache"
MAX_DETECTED_GPUS: Final = 32  # an auto-detected totalGpus is capped here; an explicit value never is
DNS_LABEL_MAX: Final = 63

# Phases in which the spec is frozen (the docs: immutable once profiling starts; Ready is frozen too).
FROZEN_PHASES: Final = frozenset({Phase.PROFILING, Phase.READY, Phase.DEPLOYING, Phase.DEPLOYED})


def dgd_name(dgdr_name: str, overrides_dgd: object = None) -> str:
    """Name of the DGD of a request: `overrides.dgd.metadata.name`, else `<dgdr>-dgd`."""
    metadata = overrides_dgd.get("metadata") if isinstance(overrides_dgd, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) and name else f"{dgdr_name}{DGD_SUFFIX}"
