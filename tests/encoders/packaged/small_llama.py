"""A small random Llama in a gguf file laid out as SmolLM2's: 4 bits, grouped query heads, tied words."""

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaModel

from recsys.encoders.packaged import smollm2
from tests.encoders.packaged.small_weights import WORDS, installed

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CHAT = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
MATRICES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
NORMS = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}


def config() -> LlamaConfig:
    """SmolLM2's, smaller: no bias, 3 : 1 grouped heads, tied words, its rotary base."""
    return LlamaConfig(
        vocab_size=len(pieces()[0]),
        hidden_size=96,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=6,
        num_key_value_heads=2,
        max_position_embeddings=256,
        rms_norm_eps=1e-5,
        rope_theta=100_000.0,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )


def pieces() -> tuple[list[str], list[str]]:
    """Tokens (special ones, all bytes as byte-level BPE writes them, a word each) and the merges."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(c) for c in plain] + [chr(256 + n) for n in range(256 - len(plain))]
    tokens, merges = [*SPECIAL, *letters], []
    for word in WORDS:
        whole = "Ġ"
        for letter in word:
            if f"{whole}{letter}" not in tokens:
                merges.append(f"{whole} {letter}")
                tokens.append(f"{whole}{letter}")
            whole += letter
    return tokens, merges


def smollm2_file(path) -> LlamaModel:
    """Write the gguf file; the model that its rounded numbers stand for."""
    import gguf

    settings, (tokens, merges) = config(), pieces()
    torch.manual_seed(0)
    model = LlamaModel(settings).eval()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(settings.num_hidden_layers)
    writer.add_context_length(settings.max_position_embeddings)
    writer.add_embedding_length(settings.hidden_size)
    writer.add_feed_forward_length(settings.intermediate_size)
    writer.add_head_count(settings.num_attention_heads)
    writer.add_head_count_kv(settings.num_key_value_heads)
    writer.add_layer_norm_rms_eps(settings.rms_norm_eps)
    writer.add_rope_freq_base(100_000.0)
    writer.add_rope_dimension_count(settings.hidden_size // settings.num_attention_heads)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in SPECIAL else 1 for token in tokens])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT)
    _put(writer, "token_embd.weight", model.embed_tokens.weight, gguf.GGMLQuantizationType.Q8_0)
    for number, layer in enumerate(model.layers):
        heads = {"attn_q": settings.num_attention_heads, "attn_k": settings.num_key_value_heads}
        for name, short in MATRICES.items():
            weight, place = layer.get_submodule(name).weight, f"blk.{number}.{short}.weight"
            _put(writer, place, weight, gguf.GGMLQuantizationType.Q4_1, heads.get(short, 0))
        for name, short in NORMS.items():
            writer.add_tensor(
                f"blk.{number}.{short}.weight", layer.get_submodule(name).weight.detach().numpy()
            )
    writer.add_tensor("output_norm.weight", model.norm.weight.detach().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


def _put(writer, name: str, weight: torch.Tensor, kind, heads: int = 0) -> None:
    """Add a rounded matrix, and put the rounded numbers into the model.

    heads: of queries or keys, whose rows llama.cpp keeps in pairs (for its rotary embedding), not in halves.
    """
    from gguf import quants

    numbers = weight.detach().numpy()
    if heads:
        halves = numbers.reshape(heads, 2, len(numbers) // heads // 2, -1)
        numbers = halves.swapaxes(1, 2).reshape(numbers.shape)
    packed = quants.quantize(np.ascontiguousarray(numbers), kind)
    writer.add_tensor(name, packed, raw_dtype=kind)
    rounded = quants.dequantize(packed, kind).reshape(numbers.shape)
    if heads:
        pairs = rounded.reshape(heads, len(numbers) // heads // 2, 2, -1)
        rounded = pairs.swapaxes(1, 2).reshape(numbers.shape)
    with torch.no_grad():
        weight.copy_(torch.from_numpy(np.ascontiguousarray(rounded)))


@pytest.fixture
def small_smollm2(tmp_path_factory, monkeypatch):
    """`load_backbone("smollm2-135m")` loads a small random file; the model that it stands for."""
    pytest.importorskip("gguf", reason="the extra 'generative'")
    folder = tmp_path_factory.mktemp("smollm2")
    model = smollm2_file(folder / "whole.gguf")
    content = (folder / "whole.gguf").read_bytes()
    monkeypatch.setattr(smollm2, "MODEL", installed(smollm2.MODEL, folder, [content], monkeypatch))
    return model
