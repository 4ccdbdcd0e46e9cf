"""Parameter-efficient tuning by name: `apply_method` wraps `backbone.model` in place.

The methods are in `recsys.encoders.peft.registry`.

B: texts. T: tokens. v: virtual tokens. D: width.
"""

from __future__ import annotations

import dataclasses
import pkgutil
import re
import warnings
from collections.abc import Iterable

import peft
import torch
from peft.tuners.lora.eva import initialize_lora_eva_weights
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from recsys.encoders.backbone import Backbone, transformer_layers
from recsys.encoders.backbone_digest import backbone_digest
from recsys.encoders.peft.applied import Applied, TextPeftModel, changed_fields, tensors_of
from recsys.encoders.peft.registry import FAILS, METHODS, PeftMethod, get_method

# target modules of each block; the first group of names that the model has: BERT, Llama, DistilBERT, GPT-2
PLACES = {
    "attention": (("query", "value"), ("q_proj", "v_proj"), ("q_lin", "v_lin"), ("c_attn",)),
    "ia3": (("key", "value", "output.dense"), ("k_proj", "v_proj", "down_proj"), ("c_attn", "mlp.c_proj")),
    "norms": (("LayerNorm",), ("ln_1", "ln_2", "ln_f"), ("input_layernorm", "post_attention_layernorm")),
    "embedding": (("word_embeddings",), ("wte",), ("embed_tokens",)),
}
# target_modules by block, as a pattern of names within the layers: "output.dense" alone would be the end of
# two maps' names in a BERT's layer, and the first of them belongs to attention
BLOCKS = {"attention": r"\.(self_)?att", "feed-forward": r"^(?!.*\.(self_)?att)", "all-linear": ""}
FEED_FORWARD = ("output.dense", "down_proj", "mlp.c_proj")  # of the names above, for IA3


def apply_method(
    backbone: Backbone,
    name: str,
    *,
    seed: int = 0,
    batches: Iterable[tuple[Tensor, Tensor]] | None = None,
    **options,
) -> dict[str, int]:
    """Prepare a backbone for tuning by one method, in place: adds its parameters and freezes the others.

    Args:
        name: of METHODS ("lora", "ia3", "full", ...), or "last-K".
        seed: of the adapter's initial weights; torch's global generator does not change.
        batches: "eva" only: pairs of input_ids and attention_mask, [B, T], as `Tokens.take` gives them; the
            principal directions of each target module's inputs become its A matrix (Paischer et al., §3).
        **options: override the method's defaults: fields of peft's configuration class, such as r,
            lora_alpha, target_modules, num_virtual_tokens; for bottleneck adapters see `insert_adapters`.

    Returns:
        {"trainable": n, "total": n}, numbers of parameters of the backbone, without any head.

    Raises:
        ValueError: unknown method, option or target module; a rank out of range; a pairing that is not
            supported; more virtual tokens than positions; a backbone with a method applied already.

    Example:
        >>> from recsys.encoders.backbone import load_backbone
        >>> backbone = load_backbone("minilm")
        >>> apply_method(backbone, "lora", r=4)["trainable"]  # 6 layers × query and value × 2 × 384 × 4
        36864
    """
    method = get_method(name)
    if getattr(backbone, "peft", None) is not None:
        raise ValueError(f"{backbone.name} has {backbone.peft.name!r} applied already: load a fresh backbone")
    if backbone.frozen and name != "frozen":
        raise ValueError(
            f"{backbone.name} is frozen ({backbone.frozen}): 'frozen' is its one method, not {name!r}"
        )
    if backbone.kind not in method.kinds:
        able = ", ".join(m.name for m in METHODS.values() if backbone.kind in m.kinds)
        raise ValueError(f"{name} does not support a {backbone.kind} ({backbone.name}); these do: {able}")
    if (name == "eva") != (batches is not None):
        raise ValueError("batches (a list of pairs input_ids, attention_mask) must be given for 'eva' alone")
    checked = checked_options(backbone, method, options)
    if batches is not None and min((int(mask.sum()) for _, mask in batches), default=0) < 4 * checked["r"]:
        raise ValueError(f"every batch for 'eva' needs {4 * checked['r']} tokens: its search would never end")
    return wrap(backbone, name, checked, seed, batches)


