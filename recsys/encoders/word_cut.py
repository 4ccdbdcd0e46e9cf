"""Vocabulary pruning: keeps only the token embeddings that a shop's texts need.

In a multilingual model the embeddings are most of the parameters: multilingual-e5-small has 117.5 M, 96 M of
them word vectors (384 MB in float32), and a shop's texts use a few thousand of its 250,002 tokens. The given
texts are tokenised exactly as before: a Unigram token that is on no best path can be removed without changing
any best path, and so can a WordPiece token that is never the longest match. Other texts are tokenised with
what is left, so all single characters are kept.

V: tokens before. K: tokens that are kept.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import PreTrainedTokenizerFast

from recsys.encoders.backbone import Backbone
from recsys.encoders.model_folders import BackboneError
from recsys.encoders.tokens import tokenise

AFFIXES = ("▁", "##")  # mark the beginning, or the inside, of a word


def cut_words(backbone: Backbone, texts: Sequence[str], *, keep_characters: bool = True) -> np.ndarray:
    """Keep only the tokens that these texts need, in place: rows of the embedding table, tokenizer entries.

    Args:
        texts: all texts that must be tokenised as before; special tokens are always kept.
        keep_characters: also keep every token of one character, so that a new word is spelt, not unknown.

    Returns:
        [K] int64, the old id of each token that is kept, ascending.

    Raises:
        BackboneError: a tokenizer of another type (BPE merges build on each other), or a frozen model.
        ValueError: a tuning method is applied already: prune before.

    Example:
        >>> from recsys.encoders.backbone import load_backbone
        >>> backbone = load_backbone("minilm")
        >>> kept = cut_words(backbone, ["red shoe", "blue sock"])
        >>> len(kept) < 30_522  # MiniLM's vocabulary
        True
    """
    if backbone.frozen:
        raise BackboneError(f"{backbone.name} is frozen ({backbone.frozen}): its table stays whole")
    if getattr(backbone, "peft", None) is not None:
        raise ValueError(f"{backbone.name} has {backbone.peft.name!r} applied: cut its words before")
    old = backbone.tokenizer
    description = json.loads(old.backend_tokenizer.to_str())
    kind = description["model"]["type"]
    if kind not in ("Unigram", "WordPiece"):
        raise BackboneError(
            f"the tokenizer of {backbone.name} is {kind}, whose merges build on each other: "
            "only the tables of Unigram (e5) and WordPiece (BERT) models can be cut"
        )
    kept = _kept(backbone, texts, keep_characters)
    tokenizer = _cut_tokenizer(old, description, kept)
    _cut_table(backbone, kept, tokenizer.pad_token_id)
    backbone.tokenizer = tokenizer
    return kept


def _kept(backbone: Backbone, texts: Sequence[str], keep_characters: bool) -> np.ndarray:
    tokenizer = backbone.tokenizer
    used = set(tokenise(backbone, texts, max_tokens=backbone.max_tokens).ids.tolist())
    used |= set(tokenizer("")["input_ids"]) | set(tokenizer.all_special_ids)
    used |= set(tokenizer.backend_tokenizer.get_added_tokens_decoder())
    if keep_characters:
        for piece, place in tokenizer.get_vocab().items():
            for affix in AFFIXES:
                piece = piece.removeprefix(affix) or affix
            if len(piece) == 1:
                used.add(place)
    return np.array(sorted(used), dtype=np.int64)


def _cut_tokenizer(
    old: PreTrainedTokenizerFast, description: dict, kept: np.ndarray
) -> PreTrainedTokenizerFast:
    new_place = {int(place): new for new, place in enumerate(kept)}
    model = description["model"]
    if model["type"] == "Unigram":
        model["vocab"] = [model["vocab"][place] for place in kept]
        model["unk_id"] = new_place[model["unk_id"]]
    else:
        model["vocab"] = {
            piece: new_place[place] for piece, place in model["vocab"].items() if place in new_place
        }
    for token in description["added_tokens"]:
        token["id"] = new_place[token["id"]]
    _renumber(description["post_processor"], new_place)
    description |= {"truncation": None, "padding": None}
    roles = {name: str(token) for name, token in old.special_tokens_map.items() if isinstance(token, str)}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(description)),
        model_max_length=old.model_max_length,
        padding_side=old.padding_side,
        **roles,
    )


def _renumber(processor: dict | None, new_place: dict[int, int]) -> None:
    """The ids of a template's special tokens, in place; those of BERT's own processor are pairs."""
    if processor is None:
        return
    for part in processor.get("processors", []):
        _renumber(part, new_place)
    for token in processor.get("special_tokens", {}).values():
        token["ids"] = [new_place[place] for place in token["ids"]]
    for role in ("sep", "cls"):
        if role in processor:
            processor[role][1] = new_place[processor[role][1]]


def _cut_table(backbone: Backbone, kept: np.ndarray, pad_id: int) -> None:
    table = backbone.model.get_input_embeddings()
    cut = nn.Embedding(len(kept), table.embedding_dim, padding_idx=pad_id, device="meta")
    rows = table.weight.detach()[torch.from_numpy(kept).to(table.weight.device)].clone()
    cut.weight = nn.Parameter(rows, requires_grad=table.weight.requires_grad)
    backbone.model.set_input_embeddings(cut)
    backbone.model.config.vocab_size = len(kept)
    backbone.model.config.pad_token_id = pad_id
