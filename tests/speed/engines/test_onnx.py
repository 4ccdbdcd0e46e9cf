"""The graph that onnxruntime makes of a built one when it is loaded."""

import os
import subprocess
import sys
from collections import Counter

import onnx
import onnxruntime
import pytest

from recsys.speed.artefact import words_of
from recsys.speed.builders import onnx as onnx_build
from recsys.speed.engines import onnx as onnx_engine
from recsys.speed.variants import FFN
from tests.shop_texts import TITLES


@pytest.mark.parametrize("kind", ["fp32", "mixed"])
def test_sums_and_norms_stay_apart(bert, tmp_path, monkeypatch, kind):
    """onnxruntime ignores a misspelt name of an optimiser, and then joins them."""
    options = {"blockwise": [FFN]} if kind == "mixed" else {}
    getattr(onnx_build, kind)(bert, tmp_path, TITLES, **options)

    class Telling(onnxruntime.SessionOptions):
        def __init__(self):
            super().__init__()
            self.optimized_model_filepath = str(tmp_path / "loaded.onnx")

    monkeypatch.setattr(onnxruntime, "SessionOptions", Telling)
    onnx_engine.load(tmp_path, words_of(bert))
    operators = Counter(node.op_type for node in onnx.load(tmp_path / "loaded.onnx").graph.node)
    assert operators["LayerNormalization"] == 1 + 2 * bert.model.config.num_hidden_layers
    assert operators["SkipLayerNormalization"] == 0


def test_nothing_is_reported(tmp_path):
    """onnxruntime keeps an identity of the device and a queue of events to send, from its import on."""
    own = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    left_out = ("CI", "ORT_DISABLE_TELEMETRY")  # either would keep it quiet
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    command = [sys.executable, "-c", "import recsys.speed.engines.onnx"]
    subprocess.run(command, env=kept | own, check=True)
    assert not [path for path in tmp_path.rglob("*") if "onnxruntime" in path.name]
