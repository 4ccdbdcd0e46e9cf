"""The exact loss over a million items: memory, share of the matrix-product rate, error of the gradient."""

import argparse
from typing import Any

MEMORY_BAR_MB = 1536.0
SHARE_BAR = 0.5
ERROR_BAR = 1e-5


def main(_: argparse.Namespace) -> tuple[bool, dict[str, Any]]:
    from recsys.losses.scaling import measure

    good, figures = True, {}
    for loss in ("bce", "softmax"):
        got = measure(n_users=1000, n_items=1_000_000, width=100, loss=loss, threads=2)
        print(
            f"{loss}: " + ", ".join(f"{name} {value:.4g}" for name, value in got.items() if value is not None)
        )
        figures[loss] = got
        good &= got["peak_memory_mb_above_inputs"] <= MEMORY_BAR_MB
        good &= got["share_of_gemm"] >= SHARE_BAR
        good &= got["gradient_error"] <= ERROR_BAR
    print(
        f"bars: memory {MEMORY_BAR_MB:.0f} MB, share of the GEMM rate {SHARE_BAR}, gradient error {ERROR_BAR}"
    )
    return bool(good), figures
