"""Quantisation-aware training: linear maps compute in float32 what int8 products would give.

Rounding is applied in the forward pass and skipped in the backward pass (straight-through estimator; Jacob et
al. 2018, arXiv:1712.05877, section 3), so that the weights adapt to it. It simulates the graphs of
`recsys.speed.builders.onnx`: symmetric int8 weights with one scale per output, asymmetric uint8 activations
with one dynamic scale per matrix. There a query is a batch of its own, so here each text has its own scale,
whatever else is in its batch. Embedding tables are rounded to int8 block by block.

B: texts of a batch. T: tokens of the longest. D: inputs of a map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, linear

from recsys.encoders.backbone import Backbone
from recsys.encoders.embed import embed_texts
from recsys.speed.rounding.embedding_table import LARGE, block_of
from recsys.speed.rounding.linear_maps import linear_maps, named
from recsys.speed.rounding.weights import LARGEST
from recsys.speed.variants import SHARE

LEVELS = 255  # steps of uint8 between the smallest and the largest value
TINY = 1e-12  # avoids division by 0 for a matrix of zeros
DEAD = 1e-3  # lower bound on a channel's largest magnitude


@contextmanager
def fake_int8(
    backbone: Backbone,
    *,
    unrounded: Sequence[str] = (),
    blockwise: Sequence[str] = (),
    block: int = 32,
    smooth: Mapping[str, Tensor] | None = None,
) -> Iterator[None]:
    r"""Context manager: linear maps of the transformer layers and large embedding tables are rounded.

    Parameters stay float32 and trainable, with their names; afterwards the backbone computes without rounding
    again, and `fast_encoder(backbone, variant="onnx-int8")` builds the int8 encoder from it.

    Args:
        backbone: an encoder with `nn.Linear` maps, such as BERT.
        unrounded: regular expressions of names of maps that are not rounded. The names begin with the layer's
            number: r"5\..*" is the sixth layer, `variants.FFN` the FFNs' maps in a BERT.
        blockwise: regular expressions of names of maps that are rounded, weights and activations, with a
            scale for each `block` inputs, token by token, as `builders.onnx.mixed` does. Their inputs are not
            divided.
        block: inputs that share a scale there; divides their number.
        smooth: by name of a map, [D] divisors of its inputs before rounding, by which its weights are
            multiplied, see `smoothing`. None: none.

    Raises:
        ValueError: no linear map in the layers (GPT-2 has none), a pattern that matches none, a block that
            does not divide a map's inputs, or a backbone that is rounded already.
    """
    maps = linear_maps(backbone)
    chosen_unrounded, chosen_blockwise = named(maps, unrounded), named(maps, blockwise)
    mask = RealTokens()
    with ExitStack() as stack:
        handle = backbone.register_forward_pre_hook(mask.see, with_kwargs=True)
        stack.callback(handle.remove)
        for name, module in maps.items():
            if name in chosen_unrounded:
                continue
            if name in chosen_blockwise:
                if module.in_features % block:
                    raise ValueError(
                        f"block {block} does not divide the {module.in_features} inputs of {name}"
                    )
                rounded = _by_blocks(module, block)
            else:
                rounded = _by_text(module, mask, None if smooth is None else smooth.get(name))
            _replace_forward(stack, module, rounded)
        for module in backbone.modules():
            if isinstance(module, nn.Embedding) and module.weight.numel() >= LARGE:
                _replace_forward(stack, module, _rounded_table(module))
        yield


def smoothing(
    backbone: Backbone, texts: Sequence[str], share: float = SHARE, max_tokens: int = 64
) -> dict[str, Tensor]:
    """Divisors of each map's input channels (SmoothQuant), so that one scale suits all channels better.

    s = reach^share, with reach the largest magnitude of the channel on the texts: SmoothQuant (Xiao et al.
    2022, arXiv:2211.10438, equation 4) without its second factor, the weights' magnitudes, which hardly
    differ. A dynamic scale is set by the channel with the largest entries; weights have a scale per output
    and tolerate more of the difference between channels, hence a share (α) above the paper's one half.

    Args:
        texts: at least one.
        share: α in [0, 1]: 0 changes nothing; 1 gives all channels the same largest magnitude.

    Returns:
        By name of the map, [D] float32 with a mean of 1.

    Raises:
        ValueError: no text; share not in [0, 1].
    """
    if not texts:
        raise ValueError("smoothing needs texts to find the channels' reach on")
    if not 0 <= share <= 1:
        raise ValueError(f"share must be from 0 to 1, got {share}")
    reach: dict[str, Tensor] = {}

    def note(name: str) -> Callable:
        def hook(module: nn.Module, args: tuple) -> None:
            found = args[0].flatten(0, -2).abs().amax(dim=0)
            reach[name] = torch.maximum(reach.get(name, found), found)

        return hook

    with ExitStack() as stack:
        for name, module in linear_maps(backbone).items():
            stack.callback(module.register_forward_pre_hook(note(name)).remove)
        embed_texts(backbone, texts, precision="fp32", max_tokens=max_tokens)
    return {name: channel_scale(found, share) for name, found in reach.items()}


def channel_scale(reach: Tensor, share: float) -> Tensor:
    """[D] largest magnitudes -> [D] divisors with a mean of 1, for training and for the graph."""
    scale = reach.clamp(min=DEAD) ** share
    return scale / scale.mean()


def round_by_text(rows: Tensor, real: Tensor) -> Tensor:
    """Round to uint8 with one scale and zero point per text, as DynamicQuantizeLinear for a single text.

    Args:
        rows: [B, T, D] float32.
        real: [B, T] bool; padding does not influence the scale.

    Returns:
        [B, T, D] float32; gradients pass unchanged, except at padding outside the range.
    """
    with torch.no_grad():
        seen = rows.masked_fill(~real[:, :, None], 0)
        # the range always contains 0, because 0 must be one of uint8's levels
        least, most = seen.amin(dim=(1, 2)).clamp(max=0), seen.amax(dim=(1, 2)).clamp(min=0)
        step = ((most - least) / LEVELS).clamp(min=TINY)
        zero = (-least / step).round()
    return torch.fake_quantize_per_channel_affine(rows, step, zero.to(torch.int32), 0, 0, LEVELS)


def round_by_row(table: Tensor, scales: torch.dtype = torch.float32) -> Tensor:
    """Round [R, D] to symmetric int8 with one scale per row (stored as dtype `scales`); gradients pass."""
    step = (table.detach().abs().amax(dim=1) / LARGEST).to(scales).float().clamp(min=TINY)
    zeros = torch.zeros(len(table), dtype=torch.int32, device=table.device)
    return torch.fake_quantize_per_channel_affine(table, step, zeros, 0, -LARGEST, LARGEST)


def round_weights_by_block(weight: Tensor, block: int) -> Tensor:
    """Round weights [O, D] to int8 with the scales of `weights.block_scale`; gradients pass."""
    blocks = weight.detach().reshape(-1, block)
    largest = blocks.gather(1, blocks.abs().argmax(dim=1, keepdim=True))
    step = -torch.where(largest == 0, 1, largest) / (LARGEST + 1)
    whole = (blocks / step).round().clamp(-LARGEST - 1, LARGEST)
    return weight + ((whole * step).view(weight.shape) - weight).detach()


def round_by_block(rows: Tensor, block: int) -> Tensor:
    """Round [..., D] to symmetric int8 with a scale for each `block` neighbours; gradients pass."""
    return round_by_row(rows.reshape(-1, block)).view(rows.shape)


class RealTokens:
    """Remembers which tokens of the current batch are real, not padding."""

    def __init__(self):
        self.real: Tensor | None = None

    def see(self, module: nn.Module, args: tuple, kwargs: dict) -> None:
        """Forward pre-hook of the model: stores the attention mask."""
        mask = kwargs["attention_mask"] if "attention_mask" in kwargs else args[1]
        self.real = mask != 0


def _by_text(module: nn.Linear, mask: RealTokens, smooth: Tensor | None) -> Callable[[Tensor], Tensor]:
    def forward(rows: Tensor) -> Tensor:
        rows, weight = rows.float(), module.weight
        if smooth is not None:
            rows, weight = rows / smooth, weight * smooth
        return linear(round_by_text(rows, mask.real), round_by_row(weight), module.bias)

    return forward


def _by_blocks(module: nn.Linear, block: int) -> Callable[[Tensor], Tensor]:
    def forward(rows: Tensor) -> Tensor:
        weight = round_weights_by_block(module.weight, block)
        return linear(round_by_block(rows.float(), block), weight, module.bias)

    return forward


def _rounded_table(module: nn.Embedding) -> Callable[[Tensor], Tensor]:
    def forward(ids: Tensor) -> Tensor:
        rows = embedding(ids, module.weight, module.padding_idx)  # only these rows are rounded
        return round_by_row(rows.reshape(-1, block_of(rows.shape[-1])), torch.float16).view(rows.shape)

    return forward


def _replace_forward(stack: ExitStack, module: nn.Module, forward: Callable) -> None:
    if "forward" in vars(module):
        raise ValueError("the backbone is rounded already: leave the other fake_int8 first")
    module.forward = forward  # hides the class's own
    stack.callback(vars(module).pop, "forward")
