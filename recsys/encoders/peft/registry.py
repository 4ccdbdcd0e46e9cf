"""Methods of parameter-efficient tuning by name: what each is, its paper, defaults, and what it supports.

Every method of METHODS trains, saves and reloads exactly on these models; what failed, and why, is in FAILS.
`recsys.encoders.peft.methods` applies them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BOTH, ENCODER = ("encoder", "decoder"), ("encoder",)
# Usual peak learning rates with AdamW, where they are not 1e-3: methods with few parameters need larger steps
# than low-rank matrices, and pretrained weights smaller ones.
FEW_NUMBERS = 1e-2
ADAPTERS = "recsys.encoders.peft.bottleneck_adapters:apply_adapters"
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
    """One tuning method.

    name: as `apply_method` takes it. paper: arXiv id, or "" where there is none. config: name of peft's
    configuration class; "" for methods without peft. defaults: of its options. kinds: backbones that it
    supports; GPT-2 stores its weights transposed, which few methods handle. place: key of
    `recsys.encoders.peft.methods.PLACES`, "prompt", or "" where nothing is targeted. rank: name of the option
    that is a rank. merges: whether it can be merged into the weights. redrawn: whether its frozen tensors are
    drawn again from the configuration's seed, so that files need not store them. rate: a usual peak learning
    rate. applied_by: for methods without peft, "module:function" of (backbone, name, options).
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
    rate: float = 1e-3
    applied_by: str = ""


def _lora(name: str, paper: str, kinds: tuple[str, ...] = BOTH, **more) -> PeftMethod:
    return PeftMethod(name, paper, "LoraConfig", {"r": 8, "lora_alpha": 16, **more}, kinds)


def _prompt(name: str, paper: str, config: str, **more) -> PeftMethod:
    defaults = {"num_virtual_tokens": 8, **more}
    return PeftMethod(name, paper, config, defaults, BOTH, "prompt", "", False, rate=FEW_NUMBERS)


def _own(name: str, paper: str, applied_by: str, kinds=BOTH, merges=True, rate=1e-3, **more) -> PeftMethod:
    return PeftMethod(name, paper, "", more, kinds, "", "", merges, rate=rate, applied_by=applied_by)


def _tuner(name: str, paper: str, config: str, rank="r", redrawn=False, kinds=ENCODER, rate=1e-3, **more):
    return PeftMethod(name, paper, config, more, kinds, rank=rank, redrawn=redrawn, rate=rate)


_SIZES = {"size": None, "activation": None, "layer_norms": None}
# fmt: off
_METHODS = [
    _own("full", "1810.04805", "recsys.encoders.peft.trainable:tune_all", rate=1e-4),
    _own("frozen", "1903.05987", "recsys.encoders.peft.trainable:tune_none"),
    _own("last-1", "1911.03090", "recsys.encoders.peft.trainable:tune_last", rate=3e-4),
    _own("bitfit", "2106.10199", "recsys.encoders.peft.trainable:tune_biases"),
    _own("houlsby", "1902.00751", ADAPTERS, ENCODER, False, **_SIZES),
    _own("pfeiffer", "2005.00247", ADAPTERS, ENCODER, False, **_SIZES),
    _lora("lora", "2106.09685"),
    _lora("rslora", "2312.03732", use_rslora=True),
    _lora("dora", "2402.09353", use_dora=True),
    _lora("pissa", "2404.02948", init_lora_weights="pissa"),
    _lora("olora", "2406.01775", ENCODER, init_lora_weights="olora"),
    _lora("eva", "2410.07170", init_lora_weights="eva"),
    _lora("mica", "2604.01694", init_lora_weights="mica"),
    _lora("lora_orthogonal", "", init_lora_weights="orthogonal"),
    # adalora starts with Λ = 0: at a rate of 1e-3 fifty steps changed the weights by 1e-4 of their norm
    _tuner("adalora", "2303.10512", "AdaLoraConfig", "init_r", kinds=BOTH, rate=3e-2, init_r=8, target_r=4,
           lora_alpha=16, total_step=1000, tinit=100, tfinal=300, deltaT=10),
    PeftMethod("ia3", "2205.05638", "IA3Config", {}, BOTH, "ia3", "", rate=FEW_NUMBERS),
    PeftMethod("ln_tuning", "2312.11420", "LNTuningConfig", {}, BOTH, "norms", ""),
    PeftMethod("trainable_tokens", "", "TrainableTokensConfig", {"token_indices": None}, ENCODER,
               "embedding", ""),
    _prompt("prefix", "2101.00190", "PrefixTuningConfig"),
    _prompt("prompt", "2104.08691", "PromptTuningConfig", prompt_tuning_init="SAMPLE_VOCAB"),
    _prompt("p_tuning", "2103.10385", "PromptEncoderConfig"),
    _tuner("vera", "2310.11454", "VeraConfig", rate=FEW_NUMBERS, redrawn=True, kinds=BOTH, r=64),
    _tuner("pvera", "2512.07703", "PveraConfig", rate=FEW_NUMBERS, redrawn=True, kinds=BOTH, r=64),
    _tuner("randlora", "2502.00987", "RandLoraConfig", rate=FEW_NUMBERS, redrawn=True, kinds=BOTH, r=32),
    _tuner("vblora", "2405.15179", "VBLoRAConfig", rate=FEW_NUMBERS, kinds=BOTH, r=4, num_vectors=90,
           vector_length=64),
    _tuner("unilora", "2506.00799", "UniLoraConfig", rate=FEW_NUMBERS, redrawn=True, kinds=BOTH, r=4,
           theta_d_length=256),
    _tuner("tinylora", "2602.04118", "TinyLoraConfig", rate=FEW_NUMBERS, kinds=BOTH, r=2, u=64),
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
    _tuner("fourierft", "2405.03003", "FourierFTConfig", "", rate=FEW_NUMBERS, n_frequency=500, scaling=100.0,
           init_weights=True),  # peft's own default starts from noise, far from the pretrained model
    _tuner("waveft", "2505.12532", "WaveFTConfig", "", rate=FEW_NUMBERS, n_frequency=500),
    _tuner("c3a", "2407.19342", "C3AConfig", "", rate=FEW_NUMBERS, block_size=64),
    _tuner("miss", "2409.15371", "MissConfig", r=8),
    _tuner("shira", "2406.13175", "ShiraConfig", random_seed=0, r=8),
    _tuner("delora", "2503.18225", "DeloraConfig", r=8),
    _tuner("road", "2409.00119", "RoadConfig", "", group_size=64),
    _tuner("peanut", "2410.01870", "PeanutConfig", r=8),
    _tuner("beft", "2509.15974", "BeftConfig", "", rate=FEW_NUMBERS),
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
    """A usual peak learning rate of a method, the centre of a search. Raises as `get_method`."""
    return get_method(name).rate
