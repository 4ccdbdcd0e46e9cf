"""The backbone in torch: eager, exported (torch.export), compiled (torch.compile), int8 by torchao.

These are built anew at every load: saved torch.export and torch.compile graphs could only be read again by
unpickling.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim

from recsys.encoders.backbone import Backbone, load_backbone
from recsys.speed.encoder import Engine
from recsys.speed.engines.torch_threads import one_thread
from recsys.speed.onnx_export import PooledGraph, example
from recsys.speed.word_pieces import WordPieces

FOLDER = "backbone"
POOLINGS = {"mean": "mean", "cls": "cls", "last": "lasttoken"}


def build(backbone: Backbone, folder: Path, texts: list[str], **options) -> None:
    """Save the backbone; the graphs are made when it is loaded."""
    backbone.save(folder / FOLDER)


def eager(folder: Path, words: WordPieces) -> Engine:
    """Eager execution, float32."""
    return _padded(load_backbone(str(folder / FOLDER)), words)


def exported(folder: Path, words: WordPieces) -> Engine:
    """torch.export's graph with dynamic batch size and length, run by torch."""
    backbone = load_backbone(str(folder / FOLDER))
    free = {0: Dim("texts", min=1, max=1 << 16), 1: Dim("tokens", min=2, max=backbone.max_tokens)}
    with torch.inference_mode(False), torch.no_grad():
        program = torch.export.export(
            PooledGraph(backbone).eval(), example(backbone), dynamic_shapes=(free, free)
        )
    return _padded(program.module(), words)


def compiled(folder: Path, words: WordPieces) -> Engine:
    """torch.compile with dynamic shapes; compiles at the first call, and again for special shapes."""
    graph = PooledGraph(load_backbone(str(folder / FOLDER))).eval()
    return _padded(torch.compile(graph, dynamic=True), words)


def torchao_int8(folder: Path, words: WordPieces) -> Engine:
    """torchao: int8 weights, activations quantised dynamically per token."""
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    backbone = load_backbone(str(folder / FOLDER))
    quantize_(backbone.model, Int8DynamicActivationInt8WeightConfig())
    return _padded(backbone, words)


def reference(model: str | Path | Backbone, folder: Path | None = None, max_tokens: int | None = None):
    """The model as a `SentenceTransformer`: the reference that all variants are compared with.

    Args:
        model: "minilm", a folder that sentence-transformers wrote, or a backbone, which is first written
            into `folder`.
        folder: see `model`.
        max_tokens: truncation of texts; None: the model's own.

    Returns:
        An object with sentence-transformers' `encode`.

    Raises:
        ImportError: sentence-transformers is not installed.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    from recsys.encoders.model_folders import model_folder

    if not isinstance(model, Backbone):
        return SentenceTransformer(str(model_folder(str(model))), device="cpu")
    model.save(folder)
    pooling = Pooling(model.width, POOLINGS[model.pooling])
    first = Transformer(str(folder), max_seq_length=max_tokens or model.max_tokens)
    return SentenceTransformer(modules=[first, pooling, Normalize()], device="cpu")


def _padded(graph: nn.Module, words: WordPieces) -> Engine:
    def engine(ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        padded: tuple[Tensor, ...] = tuple(map(torch.from_numpy, words.pad(ids, lengths)))
        with one_thread(), torch.inference_mode():
            return graph(*padded).float().numpy()

    return engine
