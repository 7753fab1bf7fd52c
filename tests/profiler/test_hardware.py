"""GPUs by SKU."""

import json
from importlib import resources

import pytest

from crds.errors import InputError
from crds.vocabulary import GPU_SKUS
from profiler.hardware import gpu

ROWS = json.loads(resources.files("profiler").joinpath("data/gpus.json").read_text(encoding="utf-8"))


def test_the_data_has_the_skus_of_the_api_and_the_one_that_people_measure_besides():
    assert tuple(ROWS) == (*GPU_SKUS, "b300_sxm")


@pytest.mark.parametrize("sku", ROWS)
def test_every_sku_answers_with_positive_numbers(sku):
    found = gpu(sku)
    assert found.memory_bytes >= 15 * 2**30
    assert found.bandwidth > 1e11
    assert found.fp16_flops > 1e13
    assert min(found.bf16_flops, found.fp8_flops, found.fp4_flops) >= 0
    assert found.link_bandwidth >= found.network_bandwidth > 1e9
    assert found.gpus_per_node in (4, 8)


@pytest.mark.parametrize("sku", ROWS)
def test_every_row_says_where_it_comes_from(sku):
    assert ROWS[sku]["source"]


def test_only_gpus_that_the_coefficients_saw_count_as_measured():
    end_to_end = {"h100_sxm", "h200_sxm", "b200_sxm", "b300_sxm"}
    by_operation = {"a100_sxm", "l40s", "gb200_sxm"}
    assert {sku for sku in ROWS if gpu(sku).end_to_end} == end_to_end
    assert {sku for sku in ROWS if gpu(sku).measured} == end_to_end | by_operation


def test_links_of_a_rack_join_more_than_its_nodes():
    assert gpu("gb200_sxm").link_domain == 72
    assert all(gpu(sku).link_domain <= gpu(sku).gpus_per_node for sku in ROWS if sku != "gb200_sxm")


def test_a_format_that_a_gpu_lacks_has_no_rate():
    assert gpu("a100_sxm").fp8_flops == 0
    assert gpu("v100_sxm").bf16_flops == 0
    assert gpu("h200_sxm").fp4_flops == 0
    assert gpu("b200_sxm").fp4_flops > gpu("b200_sxm").fp8_flops > gpu("b200_sxm").bf16_flops


def test_a_request_may_name_the_memory():
    assert gpu("h100_sxm", vram_mb=96 * 1024).memory_bytes == 96 * 2**30


def test_an_unknown_sku_suggests_the_nearest():
    with pytest.raises(InputError, match='did you mean "h100_sxm"'):
        gpu("h100-sxm")


@pytest.mark.parametrize(
    ("sku", "interconnect", "gb_per_second"),
    [
        ("h100_sxm", "pcie", 64),
        ("h100_sxm", "NVLink", 450),
        ("h100_pcie", "nvlink", 300),
        ("h100_pcie", "PCIe", 64),
        ("a100_sxm", "pcie", 32),
        ("mi300", "infinity-fabric", 448),
        ("l40s", "nvlink", None),
        ("mi300", "nvlink", None),
        ("h100_sxm", "foo", None),
    ],
)
def test_a_request_may_name_what_joins_its_gpus(sku, interconnect, gb_per_second):
    found = gpu(sku).joined_by(interconnect)
    assert (found and found.link_bandwidth / 1e9) == gb_per_second
