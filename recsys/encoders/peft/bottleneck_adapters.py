"""Bottleneck adapters for BERT-type layers: small networks between the sublayers of a frozen model.

f(h) = W_up φ(W_down h + b_down) + b_up, with m ≪ D units in the middle.

Houlsby (Houlsby et al. 2019, arXiv:1902.00751, §2.1): two per layer, h + f(h) on the output of attention
and of the feed-forward block, after their dropout and before the residual sum and norm; the layer norms
are trained too, as in the paper. Pfeiffer (Pfeiffer et al. 2020, arXiv:2005.00247, §3.1 and appendix): one
per layer, after the feed-forward block: with s = block(x) + x, the layer returns LN(s + f(LN(s))).

Numbers of parameters, for L layers of width D: an adapter has 2·D·m + D + m; Houlsby 2·L of them and
2·D·(2·L + 1) of the norms (embeddings' included), Pfeiffer L. MiniLM (L = 6, D = 384) with m = 24:
18,840 an adapter; Houlsby 12 · 18,840 + 9,984 = 236,064; Pfeiffer 6 · 18,840 = 113,040.

They are inserted with hooks, so that no parameter of the base model changes its name.

B: texts. T: tokens. D: width.
"""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor, nn
from torch.nn.functional import layer_norm

from recsys.encoders.backbone import Backbone, BackboneError, transformer_layers

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}
START_STD = 1e-2  # Houlsby et al., §3.6: larger starts lose quality
CHILD = "bottleneck"
Kind = Literal["houlsby", "pfeiffer"]


