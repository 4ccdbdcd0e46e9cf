"""Parameter-efficient tuning by name: every method that trains, saves and reloads exactly on these models.

A registry entry says what is built, the paper, the defaults, and which kinds of backbone it supports.
`apply_method` wraps `backbone.model` in place. What failed, and why, is in FAILS.

B: texts. T: tokens. v: virtual tokens. D: width.
"""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import peft
import torch
from peft.tuners.lora.eva import initialize_lora_eva_weights
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from recsys.encoders.adapter_files import Applied, TextPeftModel, changed_fields, digest, tensors_of
from recsys.encoders.backbone import Backbone, transformer_layers
from recsys.encoders.bottleneck_adapters import insert_adapters
from recsys.encoders.trainable import set_trainable

BOTH, ENCODER = ("encoder", "decoder"), ("encoder",)
# where a method attaches, by the first names that the model has: BERT, Llama, DistilBERT, GPT-2
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
# Usual peak learning rates with AdamW, where they are not 1e-3: what learns few numbers wants larger steps
# than a matrix of low rank, and pretrained weights smaller ones.
FEW = ("ia3", "prefix", "prompt", "p_tuning", "vera", "pvera", "randlora", "vblora", "unilora", "tinylora")
FEW = (*FEW, "fourierft", "waveft", "c3a", "beft")
# AdaLoRA starts from zero between orthogonal matrices: at 1e-3 fifty steps moved weights by 1e-4 of them
RATES = {"full": 1e-4, "last-1": 3e-4, "adalora": 3e-2, **dict.fromkeys(FEW, 1e-2)}
# tried with peft 0.21.2 on these models
FAILS = {
    "pissa_niter": "its random SVD is drawn anew when it is loaded, so the reloaded model differs",
    "corda": "reloads wrongly, and needs a preprocessing pass over data",
    "lora_ga": "needs gradients of the task's loss before the first step",
    "loftq": "needs bitsandbytes, for quantised weights",
    "kasa": "two of its losses are the training loop's to add",
    "xlora": "fails on BERT: ValueError `use_cache` must be False",
    "shadow": "fails on BERT: AttributeError 'ShadowCarrier' object has no attribute 'view'",
    "adaption_prompt": "fails on BERT: ValueError Unsupported model type for adaption prompt: 'bert'",
    "cpt": "ValueError CPTConfig only supports task_type = CAUSAL_LM",
    "poly": "ValueError task_ids should not be None: it is for many tasks at once",
    "multitask_prompt": "ValueError task_ids cannot be None: it is for many tasks at once",
    "lily": "its router averages over padding too, so that a text's vector depends on its batch",
    "cartridge": "a prefix that is distilled from a long text first",
}


@dataclass(frozen=True)
class PeftMethod:
    """One way to tune.

    name: as `apply_method` takes it. paper: arXiv id, or "" where there is none. config: name of peft's
    configuration class, "" for what needs no peft. defaults: of its options. kinds: backbones it supports;
    on a decoder of GPT-2's kind the weights lie transposed, which few methods know. place: key of PLACES,
    "" where nothing is targeted. rank: the option that is a rank. merges: can become part of the weights.
    redrawn: what it freezes is drawn from its configuration's seed again, so files need not hold it.
    """

    name: str
    paper: str
    config: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    kinds: tuple[str, ...] = ENCODER
    place: str = "attention"
    rank: str = "r"
    merges: bool = True
    redrawn: bool = False


def _lora(name: str, paper: str, kinds: tuple[str, ...] = BOTH, **more) -> PeftMethod:
    return PeftMethod(name, paper, "LoraConfig", {"r": 8, "lora_alpha": 16, **more}, kinds)


def _prompt(name: str, paper: str, config: str, **more) -> PeftMethod:
    defaults = {"num_virtual_tokens": 8, **more}
    return PeftMethod(name, paper, config, defaults, BOTH, "prompt", "", False)


