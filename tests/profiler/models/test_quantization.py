"""Number formats from the quantisation section of a config.json."""

import pytest

from crds.errors import InputError
from profiler.models import from_config, load
from tests.profiler.models.configs import DEEPSEEK_V4_FLASH, GEMMA_4, LLAMA


def weights(bits, kind, **more):
    return {"num_bits": bits, "type": kind, **more}


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"quant_method": "fp8"}, ("fp8", "bf16")),
        ({"quant_method": "awq", "bits": 4}, ("int4", "bf16")),
        ({"quant_method": "gptq", "bits": 4}, ("int4", "bf16")),
        ({"quant_method": "mxfp4"}, ("mxfp4", "bf16")),
        ({"quant_method": "mxfp8"}, ("mxfp8", "bf16")),
        ({"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8"}, ("nvfp4", "fp8")),
        ({"quant_algo": "W4A16_NVFP4"}, ("w4a16_nvfp4", "bf16")),
        ({"quant_algo": "MXFP8"}, ("mxfp8", "bf16")),
        ({"quant_algo": "FP8", "kv_cache_scheme": {"num_bits": 8, "type": "float"}}, ("fp8", "fp8")),
        ({"config_groups": {"g": {"weights": weights(4, "int")}}}, ("int4", "bf16")),
        ({"config_groups": {"g": {"weights": weights(8, "float", strategy="block")}}}, ("fp8_block", "bf16")),
        ({"config_groups": {"g": {"weights": weights(8, "float", group_size=32)}}}, ("mxfp8", "bf16")),
        ({"config_groups": {"g": {"weights": weights(4, "float", group_size=32)}}}, ("mxfp4", "bf16")),
        (
            {"config_groups": {"g": {"weights": weights(4, "float", group_size=16), "input_activations": {}}}},
            ("w4a16_nvfp4", "bf16"),
        ),
    ],
)
def test_the_format_is_read_from_the_section(section, expected):
    model = from_config("local", LLAMA | {"quantization_config": section})
    assert (model.quantization, model.kv_dtype, model.rest_quantization) == (*expected, None)


ATTENTION = {f"model.layers.{i}.self_attn.{name}_proj": {"quant_algo": "FP8"} for i in range(4) for name in "qkvo"}
MLP = {f"model.layers.{i}.mlp.{name}_proj": {"quant_algo": "W4A16_NVFP4"} for i in range(4) for name in ("up", "down")}
EXPERTS = {f"model.layers.{i}.mlp.experts.{e}.w1": {"quant_algo": "NVFP4"} for i in range(4) for e in range(8)}


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (ATTENTION | MLP, ("w4a16_nvfp4", "fp8")),
        (ATTENTION | MLP | EXPERTS, ("nvfp4", "fp8")),
        (EXPERTS, ("nvfp4", "bf16")),
        (ATTENTION, ("fp8", None)),
    ],
)
def test_a_mixed_checkpoint_has_the_format_of_most_weights_and_that_of_attention(layers, expected):
    section = {"quant_algo": "MIXED_PRECISION", "quantized_layers": layers}
    model = from_config("local", LLAMA | {"quantization_config": section})
    assert (model.quantization, model.rest_quantization) == expected


def test_several_groups_of_compressed_tensors_are_mixed_too():
    groups = {
        "attention": {"weights": weights(8, "float"), "targets": ["re:.*self_attn.*"]},
        "mlp": {"weights": weights(4, "float", group_size=16), "targets": ["re:.*mlp.*_proj"], "input_activations": {}},
    }
    model = from_config("local", LLAMA | {"quantization_config": {"config_groups": groups}})
    assert (model.quantization, model.rest_quantization) == ("w4a16_nvfp4", "fp8")


def test_experts_may_be_in_another_format_than_the_section_says():
    assert from_config("local", DEEPSEEK_V4_FLASH).quantization == "mxfp4"
    assert from_config("local", DEEPSEEK_V4_FLASH).rest_quantization == "fp8_block"
    listed = {"quant_algo": "MIXED_PRECISION", "quantized_layers": EXPERTS, "weight_block_size": [128, 128]}
    assert from_config("local", DEEPSEEK_V4_FLASH | {"quantization_config": listed}).rest_quantization == "fp8_block"


@pytest.mark.parametrize(
    ("ignored", "rest"),
    [
        ([f"model.layers.{i}.self_attn*" for i in range(32)], "bf16"),
        (["re:.*self_attn.*", "lm_head"], "bf16"),
        (["model.layers.0.self_attn*", "lm_head"], None),
        ([f"model.layers.{i}.self_attn.q_a_layernorm" for i in range(32)], None),
        (["model.vision_tower.attn*"], None),
    ],
)
def test_attention_that_a_dense_checkpoint_leaves_alone_stays_16_bit(ignored, rest):
    section = {"quant_algo": "NVFP4", "ignore": ignored}
    plain = from_config("local", LLAMA | {"quantization_config": {"quant_algo": "NVFP4"}})
    model = from_config("local", LLAMA | {"quantization_config": section})
    assert model.rest_quantization == rest
    more = model.weight_bytes - plain.weight_bytes
    assert more == pytest.approx(model.attention_parameters * (2 - 0.5625) if rest else 0)


def test_4_bit_experts_mean_16_bit_attention_without_being_told():
    section = {"quant_algo": "NVFP4", "ignore": ["re:.*self_attn.*"]}
    model = from_config("local", GEMMA_4 | {"quantization_config": section})
    assert model.rest_quantization is None
    assert model.weight_bytes > 2 * model.attention_parameters + 0.5625 * model.expert_parameters


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ({"quant_method": "awq", "bits": 8}, 'cannot estimate quantization "awq"'),
        ({"quant_algo": "W4A8_AWQ"}, 'cannot estimate quantization "W4A8_AWQ"'),
        ({"quant_algo": "MIXED_PRECISION"}, "mixed quantization.*does not say which"),
        (
            {"quant_algo": "MIXED_PRECISION", "quantized_layers": {"layers.0.mlp": {"quant_algo": "W4A8_AWQ"}}},
            "mixed quantization.*most weights are in W4A8_AWQ",
        ),
    ],
)
def test_an_unknown_format_is_refused_by_name_and_told_from_a_mixed_one(section, complaint):
    with pytest.raises(InputError, match=complaint):
        from_config("local", LLAMA | {"quantization_config": section})


def test_a_mixed_checkpoint_is_as_large_as_its_files():
    # 17.1 billion weights of MLPs in 4 bit, 7.2 of attention in 8, 2.5 of embeddings in 16
    assert load("nvidia/Qwen3.6-27B-NVFP4").weight_bytes / 1e9 == pytest.approx(
        17.1 * 0.5625 + 7.2 + 2 * 2.54, rel=0.03
    )
