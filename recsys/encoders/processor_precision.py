"""bfloat16 on processors that have no instructions for it: their products stay in float32.

Without AVX-512 or AMX (most laptops) torch multiplies bfloat16 matrices by a plain loop, which takes several
times as long as float32: on a processor with AVX2 alone, a step of `title_sequence` on Amazon Beauty took
seven times as long. The kit asks for bfloat16 by `torch.autocast` only, in accelerate's training too, so one
place suffices. Results then differ in the last digits from those of a processor with bfloat16; each record
names the processor's instructions.

A fixed rule, not a measurement: a training that resumes, or runs in several processes, must find the same
answer each time.
"""

from __future__ import annotations

import functools

import torch


def has_bfloat16() -> bool:
    """Whether the processor has instructions for products in bfloat16; True where torch cannot say."""
    ask = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return ask is None or bool(ask())


def avoid_slow_bfloat16() -> None:
    """From now on `torch.autocast` to bfloat16 on a CPU without bfloat16 does nothing; GPUs are not affected.

    Called where the kit's modules that compute in bfloat16 are imported. Does nothing where the processor has
    bfloat16, and when it is called again.
    """
    begin = torch.autocast.__init__
    if has_bfloat16() or hasattr(begin, "__wrapped__"):
        return

    # the class stays the one that torch.compile and accelerate know
    @functools.wraps(begin)
    def in_float32_instead(self, device_type, dtype=None, enabled=True, cache_enabled=None):
        slow = device_type == "cpu" and (dtype or torch.get_autocast_dtype("cpu")) == torch.bfloat16
        begin(self, device_type, dtype=dtype, enabled=enabled and not slow, cache_enabled=cache_enabled)

    torch.autocast.__init__ = in_float32_instead
