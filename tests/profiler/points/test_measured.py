"""What a user's own measurements do to estimates."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crds.errors import InputError
from profiler.estimate import Points
from profiler.hardware import gpu
from profiler.models import load
from profiler.points import measured_files
from profiler.points.measured import Measurement, Measurements
from profiler.points.questions import Question
from profiler.profile import Layout

MODEL = "Qwen/Qwen3-32B"
QUESTION = Question(load(MODEL), gpu("h200_sxm"), "vllm")
POINT = {"tp": 2, "isl": 2000, "osl": 500, "concurrency": 16}


def estimated(question=QUESTION, **change):
    points = Points.of(**{**POINT, **change})
    return points, question.estimate(points)


def measurements(*rows, **defaults):
    """Measurements that are `rows`: factors on the estimates at some points."""
    lines = ["model,gpu_sku,tp,isl,osl,concurrency,ttft_ms,itl_ms"]
    for factor, change in rows:
        at = {**POINT, **change}
        _, before = estimated(**change)
        times = f"{before.ttft_ms[0] * factor!r},{before.itl_ms[0] * factor!r}".replace("np.float64(", "").replace(
            ")", ""
        )
        lines.append(f"{MODEL},h200_sxm,{at['tp']},{at['isl']},{at['osl']},{at['concurrency']},{times}")
    return measured_files.read({"m.csv": "\n".join(lines).encode()}, defaults=defaults)


def shift(found, question=QUESTION, **change):
    """The factors on TTFT and ITL at a point, and how much of the interval's width is left."""
    points, before = estimated(question, **change)
    after = found.correction(question).apply(before, points, question.mode)
    left = np.log(after.itl_high / after.itl_low) / np.log(before.itl_high / before.itl_low)
    ttft = after.ttft_ms / before.ttft_ms if question.mode == "agg" else [1.0]
    return float(ttft[0]), float(after.itl_ms[0] / before.itl_ms[0]), float(left[0])


def test_a_measurement_shifts_its_own_point_by_most_of_what_it_says_and_narrows_the_interval():
    ttft, itl, left = shift(measurements((1.5, {})))
    assert ttft == pytest.approx(1.5**0.65)
    assert itl == pytest.approx(1.5**0.75)
    assert left == pytest.approx(np.sqrt(1 - 0.75**2))


def test_the_tail_of_ttft_shifts_with_its_mean():
    points, before = estimated()
    after = measurements((1.5, {})).correction(QUESTION).apply(before, points, QUESTION.mode)
    assert after.ttft_p90_ms / before.ttft_p90_ms == pytest.approx(after.ttft_ms / before.ttft_ms)


def test_the_shift_fades_with_the_distance_of_layout_and_load():
    found = measurements((1.5, {}))
    places = [{}, {"concurrency": 32}, {"concurrency": 256}, {"concurrency": 256, "tp": 4}]
    itls, lefts = zip(*(shift(found, **place)[1:] for place in places), strict=True)
    assert list(itls) == sorted(itls, reverse=True)
    assert list(lefts) == sorted(lefts)
    assert shift(found, tp=8, isl=1, osl=1)[1] == pytest.approx(1.5**0.25, rel=0.03)  # what the system shares


def test_three_measurements_say_more_than_one():
    one = measurements((1.3, {}))
    three = measurements((1.3, {}), (1.3, {"concurrency": 64}), (1.3, {"concurrency": 4}))
    assert shift(one)[1] < shift(three)[1] < 1.3
    assert shift(three)[2] < shift(one)[2]


def test_a_lone_outlier_is_outvoted():
    same = {"isl": 2100}
    found = measurements((1.1, {}), (1.1, same), (8.0, {"isl": 1900}))
    assert shift(found)[1] < 1.3


@pytest.mark.parametrize(
    "other",
    [
        Question(load("Qwen/Qwen3-14B"), gpu("h200_sxm"), "vllm"),
        Question(load("Qwen/Qwen3-32B-FP8"), gpu("h200_sxm"), "vllm"),
        Question(load(MODEL), gpu("b200_sxm"), "vllm"),
        Question(load(MODEL), gpu("h200_sxm"), "sglang"),
    ],
    ids=["model", "format of the weights", "GPU", "engine"],
)
def test_another_system_is_not_shifted(other):
    assert shift(measurements((1.5, {})), other) == (1.0, 1.0, 1.0)


def test_the_same_model_under_another_name_and_another_mode_are_shifted():
    found = measurements((1.5, {}))
    named = Question(load("qwen3-32b"), gpu("h200_sxm"), "vllm")
    assert shift(found, named)[1] == pytest.approx(1.5**0.75)
    decode = Question(load(MODEL), gpu("h200_sxm"), "vllm", mode="decode")
    assert shift(found, decode)[1] == pytest.approx(1.5**0.65)


