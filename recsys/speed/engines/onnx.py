"""Runs an ONNX graph with onnxruntime; a server needs no torch for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from recsys.speed.encoder import Engine
from recsys.speed.word_pieces import WordPieces

FILE = "model.onnx"
# the fused operator of residual, bias and norm takes twice the time of the separate ones on a CPU
SLOWER = ["SkipLayerNormFusion"]
# without VNNI instructions, a sum of two products of uint8 and int8 may overflow its 16 bits: an error
# twelve times the rounding's. onnxruntime's remedy: uint8 weights. Nothing changes on a processor with VNNI
EXACT = ("session.x64quantprecision", "1")


def load(folder: Path, words: WordPieces, **options) -> Engine:
    """An engine that uses one thread per call. options: of the builder, not used."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    settings.log_severity_level = 3  # errors
    # an arena would never free the memory of the largest batch
    settings.enable_cpu_mem_arena = False
    settings.add_session_config_entry(*EXACT)
    session = onnxruntime.InferenceSession(
        str(folder / FILE), settings, providers=["CPUExecutionProvider"], disabled_optimizers=SLOWER
    )
    names = [entry.name for entry in session.get_inputs()]

    def engine(ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        return session.run(None, dict(zip(names, words.pad(ids, lengths), strict=True)))[0]

    return engine
