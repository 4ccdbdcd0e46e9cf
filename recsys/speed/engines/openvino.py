"""Runs an OpenVINO graph; a server needs no torch for it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import openvino

from recsys.speed.encoder import Engine
from recsys.speed.word_pieces import WordPieces

FILE = "model.xml"
PRECISIONS = {"fp32": "f32", "bf16": "bf16"}


def load(folder: Path, words: WordPieces, *, products: str = "bf16", **options) -> Engine:
    """An engine that uses one thread per call.

    Args:
        products: "fp32" or "bf16": precision of the matrix products that are not rounded to int8.
    """
    # a stream serves one call at a time with one thread; one stream per core, so that no call waits
    cores = os.cpu_count() or 1
    settings = {"INFERENCE_PRECISION_HINT": PRECISIONS[products], "ENABLE_CPU_PINNING": False}
    settings |= {"NUM_STREAMS": cores, "INFERENCE_NUM_THREADS": cores}
    compiled = openvino.Core().compile_model(folder / FILE, "CPU", settings)
    output = compiled.output(0)
    mine = threading.local()  # a request serves one call at a time

    def engine(ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        if not hasattr(mine, "request"):
            mine.request = compiled.create_infer_request()
        found = mine.request.infer(words.pad(ids, lengths), share_inputs=True)
        return np.array(found[output], dtype=np.float32)  # a copy: the request reuses its memory

    return engine