def test_throughput_follows_the_times():
    points, before = estimated()
    after = measurements((1.5, {})).correction(QUESTION).apply(before, points)
    taken = [e.ttft_ms + (points.osl - 1) * e.itl_ms for e in (before, after)]
    assert after.throughput_per_gpu[0] == pytest.approx((before.throughput_per_gpu * taken[0] / taken[1])[0])
    assert after.memory_gib[0] == before.memory_gib[0]
    assert after.calibrated


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.2, 5), st.sampled_from([1, 2, 4]), st.integers(1, 64)), min_size=1, max_size=4),
    st.sampled_from([1, 2, 4, 8]),
    st.integers(1, 512),
)
def test_intervals_contain_the_estimate_and_never_widen(rows, tp, concurrency):
    found = measurements(*((factor, {"tp": t, "concurrency": c}) for factor, t, c in rows))
    points, before = estimated(tp=tp, concurrency=concurrency)
    after = found.correction(QUESTION).apply(before, points)
    for name in ("ttft", "itl"):
        low, value, high = (getattr(after, column) for column in (f"{name}_low", f"{name}_ms", f"{name}_high"))
        assert low <= value <= high
        assert high / low <= getattr(before, f"{name}_high") / getattr(before, f"{name}_low") * (1 + 1e-9)
    assert after.throughput_low <= after.throughput_per_gpu <= after.throughput_high


def test_rows_without_an_answer_stay_without():
    points, before = estimated(tp=[2, 3])
    after = measurements((1.5, {})).correction(QUESTION).apply(before, points)
    assert (after.ttft_ms[1], after.itl_high[1], after.throughput_high[1]) == (0, 0, 0)


def test_one_metric_alone_shifts_that_metric_alone():
    before = estimated()[1]
    text = f"concurrency,itl_ms\n16,{before.itl_ms[0] * 1.5}\n"
    defaults = {"model": MODEL, "gpu_sku": "h200_sxm", **{name: str(value) for name, value in POINT.items()}}
    found = measured_files.read({"m.csv": text.encode()}, defaults=defaults)
    ttft, itl, _ = shift(found)
    assert (ttft, itl) == (1.0, pytest.approx(1.5**0.75))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("model,gpu_sku,tp\nQwen/Qwen3-32B,h200_sxm,2\n", "has no column ttft_ms or itl_ms"),
        ("model,gpu_sku,tp,itl_ms\n", "a header and no measurement"),
        ("model,gpu_sku,tp,itl_ms\nQwen/Qwen3-32B,h200_sxm,2,\n", "row 1 holds neither"),
        ("model,gpu_sku,tp,itl_ms\nQwen/Qwen3-32B,h200_sxm,2,-3\n", "itl_ms: Invalid value: '-3'"),
        ("model,gpu_sku,tp,itl_ms\nQwen/Qwen3-32B,h200_sxm,2,0.002\n", "is it in milliseconds"),
        ("model,gpu_sku,tp,itl_ms\nQwen/Qwen3-32B,h200_sxm,3,20\n", "has no estimate to compare with"),
        ("model,gpu_sku,tp,itl_ms\nnobody/knows,h200_sxm,3,20\n", "row 1 cannot be used"),
        ("{", "is not JSON"),
        ('{"request_count": {"avg": 1}}', "holds no time_to_first_token"),
        ('{"inter_token_latency": {"avg": "fast"}}', "inter_token_latency.avg: Invalid value"),
        ('{"inter_token_latency": {"avg": 20, "unit": "weeks"}}', "inter_token_latency.unit: Unsupported value"),
        ('{"inter_token_latency": {"avg": 20, "unit": "ms"}}', "name it with --gpu"),
        ("model,gpu_sku,TP,itl,ttft_ms\nQwen/Qwen3-32B,h200_sxm,2,20,300\n", "did you mean itl_ms?"),
        ("model,gpu_sku,ep,itl_ms\nQwen/Qwen3-30B-A3B,h200_sxm,2,20\n", "did you mean moe_ep?"),
        ('{"ttft": 3}\n{"ttft": 4}\n', "give AIPerf's profile_export_aiperf.json"),
        (
            "model,gpu_sku,tp,mode,itl_ms\nQwen/Qwen3-32B,h200_sxm,2,prefill,20\n",
            "holds no ttft_ms, all that is measured of a prefill worker",
        ),
        ("model,gpu_sku,tp,itl_ms\n" + 10_001 * "Qwen/Qwen3-32B,h200_sxm,2,20\n", "10,000 are the most"),
        ("model,gpu_sku,tp,itl_ms\n" + 201 * "Qwen/Qwen3-32B,h200_sxm,2,12\n", "200 are the most"),
    ],
)
def test_what_cannot_be_used_is_said(text, complaint):
    with pytest.raises(InputError) as caught:
        measured_files.read({"m.csv": text.encode()})
    assert complaint in str(caught.value)


def export(**change):
    """AIPerf's summary of a run."""
    _, at = estimated(**POINT)
    metrics = {
        "time_to_first_token": {"unit": "ms", "avg": float(at.ttft_ms[0]) * 1.5},
        "inter_token_latency": {"unit": "ms", "avg": float(at.itl_ms[0]) * 1.5},
        "input_sequence_length": {"unit": "tokens", "avg": 2000.0},
        "output_sequence_length": {"unit": "tokens", "avg": 500.0},
        "request_throughput": {"unit": "requests/sec", "avg": 2.0},
        "request_latency": {"unit": "ms", "avg": 8000.0},
        "input_config": {"endpoint": {"model_names": [MODEL]}, "loadgen": {"request_rate": 2.0}},
    }
    return json.dumps(metrics | change).encode()


