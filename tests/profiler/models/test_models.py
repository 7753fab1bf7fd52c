"""Models from config.json, directories and the catalogue."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crds.errors import InputError, UnknownModel
from profiler.models import Latent, catalogue, from_config, load

# Billions of parameters as their publishers state them (safetensors totals; text part of multimodal models).
PUBLISHED = {
    "Qwen/Qwen3-0.6B": 0.596,
    "Qwen/Qwen3-1.7B": 1.72,
    "Qwen/Qwen3-4B": 4.02,
    "Qwen/Qwen3-8B": 8.19,
    "Qwen/Qwen3-14B": 14.8,
    "Qwen/Qwen3-32B-FP8": 32.8,
    "Qwen/Qwen3-30B-A3B-FP8": 30.5,
    "Qwen/Qwen3-235B-A22B-Instruct-2507": 235,
    "Qwen/Qwen3-Coder-480B-A35B-Instruct": 480,
    "Qwen/Qwen3-Next-80B-A3B-Instruct": 80,
    "Qwen/Qwen3.5-397B-A17B": 397,
    "Qwen/Qwen2.5-0.5B-Instruct": 0.494,
    "Qwen/Qwen2.5-7B-Instruct": 7.62,
    "Qwen/Qwen2.5-32B-Instruct": 32.8,
    "Qwen/Qwen2.5-72B-Instruct": 72.7,
    "meta-llama/Llama-2-7b-chat-hf": 6.74,
    "meta-llama/Llama-3.1-8B-Instruct": 8.03,
    "meta-llama/Llama-3.1-70B-Instruct": 70.6,
    "meta-llama/Llama-3.1-405B-Instruct": 406,
    "meta-llama/Llama-3.2-1B-Instruct": 1.24,
    "meta-llama/Llama-3.2-3B-Instruct": 3.21,
    "meta-llama/Llama-4-Scout-17B-16E-Instruct": 109,
    "meta-llama/Llama-4-Maverick-17B-128E-Instruct": 400,
    "deepseek-ai/DeepSeek-R1": 671,
    "deepseek-ai/DeepSeek-V2-Lite": 15.7,
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B": 1.78,
    "moonshotai/Kimi-K2-Instruct": 1026,
    "openai/gpt-oss-20b": 20.9,
    "openai/gpt-oss-120b": 116.8,
    "mistralai/Mistral-7B-Instruct-v0.3": 7.25,
    "mistralai/Mistral-Nemo-Instruct-2407": 12.2,
    "mistralai/Mistral-Small-24B-Instruct-2501": 23.6,
    "mistralai/Mixtral-8x7B-Instruct-v0.1": 46.7,
    "mistralai/Mixtral-8x22B-Instruct-v0.1": 141,
    "google/gemma-2-9b-it": 9.24,
    "google/gemma-2-27b-it": 27.2,
    "google/gemma-3-1b-it": 1.0,
    "google/gemma-3-27b-it": 27.0,
    "microsoft/Phi-3-mini-4k-instruct": 3.82,
    "microsoft/phi-4": 14.7,
    "microsoft/Phi-4-mini-instruct": 3.84,
    "microsoft/Phi-3.5-MoE-instruct": 41.9,
    "MiniMaxAI/MiniMax-M2.5": 229,
    "zai-org/GLM-4.5": 355,
    "zai-org/GLM-4.5-Air": 106,
    "zai-org/GLM-5": 744,
    "facebook/opt-125m": 0.125,
}
ACTIVE = {
    "Qwen/Qwen3-30B-A3B": 3.3,
    "Qwen/Qwen3-235B-A22B": 22,
    "deepseek-ai/DeepSeek-V3": 37,
    "moonshotai/Kimi-K2-Instruct": 32,
    "mistralai/Mixtral-8x7B-Instruct-v0.1": 12.9,
    "zai-org/GLM-5": 40,
}
LLAMA = {
    "model_type": "llama",
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
}
DEEPSEEK = {
    "model_type": "deepseek_v3",
    "num_hidden_layers": 61,
    "hidden_size": 7168,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "intermediate_size": 18432,
    "vocab_size": 129280,
    "max_position_embeddings": 163840,
    "n_routed_experts": 256,
    "num_experts_per_tok": 8,
    "moe_intermediate_size": 2048,
    "first_k_dense_replace": 3,
    "n_shared_experts": 1,
    "q_lora_rank": 1536,
    "kv_lora_rank": 512,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]},
}


@pytest.mark.parametrize(("name", "billions"), PUBLISHED.items())
def test_the_catalogue_agrees_with_published_parameter_counts(name, billions):
    assert load(name).parameters / 1e9 == pytest.approx(billions, rel=0.03)


@pytest.mark.parametrize(("name", "billions"), ACTIVE.items())
def test_active_parameters_agree_with_published_counts(name, billions):
    assert load(name).active_parameters / 1e9 == pytest.approx(billions, rel=0.06)


def test_every_model_of_the_catalogue_loads_under_its_own_name():
    assert len(catalogue.names()) >= 80
    for name in catalogue.names():
        assert load(name).name == name
        assert load(name).parameters > 1e8


@pytest.mark.parametrize(
    ("asked", "same_as"),
    [
        ("meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B-Instruct"),
        ("meta-llama/Meta-Llama-3.1-70B-Instruct", "meta-llama/Llama-3.1-70B-Instruct"),
        ("qwen/qwen3-32b-fp8", "Qwen/Qwen3-32B-FP8"),
        ("Qwen3-0.6B", "Qwen/Qwen3-0.6B"),
        ("Qwen/Qwen3-8B-Base", "Qwen/Qwen3-8B"),
        ("zhipuai/GLM-5", "zai-org/GLM-5"),
        ("google/gemma-3-27b-pt", "google/gemma-3-27b-it"),
    ],
)
def test_other_spellings_resolve_and_keep_the_name_that_was_asked_for(asked, same_as):
    found, known = load(asked), load(same_as)
    assert found.name == asked
    assert (found.layers, found.hidden, found.quantization) == (known.layers, known.hidden, known.quantization)


def test_another_organisations_repository_of_the_same_name_is_not_assumed_to_be_the_same():
    with pytest.raises(UnknownModel):
        load("somebody/Qwen3-8B")


@pytest.mark.parametrize("name", ["Qwen/Qwen3-32B", "Qwen/Qwen3-32B-FP8", "nvidia/Qwen3-32B-FP8"])
def test_a_quantised_repository_keeps_its_shape(name):
    formats = {"Qwen/Qwen3-32B": ("bf16", "bf16"), "Qwen/Qwen3-32B-FP8": ("fp8_block", "bf16")}
    found = load(name)
    assert found.layers == 64
    assert (found.quantization, found.kv_dtype) == formats.get(name, ("fp8", "fp8"))


def test_a_dense_config_is_read():
    model = from_config("local", LLAMA)
    assert model.parameters / 1e9 == pytest.approx(8.03, rel=0.001)
    assert (model.is_moe, model.attention, model.head_dim) == (False, "dense", 128)
    assert model.kv_bytes_per_token == 2 * 32 * 2 * 8 * 128


def test_a_latent_attention_config_is_read():
    model = from_config("local", DEEPSEEK)
    assert model.latent == Latent(1536, 512, 128, 64, 128)
    assert (model.attention, model.moe_layers, model.quantization) == ("mla", 58, "fp8_block")
    assert model.kv_elements_per_token == 61 * (512 + 64)
    assert model.parameters == load("deepseek-ai/DeepSeek-V3").parameters


def test_the_text_part_of_a_multimodal_model_is_read():
    text = {"model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34}
    model = from_config("local", {"model_type": "gemma3", "text_config": {**text, "sliding_window": 1024}})
    assert model.parameters == load("google/gemma-3-4b-it").parameters
    assert (model.window, model.window_layers) == (1024, 29)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"quant_method": "fp8"}, ("fp8", "bf16")),
        ({"quant_method": "awq", "bits": 4}, ("int4", "bf16")),
        ({"quant_method": "gptq", "bits": 4}, ("int4", "bf16")),
        ({"quant_method": "mxfp4"}, ("mxfp4", "bf16")),
        ({"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8"}, ("nvfp4", "fp8")),
        ({"quant_algo": "FP8", "kv_cache_scheme": {"num_bits": 8, "type": "float"}}, ("fp8", "fp8")),
        (
            {"quant_method": "compressed-tensors", "config_groups": {"g": {"weights": {"num_bits": 4, "type": "int"}}}},
            ("int4", "bf16"),
        ),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"g": {"weights": {"num_bits": 8, "type": "float", "strategy": "block"}}},
            },
            ("fp8_block", "bf16"),
        ),
    ],
)
def test_quantisation_is_read_from_the_config(section, expected):
    model = from_config("local", LLAMA | {"quantization_config": section})
    assert (model.quantization, model.kv_dtype) == expected


@pytest.mark.parametrize("section", [{"quant_method": "awq", "bits": 8}, {"quant_algo": "MIXED_PRECISION"}])
def test_an_unknown_quantisation_is_refused_by_name(section):
    with pytest.raises(InputError, match="cannot estimate quantization"):
        from_config("local", LLAMA | {"quantization_config": section})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"num_attention_heads": 0}, "num_attention_heads: Invalid value: 0"),
        ({"num_hidden_layers": -1}, "num_hidden_layers: Invalid value: -1"),
        ({"hidden_size": "4096"}, "hidden_size: Invalid value: '4096'"),
        ({"vocab_size": None}, "vocab_size: Required value"),
        ({"intermediate_size": 10**8, "hidden_size": 10**6}, "parameters"),
        ({"ssm_state_size": 128}, "layers of another kind"),
    ],
)
def test_a_config_that_cannot_be_is_refused_with_its_field(change, complaint):
    with pytest.raises(InputError, match=complaint):
        from_config("local", LLAMA | change)


@given(
    st.dictionaries(
        st.sampled_from([*DEEPSEEK, "sliding_window", "layer_types"]), st.none() | st.integers() | st.text()
    )
)
def test_any_config_gives_a_model_or_an_input_error(change):
    try:
        model = from_config("local", DEEPSEEK | change)
    except InputError:
        return
    assert 0 < model.active_parameters <= model.parameters


def test_a_directory_wins_over_the_catalogue(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(LLAMA | {"num_hidden_layers": 2}))
    assert load("Qwen/Qwen3-0.6B", path=tmp_path).layers == 2
    assert load(str(tmp_path)).layers == 2


def test_a_directory_may_carry_its_quantisation_in_a_second_file(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    (tmp_path / "hf_quant_config.json").write_text(json.dumps({"quantization": {"quant_algo": "FP8"}}))
    assert load(str(tmp_path)).quantization == "fp8"


def test_a_hugging_face_cache_is_searched(tmp_path):
    snapshot = tmp_path / "hub" / "models--my--model" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text(json.dumps(LLAMA))
    assert load("my/model", path=tmp_path).layers == 32


def test_a_volume_that_is_not_mounted_here_does_not_hide_the_catalogue():
    assert load("Qwen/Qwen3-0.6B", path="/opt/model-cache/not-here").layers == 28


@pytest.mark.parametrize("text", ["", "{", "[]", '{"model_type": "llama"'])
def test_a_truncated_config_file_is_an_input_error(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match=r"config\.json"):
        load("my/model", path=tmp_path)


def test_a_name_that_no_path_can_have_is_an_unknown_model():
    with pytest.raises(UnknownModel):
        load("x" * 5000)


def test_weights_are_as_large_as_their_published_files():
    gib = {name: load(name).weight_bytes / 2**30 for name in ("Qwen/Qwen3-8B", "openai/gpt-oss-120b")}
    assert gib["Qwen/Qwen3-8B"] == pytest.approx(15.3, rel=0.02)  # 16.4 GB of safetensors
    assert gib["openai/gpt-oss-120b"] == pytest.approx(60.8, rel=0.05)  # 65.2 GB


def test_an_unknown_model_lists_the_three_ways_out():
    with pytest.raises(UnknownModel) as caught:
        load("Qwen/Qwen4-8B")
    assert "did you mean Qwen/Qwen3-8B?" in caught.value.next
    for way in ("config.json", "--online", "known name"):
        assert way in caught.value.next
