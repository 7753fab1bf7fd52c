"""The API floor: what a DynamoGraphDeploymentRequest is, and the client that reaches a cluster.

Lowest floor; imports nothing of the project. `crds/*.yaml` beside this file are applied to clusters as they are.

* `vocabulary`: every name, label, phase, condition and enum of the API, compared with the YAML by a test.
* `fields`: field paths and field errors in Kubernetes' form.
* `rules`: admission rules, one function each; the webhook, the CLI, the controller and the profiler call the same ones.
* `skus`: from product names that GPUs report to the SKUs of the API.
* `schema`: what the API server does with an object before anyone sees it, offline.
* `conversion`: v1alpha1 to v1beta1 and back, nothing lost.
* `documents`, `scalars`: YAML and JSON in and out, with errors a person can act on.
* `errors`: the project's one exception tree.
* `kube`: kubeconfig to access, requests, resources, watches; the only room that talks to the Kubernetes client.
"""