def test_aiperfs_export_is_a_measurement_at_its_own_lengths_and_load():
    found = measured_files.read({"a.json": export()}, defaults={"gpu_sku": "h200_sxm", "tp": "2"})
    assert shift(found)[1] == pytest.approx(1.5**0.75)  # 2 requests/s of 8 s each: 16 in flight, steady


def test_aiperfs_fixed_concurrency_is_a_closed_loop():
    closed = export(input_config={"loadgen": {"concurrency": 16}})
    found = measured_files.read({"a.json": closed}, defaults={"model": MODEL, "gpu_sku": "h200_sxm", "tp": "2"})
    _, at_steady = estimated()
    closed_loop = Question(load(MODEL), gpu("h200_sxm"), "vllm", arrival="closed").estimate(Points.of(**POINT))
    wanted = (at_steady.ttft_ms[0] * 1.5 / closed_loop.ttft_ms[0]) ** 0.65
    assert shift(found)[0] == pytest.approx(wanted)


def test_units_of_aiperf_are_heeded():
    _, at = estimated()
    seconds = export(inter_token_latency={"unit": "sec", "avg": float(at.itl_ms[0]) * 1.5e-3})
    found = measured_files.read({"a.json": seconds}, defaults={"gpu_sku": "h200_sxm", "tp": "2"})
    assert shift(found)[1] == pytest.approx(1.5**0.75)


def test_aiperfs_run_of_another_model_is_not_one_of_the_model_that_is_asked_about():
    other = export(input_config={"endpoint": {"model_names": ["Qwen/Qwen3-14B"]}, "loadgen": {"concurrency": 16}})
    found = measured_files.read({"a.json": other}, defaults={"model": MODEL, "gpu_sku": "h200_sxm", "tp": "2"})
    assert shift(found) == (1.0, 1.0, 1.0)
    served_as = export(input_config={"endpoint": {"model_names": ["my-model"]}, "loadgen": {"concurrency": 16}})
    with pytest.raises(InputError, match=r"say which model it is: --measured a\.json,model=NAME"):
        measured_files.read({"a.json": served_as}, defaults={"model": MODEL, "gpu_sku": "h200_sxm", "tp": "2"})


def test_what_stands_beside_a_file_holds_for_all_of_its_rows():
    text = "model,gpu_sku,tp,isl,osl,concurrency,itl_ms\nserved,h200_sxm,,2000,500,16,{}\n"
    _, before = estimated()
    files = {"m.csv": text.format(before.itl_ms[0] * 1.5).encode()}
    found = measured_files.read(files, cells={"m.csv": {"model": MODEL, "tp": "2"}})
    assert shift(found)[1] == pytest.approx(1.5**0.75)


def test_a_column_that_is_required_must_be_said_somewhere():
    text = f"itl_ms,tp\n{estimated()[1].itl_ms[0]},2\n".encode()
    defaults = {"model": MODEL, "gpu_sku": "h200_sxm"}
    with pytest.raises(InputError, match=r"m\.csv: does not say the concurrency of what was measured"):
        measured_files.read({"m.csv": text}, defaults=defaults, required=("tp", "concurrency"))
    cells = {"m.csv": {"concurrency": "16"}}
    assert measured_files.read({"m.csv": text}, defaults=defaults, required=("tp", "concurrency"), cells=cells).systems


def test_a_request_rate_says_as_much_as_a_concurrency():
    text = "model,gpu_sku,tp,request_rate,itl_ms\n" + f"{MODEL},h200_sxm,2,1,20\n"
    found = measured_files.read({"m.csv": text.encode()}, required=("tp", "concurrency"))
    (compared,) = found.of_system(QUESTION)
    assert compared.measurement.concurrency > 1


def test_a_model_and_a_gpu_that_are_known_already_are_not_looked_up():
    private = replace(load(MODEL), name="team/private")
    small = gpu("h200_sxm", vram_mb=100_000)
    text = f"itl_ms,tp,isl,osl,concurrency\n{estimated()[1].itl_ms[0] * 1.5},2,2000,500,16\n".encode()
    found = measured_files.read(
        {"m.csv": text},
        defaults={"model": "team/private", "gpu_sku": "h200_sxm"},
        models={"team/private": private},
        gpus={"h200_sxm": small},
    )
    (compared,) = found.of_system(QUESTION)
    assert (compared.measurement.question.model.name, compared.measurement.question.gpu) == ("team/private", small)


@pytest.mark.parametrize("time", [float("nan"), float("inf"), -1.0])
def test_a_time_that_is_none_is_refused_in_memory_too(time):
    with pytest.raises(InputError, match="must be positive numbers"):
        Measurements.of([Measurement(QUESTION, Layout(tp=2), 2000, 500, 16, itl_ms=time)])
