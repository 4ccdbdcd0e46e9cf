"""Memory of an encoder in its own process: above the bare interpreter, and above its imported libraries."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# runtime of a variant -> modules that are loaded before the artefact is
RUNTIMES = {"onnx": ("numpy", "tokenizers", "onnxruntime"), "openvino": ("numpy", "tokenizers", "openvino")}
TORCH = ("numpy", "tokenizers", "torch")

PROGRAM = """
import importlib, json, os, sys
import psutil
me = psutil.Process()
rss = lambda: me.memory_info().rss / 1e6
model, variant, cache, modules, texts = json.loads(sys.argv[1])
bare = rss()
import recsys.speed
for name in modules:
    importlib.import_module(name)
runtime = rss()
from recsys.speed.fast_encoder import fast_encoder
encoder = fast_encoder(model, variant=variant, cache=cache, progress=False)
for text in texts:
    encoder.encode(text)
print(json.dumps([bare, runtime, rss()]))
"""


@dataclass(frozen=True)
class Footprint:
    """Resident memory in 1e6 bytes.

    bare: the interpreter. runtime: with the variant's libraries imported. loaded: with the artefact loaded
    and some texts encoded one by one.
    """

    bare: float
    runtime: float
    loaded: float

    @property
    def above_runtime(self) -> float:
        """Memory of the loaded artefact alone, in 1e6 bytes: `loaded` − `runtime`."""
        return self.loaded - self.runtime


def footprint(
    model: str | Path, variant: str, texts: list[str], cache: str | Path | None = None
) -> Footprint:
    """Measure one variant in a new process; the artefact is built beforehand if it is missing.

    Args:
        model: a name or folder, which the other process can load.
        texts: encoded before the last measurement, one by one.

    Raises:
        RuntimeError: the process failed; the message ends with its last output.
    """
    from recsys.speed.fast_encoder import fast_encoder

    fast_encoder(model, variant=variant, cache=cache, progress=False)
    modules = RUNTIMES.get(variant.partition("-")[0], TORCH)
    asked = json.dumps([str(model), variant, None if cache is None else str(cache), modules, texts])
    done = subprocess.run([sys.executable, "-c", PROGRAM, asked], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"{variant}: the measuring process failed: {done.stderr.strip().splitlines()[-1:]}"
        )
    return Footprint(*json.loads(done.stdout.splitlines()[-1]))
