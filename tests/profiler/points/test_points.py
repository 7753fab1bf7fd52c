"""Tables of points: what is read, what is answered, what is written back."""

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crds.errors import InputError
from profiler import estimate
from profiler.estimate import Points
from profiler.hardware import gpu
from profiler.models import load
from profiler.points import answers, cells, measured_files, tables

DENSE, MOE, MLA = "Qwen/Qwen3-32B", "Qwen/Qwen3-30B-A3B", "deepseek-ai/DeepSeek-R1"
HEADER = ",".join(tables.COLUMNS)


def answered(text, **defaults):
    """Read a table, answer it and read back what is written."""
    table = tables.read(text.encode() if isinstance(text, str) else text, "points.csv", given=tuple(defaults))
    asked = cells.understand(table, defaults=defaults)
    return list(csv.DictReader(io.StringIO(written(table, asked))))


def written(table, asked):
    return tables.to_csv(table, answers.columns(asked, answers.answers(asked), len(table)))


def row(**cell):
    given = {"model": DENSE, "gpu_sku": "h200_sxm", "tp": "2", "isl": "1000", "osl": "100", **cell}
    (found,) = answered(f"{','.join(given)}\n{','.join(given.values())}\n")
    return found


def test_a_row_has_the_estimators_answer():
    found = row(concurrency="32", arrival="closed", backend="sglang")
    asked = Points.of(tp=2, isl=1000, osl=100, concurrency=32)
    expected = estimate.aggregated(load(DENSE), gpu("h200_sxm"), "sglang", asked, arrival="closed")
    assert float(found["ttft_ms"]) == pytest.approx(expected.ttft_ms[0], rel=1e-5)
    assert float(found["itl_ms_high"]) == pytest.approx(expected.itl_high[0], rel=1e-5)
    assert float(found["throughput_per_gpu_low"]) == pytest.approx(expected.throughput_low[0], rel=1e-5)
    assert found["provenance"].startswith("measured")
    assert found["reason"] == ""


def test_the_columns_of_the_file_come_back_in_their_order_before_the_answers():
    table = tables.read(f"note,{HEADER}\nhello,{DENSE},h200_sxm{',' * 15}\n".encode(), "x")
    header = written(table, cells.understand(table)).splitlines()[0].split(",")
    assert header == ["note", *tables.COLUMNS, *tables.FOUND]


def test_answers_can_be_fed_back_in():
    table = tables.read(f"model,gpu_sku\n{DENSE},h200_sxm\n".encode(), "x")
    once = written(table, cells.understand(table))
    again = tables.read(once.encode(), "x")
    assert written(again, cells.understand(again)) == once


def test_rows_of_many_questions_keep_their_order():
    names = [DENSE, MOE, DENSE, MLA, MOE, DENSE]
    text = "model,gpu_sku,tp,concurrency\n" + "".join(f"{name},h200_sxm,8,{i + 1}\n" for i, name in enumerate(names))
    found = answered(text)
    assert [r["model"] for r in found] == names
    alone = [answered(f"model,gpu_sku,tp,concurrency\n{name},h200_sxm,8,{i + 1}\n")[0] for i, name in enumerate(names)]
    assert found == alone


