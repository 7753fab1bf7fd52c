"""Models from config.json, directories and the catalogue."""

import json
import re

import pytest

from crds.errors import InputError, UnknownModel
from profiler.models import catalogue, from_config, load
from profiler.models.blocks import Latent
from tests.profiler.models.configs import DEEPSEEK, LLAMA

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
    "Qwen/Qwen3.5-122B-A10B": 122,
    "Qwen/Qwen3.5-35B-A3B": 35,
    "Qwen/Qwen3.6-27B-FP8": 27,
    "Qwen/Qwen3-VL-235B-A22B-Instruct": 235,
    "nvidia/Llama-3_3-Nemotron-Super-49B-v1": 49.9,
    "nvidia/Nemotron-H-56B-Base-8K": 56.3,
    "nvidia/NVIDIA-Nemotron-Nano-9B-v2": 8.89,
    "nvidia/NVIDIA-Nemotron-Nano-12B-v2": 12.31,
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": 31.6,
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8": 120.6,
    "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-NVFP4": 550,
    "deepseek-ai/DeepSeek-V4-Flash": 284,
    "deepseek-ai/DeepSeek-V4-Pro": 1600,
    "moonshotai/Kimi-K2.6": 1026,
    "moonshotai/Kimi-Linear-48B-A3B-Instruct": 48,
    "moonshotai/Kimi-K3": 2800,
    "MiniMaxAI/MiniMax-M2.7": 229,
    "MiniMaxAI/MiniMax-M3": 428,
    "zai-org/GLM-5.2": 744,
    "google/gemma-4-26B-A4B-it": 25.2,
    "google/gemma-4-31B-it": 30.7,
    "XiaomiMiMo/MiMo-V2-Flash": 309,
    "stepfun-ai/Step-3.7-Flash": 196.8,
    "ibm-granite/granite-4.0-h-small": 32.2,
    "zai-org/GLM-4.7-Flash": 30,
    "mistralai/Ministral-3-3B-Instruct-2512": 3.43,
    "mistralai/Ministral-3-8B-Instruct-2512": 8.49,
    "mistralai/Ministral-3-14B-Instruct-2512": 13.5,
}
ACTIVE = {
    "Qwen/Qwen3-30B-A3B": 3.3,
    "Qwen/Qwen3-235B-A22B": 22,
    "deepseek-ai/DeepSeek-V3": 37,
    "moonshotai/Kimi-K2-Instruct": 32,
    "mistralai/Mixtral-8x7B-Instruct-v0.1": 12.9,
    "zai-org/GLM-5": 40,
    "deepseek-ai/DeepSeek-V4-Flash": 13,
    "deepseek-ai/DeepSeek-V4-Pro": 49,
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": 3.6,
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8": 12.7,
    "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16": 55,
    "google/gemma-4-26B-A4B-it": 3.8,
    "XiaomiMiMo/MiMo-V2-Flash": 15,
    "ibm-granite/granite-4.0-h-small": 9,
}


@pytest.mark.parametrize(("name", "billions"), PUBLISHED.items())
def test_the_catalogue_agrees_with_published_parameter_counts(name, billions):
    assert load(name).parameters / 1e9 == pytest.approx(billions, rel=0.03)


@pytest.mark.parametrize(("name", "billions"), ACTIVE.items())
def test_active_parameters_agree_with_published_counts(name, billions):
    assert load(name).active_parameters / 1e9 == pytest.approx(billions, rel=0.06)


@pytest.mark.parametrize("name", catalogue.names())
def test_a_size_in_a_name_is_the_size_of_the_model(name):
    """As publishers round, who leave embeddings out of small ones; vision towers of VL models are not counted."""
    found = re.search(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?)(B|M)(?![A-Za-z0-9])", name.rpartition("/")[2], re.IGNORECASE)
    if found and "17B-" not in name and "VL-" not in name:  # Llama 4 names its active parameters
        size = float(found[1]) * (1 if found[2] in "Bb" else 1e-3)
        assert size < 5 or load(name).parameters / 1e9 == pytest.approx(size, rel=0.15)


def test_every_model_of_the_catalogue_loads_under_its_own_name():
    assert len(catalogue.names()) >= 250
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
        ("google/gemma-4-31B", "google/gemma-4-31B-it"),
        ("deepseek/DeepSeek-V4-Pro-Base", "deepseek-ai/DeepSeek-V4-Pro"),
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
    ("change", "complaint"),
    [
        ({"num_attention_heads": 0}, "num_attention_heads: Invalid value: 0"),
        ({"num_hidden_layers": -1}, "num_hidden_layers: Invalid value: -1"),
        ({"hidden_size": "4096"}, "hidden_size: Invalid value: '4096'"),
        ({"vocab_size": None}, "vocab_size: Required value"),
        ({"intermediate_size": 10**8, "hidden_size": 10**6}, "parameters"),
    ],
)
def test_a_config_that_cannot_be_is_refused_with_its_field(change, complaint):
    with pytest.raises(InputError, match=complaint):
        from_config("local", LLAMA | change)


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
    for name in ("x" * 5000, "/" + "x" * 5000):
        with pytest.raises(UnknownModel):
            load(name)


def test_code_of_a_checkpoint_that_engines_do_not_need_is_no_remote_code():
    assert not from_config("local", DEEPSEEK | {"auto_map": {"AutoModel": "modeling_deepseek.Model"}}).remote_code
    assert from_config("local", DEEPSEEK | {"auto_map": {"AutoModel": "x"}, "model_type": "kimi_k2"}).remote_code


def test_weights_are_as_large_as_their_published_files():
    gib = {name: load(name).weight_bytes / 2**30 for name in ("Qwen/Qwen3-8B", "openai/gpt-oss-120b")}
    assert gib["Qwen/Qwen3-8B"] == pytest.approx(15.3, rel=0.02)  # 16.4 GB of safetensors
    assert gib["openai/gpt-oss-120b"] == pytest.approx(60.8, rel=0.05)  # 65.2 GB


def test_a_path_that_is_no_checkpoint_says_why(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "empty").mkdir()
    for name, why in (
        (tmp_path / "empty", "there is no config.json in that directory"),
        (tmp_path / "config.json", "that is a file"),
        (tmp_path / "nowhere", "there is no such directory"),
        ("./nowhere", "there is no such directory"),
    ):
        with pytest.raises(UnknownModel, match=why):
            load(str(name))


def test_an_unknown_model_lists_the_three_ways_out():
    with pytest.raises(UnknownModel) as caught:
        load("Qwen/Qwen4-8B")
    assert "did you mean Qwen/Qwen3-8B?" in caught.value.next
    for way in ("config.json", "--online", "known name"):
        assert way in caught.value.next
