"""Which image each service runs, from the one image that a request names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from crds import vocabulary as v

PLANNER = "dynamo-planner"
# Images that Dynamo publishes side by side in one registry folder, under one tag.
SIBLINGS = ("dynamo-frontend", PLANNER, "sglang-runtime", "tensorrtllm-runtime", "vllm-runtime")

_REFERENCE = re.compile(r"(?P<folder>.*/)?(?P<name>[^/:@]+)(:(?P<tag>[^@]+))?(@(?P<digest>.+))?")


@dataclass(frozen=True)
class Image:
    """A derived image, and what could not be carried over (empty where nothing was lost)."""

    reference: str
    warning: str = ""


def sibling(image: str, name: str) -> Image:
    """The image `name` beside `image`: same registry folder, same tag.

    A digest names one image only, so it is kept where the name stays and dropped where it changes. An image that is
    none of Dynamo's (a mirror under another name, the profiler of this project) says nothing about where Dynamo's are:
    then the public ones of the supported version are taken.
    """
    match = _REFERENCE.fullmatch(image)
    if not match or match["name"] not in SIBLINGS:
        public = _public(name)
        return Image(public, f'spec.image "{image}" is not an image of Dynamo; {name} comes from {public}')
    if match["name"] == name:
        return Image(image)
    folder = match["folder"] or ""
    if match["tag"] or not match["digest"]:
        return Image(f"{folder}{name}" + (f":{match['tag']}" if match["tag"] else ""))
    tag = v.DEFAULT_IMAGE.rpartition(":")[2]
    reference = f"{folder}{name}:{tag}"
    return Image(reference, f"spec.image has a digest and no tag, which names no other image; using {reference}")


def _public(name: str) -> str:
    folder, _, rest = v.DEFAULT_IMAGE.rpartition("/")
    return f"{folder}/{name}:{rest.partition(':')[2]}"
