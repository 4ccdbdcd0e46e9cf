"""Low-rank factorisation of linear maps: r (in + out) multiplications at rank r instead of in × out.

Plain: the r largest singular values of W (Eckart & Young 1936), optimal for uncorrelated inputs of equal
variance. Data-aware: the truncated SVD of W C^½, with C the inputs' covariance, which minimises the error of
the outputs (SVD-LLM, Wang et al. 2024, arXiv:2403.07378; ASVD, Yuan et al. 2023, arXiv:2312.05821, whitens by
channel only). Its left singular vectors U are the principal axes of the map's outputs, and the best map of
rank r is U Uᵀ W (Yu & Wu 2023, "Features are low-rank, but weights are not"), so no whitening matrix has to
be inverted here.

r: rank. n: texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from recsys.encoders.backbone import Backbone, transformer_layers
from recsys.encoders.length_batches import length_batches
from recsys.encoders.tokens import tokenise
from recsys.speed.rounding.linear_maps import linear_maps

TOKEN_BUDGET = 4096  # of a padded batch
MAX_TOKENS = 128


@dataclass(frozen=True)
class Moments:
    """Mean [in] and covariance [in, in] of a linear map's inputs over all real tokens; float64."""

    mean: Tensor
    covariance: Tensor


def flops_per_token(inputs: int, outputs: int, rank: int | None = None) -> int:
    """FLOPs per token: 2 in × out of a full map, 2 r (in + out) at rank r; without the bias.

    Example:
        >>> flops_per_token(384, 384), flops_per_token(384, 384, rank=96)
        (294912, 147456)
    """
    return 2 * (inputs * outputs if rank is None else rank * (inputs + outputs))


def break_even_rank(inputs: int, outputs: int) -> float:
    """in × out ÷ (in + out): below this rank two maps cost fewer multiplications than the full one."""
    return inputs * outputs / (inputs + outputs)


def uniform_ranks(backbone: Backbone, names: Sequence[str], share: float) -> dict[str, int]:
    """The rank (at least 1) at which each map costs `share`, in (0, 1), of its multiplications.

    Raises:
        ValueError: `share` out of range. KeyError: no linear map of that name.
    """
    _check_share(share)
    maps = linear_maps(backbone)
    shapes = {name: (maps[name].in_features, maps[name].out_features) for name in names}
    return {name: max(1, int(share * break_even_rank(*shape))) for name, shape in shapes.items()}


def ranks_of_equal_loss(
    backbone: Backbone, names: Sequence[str], share: float, moments: Mapping[str, Moments] | None = None
) -> dict[str, int]:
    """Ranks at which all maps lose the same share of their outputs' variance and together cost `share`.

    A map for which that rank would save nothing is left out: it stays whole, and the others are cut more.

    Args:
        names: as in `linear_maps`.
        share: of these maps' multiplications, in (0, 1).
        moments: of their inputs; None uses the weights alone.

    Raises:
        ValueError: `share` out of range, or too small for a rank of 1 everywhere.
    """
    _check_share(share)
    maps = linear_maps(backbone)
    lost = {}  # [min(in, out) + 1]: share of the variance that is lost at rank 0, 1, …
    for name in names:
        energy = _spectrum(maps[name], moments[name] if moments else None)
        lost[name] = 1 - np.r_[0.0, np.cumsum(energy) / energy.sum()]
    shapes = {name: (maps[name].in_features, maps[name].out_features) for name in names}
    budget = share * sum(flops_per_token(*shapes[name]) for name in names)

    def at(loss: float) -> dict[str, int]:
        ranks = {name: max(1, int((curve > loss).sum())) for name, curve in lost.items()}
        return {name: rank for name, rank in ranks.items() if rank < break_even_rank(*shapes[name])}

    def cost(ranks: dict[str, int]) -> int:
        return sum(flops_per_token(*shapes[name], ranks.get(name)) for name in names)

    low, high = 0.0, 1.0
    if cost(at(high)) > budget:
        raise ValueError(f"even rank 1 everywhere costs more than {share} of the products: raise share")
    for _ in range(60):  # the cost falls as the loss grows
        middle = (low + high) / 2
        low, high = (middle, high) if cost(at(middle)) > budget else (low, middle)
    return at(high)


