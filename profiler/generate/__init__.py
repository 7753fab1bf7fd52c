"""From a configuration to the documents that deploy it: ConfigMaps first, the DynamoGraphDeployment last.

One module for each engine lists its flags and why; `services` holds what every engine shares. Everything is pure: the
same request, model and configuration give the same documents, with no nulls and no object that appears twice.
"""

from __future__ import annotations

from profiler.generate.comments import Reasons, dump_all
from profiler.generate.dgd import Generated, annotated, check, documents

__all__ = ["Generated", "Reasons", "annotated", "check", "documents", "dump_all"]
