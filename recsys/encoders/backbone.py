"""A pretrained language model as one trainable module: token ids in, one vector per text out.

B: texts of a batch. T: tokens of the longest of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars
from huggingface_hub.utils import logging as hub_logging
from torch import Tensor, nn
from transformers import (
    MODEL_MAPPING,
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from transformers.utils import logging as transformers_logging

from recsys.encoders.model_folders import ALTERNATIVES, BackboneError, first_line, model_folder, model_type
from recsys.encoders.packaged.text import ARCHITECTURES, PACKAGED_TEXT
from recsys.encoders.pooling import POOLINGS, pool
from recsys.encoders.processor_precision import avoid_slow_bfloat16
from recsys.encoders.random_models import random_config, random_tokenizer

avoid_slow_bfloat16()

RANDOM = ("random-bert", "random-gpt")
OWN = "own"  # pooling of a model whose forward pass returns one vector per text
# have a causal-LM head in transformers, but attend in both directions unless their config says is_decoder
READ_BOTH_WAYS = {"bert", "bert-generation", "big_bird", "camembert", "data2vec-text", "electra", "ernie"}
READ_BOTH_WAYS |= {"eurobert", "megatron-bert", "modernbert", "rembert", "roberta", "roberta-prelayernorm"}
READ_BOTH_WAYS |= {"roc_bert", "roformer", "xlm", "xlm-roberta", "xlm-roberta-xl", "xlnet", "xmod"}
# where the common families keep their list of layers
LAYER_PATHS = ("encoder.layer", "transformer.layer", "h", "layers", "encoder.layers", "decoder.layers")


class Backbone(nn.Module):
    """A pretrained text model with pooling; create it by `load_backbone`. Starts in eval mode.

    Attributes:
        model: transformers model without head or pooler.
        tokenizer: pads on the side that `kind` needs.
        name: as given to `load_backbone`.
        kind: "encoder" (attends in both directions) or "decoder" (left to right).
        pooling: "mean", "cls", "last", or OWN where the model pools by itself.
        width: of the vectors, D.
        max_tokens: the longest text that it can read, in tokens.
        frozen: why its parameters cannot be trained; "" where they can.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str, pooling: str):
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        self.name = name
        self.pooling = pooling
        self.kind = kind_of(model.config)
        self.width: int = model.config.hidden_size
        self.max_tokens = _max_tokens(model.config, tokenizer)
        self.frozen: str = getattr(model, "frozen", "")
        accepted = inspect.signature(model.forward).parameters
        self._takes_positions = self.kind == "decoder" and "position_ids" in accepted
        self._extra = {"use_cache": False} if "use_cache" in accepted else {}

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """[B, T] int64 ids and mask (1 at real tokens) -> [B, width] pooled vectors, not normalised.

        Raises:
            ValueError: a row without a real token.
        """
        extra = dict(self._extra)
        if self._takes_positions:
            # padding on the left must not shift a text's positions, or its vector depends on its batch
            extra["position_ids"] = (attention_mask.long().cumsum(dim=1) - 1).clamp(min=0)
        output = self.model(input_ids=input_ids, attention_mask=attention_mask, **extra)
        if self.pooling == OWN:
            return output
        return pool(output.last_hidden_state, attention_mask, self.pooling)

    def save(self, folder: str | Path) -> None:
        """Write safetensors, config (with the pooling) and tokenizer, for `load_backbone(folder)`."""
        with quiet():
            self.model.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)


def load_backbone(
    name: str = "minilm",
    *,
    layers: int | None = None,
    pretrained: bool = True,
    pooling: str | None = None,
    seed: int = 0,
) -> Backbone:
    """Load a pretrained text model by name: float32, on the CPU, in eval mode.

    Args:
        name: "minilm" (packaged, checksum verified), an optional packaged model (PACKAGED_TEXT:
            "e5-small-multilingual", "smollm2-135m", "use-multilingual"; `recsys models list`), "random-bert",
            "random-gpt" (small, random weights), a local folder, or a hub name such as "bert-base-chinese"
            or "gpt2". Safetensors only; no code of a repository is run.
        layers: keep the first `layers` transformer layers; None keeps all.
        pretrained: False keeps the architecture and draws random weights from `seed`: the control experiment.
        pooling: "mean", "cls" or "last"; None takes what `Backbone.save` wrote, else "mean" for an encoder
            and "last" for a decoder.
        seed: of random weights; torch's global generator does not change.

    Raises:
        BackboneError: the model cannot be loaded; one line says what was tried and what to use instead.
        ValueError: `layers` out of range, or no such pooling.

    Example:
        >>> from recsys.encoders.embed import embed_texts
        >>> backbone = load_backbone("minilm", layers=3)
        >>> backbone.kind, backbone.pooling, backbone.width
        ('encoder', 'mean', 384)
        >>> embed_texts(backbone, ["red shoe"]).shape
        (1, 384)
    """
    name = str(name)
    if pooling is not None and pooling not in POOLINGS:
        raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}, not {pooling!r}")
    with quiet():
        if name in RANDOM:
            tokenizer = random_tokenizer(name)
            model = _random_weights(random_config(name, tokenizer), seed)
        elif name in PACKAGED_TEXT:
            model, tokenizer = PACKAGED_TEXT.load(name)(pretrained, seed)
        else:
            model, tokenizer = _load(name, pretrained, seed)
    if layers is not None:
        keep_layers(model, layers)
    config = model.config
    if kind_of(config) == "decoder":
        tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token is None:
            raise BackboneError(
                f"the tokenizer of {name!r} has neither a pad nor an eos token: {ALTERNATIVES}"
            )
        tokenizer.pad_token = tokenizer.eos_token
    default = "last" if kind_of(config) == "decoder" else "mean"
    if getattr(model, "pools", False):
        if pooling is not None:
            raise ValueError(f"{name} pools by itself: leave pooling out, instead of {pooling!r}")
        pooling = OWN
    pooling = pooling or getattr(config, "recsys_pooling", None) or default
    config.recsys_pooling = pooling  # a config stores unknown fields, so `save` and `load_backbone` agree
    return Backbone(model, tokenizer, name, pooling).eval()


