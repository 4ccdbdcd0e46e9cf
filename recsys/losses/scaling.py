"""How time and memory of the exact losses grow with the catalogue, each size in a process of its own.

A fresh process because a process's peak memory never falls again, so only the first case measured in it would
be right. `python -m recsys.losses.scaling '{"loss": "bce", "n_items": 1000000}'` measures one case
from a shell.

N: users. M: items. d: width. c: items in a chunk.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import psutil
import torch
from torch import Tensor

from recsys.losses.click_likelihood import negative_log_likelihood, table_loss
from recsys.losses.clicks import Clicks, click_pairs
from recsys.losses.gradient_check import gradient_error
from recsys.losses.item_walk import Walk, chunk_size, walk_items
from recsys.losses.softmax import softmax_cross_entropy

LOSSES: dict[str, Callable[[Tensor, Tensor, Clicks], Tensor]] = {
    "bce": negative_log_likelihood,
    "softmax": softmax_cross_entropy,
    "bce_table": table_loss,  # the formula with its N×M tables, for comparison
}


def measure(
    n_users: int = 1000,
    n_items: int = 1_000_000,
    width: int = 100,
    loss: str = "bce",
    threads: int = 2,
    clicks_per_user: int = 10,
    repeats: int = 3,
    seed: int = 0,
) -> dict[str, float | str]:
    """Time, memory and accuracy of one loss, forward and backward, in a fresh process.

    Args:
        n_users, n_items, width: N, M, d, each ≥ 1.
        loss: a key of `LOSSES`. "bce_table" needs several N×M tables of memory.
        threads: for torch.
        clicks_per_user: k.
        repeats: timed passes, each between two timings of bare matrix products.

    Returns:
        The arguments, and
        `seconds`: median of a forward and backward pass;
        `gflops`: 3·2·N·M·d / seconds / 1e9;
        `gemm_gflops`: what the three bare products reach at the chunk's shape, the better of one product
            on all threads and one product a thread, median over the repeats;
        `share_of_gemm`: `gflops` over `gemm_gflops`, median over the repeats;
        `peak_memory_mb_above_inputs`: highest resident memory less that with the inputs alone, in 1e6 bytes;
        `gradient_error`: see `recsys.losses.gradient_check.gradient_error`;
        `value`: the loss.

    Raises:
        ValueError: unknown loss, or a size below 1.
        RuntimeError: the process failed (for example for want of memory).
    """
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {', '.join(LOSSES)}, not {loss!r}")
    case = {
        "n_users": n_users,
        "n_items": n_items,
        "width": width,
        "loss": loss,
        "threads": threads,
        "clicks_per_user": clicks_per_user,
        "repeats": repeats,
        "seed": seed,
    }
    for name in ("n_users", "n_items", "width", "clicks_per_user", "repeats"):
        if case[name] < 1:
            raise ValueError(f"{name} must be at least 1, got {case[name]}")
    package = str(Path(__file__).resolve().parents[2])
    search = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "recsys.losses.scaling", json.dumps(case)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": search},
    )
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise RuntimeError(f"measuring {loss} with {n_items} items failed: {reason[0]}")
    return json.loads(done.stdout)


def curve(n_items: Sequence[int], losses: Sequence[str] = tuple(LOSSES), **case: int) -> pd.DataFrame:
    """`measure` for every loss and catalogue size, one row each; "bce_table" stops at 100,000 items.

    Beyond, its tables would take more than 4 GB at the 1,000 users of `measure`.
    """
    rows = [
        measure(n_items=size, loss=loss, **case)
        for size in n_items
        for loss in losses
        if loss != "bce_table" or size <= 100_000
    ]
    return pd.DataFrame(rows)


def _measure_here(
    n_users: int,
    n_items: int,
    width: int,
    loss: str,
    threads: int,
    clicks_per_user: int,
    repeats: int,
    seed: int,
) -> dict[str, float | str]:
    """`measure`, in this process."""
    case = dict(locals())
    torch.set_num_threads(threads)
    _pass(
        LOSSES[loss], *_inputs(64, 256, width, 1, seed)
    )  # loads kernels and libraries before memory is read
    users, items, clicks = _inputs(n_users, n_items, width, clicks_per_user, seed)
    before = psutil.Process().memory_info().rss
    seconds, products, shares = [], [], []
    useful = 6 * n_users * n_items * width
    bare = _bare_products(users.detach(), items.detach())
    for _ in range(repeats):
        earlier = bare()
        users.grad = items.grad = None
        start = time.perf_counter()
        value = _pass(LOSSES[loss], users, items, clicks)
        seconds.append(time.perf_counter() - start)
        products.append(max(earlier, bare()))
        shares.append(useful / seconds[-1] / products[-1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {
        **case,
        "seconds": statistics.median(seconds),
        "gflops": useful / statistics.median(seconds) / 1e9,
        "gemm_gflops": statistics.median(products) / 1e9,
        "share_of_gemm": statistics.median(shares),
        "peak_memory_mb_above_inputs": (peak - before) / 1e6,
        "gradient_error": gradient_error(users, items, clicks, softmax=loss == "softmax"),
        "value": value,
    }


def _inputs(
    n_users: int, n_items: int, width: int, clicks_per_user: int, seed: int
) -> tuple[Tensor, Tensor, Clicks]:
    generator = torch.Generator().manual_seed(seed)
    scale = width**-0.25  # scores x·w of variance 1
    users = torch.randn(n_users, width, generator=generator).mul_(scale).requires_grad_()
    items = torch.randn(n_items, width, generator=generator).mul_(scale).requires_grad_()
    clicked = torch.randint(n_items, (n_users * clicks_per_user,), generator=generator)
    codes = torch.arange(n_users).repeat_interleave(clicks_per_user)
    return users, items, click_pairs(codes, clicked, n_users, n_items)


def _pass(loss: Callable, users: Tensor, items: Tensor, clicks: Clicks) -> float:
    value = loss(users, items, clicks)
    value.backward()
    return value.item()


def _bare_products(users: Tensor, items: Tensor) -> Callable[[], float]:
    """A function that times S = W_c Xᵀ, dW_c = S X, dX = Sᵀ W_c alone; floating-point operations a second."""
    chunk = chunk_size(len(users), len(items))
    rows, transposed = items[:chunk].clone(), users.t().contiguous()
    rounds = max(3, int(1.5e10 / (6 * chunk * users.numel())))

    def visit(walk: Walk) -> None:
        scores, small = users.new_empty(chunk, len(users)), torch.empty_like(users)
        gradient = torch.empty_like(rows)
        for _ in walk:
            torch.mm(rows, transposed, out=scores)
            torch.mm(scores, users, out=gradient)
            torch.mm(scores.t(), rows, out=small)

    def rate() -> float:
        start = time.perf_counter()
        visit(Walk(rounds, 1, 0, 1))  # every product on all threads
        middle = time.perf_counter()
        walk_items(visit, rounds, 1, users.device)  # a product a thread
        fastest = min(middle - start, time.perf_counter() - middle)
        return rounds * 6 * chunk * users.numel() / fastest

    return rate


if __name__ == "__main__":
    asked = {"n_users": 1000, "width": 100, "threads": 2, "clicks_per_user": 10, "repeats": 3, "seed": 0}
    print(json.dumps(_measure_here(**{**asked, **json.loads(sys.argv[1])})))
