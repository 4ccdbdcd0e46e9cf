"""Products in bfloat16 are left out where the processor has no instructions for them, and only there."""

import subprocess
import sys

import pytest
import torch

from recsys.encoders import processor_precision

ROWS = torch.ones(4, 4)


@pytest.fixture
def as_torch_came(monkeypatch):
    """torch.autocast as an import of the kit may or may not have changed it, restored afterwards."""
    begin = torch.autocast.__init__
    monkeypatch.setattr(torch.autocast, "__init__", getattr(begin, "__wrapped__", begin))


@pytest.mark.parametrize("has", [True, False])
def test_bfloat16_where_the_processor_has_it(as_torch_came, monkeypatch, has):
    monkeypatch.setattr(processor_precision, "has_bfloat16", lambda: has)
    processor_precision.avoid_slow_bfloat16()
    for asked in ({"dtype": torch.bfloat16}, {}):  # bfloat16 is the CPU's default
        with torch.autocast("cpu", **asked):
            assert (ROWS @ ROWS).dtype == (torch.bfloat16 if has else torch.float32)


def test_other_types_devices_and_a_second_call_are_not_touched(as_torch_came, monkeypatch):
    monkeypatch.setattr(processor_precision, "has_bfloat16", lambda: False)
    processor_precision.avoid_slow_bfloat16()
    changed = torch.autocast.__init__
    processor_precision.avoid_slow_bfloat16()
    assert torch.autocast.__init__ is changed
    with torch.autocast("cpu", dtype=torch.float16):
        assert (ROWS @ ROWS).dtype == torch.float16
    if torch.cuda.is_available():
        with torch.autocast("cuda", dtype=torch.bfloat16):
            assert (ROWS.cuda() @ ROWS.cuda()).dtype == torch.bfloat16


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork")
def test_training_and_encoding_ask_for_it():
    """Each in a process of its own, since modules are imported once: forks of one that has the libraries."""
    modules = ("recsys.encoders.backbone", "recsys.encoders.image", "recsys.training.loop")
    code = f"""
import importlib, os
import peft, torch, transformers
torch.ops.mkldnn._is_mkldnn_bf16_supported = lambda: False
ones = torch.ones(2, 2)
for module in {modules}:
    if os.fork() == 0:
        importlib.import_module(module)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            print(module, (ones @ ones).dtype, flush=True)
        os._exit(0)
    assert os.wait()[1] == 0
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{module} torch.float32" for module in modules]
