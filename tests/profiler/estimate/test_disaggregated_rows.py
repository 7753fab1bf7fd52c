"""How measured disaggregated rows are read, and how wide the intervals of pools become by them."""

import math
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from scripts.fit.disaggregated import covered, estimated, judged, left_out, pools, powers, widened

ROW = {
    "silicon_data_source": "db-dump/2026-01-01; silicon_concurrency=192; measured=2026-01-01T00:00",
    "backend": "trtllm",
    "model_path": "deepseek-ai/DeepSeek-V3",
    "system": "gb300",
    "precision": "fp4",
    "mode": "disagg",
    "isl": "1024",
    "osl": "1024",
    "gemm_quant_mode": "nvfp4",
    "moe_quant_mode": "nvfp4",
    "prefill_num_workers": "1",
    "prefill_tp_size": "1",
    "prefill_attention_dp_size": "2",
    "prefill_moe_tp_size": "1",
    "prefill_moe_ep_size": "2",
    "decode_num_workers": "4",
    "decode_tp_size": "8",
    "decode_attention_dp_size": "1",
    "decode_moe_tp_size": "1",
    "decode_moe_ep_size": "8",
    "silicon_ttft_ms": "1000",
    "silicon_tpot_ms": "10",
}


def read(**changes):
    (row,) = pools([{**ROW, **changes}])
    return row


def test_rows_without_worker_counts_or_concurrency_are_not_read():
    assert pools([{**ROW, "prefill_num_workers": ""}]) == ()
    assert pools([{**ROW, "silicon_data_source": "elsewhere"}]) == ()
    assert pools([{**ROW, "mode": "agg"}]) == ()


def test_a_gb300_has_the_memory_of_a_b300_in_the_rack_of_a_gb200():
    found, older = read().gpu, read(system="gb200").gpu
    assert found.memory_bytes > 1.4 * older.memory_bytes
    assert (found.network_bandwidth, found.gpus_per_node) == (older.network_bandwidth, older.gpus_per_node)


@pytest.mark.parametrize(
    ("backend", "written", "meant"),
    [
        ("trtllm", (1, 8, 8, 1), {"tp": 1, "dp": 8, "moe_tp": 1, "moe_ep": 8}),
        ("sglang", (1, 32, 32, 1), {"tp": 1, "dp": 32, "moe_tp": 1, "moe_ep": 32}),
        ("sglang", (1, 4, 4, 1), {"tp": 4, "dp": 1, "moe_tp": 4, "moe_ep": 1}),
        ("sglang", (4, 1, 4, 1), {"tp": 4, "dp": 1, "moe_tp": 4, "moe_ep": 1}),
        ("sglang", (1, 8, 1, 8), {"tp": 1, "dp": 8, "moe_tp": 1, "moe_ep": 8}),
    ],
)
def test_layouts_are_what_the_recipes_launch(backend, written, meant):
    names = ("tp_size", "attention_dp_size", "moe_tp_size", "moe_ep_size")
    changes = {f"decode_{name}": str(value) for name, value in zip(names, written, strict=True)}
    assert read(backend=backend, **changes).decode == meant


def test_slots_are_those_of_the_recipe():
    assert read().slots == 32
    assert read(backend="sglang").slots == math.inf
    assert read(silicon_data_source="silicon_concurrency=193").slots == math.inf
    wide = {"decode_num_workers": "1", "decode_tp_size": "1", "decode_attention_dp_size": "32"}
    row = read(osl="8192", silicon_data_source="silicon_concurrency=1024", **wide, decode_moe_ep_size="32")
    assert row.slots == 32 * 32


def test_requests_beyond_the_slots_wait_for_one():
    row = read()
    found, _, _ = estimated(row)
    decoding = (row.osl - 1) * found.itl_ms
    assert found.held_ms == pytest.approx((192 / 128 - 1) * decoding, rel=0.1)
    assert judged([row]).limits == ("decode slots, all taken",)
    free, _, _ = estimated(read(silicon_data_source="silicon_concurrency=48"))
    assert free.held_ms == 0


def test_weights_that_do_not_fit_have_no_answer():
    assert estimated(read(system="h100_sxm", precision="fp8")) is None
    assert judged([read(system="h100_sxm", precision="fp8")]).rows == ()


def test_a_fresh_process_says_by_how_much_bounds_are_widened():
    rows = [read(), read(system="gb200", silicon_ttft_ms="9000")]
    with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
        found = fresh.submit(powers, rows).result()
    assert found == powers(rows)
    assert min(found.values()) >= 1


@pytest.mark.parametrize("true", [0.7, 1.0, 2.5])
def test_bounds_are_widened_until_they_cover_four_in_five(true):
    rng = np.random.default_rng(5)
    bounds = np.column_stack((-rng.uniform(0.1, 0.3, 4000), rng.uniform(0.1, 0.6, 4000)))
    above = rng.random(4000) < 0.5
    side = np.where(above, bounds[:, 1], bounds[:, 0])
    errors = side * true / 0.8 * rng.random(4000)
    names = [str(index % 7) for index in range(4000)]
    assert widened(errors, bounds, names) == pytest.approx(true, rel=0.05)
    assert covered(errors, bounds, true) == pytest.approx(0.8, abs=0.03)
    assert left_out(errors, bounds, names) == pytest.approx(np.full(4000, true), rel=0.05)


def test_deployments_weigh_the_same_however_often_they_were_measured():
    bounds = np.tile([-1.0, 1.0], (100, 1))
    errors, names = np.zeros(100), ["often"] * 90 + [str(index) for index in range(10)]
    errors[90:] = 3.0
    assert widened(errors, bounds, names) == 3.0
    assert covered(errors, bounds, 1.0) == 0.9