def wrap(backbone: Backbone, name: str, options: dict, seed: int = 0, batches=None) -> dict[str, int]:
    """As `apply_method`, with all options given and checked; `load_adapter` builds adapters with it."""
    method, base = get_method(name), backbone_digest(backbone)
    before = {id(tensor) for tensor in tensors_of(backbone.model).values()}
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft's, about model cards and task types
        torch.manual_seed(seed)
        if method.config:
            config = getattr(peft, method.config)(task_type="FEATURE_EXTRACTION", **options)
            training = backbone.model.training
            backbone.model = TextPeftModel(backbone.model, config).train(training)
            backbone.model.can_merge = method.merges
            if batches is not None:
                _eva(backbone, batches)
            options = changed_fields(config)
        else:
            pkgutil.resolve_name(method.applied_by)(backbone, name, options)
    if method.place == "prompt":
        backbone.max_tokens -= options["num_virtual_tokens"]
    names = [n for n, t in tensors_of(backbone.model).items() if t.requires_grad or id(t) not in before]
    backbone.peft = Applied(method, name, options, base, tuple(names))
    parameters = list(backbone.parameters())
    return {
        "trainable": sum(p.numel() for p in parameters if p.requires_grad),
        "total": sum(p.numel() for p in parameters),
    }


def checked_options(backbone: Backbone, method: PeftMethod, options: dict) -> dict:
    """The method's defaults overridden by the given options, with the target modules of this backbone."""
    allowed = set(method.defaults)
    if method.config:
        fields = {f.name for f in dataclasses.fields(getattr(peft, method.config)) if f.init}
        allowed = fields - set(peft.PeftConfig.__dataclass_fields__)
    if unknown := sorted(options.keys() - allowed):
        raise ValueError(
            f"{method.name} has no option {unknown[0]!r}: {', '.join(sorted(allowed)) or 'none'}"
        )
    merged = {**method.defaults, **options}
    for start, why in FAILS.items():
        if str(merged.get("init_lora_weights")).startswith(start):
            raise ValueError(f"init_lora_weights={merged['init_lora_weights']!r} is not supported: {why}")
    rank = merged.get(method.rank)
    if method.rank and rank is not None and not (type(rank) is int and 1 <= rank <= backbone.width):
        raise ValueError(f"{method.rank} must be a whole number from 1 to {backbone.width}, got {rank!r}")
    if method.place == "prompt":
        virtual, most = merged["num_virtual_tokens"], backbone.max_tokens - 3
        if not (type(virtual) is int and 1 <= virtual <= most):
            raise ValueError(
                f"num_virtual_tokens must be a whole number from 1 to {most} (the position table has "
                f"{backbone.max_tokens} places, 3 are left for a text), got {virtual!r}"
            )
    elif method.config:
        _targets(backbone, method, merged)
    if "token_indices" in merged and merged["token_indices"] is None:
        merged["token_indices"] = sorted(backbone.tokenizer.all_special_ids)
    return merged


def _targets(backbone: Backbone, method: PeftMethod, merged: dict) -> None:
    modules = {
        name: m for name, m in backbone.model.named_modules() if getattr(m, "weight", None) is not None
    }

    def places(target: str) -> list[nn.Module]:
        return [m for name, m in modules.items() if name == target or name.endswith(f".{target}")]

    wanted = merged.get("target_modules")
    if wanted is None:
        groups = [group for group in PLACES[method.place] if all(places(target) for target in group)]
        wanted = list(groups[0]) if groups else []
    wanted = [wanted] if isinstance(wanted, str) else sorted(wanted)
    wanted = [
        name for target in wanted for name in (_maps(backbone, target) if target in BLOCKS else [target])
    ]
    if not wanted or not all(places(target) for target in wanted):
        valid = sorted({name.rsplit(".", 1)[-1] for name in modules} | {f for f in FEED_FORWARD if places(f)})
        valid += BLOCKS
        raise ValueError(f"target_modules {wanted} not found in {backbone.name}: it has {', '.join(valid)}")
    merged["target_modules"] = wanted
    fields = getattr(peft, method.config).__dataclass_fields__
    if "fan_in_fan_out" in fields and isinstance(places(wanted[0])[0], Conv1D):
        merged["fan_in_fan_out"] = True
    if method.place == "ia3":
        merged.setdefault("feedforward_modules", [t for t in wanted if t in FEED_FORWARD])


def _maps(backbone: Backbone, block: str) -> list[str]:
    path, layers = transformer_layers(backbone.model)
    maps = [name for name, m in layers.named_modules() if isinstance(m, (nn.Linear, Conv1D))]
    return [f"{path}.{name}" for name in maps if re.search(BLOCKS[block], name)]


def _eva(backbone: Backbone, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
    device = next(backbone.parameters()).device
    inputs = [{"input_ids": ids.to(device), "attention_mask": mask.to(device)} for ids, mask in batches]
    initialize_lora_eva_weights(backbone.model, inputs, show_progress_bar=False)
