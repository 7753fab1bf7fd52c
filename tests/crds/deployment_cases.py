"""Cases for the rules of deployments and models, and deployments in the shapes of Dynamo's public recipes."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Final

from crds.rules import DeploymentContext

Document = dict[str, Any]

MEMBERS: Final = ("Frontend", "decode", "prefill")
PLANNER: Final = "system:serviceaccount:team:planner-serviceaccount"
OPERATOR: Final = "system:serviceaccount:dynamo:dynamo-platform-dynamo-operator-controller-manager"
NOTHING_KNOWN: Final = DeploymentContext()
GROVE: Final = DeploymentContext(grove=True, multinode=True)


@dataclass(frozen=True)
class Case:
    """An object (an update where `old` is given) and all that the rules say of it, in order."""

    name: str
    new: Document
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    old: Document | None = None
    context: DeploymentContext = NOTHING_KNOWN


def command(module: str) -> Document:
    """The pod of a worker that starts `module` through a shell, as the recipes do."""
    script = f"exec python3 -u -m {module} \\\n  --model /models/qwen"
    return {"extraPodSpec": {"mainContainer": {"image": "i", "command": ["/bin/sh", "-c"], "args": [script]}}}


def deployment(
    services: Document | None = None,
    *,
    name: str = "qwen",
    annotations: Document | None = None,
    status: Document | None = None,
    **spec: Any,
) -> Document:
    """A small valid DGD; `services` are laid over its three, and a None takes one away."""
    merged: Document = {
        "Frontend": {"componentType": "frontend", "replicas": 1},
        "prefill": {"componentType": "worker", "subComponentType": "prefill", "replicas": 1},
        "decode": {"componentType": "worker", "subComponentType": "decode", "replicas": 2},
    }
    for each, fields in (services or {}).items():
        merged[each] = None if fields is None else {**merged.get(each, {"componentType": "worker"}), **fields}
    kept = {each: service for each, service in merged.items() if service is not None}
    document: Document = {
        "apiVersion": "nvidia.com/v1alpha1",
        "kind": "DynamoGraphDeployment",
        "metadata": {"name": name} | ({"annotations": annotations} if annotations else {}),
        "spec": copy.deepcopy({"services": kept, **spec}),
    }
    return document if status is None else {**document, "status": status}


def epp(**fields: Any) -> Document:
    """A DGD with an endpoint picker."""
    return deployment({"Epp": {"componentType": "epp", "eppConfig": {"config": {"plugins": []}}, **fields}})


def model(**spec: Any) -> Document:
    """A DynamoModel."""
    return {
        "apiVersion": "nvidia.com/v1alpha1",
        "kind": "DynamoModel",
        "metadata": {"name": "support"},
        "spec": {"modelName": "support", "baseModelName": "Qwen/Qwen3-8B", **spec},
    }


def _key(name: str) -> str:
    return f"metadata.annotations[{name}]"


EXECUTOR: Final = "nvidia.com/vllm-distributed-executor-backend"
VERSION: Final = "nvidia.com/dynamo-operator-origin-version"
DISCOVERY: Final = "nvidia.com/dynamo-kube-discovery-mode"
_AGAIN = "delete and recreate the deployment to change it"
_RACK: Document = {"topologyProfile": "gb200", "packDomain": "rack"}
_TWO: Document = {"multinode": {"nodeCount": 2}}
_SCALED: Document = {"scalingAdapter": {"enabled": True}}
_ADAPTER = (
    "spec.services[decode].replicas: Forbidden: belongs to the scaling adapter; keep 2, and scale the "
    "DynamoGraphDeploymentScalingAdapter"
)
_NO_CONFIG = (
    "spec.services[Epp].eppConfig: Required value: an EPP has no default configuration; set config or configMapRef"
)


def _too_long_for_grove(name: str, where: str, most: int) -> str:
    why = f"is too long for Grove; name {where} with at most {most} characters"
    return f'spec.services[{name}]: Invalid value: "{name}": {why}'


def _order(order: list[str], type_: str = "Sequential") -> Document:
    return deployment(restart={"id": "1", "strategy": {"type": type_, "order": order}})


CASES: Final = (
    Case("valid", deployment()),
    # The whole deployment.
    Case(
        "no-services",
        deployment(dict.fromkeys(MEMBERS)),
        ("spec.services: Required value: a deployment needs at least one service; add one, say Frontend",),
    ),
    Case("annotations", deployment(annotations={VERSION: "v1.2", EXECUTOR: "ray", DISCOVERY: "container"})),
    Case(
        "wrong-annotations",
        deployment(annotations={DISCOVERY: "pods", EXECUTOR: "raay", VERSION: "latest"}),
        (
            f'{_key(VERSION)}: Invalid value: "latest": must be a semantic version such as "1.2.1"',
            f'{_key(EXECUTOR)}: Unsupported value: "raay": supported values: "mp", "ray"; did you mean "ray"?',
            f'{_key(DISCOVERY)}: Unsupported value: "pods": supported values: "pod", "container"; did you mean "pod"?',
        ),
    ),
    Case("restart-order", _order(["decode", "Frontend", "prefill"])),
    Case(
        "restart-order-parallel",
        _order(["decode", "Frontend", "prefill"], "Parallel"),
        (
            "spec.restart.strategy.order: Forbidden: everything restarts at once with type Parallel; leave it out, "
            "or use Sequential",
        ),
    ),
    Case(
        "restart-order-wrong",
        _order(["decode", "decode", "frontend"]),
        (
            'spec.restart.strategy.order[1]: Invalid value: "decode": is there already; name each service once',
            'spec.restart.strategy.order[2]: Unsupported value: "frontend": supported values: "Frontend", "decode", '
            '"prefill"; did you mean "Frontend"?',
            'spec.restart.strategy.order: Required value: must name every service; add "Frontend", "prefill"',
        ),
    ),
    Case("topology", deployment({"decode": {"topologyConstraint": {"packDomain": "host"}}}, topologyConstraint=_RACK)),
    Case(
        "topology-of-a-service-alone",
        deployment({"decode": {"topologyConstraint": {"packDomain": "host"}}}),
        (
            "spec.topologyConstraint.topologyProfile: Required value: names the ClusterTopology that "
            "spec.services[decode].topologyConstraint.packDomain is a domain of",
        ),
    ),
    Case(
        "topology-without-a-domain",
        deployment(
            {each: {"topologyConstraint": {"packDomain": "host"}} for each in MEMBERS[:2]},
            topologyConstraint={"topologyProfile": "gb200"},
        ),
        (
            "spec.services[prefill].topologyConstraint: Required value: give its packDomain, or one for all services "
            "as spec.topologyConstraint.packDomain",
        ),
    ),
    # Names.
    Case("longest-service", deployment({"w" * 30: {}}, name="n" * 32)),
    Case(
        "service-too-long",
        deployment({"W.Two": {}}, name="n" * 58),
        tuple(
            f'spec.services[{each}]: Invalid value: "{each}": its Service would be named {"n" * 58}-{part}, which is '
            f"{over} more than 63 characters; shorten metadata.name or the service's name"
            for each, part, over in (
                ("Frontend", "frontend", 4),
                ("W.Two", "w-two", 1),
                ("decode", "decode", 2),
                ("prefill", "prefill", 3),
            )
        ),
    ),
    Case(
        "service-not-a-label",
        deployment({"my_worker": {}}),
        (
            'spec.services[my_worker]: Invalid value: "my_worker": becomes part of a Service\'s name; use letters, '
            'digits and "-", with a letter or digit at both ends',
        ),
    ),
    Case(
        "deployment-starts-with-a-digit",
        deployment(name="4bit"),
        warnings=("metadata.name: starts with a digit, but Service names of the deployment must start with a letter",),
    ),
    Case(
        "grove-several-nodes",
        deployment({"VllmPrefillWorker": _TWO}, name="deepseek"),
        (_too_long_for_grove("VllmPrefillWorker", "a service over several nodes", 16),),
        context=GROVE,
    ),
    Case(
        "grove-several-nodes-short-deployment", deployment({"VllmPrefillWorker": _TWO}, name="qwen-pd"), context=GROVE
    ),
    Case("grove-several-nodes-16", deployment({"VllmDecodeWorker": _TWO}, name="deepseek-r1-wide-ep"), context=GROVE),
    Case("grove-one-node", deployment({"VllmPrefillWorker": {}}, name="deepseek-r1-wide-ep-over-45"), context=GROVE),
    Case(
        "grove-one-node-38",
        deployment({"w" * 38: {}}, name="deepseek"),
        (_too_long_for_grove("w" * 38, "a service", 37),),
        context=GROVE,
    ),
    Case(
        "grove-switched-off",
        deployment({"w" * 38: {}}, name="deepseek", annotations={"nvidia.com/enable-grove": "false"}),
        context=GROVE,
    ),
    Case("grove-unknown", deployment({"VllmPrefillWorker": _TWO}, name="deepseek")),
    # One service.
    Case(
        "mount-without-a-place",
        deployment(
            {"decode": {"volumeMounts": [{"name": "cache", "useAsCompilationCache": True}, {"name": "models"}]}},
            pvcs=[{"name": "models"}, {"name": "cache"}],
        ),
        (
            "spec.services[decode].volumeMounts[1].mountPoint: Required value: say where the volume "
            '"models" goes, or set useAsCompilationCache: true',
        ),
    ),
    Case(
        "mount-of-nothing",
        deployment({"decode": {"volumeMounts": [{"name": "model", "mountPoint": "/m"}]}}, pvcs=[{"name": "models"}]),
        warnings=('spec.services[decode].volumeMounts[0]: "model" is neither in spec.pvcs nor a volume',),
    ),
    Case(
        "mount-of-a-volume",
        deployment(
            {
                "decode": {
                    "volumeMounts": [{"name": "scratch", "mountPoint": "/m"}],
                    "extraPodSpec": {"volumes": [{"name": "scratch", "emptyDir": {}}]},
                }
            }
        ),
    ),
    Case("ingress", deployment({"Frontend": {"ingress": {"enabled": True, "host": "chat.example.com"}}})),
    Case(
        "ingress-without-a-host",
        deployment({"Frontend": {"ingress": {"enabled": True}}}),
        ("spec.services[Frontend].ingress.host: Required value: give the host name, or set ingress.enabled: false",),
    ),
    Case(
        "executor-of-a-service",
        deployment({"decode": {"annotations": {EXECUTOR: "nccl"}}}),
        (f'spec.services[decode].annotations[{EXECUTOR}]: Unsupported value: "nccl": supported values: "mp", "ray"',),
    ),
    Case(
        "sidecar-clash",
        deployment(
            {
                "decode": {
                    "frontendSidecar": {"image": "i"},
                    "extraPodSpec": {"containers": [{"name": "log"}, {"name": "sidecar-frontend"}]},
                }
            }
        ),
        (
            'spec.services[decode].extraPodSpec.containers[1].name: Invalid value: "sidecar-frontend": is the '
            "container that frontendSidecar adds; rename yours, or leave frontendSidecar out",
        ),
    ),
    Case("engine", deployment({"decode": command("dynamo.vllm")}, backendFramework="vllm")),
    Case("engine-open", deployment({"decode": command("dynamo.vllm")})),
    Case("engine-mocked", deployment({"decode": command("dynamo.mocker")}, backendFramework="vllm")),
    Case(
        "engine-contradicts",
        deployment({"decode": command("dynamo.sglang"), "prefill": command("dynamo.vllm")}, backendFramework="vllm"),
        (
            'spec.services[decode].extraPodSpec.mainContainer: Invalid value: "dynamo.sglang": contradicts '
            'spec.backendFramework "vllm"; start dynamo.vllm, or set spec.backendFramework to "sglang"',
        ),
    ),
    Case(
        "several-nodes-nowhere",
        deployment({"decode": _TWO}),
        warnings=("spec.services[decode].multinode: needs Grove or LeaderWorkerSet, which are not in this cluster",),
        context=DeploymentContext(grove=False, multinode=False),
    ),
    Case(
        "deprecated-fields",
        deployment({"decode": {"dynamoNamespace": "x", "autoscaling": {"enabled": True}}}),
        warnings=(
            "spec.services[decode].dynamoNamespace: is deprecated and ignored; leave it out",
            "spec.services[decode].autoscaling: is deprecated and ignored; use a scaling adapter",
        ),
    ),
    # An EPP, a GPU memory service, failover.
    Case("epp", epp(), context=DeploymentContext(inference_pools=True)),
    Case("epp-by-reference", epp(eppConfig={"configMapRef": {"name": "epp", "key": "epp.yaml"}})),
    Case(
        "epp-wrong",
        epp(replicas=2, eppConfig={"config": {}, "configMapRef": {"key": "epp.yaml"}}, **_TWO),
        (
            "spec.services[Epp].componentType: Forbidden: an EPP needs the API group inference.networking.k8s.io, "
            "which is not in this cluster; install the Gateway API Inference Extension first",
            "spec.services[Epp].replicas: Invalid value: 2: an EPP has exactly 1 replica",
            "spec.services[Epp].multinode: Forbidden: an EPP runs on one node; leave multinode out",
            "spec.services[Epp].eppConfig.configMapRef: Forbidden: cannot be combined with config; keep one of them",
            "spec.services[Epp].eppConfig.configMapRef.name: Required value: name the ConfigMap",
        ),
        context=DeploymentContext(inference_pools=False),
    ),
    Case("epp-without-configuration", epp(eppConfig=None), (_NO_CONFIG,)),
    Case("epp-with-an-empty-configuration", epp(eppConfig={}), (_NO_CONFIG,)),
    Case(
        "failover",
        deployment(
            {
                "decode": {
                    "resources": {"limits": {"gpu": "1"}},
                    "gpuMemoryService": {"enabled": True},
                    "failover": {"enabled": True},
                }
            },
            annotations={DISCOVERY: "container"},
        ),
    ),
    Case(
        "failover-wrong",
        deployment(
            {
                "Frontend": {"failover": {"enabled": True, "mode": "interPod"}, "gpuMemoryService": {"enabled": True}},
                "decode": {"failover": {"enabled": True}},
            }
        ),
        (
            f'{_key(DISCOVERY)}: Required value: must be "container" because spec.services[decode].failover is enabled',
            "spec.services[Frontend].resources.limits.gpu: Required value: "
            'spec.services[Frontend].gpuMemoryService needs a GPU; set at least "1"',
            "spec.services[Frontend].gpuMemoryService: Forbidden: only a componentType of worker, prefill or decode "
            "can have one; leave it out",
            "spec.services[Frontend].failover: Forbidden: a componentType of frontend runs no engine; "
            "leave failover out",
            'spec.services[Frontend].failover.mode: Invalid value: "interPod": must be that of gpuMemoryService; '
            'set both to "intraPod"',
        ),
    ),
    # Updates.
    Case("update-of-arguments", deployment({"decode": command("dynamo.vllm")}), old=deployment()),
    Case("update-of-replicas", deployment({"decode": {"replicas": 8}}), old=deployment()),
    Case(
        "update-of-the-engine",
        deployment(backendFramework="sglang"),
        (f'spec.backendFramework: Forbidden: cannot change from "vllm"; {_AGAIN}',),
        old=deployment(backendFramework="vllm"),
    ),
    Case(
        "update-of-services",
        deployment({"decode": None, "Planner": {"componentType": "planner"}}),
        (f'spec.services: Forbidden: an update cannot add "Planner" or remove "decode"; {_AGAIN}',),
        old=deployment(),
    ),
    Case("update-of-nodes", deployment({"decode": _TWO}), old=deployment({"decode": {"multinode": {"nodeCount": 4}}})),
    Case(
        "update-to-several-nodes",
        deployment({"decode": _TWO}),
        ("spec.services[decode].multinode: Forbidden: a service cannot change from one node to several; " + _AGAIN,),
        old=deployment(),
    ),
    Case(
        "update-of-topology",
        deployment(topologyConstraint=_RACK),
        (
            f"spec.services[decode].topologyConstraint: Forbidden: cannot be added, removed or changed; {_AGAIN}",
            f"spec.topologyConstraint: Forbidden: cannot be added, removed or changed; {_AGAIN}",
        ),
        old=deployment(
            {"decode": {"topologyConstraint": {"packDomain": "host"}}},
            topologyConstraint={**_RACK, "packDomain": "block"},
        ),
    ),
    Case(
        "update-of-scaled-replicas",
        deployment({"decode": {"replicas": 3, **_SCALED}}),
        (_ADAPTER,),
        old=deployment({"decode": _SCALED}),
        context=DeploymentContext("alice"),
    ),
    Case(
        "update-of-scaled-replicas-while-the-adapter-goes",
        deployment({"decode": {"replicas": 3}}),
        (_ADAPTER,),
        old=deployment({"decode": _SCALED}),
        context=DeploymentContext("system:serviceaccount:team:not-planner-serviceaccount"),
    ),
    *(
        Case(
            f"update-of-scaled-replicas-by-{user.rpartition(':')[2]}",
            deployment({"decode": {"replicas": 3, **_SCALED}}),
            old=deployment({"decode": _SCALED}),
            context=DeploymentContext(user),
        )
        for user in (PLANNER, OPERATOR)
    ),
    Case(
        "restart-while-rolling",
        deployment(restart={"id": "2"}),
        ("spec.restart.id: Forbidden: cannot change while a rolling update is InProgress; wait until it is Completed",),
        old=deployment(restart={"id": "1"}, status={"rollingUpdate": {"phase": "InProgress"}}),
    ),
    Case(
        "restart-after-rolling",
        deployment(restart={"id": "2"}),
        old=deployment(restart={"id": "1"}, status={"rollingUpdate": {"phase": "Completed"}}),
    ),
    Case(
        "update-of-something-else-in-an-old-violation",
        deployment({"Frontend": {"ingress": {"enabled": True}}, "decode": {"replicas": 3}}),
        old=deployment({"Frontend": {"ingress": {"enabled": True}}}),
    ),
    Case(
        "update-that-adds-a-violation-to-an-old-one",
        deployment({each: {"ingress": {"enabled": True}} for each in ("Frontend", "decode")}),
        ("spec.services[decode].ingress.host: Required value: give the host name, or set ingress.enabled: false",),
        old=deployment({"Frontend": {"ingress": {"enabled": True}}}),
    ),
)

_WHERE = "s3://<bucket>/<path> or hf://<organisation>/<name>"
_URI = f'spec.source.uri: Required value: modelType "lora" is downloaded from {_WHERE}; set it to one of them'
MODEL_CASES: Final = (
    Case("base", model()),
    Case("lora", model(modelType="lora", source={"uri": "hf://team/support"})),
    Case("lora-in-a-bucket", model(modelType="lora", source={"uri": "s3://models/support"})),
    Case(
        "no-names",
        model(modelName="", baseModelName=""),
        (
            "spec.modelName: Required value: set it to the name that requests give",
            "spec.baseModelName: Required value: set it to the model that workers serve",
        ),
    ),
    Case("lora-without-a-source", model(modelType="lora"), (_URI,)),
    Case("lora-with-an-empty-source", model(modelType="lora", source={"uri": ""}), (_URI,)),
    Case(
        "lora-from-a-web-page",
        model(modelType="lora", source={"uri": "https://x.example/support"}),
        (f'spec.source.uri: Invalid value: "https://x.example/support": must be {_WHERE}',),
    ),
    Case("update-of-the-name", model(modelName="chat"), old=model()),
    Case("update-that-spells-the-default-out", model(modelType="base"), old=model()),
    Case(
        "update-of-type-and-base",
        model(modelType="lora", source={"uri": "hf://team/support"}, baseModelName="Qwen/Qwen3-32B"),
        (
            'spec.modelType: Forbidden: cannot change from "base"; delete and recreate the model to change it',
            'spec.baseModelName: Forbidden: cannot change from "Qwen/Qwen3-8B"; delete and recreate the model to '
            "change it",
        ),
        old=model(),
    ),
    Case(
        "update-of-something-else-in-an-old-violation",
        model(modelType="lora", modelName="b"),
        old=model(modelType="lora"),
    ),
)


def _worker(role: str, module: str, **fields: Any) -> Document:
    mounts = {"volumeMounts": [{"name": "model-cache", "mountPoint": "/model-cache"}]}
    return {"componentType": "worker", "subComponentType": role, "replicas": 1, **mounts, **command(module), **fields}


_FRONTEND: Document = {
    "componentType": "frontend",
    "replicas": 1,
    "extraPodSpec": {"mainContainer": {"command": ["/bin/sh", "-c"], "args": ["python3 -m dynamo.frontend"]}},
}
_CLAIM: Document = {"pvcs": [{"name": "model-cache", "create": False}]}

# What the public recipes have in common: a Frontend, one or two kinds of workers over one or more nodes, an engine
# that a shell starts, a claim that somebody else made, configuration from a ConfigMap.
RECIPES: Final = {
    "agg": deployment({"decode": None, "prefill": None, "VllmWorker": _worker("decode", "dynamo.vllm")}, **_CLAIM),
    "disagg-two-nodes": deployment(
        {
            "Frontend": _FRONTEND,
            "decode": _worker("decode", "dynamo.vllm", **_TWO, resources={"limits": {"gpu": "8"}}),
            "prefill": _worker("prefill", "dynamo.vllm", **_TWO, sharedMemory={"size": "80Gi"}),
        },
        backendFramework="vllm",
        **_CLAIM,
    ),
    "disagg-configured": deployment(
        {
            "Frontend": _FRONTEND,
            "prefill": _worker(
                "prefill",
                "dynamo.trtllm",
                extraPodSpec={
                    "tolerations": [],
                    "mainContainer": {
                        "command": ["python3", "-m", "dynamo.trtllm"],
                        "args": ["--model-path", "/model-cache/r1"],
                        "volumeMounts": [{"name": "prefill-config", "mountPath": "/config"}],
                    },
                    "volumes": [{"name": "prefill-config", "configMap": {"name": "prefill-config"}}],
                },
            ),
            "decode": _worker("decode", "dynamo.trtllm", multinode={"nodeCount": 8}),
        },
        name="trtllm-disagg-multinode",
        backendFramework="trtllm",
        envs=[{"name": "TLLM_LOG_LEVEL", "value": "info"}],
        **_CLAIM,
    ),
    "gateway": deployment(
        {
            "Frontend": None,
            "Epp": {"componentType": "epp", "replicas": 1, "eppConfig": {"config": {"plugins": []}}},
            "prefill": _worker("prefill", "dynamo.vllm", frontendSidecar={"image": "i"}),
            "decode": _worker("decode", "dynamo.vllm", frontendSidecar={"image": "i"}),
        },
        **_CLAIM,
    ),
    "compilation-cache": deployment(
        {"decode": {"volumeMounts": [{"name": "compilation-cache", "useAsCompilationCache": True}]}},
        pvcs=[{"name": "compilation-cache"}],
    ),
}
