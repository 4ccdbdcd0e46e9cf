"""Structured pruning: removes attention heads, feed-forward neurons and layers, so that matrices get smaller.

Removing single weights would not make the products cheaper; here rows and columns are removed. transformers'
BERT works with the smaller matrices, since its attention takes the number of heads from the weights
(`BertModel.prune_heads` itself is gone from transformers 5). That few heads matter: Michel et al. 2019,
arXiv:1905.10650, and Voita et al. 2019, arXiv:1905.09418.

The remaining heads and neurons compensate for the removed ones: the following map is refitted by least
squares on the texts' activations (as the mask tuning of Kwon et al. 2022, arXiv:2204.09656, with all weights
of the map instead of one factor per column).

L: layers. H: heads of a layer. F: neurons of a layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers.pytorch_utils import prune_linear_layer

from recsys.compression.importance import BEHIND, COUNTS, By, bert_layers, importance, maps_behind
from recsys.compression.low_rank import MAX_TOKENS, Moments, input_moments
from recsys.encoders.backbone import Backbone, load_backbone, transformer_layers
from recsys.encoders.embed import embed_texts

MULTIPLES = {"heads": 1, "neurons": 32}  # matrix products work in blocks of 16 to 64 columns
RIDGE = 1e-3  # ridge penalty, times the mean variance of the activations, against overfitting to few texts


def prune(
    backbone: Backbone,
    texts: Sequence[str],
    *,
    heads: float = 0.0,
    neurons: float = 0.0,
    by: By = "size",
    alike: bool = False,
    repair: bool = True,
    max_tokens: int = MAX_TOKENS,
    seed: int = 0,
) -> pd.DataFrame:
    """Remove the least important heads and neurons, in place; pass `copy.deepcopy(backbone)` to keep it.

    Args:
        texts: at least one, like those that the model will encode; some thousand tokens.
        heads, neurons: shares to remove, [0, 1), over all layers together. Each layer keeps at least one head
            and 32 neurons, and multiples of 32 neurons.
        by: how importance is measured, see `recsys.compression.importance`.
        alike: remove the same number in every layer.
        repair: refit the following maps; otherwise only the mean of what is removed is kept, in their bias.
        max_tokens: longer texts are cut.
        seed: of the random directions of "sensitivity", or of the random choice.

    Returns:
        One row per layer: layer, heads, neurons: how many are left.

    Raises:
        NotForThisModel: layers that are not built like BERT's.
        ValueError: a share out of range, no text, or no such `by`; nothing has been changed then.
    """
    shares = {"heads": heads, "neurons": neurons}
    for kind, share in shares.items():
        if not 0 <= share < 1:
            raise ValueError(f"{kind} is a share to remove, from 0 to below 1, got {share}")
    layers, names = bert_layers(backbone), maps_behind(backbone)
    moments = input_moments(backbone, [*names["heads"], *names["neurons"]], texts, max_tokens)
    scores = importance(backbone, texts, by=by, moments=moments, max_tokens=max_tokens, seed=seed)
    for kind, share in shares.items():
        if not share:
            continue
        kept = chosen(scores[kind], share, MULTIPLES[kind], alike)
        for layer, name, places in zip(layers, names[kind], kept, strict=True):
            _remove(layer, kind, places, moments[name], repair)
    found = {kind: [count(layer) for layer in layers] for kind, count in COUNTS.items()}
    return pd.DataFrame(found).rename_axis("layer").reset_index()


def chosen(scores: Sequence[Tensor], removed: float, multiple: int = 1, alike: bool = False) -> list[Tensor]:
    """Which places of each layer to keep: those with the best scores over all layers.

    Args:
        scores: L tensors. removed: share, [0, 1).
        multiple: each layer keeps a multiple of it, at least one, or all where it has fewer; the share is met
            as nearly as that allows.
        alike: choose within each layer instead of over all layers.

    Returns:
        L int64 tensors, ascending.
    """
    sizes = torch.tensor([len(layer) for layer in scores])
    if alike:
        wanted = ((1 - removed) * sizes).tolist()
    else:
        best = torch.cat(list(scores)).argsort(descending=True, stable=True)
        best = best[: round((1 - removed) * len(best))]
        wanted = torch.bincount(torch.repeat_interleave(sizes)[best], minlength=len(sizes)).tolist()
    found = []
    for layer, count in zip(scores, wanted, strict=True):
        count = min(len(layer), max(1, round(count / multiple)) * multiple)
        found.append(layer.argsort(descending=True, stable=True)[:count].sort().values)
    return found


def layers_to_keep(backbone: Backbone, texts: Sequence[str], count: int) -> list[int]:
    """Which `count` layers to keep, by greedy removal; pass them to `distillation.keep_layers`.

    Each step removes the layer without which the vectors change least. Sajjad et al. 2020 (arXiv:2004.03844)
    compare rules; this one needs L + (L − 1) + … passes over the texts.

    Args:
        texts: at least one. count: 1 to L.

    Returns:
        Layer numbers from 0, ascending.

    Raises:
        ValueError: `count` out of range, or no text.
    """
    path, layers = transformer_layers(backbone.model)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= len(layers):
        raise ValueError(f"from 1 to {len(layers)} layers can be kept, got {count!r}")
    if not len(texts):
        raise ValueError("which layer matters least is found on texts: give at least one")
    limit = {"precision": "fp32", "max_tokens": min(MAX_TOKENS, backbone.max_tokens)}
    expected = embed_texts(backbone, texts, **limit)
    left = list(range(len(layers)))
    try:
        while len(left) > count:
            cosines = []
            for gone in left:
                kept = nn.ModuleList(layers[other] for other in left if other != gone)
                backbone.model.set_submodule(path, kept)
                cosines.append(float((embed_texts(backbone, texts, **limit) * expected).sum()))
            del left[int(np.argmax(cosines))]
    finally:
        backbone.model.set_submodule(path, layers)
    return left


def load_pruned(folder: str | Path) -> Backbone:
    """Load a pruned backbone that `Backbone.save` wrote, with the sizes of the stored weights.

    `load_backbone` refuses it, because a config has one number of heads and neurons for all layers.

    Raises:
        BackboneError: no model there. NotForThisModel: layers that are not built like BERT's.
        FileNotFoundError: weights in several files; RuntimeError: they do not fit the config.
    """
    backbone = load_backbone(str(folder), pretrained=False)
    weights = load_file(Path(folder) / "model.safetensors")
    path, _ = transformer_layers(backbone.model)
    for index, layer in enumerate(bert_layers(backbone)):
        for kind, behind in BEHIND.items():
            width = layer.get_submodule(behind).in_features // COUNTS[kind](layer)
            count = weights[f"{path}.{index}.{behind}.weight"].shape[1] // width
            _shrink(layer, kind, torch.arange(count))
    backbone.model.load_state_dict(weights)
    return backbone


def _remove(layer: nn.Module, kind: str, places: Tensor, moments: Moments, repair: bool) -> None:
    """Cut the layer to these heads or neurons, and refit the following map."""
    behind = layer.get_submodule(BEHIND[kind])
    columns = _columns(behind.in_features, COUNTS[kind](layer), places)
    gone = torch.ones(behind.in_features, dtype=torch.bool).index_fill(0, columns, False)
    weight = behind.weight.detach().double()
    stays = weight[:, columns]
    if repair:
        among = moments.covariance[columns][:, columns]
        ridge = RIDGE * moments.covariance.diagonal().mean() * torch.eye(len(columns), dtype=among.dtype)
        # regression of the removed columns on the kept ones: [removed, kept]
        told = torch.linalg.solve(among + ridge, moments.covariance[columns][:, gone]).T
        stays = stays + weight[:, gone] @ told
    shift = weight @ moments.mean - stays @ moments.mean[columns]
    _shrink(layer, kind, places)
    behind = layer.get_submodule(BEHIND[kind])
    with torch.no_grad():
        behind.weight.copy_(stays)
        behind.bias += shift


def _shrink(layer: nn.Module, kind: str, places: Tensor) -> None:
    """Keep only these heads or neurons, with their weights unchanged."""
    behind, before = layer.get_submodule(BEHIND[kind]), COUNTS[kind](layer)
    columns = _columns(behind.in_features, before, places)
    layer.set_submodule(BEHIND[kind], prune_linear_layer(behind, columns, dim=1))
    if kind == "neurons":
        layer.intermediate.dense = prune_linear_layer(layer.intermediate.dense, columns)
        return
    attention = layer.attention.self
    for part in ("query", "key", "value"):
        setattr(attention, part, prune_linear_layer(getattr(attention, part), columns))
    attention.num_attention_heads, attention.all_head_size = len(places), len(columns)


def _columns(width: int, groups: int, places: Tensor) -> Tensor:
    """The columns of these groups out of `groups` equal ones."""
    return torch.arange(width).view(groups, -1)[places].flatten()
