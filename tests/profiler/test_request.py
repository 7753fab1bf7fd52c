"""Hardware as the profiler sees it: what a request names changes what is estimated, or is said to change nothing."""

import pytest

from crds.errors import InputError
from profiler import pipeline
from profiler.models import load
from profiler.request import Request
from tests.profiler.requests import DENSE

H100S = {"gpuSku": "h100_sxm", "totalGpus": 4, "numGpusPerNode": 4}


def asked(**hardware):
    spec = {"model": DENSE, "backend": "vllm", "sla": {"ttft": 5000, "itl": 200}, "hardware": H100S | hardware}
    return Request.from_spec(spec, name="asked")


def best_ttft(**hardware):
    found = pipeline.profile(asked(**hardware), load(DENSE)).profile
    return min(one.metrics.ttft_ms for one in found.frontier)


def test_gpus_joined_by_pcie_are_slower_than_those_joined_by_nvlink():
    assert best_ttft(interconnect="pcie") > 1.05 * best_ttft(interconnect="nvlink")
    assert best_ttft(interconnect="nvlink") == best_ttft()


@pytest.mark.parametrize(("sku", "interconnect"), [("h100_sxm", "foo"), ("l40s", "nvlink")])
def test_a_link_that_the_gpu_cannot_have_is_a_warning(sku, interconnect):
    (warning,) = asked(gpuSku=sku, interconnect=interconnect).warnings
    assert warning.startswith(f"spec.hardware.interconnect: {sku} has no {interconnect}; ")
    assert asked(interconnect="nvlink").warnings == ()


def test_memory_in_gib_is_asked_about():
    with pytest.raises(InputError, match="no GPU has so little") as caught:
        asked(vramMb=80)
    assert "81920" in caught.value.next
