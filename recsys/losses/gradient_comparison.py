"""The gradient of the corrected click loss in three ways: by hand, by autograd, by finite differences.

N: users. M: items. d: width.
"""

import numpy as np
import pandas as pd
import torch

from recsys.losses.click_likelihood import gradient_by_hand, negative_log_likelihood, table_loss
from recsys.losses.clicks import click_pairs

STEP = 1e-6  # of the central differences, about the cube root of float64's rounding


def compare_gradients(
    n_users: int = 7, n_items: int = 11, width: int = 5, clicks_per_user: int = 3, seed: int = 0
) -> pd.DataFrame:
    """Largest differences between the gradients with respect to W, in float64, on a small random case.

    Args:
        n_users, n_items, width, clicks_per_user: size of the case; finite differences for every entry of W.
        seed: of the vectors and the clicks.

    Returns:
        One row per comparison: largest absolute difference, and the same relative to the largest entry.
    """
    generator = np.random.default_rng(seed)
    users = torch.as_tensor(generator.standard_normal((n_users, width)))
    items = torch.as_tensor(generator.standard_normal((n_items, width))).requires_grad_()
    clicked = np.concatenate([generator.choice(n_items, clicks_per_user, False) for _ in range(n_users)])
    clicks = click_pairs(np.repeat(np.arange(n_users), clicks_per_user), clicked, n_users, n_items)
    gradients = {"by hand": gradient_by_hand(users, items.detach(), clicks)[1]}
    for name, loss in {"chunked": negative_log_likelihood, "autograd": table_loss}.items():
        gradients[name] = torch.autograd.grad(loss(users, items, clicks), items)[0]
    differences = torch.zeros_like(items)
    with torch.no_grad():
        for entry in np.ndindex(*items.shape):
            moved = torch.zeros_like(items)
            moved[entry] = STEP
            above, below = (table_loss(users, items + sign * moved, clicks) for sign in (1, -1))
            differences[entry] = (above - below) / (2 * STEP)
    gradients["finite differences"] = differences
    scale = gradients["autograd"].abs().max()
    rows = {
        f"{name} against autograd": (gradients[name] - gradients["autograd"]).abs().max().item()
        for name in ("by hand", "chunked", "finite differences")
    }
    return pd.DataFrame(
        {"largest difference": rows, "relative": {k: v / scale.item() for k, v in rows.items()}}
    )