@pytest.mark.parametrize(
    "text",
    [
        f"\ufeffmodel,gpu_sku,tp\r\n{DENSE},h200_sxm,4\r\n",
        f"Model, GPU SKU ,TP\n{DENSE}, h200_sxm , 4\n",
        f'"model","gpu-sku","tp"\n"{DENSE}","h200_sxm","4"\n\n',
        "model,gpu_sku,tp\nqwen3-32b,NVIDIA H200,4.0",
        f"model,gpu_sku,tp,quantization,kv_cache_dtype,mode\n{DENSE},H200_SXM,4,BF16,auto,AGG\n",
    ],
    ids=["bom and crlf", "case and blanks", "quoted", "other spellings", "formats spelt out"],
)
def test_files_are_read_as_people_write_them(text):
    plain = answered(f"model,gpu_sku,tp\n{DENSE},h200_sxm,4\n")[0]
    assert [r["ttft_ms"] for r in answered(text)] == [plain["ttft_ms"]]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "it is empty"),
        (b"\n\n", "it is empty"),
        (b"Qwen/Qwen3-32B,h200_sxm,4\n", "first line is not a header"),
        (b"model;gpu_sku\nx;y\n", "separate the cells by commas"),
        (b"model,tp\nx,1\n", 'has no column "gpu_sku"'),
        (b"model,gpu_sku,tp,TP\nx,y,1,2\n", 'two columns are called "tp"'),
        (b"model,gpu_sku\n\xff\xfe,x\n", "not text in UTF-8"),
        (b'model,gpu_sku\n"x,y\n', "is not CSV"),
    ],
)
def test_a_file_that_is_no_table_is_one_clear_error(data, complaint):
    with pytest.raises(InputError, match=complaint):
        tables.read(data, "points.csv")


def test_a_header_alone_gives_a_header():
    assert answered("model,gpu_sku\n") == []


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ({"isl": "0"}, "isl: Invalid value: '0': must be at least 1"),
        ({"osl": "nan"}, "osl: Invalid value: 'nan': must be a number"),
        ({"isl": "1e18"}, "isl: Invalid value: '1e18': too large: must be less than 1,000,000,000"),
        ({"isl": "inf"}, "isl: Invalid value: 'inf': too large"),
        ({"isl": "-inf"}, "isl: Invalid value: '-inf': must be at least 1"),
        ({"request_rate": "0"}, "request_rate: Invalid value: '0': must be greater than 0"),
        ({"request_rate": "1", "concurrency": "1"}, "request_rate: give it or concurrency, not both"),
        ({"request_rate": "1", "arrival": "burst"}, "those at a rate are steady"),
        ({"request_rate": "1000"}, "request_rate: the engine sustains no more than"),
        ({"pp": "100"}, "more pipeline stages than layers (64 layers, pp 100)"),
        ({"concurrency": "0"}, "concurrency: Invalid value: '0': must be greater than 0"),
        ({"concurrency": "many"}, "concurrency: Invalid value: 'many': must be a number in plain digits"),
        ({"tp": "1.5"}, "tp: Invalid value: '1.5': must be a whole number"),
        ({"tp": "3"}, "heads not divisible by TP (64 heads, 8 of keys and values, tp 3)"),
        ({"tp": "1", "gpu_sku": "l40s"}, "weights do not fit in GPU memory (61 GiB in all, on 1 x 45 GiB)"),
        ({"model": MOE, "tp": "8", "moe_ep": "16"}, "128 experts of width 768, moe_tp 1 * moe_ep 16, tp 8 * dp 1"),
        ({"isl": "50000"}, "exceed the context limit of the model (40,960 tokens)"),
        ({"gpu_sku": "t4", "backend": "trtllm", "tp": "8"}, "engine does not run on this GPU (trtllm on t4)"),
        ({"gpu_sku": "h200_smx"}, 'did you mean "h200_sxm"?'),
        ({"gpu_sku": ""}, "gpu_sku: Required value"),
        ({"model": "nobody/knows"}, 'model: unknown model "nobody/knows"'),
        ({"backend": "vlm"}, "did you mean vllm?"),
        ({"mode": "disagg"}, "mode: Unsupported value: 'disagg': known are agg, prefill, decode"),
        ({"quantization": "fp6"}, "quantization: Unsupported value"),
        ({"kv_cache_dtype": "int2"}, "kv_cache_dtype: Unsupported value"),
        ({"arrival": "sometimes"}, "arrival: Unsupported value"),
        ({"admission_wait_steps": "-1"}, "admission_wait_steps: Invalid value: '-1': must be at least 0"),
        ({"moe_ep": "2"}, "which Qwen/Qwen3-32B has none of"),
        ({"model": MOE, "moe_ep": "3"}, "moe_tp * moe_ep is not tp * dp"),
    ],
)
def test_a_row_that_cannot_be_answered_says_why(cell, reason):
    found = row(**cell)
    assert reason in found["reason"]
    assert not any(found[name] for name in (*tables.NUMBERS_FOUND, *tables.MORE_FOUND, "provenance"))


