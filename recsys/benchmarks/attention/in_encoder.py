"""Cheaper attention in a real encoder: its time by text length, and its effect on the vectors.

An encoder trained with full attention does not work with another form unless it is trained again:
`vector_table` measures how far the vectors change. And product titles are short: at 128 tokens attention is
5 % of MiniLM's operations, at 2,300 half (`attention_share`).

B: texts. H: heads. T: tokens of the longest text. d: width of a head.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

from recsys.benchmarks.attention.forms import Attend, AttentionForms, full_attention
from recsys.benchmarks.roofline import cost_of
from recsys.benchmarks.timing import interleave
from recsys.encoders.backbone import Backbone
from recsys.encoders.embed import embed_texts
from recsys.speed.engines.packed import check_bert
from recsys.speed.quality import closeness
from recsys.speed.variant import NotForThisModel

REPLACED = "recsys"  # name of the function in transformers' table
TIMES = ["seconds", "cpu", "speedup", "speedup_cpu", "busy"]


def attention_share(backbone: Backbone, tokens: int) -> float:
    """Share of full attention in a backbone's operations on a text of `tokens` tokens, in [0, 1)."""
    cost = cost_of(backbone)
    return cost.attention * tokens / (cost.flops_per_token + cost.attention * tokens)


@contextmanager
def attention_replaced(backbone: Backbone, attend: Attend) -> Iterator[None]:
    """Context manager: every layer of the encoder uses that attention function. One backbone at a time.

    Raises:
        NotForThisModel: no BERT encoder, or one whose tokenizer pads on the left.
    """
    check_bert(backbone)
    if backbone.tokenizer.padding_side != "right":
        raise NotForThisModel("the forms are written for padding on the right")

    def interface(module, query, key, value, mask, **_) -> tuple[Tensor, None]:
        everything = torch.full((len(query),), query.shape[2])
        lengths = everything if mask is None else mask[:, 0, 0].sum(dim=1)  # every query sees the same keys
        return attend(query, key, value, lengths).transpose(1, 2), None

    before = backbone.model.config._attn_implementation
    AttentionInterface.register(REPLACED, interface)
    AttentionMaskInterface.register(REPLACED, sdpa_mask)
    backbone.model.set_attn_implementation(REPLACED)
    try:
        yield
    finally:
        backbone.model.set_attn_implementation(before)


def attention_inputs(
    backbone: Backbone, titles: Sequence[str], tokens: int, layer: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values [1, H, T, d] of one layer, on one text made of titles.

    Beyond `backbone.max_tokens` positions start again from 0: the tensors then have realistic values, but the
    model could not read such a text. (MiniLM has 512 positions and was trained on at most 256 tokens.)

    Args:
        titles: together at least T − 2 tokens. layer: 0 … layers − 1.

    Raises:
        NotForThisModel: no BERT encoder. ValueError: too few titles; no such layer.
    """
    tokenizer = backbone.tokenizer
    rows = tokenizer(list(titles), add_special_tokens=False, truncation=False, padding=False)["input_ids"]
    ids = [token for row in rows for token in row][: tokens - 2]
    if len(ids) < tokens - 2 or not 0 <= layer < backbone.model.config.num_hidden_layers:
        raise ValueError(
            f"{len(ids)} tokens of titles for a text of {tokens}, or no layer {layer}: give more"
        )
    ids = torch.tensor([[tokenizer.cls_token_id, *ids, tokenizer.sep_token_id]])
    seen: list[tuple[Tensor, Tensor, Tensor]] = []

    def recorded(query: Tensor, key: Tensor, value: Tensor, lengths: Tensor) -> Tensor:
        seen.append((query, key, value))
        return full_attention(query, key, value, lengths)

    with torch.inference_mode(), attention_replaced(backbone, recorded):
        backbone.model(input_ids=ids, position_ids=torch.arange(tokens)[None] % backbone.max_tokens)
    return seen[layer]


def forms_by_length(
    backbone: Backbone,
    titles: Sequence[str],
    lengths: Sequence[int] = (128, 256, 512, 1024, 2048, 4096),
    *,
    layer: int = 0,
    rounds: int = 5,
    threads: int = 1,
    longest: int | None = None,
) -> pd.DataFrame:
    """Time of each form on one layer's real queries, keys and values, and its error against full attention.

    Args:
        lengths: tokens of the one text; those above `longest` are left out.
        layer: see `attention_inputs`. rounds, threads: see `interleave`.

    Returns:
        One row per length and form: seconds, cpu, speedup, speedup_cpu and busy as in `Timing.table`, with
        full attention as baseline; flops and bytes by the formulas; error (norm of the difference ÷ norm of
        full attention's outputs); cosine (mean over tokens and heads); share (`attention_share`).
    """
    found = []
    for tokens in (length for length in lengths if longest is None or length <= longest):
        parts = *attention_inputs(backbone, titles, tokens, layer), torch.tensor([tokens])
        with torch.inference_mode():
            outputs = {name: form.attend(*parts) for name, form in AttentionForms.items()}
            calls = {name: partial(form.attend, *parts) for name, form in AttentionForms.items()}
            timing = interleave(calls, rounds=rounds, threads=threads).table("full")
        heads, width = outputs["full"].shape[1], outputs["full"].shape[3]
        for name, form in AttentionForms.items():
            away = torch.linalg.vector_norm(outputs[name] - outputs["full"])
            row = {"tokens": tokens, "form": name} | timing.loc[name, TIMES].to_dict()
            row |= {"flops": heads * form.flops(tokens, width), "bytes": heads * form.bytes(tokens, width)}
            row["error"] = float(away / torch.linalg.vector_norm(outputs["full"]))
            row["cosine"] = float(cosine_similarity(outputs[name], outputs["full"], dim=3).mean())
            found.append(row | {"share": attention_share(backbone, tokens)})
    return pd.DataFrame(found)


def vector_table(
    backbone: Backbone, catalogue: Sequence[str], queries: Sequence[str], max_tokens: int = 256
) -> pd.DataFrame:
    """How a trained encoder's vectors change when another form replaces its attention, without training.

    Returns:
        One row per form: cosine (mean with full attention's vectors), least (the smallest), overlap (share of
        the 10 nearest neighbours that are kept); see `recsys.speed.quality.closeness`.
    """
    rows, reference = {}, None
    for name, form in AttentionForms.items():
        with attention_replaced(backbone, form.attend):
            both = (catalogue, queries)
            vectors = [embed_texts(backbone, t, max_tokens=max_tokens, precision="fp32") for t in both]
        reference = reference or vectors
        close = closeness(*vectors, *reference)
        rows[name] = (close.cosine, close.least, close.mean_overlap)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["cosine", "least", "overlap"])
