"""How tuning changed each weight matrix: the singular values of ΔW, layer by layer.

LoRA assumes that ΔW of a fine-tuned model has low rank (Hu et al. 2021, arXiv:2106.09685, §4.1 and §7). The
ΔW of full tuning, whose rank is not limited, shows whether it has.
"""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import torch
from torch import nn

from recsys.encoders.backbone import Backbone
from recsys.encoders.peft.adapter_files import merge
from recsys.encoders.peft.matrix_names import layer_and_matrix

COLUMNS = ["layer", "matrix", "index", "value", "norm"]


def weight_change(tuned: Backbone, start: Backbone) -> pd.DataFrame:
    """Singular values of every linear map that changed.

    Args:
        tuned: after training; an adapter is measured as if merged, and does not change.
        start: the same backbone before training.

    Returns:
        One row for each singular value: layer and matrix (see `layer_and_matrix`), index (from 1,
        descending), value, norm (‖W‖ of the matrix before: what the change is to be compared with).

    Raises:
        ValueError: the method changes no weights (prefixes, bottleneck adapters), or another backbone.
    """
    applied = getattr(tuned, "peft", None)
    if applied is not None:  # merged, since not every method can say its ΔW
        if not applied.method.merges:
            raise ValueError(f"{applied.name} changes no weights of the model: there is no ΔW to look at")
        tuned = copy.deepcopy(tuned)
        merge(tuned)
    after, before = _linear_maps(tuned.model), _linear_maps(start.model)
    if not after.keys() & before.keys():
        raise ValueError(f"{tuned.name} and {start.name} have no linear map of the same name")
    rows = []
    for name, old in before.items():
        if name not in after or after[name].shape != old.shape:
            continue
        change = after[name] - old
        if float(change.abs().max()) <= 1e-7 * float(old.abs().max()):
            continue
        layer, matrix = layer_and_matrix(name)
        values, norm = torch.linalg.svdvals(change), float(torch.linalg.matrix_norm(old))
        rows += [(layer, matrix, i, float(value), norm) for i, value in enumerate(values, start=1)]
    return pd.DataFrame(rows, columns=COLUMNS)


def change_by_matrix(change: pd.DataFrame) -> pd.DataFrame:
    """Summary of `weight_change`, one row per matrix.

    Columns layer, matrix, moved (‖ΔW‖ / ‖W‖, Frobenius), effective_rank, first_8 (share of ‖ΔW‖² in the
    eight largest singular values).
    """
    rows = []
    for (layer, matrix), part in change.groupby(["layer", "matrix"]):
        energy = part.sort_values("index")["value"].to_numpy() ** 2
        moved = np.sqrt(energy.sum()) / part["norm"].iloc[0]
        rows.append((layer, matrix, moved, effective_rank(part["value"]), energy[:8].sum() / energy.sum()))
    return pd.DataFrame(rows, columns=["layer", "matrix", "moved", "effective_rank", "first_8"])


def effective_rank(values: np.ndarray) -> float:
    """exp of the entropy of the singular values' shares (Roy & Vetterli 2007): 1 to their number.

    Raises:
        ValueError: no value above zero.

    Example:
        >>> round(effective_rank(np.array([1.0, 1.0, 0.0])), 3)
        2.0
    """
    shares = np.asarray(values, float)
    if not (shares > 0).any():
        raise ValueError("effective_rank needs a singular value above zero")
    shares = shares[shares > 0] / shares.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _linear_maps(model: nn.Module) -> dict[str, torch.Tensor]:
    return {n: m.weight.detach().float() for n, m in model.named_modules() if isinstance(m, nn.Linear)}
