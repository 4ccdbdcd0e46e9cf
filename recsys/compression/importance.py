"""Importance of attention heads and feed-forward neurons for a text's vector, for pruning.

Every head and neuron has a gate: 1 keeps it, 0 replaces it by its mean, which is moved into a bias (Michel et
al. 2019, arXiv:1905.10650, replace it by 0). The loss 1 − cos to the model's own vector is minimal with all
gates open, so its gradient, which Michel et al. use, is zero. The first non-zero term is ½ |J|², with J the
derivative of the unit vector with respect to the gate: the predicted loss of closing this gate alone (the
Fisher information of the gates of Kwon et al. 2022, arXiv:2204.09656, for this loss). |J|² is estimated as
the mean square of Jᵀv over random directions v.

n: texts. B: of a batch. L: layers. H: heads of a layer. F: neurons of a layer. D: width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from recsys.compression.low_rank import MAX_TOKENS, Moments, input_moments, text_batches
from recsys.encoders.backbone import Backbone, transformer_layers
from recsys.speed.variant import NotForThisModel

By = Literal["sensitivity", "size", "random"]
Scores = dict[str, list[Tensor]]  # "heads": L tensors [H], "neurons": L tensors [F]

PROBES = 4  # random directions a text
BEHIND = {"heads": "attention.output.dense", "neurons": "output.dense"}  # the map whose inputs they are
COUNTS: dict[str, Callable[[nn.Module], int]] = {
    "heads": lambda layer: layer.attention.self.num_attention_heads,
    "neurons": lambda layer: layer.output.dense.in_features,
}


def importance(
    backbone: Backbone,
    texts: Sequence[str],
    *,
    by: By = "size",
    moments: Mapping[str, Moments] | None = None,
    max_tokens: int = MAX_TOKENS,
    seed: int = 0,
) -> Scores:
    """Scores of all heads and neurons, larger where they matter more.

    Args:
        texts: at least one, like those that the model will encode.
        by: "sensitivity": the predicted loss 1 − cos of removing it alone (all but its mean), mean over
            texts, comparable between layers. "size": root mean square of its contribution to the layer's
            output, around its mean (weight times activation, as Wanda, Sun et al. 2023, arXiv:2306.11695).
            "random": the control.
        moments: of the inputs of `maps_behind`; None computes them on the texts.
        max_tokens: longer texts are cut.
        seed: of the random directions, or of the random scores.

    Returns:
        {"heads": L tensors [H], "neurons": L tensors [F]}.

    Raises:
        NotForThisModel: layers that are not built like BERT's.
        ValueError: no text, or no such `by`.
    """
    layers = bert_layers(backbone)
    if not len(texts):
        raise ValueError("importance is found on texts: give at least one")
    if by == "random":
        generator = torch.Generator().manual_seed(seed)
        return {
            kind: [torch.rand(count(layer), generator=generator) for layer in layers]
            for kind, count in COUNTS.items()
        }
    if by not in ("sensitivity", "size"):
        raise ValueError(f"by must be 'sensitivity', 'size' or 'random', not {by!r}")
    names = maps_behind(backbone)
    moments = moments or input_moments(backbone, [*names["heads"], *names["neurons"]], texts, max_tokens)
    gates = [
        _Gate(layers.get_submodule(name), moments[name], COUNTS[kind](layer))
        for kind in BEHIND
        for name, layer in zip(names[kind], layers, strict=True)
    ]
    if by == "sensitivity":
        scores = _sensitivity(backbone, gates, texts, max_tokens, seed)
    else:
        scores = [_size(gate) for gate in gates]
    return {"heads": scores[: len(layers)], "neurons": scores[len(layers) :]}


def bert_layers(backbone: Backbone) -> nn.ModuleList:
    """The layers of a BERT, RoBERTa, ELECTRA, …

    Raises:
        NotForThisModel: layers with other parts.
    """
    _, layers = transformer_layers(backbone.model)
    parts = {name for name, _ in layers[0].named_modules()}
    wanted = {f"attention.self.{part}" for part in ("query", "key", "value")} | {"intermediate.dense"}
    if not wanted | set(BEHIND.values()) <= parts:
        kind = backbone.model.config.model_type
        raise NotForThisModel(f"heads and neurons are removed from layers built as BERT's, not from {kind}'s")
    return layers


def maps_behind(backbone: Backbone) -> dict[str, list[str]]:
    """ "heads" and "neurons" -> names of the L linear maps that read them."""
    _, layers = transformer_layers(backbone.model)
    return {kind: [f"{i}.{own}" for i in range(len(layers))] for kind, own in BEHIND.items()}


@dataclass(frozen=True)
class _Gate:
    """Gates of `count` groups of neighbouring inputs of a linear map: heads, or neurons."""

    linear: nn.Linear
    moments: Moments
    count: int

    @contextmanager
    def on(self, gates: Tensor) -> Iterator[None]:
        """Inputs [B, T, in] moved towards their mean: mean + gate × (input - mean), gates [B, 1, count]."""
        mean = self.moments.mean.to(gates.dtype)
        columns = self.linear.in_features // self.count

        def moved(_, inputs: tuple[Tensor]) -> tuple[Tensor]:
            return (mean + gates.repeat_interleave(columns, dim=2) * (inputs[0] - mean),)

        hook = self.linear.register_forward_pre_hook(moved)
        try:
            yield
        finally:
            hook.remove()


def _sensitivity(
    backbone: Backbone, places: Sequence[_Gate], texts: Sequence[str], max_tokens: int, seed: int
) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    total = [torch.zeros(place.count) for place in places]
    for ids, mask in text_batches(backbone, texts, max_tokens):
        gates = [torch.ones(len(ids), 1, place.count, requires_grad=True) for place in places]
        with ExitStack() as hooks, torch.enable_grad():
            for place, gate in zip(places, gates, strict=True):
                hooks.enter_context(place.on(gate))
            vectors = normalize(backbone(ids, mask), dim=1)
        for _ in range(PROBES):
            probe = torch.randn(vectors.shape, generator=generator)
            found = torch.autograd.grad(vectors, gates, probe, retain_graph=True)
            for scores, slopes in zip(total, found, strict=True):
                scores += slopes[:, 0].square().sum(dim=0)
    return [scores / (2 * PROBES * len(texts)) for scores in total]


def _size(place: _Gate) -> Tensor:
    """[count]: √tr(W_g C_g W_g') of each group."""
    shape = place.count, place.linear.in_features // place.count
    weight = place.linear.weight.detach().double().view(-1, *shape)
    covariance = place.moments.covariance.view(*shape, *shape)
    return torch.einsum("ogc,gcgd,ogd->g", weight, covariance, weight).clamp(min=0).sqrt().float()
