"""How measured rows are read before anything is fitted to them."""

import io
import zipfile
import zlib

import pytest

from scripts.fit.rows import measurements
from scripts.fit.wheel import even_rows

PUBLIC = {
    "id": "a",
    "silicon_data_source": "db-dump/2026-01-01; silicon_concurrency=16; measured=2026-01-01T00:00",
    "backend": "sglang",
    "backend_version": "1",
    "model_path": "deepseek-ai/DeepSeek-R1",
    "system": "h200_sxm",
    "precision": "fp8",
    "mode": "agg",
    "isl": "1000",
    "osl": "1000",
    "gemm_quant_mode": "fp8",
    "moe_quant_mode": "fp8",
    "batch_size": "16",
    "tp_size": "8",
    "attention_dp_size": "1",
    "moe_tp_size": "1",
    "moe_ep_size": "8",
    "silicon_ttft_ms": "100",
    "silicon_tpot_ms": "10",
}


def read(*changes):
    return measurements({**PUBLIC, **change} for change in changes)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"tp_size": "8", "moe_tp_size": "1", "moe_ep_size": "8"}, (8, 1, 8)),
        ({"tp_size": "16", "moe_tp_size": "4", "moe_ep_size": "4"}, (4, 1, 4)),
        ({"tp_size": "1", "attention_dp_size": "64", "moe_tp_size": "8", "moe_ep_size": "8"}, (1, 8, 8)),
        ({"tp_size": "4", "attention_dp_size": "4", "moe_tp_size": "1", "moe_ep_size": "16"}, (1, 4, 4)),
    ],
)
def test_products_written_into_a_layout_are_undone(written, meant):
    (found,) = read(written)
    assert (found.tp, found.dp, found.ep) == meant


def test_the_public_benchmark_draws_shorter_requests_than_it_says():
    (found,) = read({})
    assert (found.isl, found.osl, found.concurrency) == (900, 900, 16)


def test_a_run_exported_twice_counts_once_and_a_second_run_counts_again():
    assert len(read({"id": "a"}, {"id": "b", "silicon_tpot_ms": "10.001"}, {"id": "c", "silicon_tpot_ms": "11"})) == 2


def test_totals_of_several_engines_are_dropped():
    assert not read({"tp_size": "16", "moe_ep_size": "16"}, {"mode": "disagg"})


def test_launch_scripts_say_what_rows_do_not():
    blackwell, hopper = read({"id": "a", "system": "b200_sxm"}, {"id": "b"})
    assert (blackwell.admission_wait_steps, hopper.admission_wait_steps) == (30, 0)


def test_only_the_even_half_is_read(tmp_path):
    text = io.StringIO("id,mode\n" + "".join(f"row{n},agg\n" for n in range(100)))
    with zipfile.ZipFile(tmp_path / "some.whl", "w") as archive:
        archive.writestr("package/systems/silicon_sample.csv", text.getvalue())
    found = [row["id"] for row in even_rows(tmp_path / "some.whl")]
    assert 20 < len(found) < 80
    assert all(zlib.crc32(name.encode()) % 2 == 0 for name in found)


def test_first_tokens_of_an_engine_that_stood_still_say_nothing_of_how_it_serves():
    nvfp4 = {"system": "b200_sxm", "precision": "fp4", "backend_version": ""}
    source = "db-dump/2025-11-11; silicon_concurrency=16; measured={}T00:00"
    days = ("2025-11-10", "2025-11-02")
    (stalled,), (earlier,) = (read(nvfp4 | {"silicon_data_source": source.format(day)}) for day in days)
    assert stalled.stalled
    assert not earlier.stalled