def test_a_bad_row_names_every_bad_cell_and_leaves_the_others_alone():
    found = answered(f"model,gpu_sku,tp,isl\n{DENSE},h200_sxm,2,1000\nx,y,z,0\n{DENSE},h200_sxm,2,1000\n")
    assert found[0] == found[2]
    assert [name in found[1]["reason"] for name in ("model:", "gpu_sku:", "tp:", "isl:")] == [True] * 4


def test_a_row_that_is_too_long_says_so_and_a_short_one_has_defaults():
    long, short = answered(f"model,gpu_sku,tp\n{DENSE},h200_sxm,2,7\n{DENSE},h200_sxm\n")
    assert long["reason"] == "the row has 4 cells, the header 3"
    assert short["reason"] == ""


@pytest.mark.parametrize("directory", [{"num_attention_heads": 0}, {"num_hidden_layers": -4}, {"vocab_size": None}])
def test_a_config_that_lies_is_a_reason(tmp_path, directory):
    shape = {"hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 36, "vocab_size": 1000}
    (tmp_path / "config.json").write_text(json.dumps({**shape, "max_position_embeddings": 4096, **directory}))
    assert f"config.json: {next(iter(directory))}" in row(model=str(tmp_path))["reason"]


def test_workers_lack_the_metric_of_the_other_half():
    assert row(mode="prefill")["itl_ms"] == ""
    assert row(mode="decode")["ttft_ms"] == ""
    assert row(mode="decode")["itl_ms"] != ""


def test_empty_cells_and_absent_columns_take_the_callers_values():
    (found,) = answered("isl,concurrency\n1000,\n", model=DENSE, gpu_sku="h200_sxm", tp="2", osl="100", concurrency="8")
    assert found["ttft_ms"] == row(concurrency="8")["ttft_ms"]


@pytest.mark.parametrize(
    ("model", "given", "same_as"),
    [
        (MLA, {"tp": "8"}, {"tp": "8", "moe_tp": "8", "moe_ep": "1"}),
        (MLA, {"dp": "8"}, {"dp": "8", "moe_tp": "1", "moe_ep": "8"}),
        (MLA, {"tp": "8", "moe_ep": "4"}, {"tp": "8", "moe_tp": "2", "moe_ep": "4"}),
        (MLA, {"tp": "8", "moe_tp": "2"}, {"tp": "8", "moe_tp": "2", "moe_ep": "4"}),
        (f"{MOE}-FP8", {"tp": "4"}, {"tp": "4", "moe_tp": "1", "moe_ep": "4"}),  # 768 / 4 cuts a block of 128
        (DENSE, {"tp": "4", "moe_tp": "4"}, {"tp": "4"}),
    ],
)
def test_experts_are_laid_out_where_the_row_leaves_it_open(model, given, same_as):
    found, spelt = (row(model=model, tp=cell.pop("tp", "1"), **cell) for cell in (dict(given), dict(same_as)))
    assert found["ttft_ms"] == spelt["ttft_ms"] != ""


def test_the_format_of_a_row_wins_over_the_checkpoints():
    assert float(row(quantization="fp8")["memory_gib"]) < 0.6 * float(row()["memory_gib"])
    assert row(quantization="fp8", kv_cache_dtype="bf16")["itl_ms"] != row(quantization="fp8")["itl_ms"]


@pytest.mark.parametrize("mode", ["agg", "decode"])
def test_a_rate_is_the_one_that_the_requests_in_flight_have(mode):
    deployment = {"mode": mode, "tp": 2, "isl": 1000, "osl": 100}
    text = "model,gpu_sku," + ",".join(deployment) + ",request_rate\n"
    rates = np.geomspace(1e-4, 10, 30)
    line = f"{DENSE},h200_sxm," + ",".join(map(str, deployment.values()))
    found = answered(text + "".join(f"{line},{rate!r}\n" for rate in rates.tolist()))
    in_flight = np.array([float(r["in_flight"]) for r in found])
    assert (np.diff(in_flight) > 0).all()
    points = Points.of(**{k: v for k, v in deployment.items() if k != "mode"}, concurrency=in_flight)
    ask = estimate.aggregated if mode == "agg" else estimate.decode
    assert ask(load(DENSE), gpu("h200_sxm"), "vllm", points).requests_per_s == pytest.approx(rates, rel=1e-4)


def test_a_prefill_worker_is_held_against_what_it_sustains():
    slow, fast = (row(mode="prefill", request_rate=rate) for rate in ("0.5", "500"))
    assert slow["ttft_ms"] == row(mode="prefill")["ttft_ms"] != ""
    assert "request_rate: the engine sustains no more than" in fast["reason"]


def test_a_row_that_names_its_load_has_no_use_for_a_default_of_the_other_kind():
    rate, flight = answered(
        "request_rate,concurrency\n1,\n,8\n", model=DENSE, gpu_sku="h200_sxm", tp="2", concurrency="3"
    )
    assert (float(flight["in_flight"]), rate["reason"], flight["reason"]) == (8, "", "")
    assert float(rate["in_flight"]) > 8


def test_measurements_shift_what_a_rate_keeps_in_flight():
    asked = "model,gpu_sku,tp,request_rate\n" + f"{DENSE},h200_sxm,2,1\n"
    slow = f"model,gpu_sku,tp,concurrency,itl_ms\n{DENSE},h200_sxm,2,16,40\n".encode()
    table = tables.read(asked.encode(), "x")
    plain, shifted = (
        answers.answers(cells.understand(table), known)[0] for known in (None, measured_files.read({"m.csv": slow}))
    )
    assert shifted.points.concurrency[0] > plain.points.concurrency[0]
    assert shifted.estimates.requests_per_s[0] == pytest.approx(1)


def test_a_measurement_at_a_rate_beyond_the_engine_is_refused_by_what_it_sustains():
    over = f"model,gpu_sku,tp,request_rate,itl_ms\n{DENSE},h200_sxm,2,100,20\n".encode()
    with pytest.raises(InputError, match="row 1 has no estimate") as refused:
        measured_files.read({"m.csv": over})
    assert "sustains no more than" in refused.value.why


def test_rows_that_differ_in_layout_and_load_alone_are_asked_together():
    rng = np.random.default_rng(0)
    lines = [f"{DENSE},h200_sxm,{2 ** rng.integers(4)},{isl},{osl}" for isl, osl in rng.integers(1, 4000, (2000, 2))]
    lines += [line.replace("h200", "h100") for line in lines]
    table = tables.read(("model,gpu_sku,tp,isl,osl\n" + "\n".join(lines)).encode(), "x")
    assert [len(rows) for _, rows in cells.understand(table).questions] == [2000, 2000]


CELLS = st.one_of(
    st.sampled_from(
        ["", "0", "1", "-1", "2", "8", "1000", "1e9", "nan", "inf", "x", "agg", "decode", DENSE, MLA, "vllm"]
    ),
    st.text(max_size=8),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=len(tables.COLUMNS), max_size=len(tables.COLUMNS)), max_size=4))
def test_any_cells_give_one_row_each_and_no_number_that_is_none(rows):
    out = io.StringIO()
    csv.writer(out).writerows([tables.COLUMNS, *rows])
    try:
        table = tables.read(out.getvalue().encode(errors="replace"), "x")
    except InputError:
        return
    found = list(csv.DictReader(io.StringIO(written(table, cells.understand(table)))))
    assert len(found) == len(table)
    for line in found:
        numbers = [float(line[name]) for name in (*tables.NUMBERS_FOUND, *tables.MORE_FOUND) if line[name]]
        assert np.isfinite(numbers).all()
        assert bool(numbers) != bool(line["reason"])
