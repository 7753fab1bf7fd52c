"""The controller for clusters without NVIDIA's operator: moves a DGDR through its phases.

reconciler   what to do next for one request; reads the cluster, decides, writes status last
states       phases, conditions and the Succeeded summary (pure)
jobs         the profiling Job (pure); `overrides` merges `spec.overrides.profilingJob` into it
results      what a profiler wrote, out of the output ConfigMap (pure)
deployment   the DGD to create and the sums over its services (pure)
events       Events on the request
queue        a work queue keyed by object, with backoff
__main__     flags, informers, workers
"""
