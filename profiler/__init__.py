"""From a request to a deployment: candidates, estimates, the Pareto front, the pick and why, the DGD.

Everything from a request to a DGD is functions on frozen dataclasses and numpy columns: no files, clock, randomness or
cluster. The edges are `wire` (`python -m profiler`: files), `outcome` (writes them), `relay` and `controller`.

    request -> search -> estimate -> pick -> generate -> outcome          (in one call: `pipeline.profile`)

`profile` holds the plain data that comes out; it imports no numpy, so the CLI can read a result in no time.
"""