def _own(name: str, paper: str, kinds: tuple[str, ...] = BOTH, merges: bool = True, **more) -> PeftMethod:
    return PeftMethod(name, paper, "", more, kinds, "", "", merges)


def _tuner(name: str, paper: str, config: str, rank="r", redrawn=False, kinds=ENCODER, **more):
    return PeftMethod(name, paper, config, more, kinds, rank=rank, redrawn=redrawn)


_SIZES = {"size": None, "activation": None, "layer_norms": None}
# fmt: off
_METHODS = [
    _own("full", "1810.04805"),
    _own("frozen", "1903.05987"),
    _own("last-1", "1911.03090"),
    _own("bitfit", "2106.10199"),
    _own("houlsby", "1902.00751", ENCODER, False, **_SIZES),
    _own("pfeiffer", "2005.00247", ENCODER, False, **_SIZES),
    _lora("lora", "2106.09685"),
    _lora("rslora", "2312.03732", use_rslora=True),
    _lora("dora", "2402.09353", use_dora=True),
    _lora("pissa", "2404.02948", init_lora_weights="pissa"),
    _lora("olora", "2406.01775", ENCODER, init_lora_weights="olora"),
    _lora("eva", "2410.07170", init_lora_weights="eva"),
    _lora("mica", "2604.01694", init_lora_weights="mica"),
    _lora("lora_orthogonal", "", init_lora_weights="orthogonal"),
    _tuner("adalora", "2303.10512", "AdaLoraConfig", "init_r", kinds=BOTH, init_r=8, target_r=4,
           lora_alpha=16, total_step=1000, tinit=100, tfinal=300, deltaT=10),
    PeftMethod("ia3", "2205.05638", "IA3Config", {}, BOTH, "ia3", ""),
    PeftMethod("ln_tuning", "2312.11420", "LNTuningConfig", {}, BOTH, "norms", ""),
    PeftMethod("trainable_tokens", "", "TrainableTokensConfig", {"token_indices": None}, ENCODER,
               "embedding", ""),
    _prompt("prefix", "2101.00190", "PrefixTuningConfig"),
    _prompt("prompt", "2104.08691", "PromptTuningConfig", prompt_tuning_init="SAMPLE_VOCAB"),
    _prompt("p_tuning", "2103.10385", "PromptEncoderConfig"),
    _tuner("vera", "2310.11454", "VeraConfig", redrawn=True, kinds=BOTH, r=64),
    _tuner("pvera", "2512.07703", "PveraConfig", redrawn=True, kinds=BOTH, r=64),
    _tuner("randlora", "2502.00987", "RandLoraConfig", redrawn=True, kinds=BOTH, r=32),
    _tuner("vblora", "2405.15179", "VBLoRAConfig", kinds=BOTH, r=4, num_vectors=90, vector_length=64),
    _tuner("unilora", "2506.00799", "UniLoraConfig", redrawn=True, kinds=BOTH, r=4, theta_d_length=256),
    _tuner("tinylora", "2602.04118", "TinyLoraConfig", kinds=BOTH, r=2, u=64),
    _tuner("gralora", "2505.20355", "GraloraConfig", kinds=BOTH, r=8, alpha=16),
    _tuner("hira", "", "HiraConfig", kinds=BOTH, r=8),
    _tuner("deft", "", "DeftConfig", kinds=BOTH, r=8),
    _tuner("frod", "", "FrodConfig", "", kinds=BOTH, progressbar=False),
    _tuner("oft", "2306.07280", "OFTConfig", "", redrawn=True, oft_block_size=32),
    _tuner("boft", "2311.06243", "BOFTConfig", "", redrawn=True, boft_block_size=4),
    _tuner("hra", "2405.17484", "HRAConfig", r=8),
    _tuner("psoft", "2505.11235", "PsoftConfig", r=32),
    _tuner("loha", "2108.06098", "LoHaConfig", r=4, alpha=4),
    _tuner("lokr", "2309.14859", "LoKrConfig", r=8, alpha=8),
    _tuner("fourierft", "2405.03003", "FourierFTConfig", "", n_frequency=500, scaling=100.0,
           init_weights=True),  # peft's own default starts from noise, far from the pretrained model
    _tuner("waveft", "2505.12532", "WaveFTConfig", "", n_frequency=500),
    _tuner("c3a", "2407.19342", "C3AConfig", "", block_size=64),
    _tuner("miss", "2409.15371", "MissConfig", r=8),
    _tuner("shira", "2406.13175", "ShiraConfig", random_seed=0, r=8),
    _tuner("delora", "2503.18225", "DeloraConfig", r=8),
    _tuner("road", "2409.00119", "RoadConfig", "", group_size=64),
    _tuner("peanut", "2410.01870", "PeanutConfig", r=8),
    _tuner("beft", "2509.15974", "BeftConfig", ""),
    _tuner("glora", "2306.07967", "GloraConfig", r=8),
    _tuner("adamss", "", "AdamssConfig", r=32),
    _tuner("osf", "2504.07097", "OSFConfig", ""),
    _tuner("supertuning", "2607.09287", "SupertuningConfig", ""),
]
# fmt: on
METHODS: dict[str, PeftMethod] = {method.name: method for method in _METHODS}


