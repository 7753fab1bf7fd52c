"""Fitting the tables of single operations: what is read, what is found, and what is left out."""

import io
import zipfile

import numpy as np
import pytest

parquet = pytest.importorskip("pyarrow.parquet", reason="fitting needs the extra [fit]")
pytest.importorskip("scipy", reason="fitting needs the extra [fit]")

import pyarrow  # noqa: E402

from profiler.hardware import gpu  # noqa: E402
from scripts.fit.operations import found  # noqa: E402
from scripts.fit.operations.effects import effects  # noqa: E402
from scripts.fit.operations.efficiencies import Fit, fit, fitted  # noqa: E402
from scripts.fit.operations.samples import OPERATIONS, Operation, Samples, dense_gemm  # noqa: E402
from scripts.fit.operations.tables import GPUS, Tables  # noqa: E402

NONE = np.zeros(500)
GEMM = OPERATIONS[0]
BANDWIDTH, RATE = gpu("h100_sxm").bandwidth, gpu("h100_sxm").bf16_flops


def wheel(path, **members):
    """A wheel with these tables of h100_sxm: `gemm/vllm/0.24.0/gemm_perf` -> columns."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, columns in members.items():
            content = io.BytesIO()
            parquet.write_table(pyarrow.table(columns), content)
            archive.writestr(f"core/systems/data/h100_sxm/{name}.parquet", content.getvalue())
    return Tables(path)


def matrices(dtype="bfloat16", fixed=4e-6, compute=0.7, transfer=0.8):
    m, n, k = (column.ravel() for column in np.meshgrid(2.0 ** np.arange(14), [1024, 4096, 8192], [2048, 8192]))
    flops, moved = 2 * m * n * k / RATE / compute, 2 * n * k / BANDWIDTH / transfer
    seconds = fixed + np.cbrt(flops**3 + moved**3)
    return {"m": m, "n": n, "k": k, "latency": 1e3 * seconds, "gemm_dtype": [dtype] * len(m)}


def test_efficiencies_are_recovered_from_a_table(tmp_path):
    tables = wheel(tmp_path / "a.whl", **{"gemm/vllm/0.24.0/gemm_perf": matrices()})
    (only,) = fitted(tables)
    assert (only.operation, only.system, only.engine, only.format) == ("dense GEMM", "h100_sxm", "vllm", "bf16")
    assert only.values == pytest.approx({"fixed": 4e-6, "compute": 0.7, "transfer": 0.8}, rel=1e-3)
    assert np.abs(only.errors).max() < 1e-3


def test_one_row_in_ten_that_is_wrong_moves_little(tmp_path):
    rows = matrices()
    rows["latency"][::10] *= 5
    (only,) = fitted(wheel(tmp_path / "a.whl", **{"gemm/vllm/0.24.0/gemm_perf": rows}))
    assert only.values["compute"] == pytest.approx(0.7, rel=0.1)
    assert only.values["transfer"] == pytest.approx(0.8, rel=0.1)


def test_block_scaled_rows_of_vllm_are_never_fitted(tmp_path):
    blocks = matrices("fp8_block")
    tables = wheel(
        tmp_path / "a.whl", **{f"gemm/{engine}/{at}/gemm_perf": blocks for engine, at in (("vllm", 1), ("trtllm", 1))}
    )
    assert [found.engine for found in dense_gemm(tables, "h100_sxm", gpu("h100_sxm"))] == ["trtllm"]


def test_the_complete_release_wins_over_newer_ones_and_ten_comes_after_nine(tmp_path):
    def of(value):
        return matrices(fixed=value * 1e-6)

    complete = {f"gemm/vllm/{at}/gemm_perf": of(value) for at, value in (("0.24.0", 1), ("0.27.0", 2))}
    numbers = {f"gemm/sglang/{at}/gemm_perf": of(value) for at, value in (("0.5.9", 3), ("0.5.10", 4))}
    tables = wheel(tmp_path / "a.whl", **complete, **numbers)
    assert [1e6 * each.values["fixed"] for each in fitted(tables)] == pytest.approx([1, 4], rel=0.01)


def test_a_collective_that_shares_pcie_has_an_exponent():
    ranks = np.tile([2.0, 4.0, 8.0, 8.0, 4.0], 100)
    transfer = np.geomspace(1e-6, 1e-1, 500)
    seconds = 6e-6 * np.log2(ranks) + transfer / 0.5 * (ranks / 2) ** 1.7
    crowd = np.log(ranks / 2)
    samples = Samples("vllm", "bf16", seconds, NONE, transfer, np.log2(ranks), NONE > 0, crowd)
    values = fit(Operation("all-reduce", lambda *_: iter(()), {}), "l40s", samples).values
    assert values == pytest.approx({"fixed": 6e-6, "transfer": 0.5, "sharing": 1.7}, rel=0.01)


def made(system, engine, **values):
    return Fit(GEMM.name, system, engine, "bf16", 3, {"fixed": 5e-6} | values, np.array([0.1, -0.1, 0.1]))


def test_effects_take_gpus_and_engines_apart():
    speed = {"h100_sxm": 1.0, "h200_sxm": 1.0, "b200_sxm": 0.8, "b300_sxm": 0.8, "a100_sxm": 0.9, "gb200": 0.88}
    engines = {"vllm": 0.5, "sglang": 0.4, "trtllm": 0.6}
    fits = [made(gpu, name, compute=speed[gpu] * level) for gpu in speed for name, level in engines.items()]
    effect = effects(fits)["dense_compute"]
    reference = np.sqrt(1.0 * 0.8)
    assert np.exp(effect.middle) == pytest.approx(0.5 * reference)
    assert np.exp(effect.factors["family"]["ampere"]) == pytest.approx(0.9 / reference)
    assert np.exp(effect.factors["gpu"]["gb200_sxm"]) == pytest.approx(1.1)  # of the family's end-to-end GPUs


def test_a_value_at_its_limit_or_of_a_poor_fit_says_nothing():
    at_limit = made("h100_sxm", "vllm", compute=1.1)
    poor = Fit(GEMM.name, "h100_sxm", "vllm", "bf16", 2, {"fixed": 5e-6, "compute": 0.5}, np.array([0.8, -0.8]))
    assert not at_limit.sound("compute")
    assert not poor.sound("compute")
    assert at_limit.sound("fixed")


def test_what_was_written_speaks_of_every_gpu_with_tables_and_of_no_bad_rows():
    fits = found.read()["fits"]
    assert {row["gpu"] for row in fits} == set(GPUS)
    assert not [
        row for row in fits if (row["operation"], row["engine"], row["format"]) == ("dense GEMM", "vllm", "fp8_block")
    ]
    assert all(0 < row.get("compute", 1) <= 1.1 and 0 < row.get("transfer", 1) <= 1.1 for row in fits)