def kind_of(config: PreTrainedConfig) -> str:
    """Kind of a model: "decoder" with causal attention (left to right), else "encoder"."""
    if getattr(config, "is_decoder", False):
        return "decoder"
    if config.model_type in READ_BOTH_WAYS or getattr(config, "use_bidirectional_attention", False):
        return "encoder"
    named = any("CausalLM" in name or "LMHeadModel" in name for name in config.architectures or [])
    return "decoder" if named or config.model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES else "encoder"


def transformer_layers(model: PreTrainedModel) -> tuple[str, nn.ModuleList]:
    """Path of the list of transformer layers inside the model, and the list.

    Raises:
        BackboneError: an architecture that keeps its layers elsewhere.
    """
    modules = dict(model.named_modules())
    for path in LAYER_PATHS:
        if isinstance(modules.get(path), nn.ModuleList):
            return path, modules[path]
    raise BackboneError(
        f"{type(model).__name__} has its layers in none of {', '.join(LAYER_PATHS)}: "
        "use a model of the BERT, GPT-2 or Llama kind"
    )


def keep_layers(model: PreTrainedModel, layers: int) -> None:
    """Drop all but the first `layers` transformer layers, in place; the config follows.

    Raises:
        ValueError: not between 1 and what the model has.
    """
    _, stack = transformer_layers(model)
    if isinstance(layers, bool) or not isinstance(layers, int) or not 1 <= layers <= len(stack):
        raise ValueError(f"layers must be a whole number from 1 to {len(stack)}, got {layers!r}")
    del stack[layers:]
    model.config.num_hidden_layers = layers
    if getattr(model.config, "layer_types", None):
        model.config.layer_types = model.config.layer_types[:layers]


@contextmanager
def quiet() -> Iterator[None]:
    """Context manager without loading reports, retry warnings and progress bars; restores the settings."""
    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    hub_silent, hub_level = are_progress_bars_disabled(), hub_logging.get_verbosity()
    hub_logging.set_verbosity_error()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        hub_logging.set_verbosity(hub_level)
        if bars:
            transformers_logging.enable_progress_bar()
        if hub_silent:
            disable_progress_bars()


def _load(name: str, pretrained: bool, seed: int) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    folder = model_folder(name, weights=pretrained)
    if (kind := model_type(folder)) in ARCHITECTURES:
        ARCHITECTURES.load(kind)()
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        _check_config(name, config)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        if not pretrained:
            return _random_weights(config, seed), tokenizer
        model, report = AutoModel.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **_options(config),
        )
    except BackboneError:
        raise
    # a user's folder can be wrong in any way, and each library involved has its own exception for it
    except Exception as error:
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise BackboneError(f"{name!r} ({folder}) could not be loaded ({reason}): {ALTERNATIVES}") from None
    absent = sorted(report["missing_keys"]) + sorted(map(str, report["mismatched_keys"]))
    if absent:
        # transformers would go on with random numbers in their place
        raise BackboneError(
            f"{name!r}: {len(absent)} parameters of {type(model).__name__} are not in the file or have "
            f"another shape, first {absent[0]}"
        )
    return model, tokenizer


def _check_config(name: str, config: PreTrainedConfig) -> None:
    kind = MODEL_MAPPING.get(type(config), None)
    reads_text = getattr(kind, "main_input_name", None) == "input_ids"
    if not reads_text or getattr(config, "hidden_size", None) is None:
        raise BackboneError(f"{name!r} is a {config.model_type!r}, not a text model: {ALTERNATIVES}")
    if config.is_encoder_decoder:
        raise BackboneError(f"{name!r} is an encoder-decoder ({config.model_type}): {ALTERNATIVES}")


def _options(config: PreTrainedConfig) -> dict:
    """Fused attention where available; no pooler, because no vector uses it and no gradient reaches it."""
    kind = MODEL_MAPPING[type(config)]
    options = {"attn_implementation": "sdpa"} if getattr(kind, "_supports_sdpa", False) else {}
    if "add_pooling_layer" in inspect.signature(kind.__init__).parameters:
        options["add_pooling_layer"] = False
    return options


def _random_weights(config: PreTrainedConfig, seed: int) -> PreTrainedModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AutoModel.from_config(config, dtype=torch.float32, trust_remote_code=False, **_options(config))


def _max_tokens(config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase) -> int:
    positions = getattr(config, "max_position_embeddings", None) or tokenizer.model_max_length
    if "roberta" in config.model_type or config.model_type in ("camembert", "xmod", "data2vec-text"):
        positions -= config.pad_token_id + 1  # these count positions from there
    # a tokenizer without a limit says 10**30
    return int(min(positions, tokenizer.model_max_length))