def get_method(name: str) -> PeftMethod:
    """Registry entry of a name; that of any "last-K" is "last-1". Raises ValueError for an unknown name."""
    name = str(name)
    if name not in METHODS and not re.fullmatch(r"last-[0-9]+", name):
        failed = f" ({name} fails: {FAILS[name]})" if name in FAILS else ""
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not {name!r}{failed}")
    return METHODS.get(name, METHODS["last-1"])


def usual_rate(name: str) -> float:
    """A usual peak learning rate of a method, the middle of those to search. Raises as `get_method`."""
    return RATES.get(get_method(name).name, 1e-3)


def apply_method(
    backbone: Backbone,
    name: str,
    *,
    seed: int = 0,
    batches: Iterable[tuple[Tensor, Tensor]] | None = None,
    **options,
) -> dict[str, int]:
    """Make a backbone learn by one method, in place.

    Args:
        name: of METHODS, or "last-K".
        seed: of the adapter's first weights; the global generator is left as it was.
        batches: "eva" only: pairs of input_ids and attention_mask, [B, T], as `Tokens.take` gives them; the
            directions of greatest variance of what each target module reads become its A matrix (§3).
        **options: over the method's defaults: fields of peft's configuration class, such as r, lora_alpha,
            target_modules, num_virtual_tokens; of the bottleneck adapters see `insert_adapters`.

    Returns:
        {"trainable": n, "total": n}, numbers of parameters of the backbone, without any head.

    Raises:
        ValueError: unknown method, option or target module; a rank out of range; a pairing that is not
            supported; more virtual tokens than positions; a backbone with a method applied already.
    """
    method = get_method(name)
    if getattr(backbone, "peft", None) is not None:
        raise ValueError(f"{backbone.name} has {backbone.peft.name!r} applied already: load a fresh backbone")
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
    """As `apply_method`, with all options given and checked: what a file of an adapter is built with."""
    method, base = get_method(name), digest(tensors_of(backbone.model))
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
            _own_method(backbone, name, options)
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
    """Defaults of the method under the given options, with the targets of this backbone."""
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


def _own_method(backbone: Backbone, name: str, options: dict) -> None:
    if name in ("houlsby", "pfeiffer"):
        insert_adapters(backbone, name, **options)
        return
    set_trainable(backbone, {"full": "all", "frozen": "none", "bitfit": "none"}.get(name, name))
    if name == "bitfit":
        for label, parameter in backbone.named_parameters():
            parameter.requires_grad_(label.endswith("bias"))


def _eva(backbone: Backbone, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
    device = next(backbone.parameters()).device
    inputs = [{"input_ids": ids.to(device), "attention_mask": mask.to(device)} for ids, mask in batches]
    initialize_lora_eva_weights(backbone.model, inputs, show_progress_bar=False)
