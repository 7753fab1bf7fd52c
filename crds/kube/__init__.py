"""The client that reaches a cluster: kubeconfig or pod -> Access -> requests, resources, watches.

The only room that imports the Kubernetes client, and only its Configuration and RESTClientObject, by a light path that
skips the rest of the package (a tenth of a second instead of a third).
"""