def factorise(
    backbone: Backbone, ranks: Mapping[str, int], moments: Mapping[str, Moments] | None = None
) -> pd.DataFrame:
    """Replace each map by two, in place; pass `copy.deepcopy(backbone)` to keep the original.

    A map becomes `nn.Sequential(in -> r without bias, r -> out with bias)`. With `moments`, its bias also
    corrects the mean shift of the outputs.

    Args:
        ranks: name, as in `linear_maps`, -> r from 1 to min(in, out).
        moments: from `input_moments`, with all these names; None is the plain SVD.

    Returns:
        One row per map: layer, matrix, rank, share (of its multiplications; above 1 beyond the break-even
        rank), lost (share of the variance of its outputs; without `moments` of ‖W‖²), each with the inputs
        that it has in the original model.

    Raises:
        ValueError: an unknown name or a rank out of range; nothing has been changed then.
    """
    maps = linear_maps(backbone)
    for name, rank in ranks.items():
        if name not in maps:
            raise ValueError(f"no linear map {name!r}: there are {', '.join(list(maps)[:6])}, …")
        most = min(maps[name].weight.shape)
        if isinstance(rank, bool) or not isinstance(rank, int) or not 1 <= rank <= most:
            raise ValueError(f"the rank of {name} must be a whole number from 1 to {most}, got {rank!r}")
    _, layers = transformer_layers(backbone.model)
    rows = []
    for name, rank in ranks.items():
        linear, known = maps[name], moments[name] if moments else None
        thin = _thin(linear, rank, known)
        energy = _spectrum(linear, known)
        shape = linear.in_features, linear.out_features
        layer, _, matrix = name.partition(".")
        share = flops_per_token(*shape, rank) / flops_per_token(*shape)
        rows.append((int(layer), matrix, rank, share, float(energy[rank:].sum() / energy.sum())))
        layers.set_submodule(name, thin)
    return pd.DataFrame(rows, columns=["layer", "matrix", "rank", "share", "lost"])


def input_moments(
    backbone: Backbone, names: Sequence[str], texts: Sequence[str], max_tokens: int = MAX_TOKENS
) -> dict[str, Moments]:
    """Mean and covariance of each linear map's inputs, without padding.

    Give at least ten times as many tokens as the widest map has inputs, otherwise the estimated covariance
    is that of a few texts.

    Args:
        names: as in `linear_maps`. texts: n at least 1. max_tokens: longer texts are cut.

    Raises:
        ValueError: no text. KeyError: no linear map of that name.
    """
    if not len(texts):
        raise ValueError("the inputs of a map are found on texts: give at least one")
    maps = linear_maps(backbone)
    sums = {name: torch.zeros(maps[name].in_features, dtype=torch.float64) for name in names}
    squares = {name: torch.zeros(2 * (maps[name].in_features,), dtype=torch.float64) for name in names}
    count = 0

    def note(name: str, rows: Tensor) -> None:
        sums[name] += rows.sum(dim=0, dtype=torch.float64)
        squares[name] += (rows.T @ rows).double()

    with torch.inference_mode():
        for ids, mask in text_batches(backbone, texts, max_tokens):
            real = mask.bool()
            count += int(real.sum())
            with _watched({name: maps[name] for name in names}, real, note):
                backbone(ids, mask)
    means = {name: total / count for name, total in sums.items()}
    return {name: Moments(m, squares[name] / count - torch.outer(m, m)) for name, m in means.items()}


def text_batches(
    backbone: Backbone, texts: Sequence[str], max_tokens: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Padded ids and masks [B, T], sorted by length."""
    tokens = tokenise(backbone, list(texts), max_tokens=min(max_tokens, backbone.max_tokens))
    for rows in length_batches(tokens.lengths, token_budget=TOKEN_BUDGET):
        yield tokens.take(rows)


@contextmanager
def _watched(maps: Mapping[str, nn.Linear], real: Tensor, note) -> Iterator[None]:
    """`note(name, rows [tokens, in])` for every call of a map."""
    hooks = [
        linear.register_forward_pre_hook(lambda _, inputs, name=name: note(name, inputs[0][real]))
        for name, linear in maps.items()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _outputs(linear: nn.Linear, moments: Moments | None) -> Tensor:
    """Covariance of the outputs [out, out] float64; W Wᵀ without moments."""
    weight = linear.weight.detach().double()
    return weight @ weight.T if moments is None else weight @ moments.covariance @ weight.T


def _spectrum(linear: nn.Linear, moments: Moments | None) -> np.ndarray:
    """[min(in, out)] variance along each principal axis of the outputs, largest first."""
    values = torch.linalg.eigvalsh(_outputs(linear, moments)).flip(0).clamp(min=0)
    return values[: min(linear.weight.shape)].numpy()


def _thin(linear: nn.Linear, rank: int, moments: Moments | None) -> nn.Sequential:
    weight = linear.weight.detach().double()
    axes = torch.linalg.eigh(_outputs(linear, moments)).eigenvectors[:, -rank:]  # [out, r]
    inner = axes.T @ weight
    bias = linear.bias.detach().double() if linear.bias is not None else weight.new_zeros(len(weight))
    if moments is not None:
        bias = bias + (weight - axes @ inner) @ moments.mean
    like = {"dtype": linear.weight.dtype, "device": linear.weight.device}
    first = nn.Linear(linear.in_features, rank, bias=False, **like)
    second = nn.Linear(rank, linear.out_features, **like)
    with torch.no_grad():
        first.weight.copy_(inner)
        second.weight.copy_(axes)
        second.bias.copy_(bias)
    return nn.Sequential(first, second).train(linear.training)


def _check_share(share: float) -> None:
    if not 0 < share < 1:
        raise ValueError(f"share must lie in (0, 1), got {share}")
