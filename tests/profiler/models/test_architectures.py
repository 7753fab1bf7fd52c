"""Layers of many kinds: what is read of them, what they weigh, cache and see, and what is refused."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crds.errors import InputError
from profiler import estimate, hardware
from profiler.estimate import Points
from profiler.models import catalogue, from_config, load
from tests.profiler.models import configs
from tests.profiler.models.configs import FAMILIES

SHIPPED = {
    "llama": "meta-llama/Llama-3.1-8B-Instruct",
    "deepseek": "deepseek-ai/DeepSeek-V3",
    "deepseek-v4": "deepseek-ai/DeepSeek-V4-Flash",
    "nemotron-nano": "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
    "nemotron-super": "nvidia/Llama-3_3-Nemotron-Super-49B-v1",
    "kimi-linear": "moonshotai/Kimi-Linear-48B-A3B-Instruct",
    "gemma-4": "google/gemma-4-26B-A4B-it",
    "mimo": "XiaomiMiMo/MiMo-V2-Flash",
    "step": "stepfun-ai/Step-3.7-Flash",
    "minimax-m3": "MiniMaxAI/MiniMax-M3",
    "granite": "ibm-granite/granite-4.0-h-small",
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_config_describes_what_the_catalogue_has(family):
    found, known = from_config("local", FAMILIES[family]), load(SHIPPED[family])
    assert (found.parameters, found.active_parameters) == (known.parameters, known.active_parameters)
    assert found.spans == known.spans
    assert found.kv_elements_per_token == known.kv_elements_per_token


def test_hybrid_layers_are_counted_by_their_pattern():
    model = from_config("local", configs.NEMOTRON_NANO)
    assert (model.linear.layers, model.full_attention_layers, model.moe_layers, model.dense_layers) == (23, 6, 23, 0)
    assert model.sublayers == 52
    assert model.kv_elements_per_token == 6 * 2 * 2 * 128
    assert model.linear.state_elements == 23 * 64 * 64 * 128  # layers, heads, width, state size


def test_granite_without_experts_has_the_shared_one_alone():
    model = from_config("local", configs.GRANITE | {"num_local_experts": 0, "shared_intermediate_size": 8192})
    assert (model.intermediate, model.dense_layers, model.linear.layers, model.full_attention_layers) == (
        8192,
        40,
        36,
        4,
    )


def test_blocks_that_a_search_took_out_weigh_and_cache_nothing():
    model = from_config("local", configs.NEMOTRON_SUPER)
    assert (model.full_attention_layers, model.dense_layers, model.sublayers) == (49, 80, 129)
    assert model.kv_elements_per_token == 49 * 2 * 8 * 128
    assert model.intermediate == pytest.approx(20531, rel=0.001)  # the mean of widths from 2,816 to 28,672


def test_compressed_attention_caches_a_fraction_of_a_position_and_a_window():
    model = from_config("local", configs.DEEPSEEK_V4_FLASH)
    assert model.kv_elements_per_token == (21 / 4 + 20 / 128) * 512
    coarse, fine, window = model.spans
    assert fine.seen == 512 * 4
    assert fine.kv_share + coarse.kv_share == pytest.approx(1)
    assert (window.kept, window.kv_share * model.kv_elements_per_token) == (128, pytest.approx(43 * 512))
    # 10 % of what DeepSeek-V3.2 needs at a million tokens for V4-Pro, 7 % for V4-Flash (its technical report).
    shares = {
        name: load(f"deepseek-ai/DeepSeek-V4-{name}").kv_elements_per_token
        / load("deepseek-ai/DeepSeek-V3.2").kv_elements_per_token
        for name in ("Pro", "Flash")
    }
    assert shares == pytest.approx({"Pro": 0.10, "Flash": 0.07}, abs=0.02)


def test_layers_with_a_window_may_have_heads_of_their_own():
    gemma, mimo, step = (from_config("local", config) for config in (configs.GEMMA_4, configs.MIMO, configs.STEP))
    assert gemma.kv_elements_per_token == 5 * 2 * 2 * 512 + 25 * 2 * 8 * 256
    assert mimo.kv_elements_per_token == 9 * 4 * (192 + 128) + 39 * 8 * (192 + 128)
    assert step.kv_elements_per_token == 45 * 2 * 8 * 128
    # Of Step's attention, layers with a window have 33 * 96 heads and the others 12 * 64.
    assert step.spans[1].flops_share == pytest.approx(33 * 96 / (33 * 96 + 12 * 64))


def test_sparse_layers_see_what_their_indexer_picks_and_keep_everything():
    model = from_config("local", configs.MINIMAX_M3)
    whole, picked = model.spans
    assert (picked.seen, picked.kept) == (16 * 128, float("inf"))
    assert (whole.kv_share, picked.kv_share) == (pytest.approx(3 / 60), pytest.approx(57 / 60))
    assert model.indexer_layers == 57


def test_indexers_may_be_shared_by_layers():
    config = configs.DEEPSEEK | {"index_topk": 2048, "index_n_heads": 64, "index_head_dim": 128}
    own, shared = from_config("own", config), from_config("shared", config | {"index_topk_freq": 4})
    assert (own.indexer_layers, shared.indexer_layers) == (61, 15)
    kinds = ["full", *["shared"] * 60]
    assert from_config("listed", config | {"indexer_types": kinds}).indexer_layers == 1
    assert load("zai-org/GLM-5.2").indexer_layers == 21


@pytest.mark.parametrize("name", catalogue.names())
def test_each_kind_of_layers_has_its_share_of_the_whole(name):
    model = load(name)
    for span, kind in zip(model.spans, model.kinds, strict=True):
        assert (span.seen, span.kept) == (kind.seen, kind.kept)
        assert span.kv_share * model.kv_elements_per_token == pytest.approx(kind.kv_per_position, abs=1)
        assert span.flops_share * model.attention_flops_per_position == pytest.approx(kind.flops_per_position)
    growing = [span for span in model.spans if not (model.compressed and span.kept < float("inf"))]
    assert sum(span.kv_share for span in growing) == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "meaning"),
    [
        ({"ssm_state_size": 128}, "Mamba layers"),
        ({"mamba_d_state": 16}, "Mamba layers"),
        ({"num_kv_shared_layers": 15}, "share the KV cache"),
        ({"hidden_size_per_layer_input": 256}, "embeddings of their own"),
        ({"attn_type_list": [0, 1] * 16}, "lightning attention"),
        ({"layer_types": ["conv"] * 32}, "layers of another kind"),
        ({"layer_types": ["linear_attention"] * 32}, "without linear_num_value_heads"),
        ({"index_topk": 2048}, "sparse attention of another kind"),
        ({"linear_attn_config": {"num_heads": 8}}, "linear attention of another kind"),
        (
            {"block_configs": [{"attention": {"replace_with_linear": True}, "ffn": {"ffn_mult": 1}}] * 32},
            "replace_with",
        ),
        ({"is_encoder_decoder": True}, "encoder"),
    ],
)
def test_layers_without_equations_are_refused_with_the_reason(change, meaning):
    with pytest.raises(InputError, match=meaning):
        from_config("local", configs.LLAMA | change)


@pytest.mark.parametrize("pattern", ["MEM", "M" * 52, "X" * 52])
def test_a_pattern_that_does_not_name_each_layer_is_refused(pattern):
    with pytest.raises(InputError, match="pattern of layers"):
        from_config("local", configs.NEMOTRON_NANO | {"hybrid_override_pattern": pattern})


def test_a_list_with_too_few_layers_is_refused_with_its_field():
    with pytest.raises(InputError, match=r"layer_types: Invalid value: '3 entries'"):
        from_config("local", configs.GEMMA_4 | {"layer_types": ["full_attention"] * 3})


FIELDS = sorted({field for config in FAMILIES.values() for field in config})
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-2, 300)
    | st.integers()
    | st.floats()
    | st.text("abc0189,.-", max_size=8)
    | st.lists(st.none() | st.integers(-1, 130) | st.sampled_from(["full_attention", "mamba", "conv"]), max_size=90)
    | st.dictionaries(st.sampled_from(["attention", "ffn", "num_heads", "kda_layers"]), st.integers() | st.none())
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine fails nothing
@given(st.sampled_from(sorted(FAMILIES)), st.sampled_from(sorted(FAMILIES)), st.data())
def test_any_config_gives_a_model_or_an_input_error(family, other, data):
    """Configs between families, with wrong values: never another error, and what comes out can be estimated."""
    config = FAMILIES[family] | data.draw(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4))
    taken = data.draw(st.lists(st.sampled_from(sorted(FAMILIES[other])), max_size=3))
    config |= {field: FAMILIES[other][field] for field in taken}
    for field in data.draw(st.lists(st.sampled_from(FIELDS), max_size=2)):
        config.pop(field, None)
    try:
        model = from_config("local", config)
    except InputError:
        return
    assert 0 < model.active_parameters <= model.parameters
    assert model.kv_elements_per_token > 0
    assert model.moe_layers >= 0
    assert all(kind.layers >= 0 for kind in model.kinds)
    found = estimate.aggregated(model, hardware.gpu("b200_sxm"), "vllm", Points.of(isl=512, osl=64))
    assert all(np.isfinite(column).all() for column in (found.itl_ms, found.ttft_ms, found.memory_gib))


@pytest.mark.parametrize("name", SHIPPED.values())
def test_more_context_never_costs_less(name):
    isl = np.array([100.0, 1000, 5000, 20000, 100000])
    points = Points.of(isl=isl, osl=100, tp=8, moe_ep=8 if load(name).is_moe else 1)
    found = estimate.decode(load(name), hardware.gpu("b200_sxm"), "sglang", points)
    assert found.answered.sum() >= 4
    assert (np.diff(found.itl_ms[found.answered]) > 0).all()


def test_what_was_never_measured_has_the_widest_interval():
    """Also where a measured model has the same number of layers, width and heads, but other blocks."""
    points = Points.of(isl=1000, osl=200, tp=8)

    def width(name):
        found = estimate.aggregated(load(name), hardware.gpu("h200_sxm"), "trtllm", points)
        return found.calibrated, pytest.approx((found.itl_high / found.itl_low)[0])

    new = width("google/gemma-3-27b-it")
    assert not new[0]
    assert width("nvidia/Llama-3_3-Nemotron-Super-49B-v1") == new
    assert width("meta-llama/Llama-3.3-70B-Instruct") != new