class BottleneckAdapter(nn.Module):
    """The adapter f of the module's docstring: width D, m = size units in the middle (1 to D).

    Starts close to the zero function: weights N(0, 0.01²), truncated at 2 σ.
    """

    def __init__(self, width: int, size: int, activation: str = "gelu"):
        super().__init__()
        self.down = nn.Linear(width, size)
        self.activation = ACTIVATIONS[activation]()
        self.up = nn.Linear(size, width)
        for linear in (self.down, self.up):
            nn.init.trunc_normal_(linear.weight, std=START_STD, a=-2 * START_STD, b=2 * START_STD)
            nn.init.zeros_(linear.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """[B, T, D] -> f, [B, T, D]; the caller adds it."""
        return self.up(self.activation(self.down(hidden)))

    def after_dropout(self, _dropout: nn.Module, _inputs: tuple, hidden: Tensor) -> Tensor:
        """Forward hook of a sublayer's dropout: Houlsby's place. [B, T, D] -> [B, T, D]."""
        return hidden + self(hidden)

    def before_norm(self, norm: nn.LayerNorm, inputs: tuple[Tensor]) -> tuple[Tensor]:
        """Pre-hook of a sublayer's norm: Pfeiffer's place. [B, T, D] sums -> what the norm gets instead."""
        (total,) = inputs
        normed = layer_norm(total, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
        return (total + self(normed),)


def insert_adapters(
    backbone: Backbone,
    kind: Kind,
    *,
    size: int | None = None,
    activation: str | None = None,
    layer_norms: bool | None = None,
) -> list[BottleneckAdapter]:
    """Insert adapters into every layer, in place, and freeze everything else. Draws from torch's generator.

    Args:
        kind: "houlsby" or "pfeiffer".
        size: m, from 1 to D; None: D // 16.
        activation: "relu", "gelu" or "silu"; None: "gelu" for Houlsby, "relu" for Pfeiffer.
        layer_norms: whether the model's own norms are trained; None: for Houlsby yes, for Pfeiffer no.

    Returns:
        The adapters, first layer first; for Houlsby that of the attention before that of the feed-forward.

    Raises:
        ValueError: no such kind or activation, `size` out of range, adapters are there already, a model
            whose layers are not built as BERT's.
    """
    size = max(1, backbone.width // 16) if size is None else size
    activation = activation or ("gelu" if kind == "houlsby" else "relu")
    layer_norms = kind == "houlsby" if layer_norms is None else layer_norms
    _check(backbone, kind, size, activation)
    parameter = next(backbone.model.parameters())
    backbone.requires_grad_(False)
    adapters = []
    for parent in _places(backbone, kind):
        adapter = BottleneckAdapter(backbone.width, size, activation).to(parameter.device, parameter.dtype)
        adapter.train(parent.training)
        if kind == "houlsby":
            adapter.handle = parent.dropout.register_forward_hook(adapter.after_dropout)
        else:
            adapter.handle = parent.LayerNorm.register_forward_pre_hook(adapter.before_norm)
        setattr(parent, CHILD, adapter)
        adapters.append(adapter)
    if layer_norms:
        for module in backbone.model.modules():
            if isinstance(module, nn.LayerNorm):
                module.requires_grad_(True)
    backbone.model.save_pretrained = _refuse_to_save
    return adapters


def remove_adapters(backbone: Backbone) -> None:
    """Remove the adapters of `insert_adapters`; trained norms keep their values, everything stays frozen.

    Raises:
        ValueError: there are none.
    """
    holders = [module for module in backbone.model.modules() if isinstance(_child(module), BottleneckAdapter)]
    if not holders:
        raise ValueError(f"{backbone.name} has no bottleneck adapters to remove")
    for holder in holders:
        _child(holder).handle.remove()
        delattr(holder, CHILD)
    del backbone.model.save_pretrained  # the class's own again


def adapter_state(backbone: Backbone) -> dict[str, Tensor]:
    """Weights of the adapters only, copied to the CPU, by their name in `backbone.model`."""
    return {
        name: value.detach().to("cpu", copy=True)
        for name, value in backbone.model.state_dict().items()
        if f".{CHILD}." in name
    }


def load_adapter_state(backbone: Backbone, state: dict[str, Tensor]) -> None:
    """Copy what `adapter_state` gave into adapters of the same kind and size.

    Raises:
        ValueError: other names or shapes than the adapters have; nothing is changed then.
    """
    own = {name: value for name, value in backbone.model.state_dict().items() if f".{CHILD}." in name}
    if own.keys() != state.keys() or any(own[name].shape != state[name].shape for name in own):
        raise ValueError(
            f"the state has {len(state)} tensors of other names or shapes than the {len(own)} of the adapters"
        )
    for name, value in own.items():
        value.copy_(state[name])  # state_dict gives the parameters' own memory


def _child(module: nn.Module) -> nn.Module | None:
    return getattr(module, CHILD, None)


def _places(backbone: Backbone, kind: str) -> list[nn.Module]:
    """Modules with a dropout and a LayerNorm, in the order in which they run."""
    try:
        _, stack = transformer_layers(backbone.model)
        places = []
        for layer in stack:
            places += [layer.attention.output, layer.output] if kind == "houlsby" else [layer.output]
        if not all(isinstance(place.LayerNorm, nn.LayerNorm) and place.dropout for place in places):
            raise AttributeError
    except (AttributeError, BackboneError):
        raise ValueError(
            f"{kind} needs layers built as BERT's (attention.output and output, each with dropout and "
            f"LayerNorm); {backbone.name} is a {backbone.kind} of type "
            f"{backbone.model.config.model_type!r}"
        ) from None
    return places


def apply_adapters(backbone: Backbone, kind: Kind, options: dict[str, Any]) -> None:
    """The methods "houlsby" and "pfeiffer", as `apply_method` calls them."""
    insert_adapters(backbone, kind, **options)


def _check(backbone: Backbone, kind: str, size: int, activation: str) -> None:
    if kind not in ("houlsby", "pfeiffer"):
        raise ValueError(f"kind must be 'houlsby' or 'pfeiffer', not {kind!r}")
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= backbone.width:
        raise ValueError(
            f"size must be a whole number from 1 to {backbone.width}, the width of {backbone.name}, "
            f"got {size!r}"
        )
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {activation!r}")
    if any(isinstance(module, BottleneckAdapter) for module in backbone.model.modules()):
        raise ValueError(f"{backbone.name} has bottleneck adapters already: remove them first")


def _refuse_to_save(*_args, **_kwargs) -> None:
    """Refuses `save_pretrained`: `load_backbone` would silently read such a folder as a bare model."""
    raise ValueError(
        "bottleneck adapters are no part of a plain model folder: "
        "use recsys.encoders.peft.adapter_files.save_adapter"
    )
