"""GPTQ: weights rounded to int8 so that the outputs on given inputs change least.

Frantar et al. 2022 (arXiv:2210.17323, algorithm 1): inputs are rounded one after the other, and the error of
each is compensated by the weights that are not rounded yet. The format is that of rounding to nearest: int8
with one scale per output.

D: inputs. O: outputs.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cholesky, lapack

LARGEST = 127  # of a symmetric int8
DAMPING = 0.01  # times the mean of the diagonal, added to it: for directions that hardly occur in the texts
BLOCK = 64  # inputs that are rounded before their errors are passed on to the later ones


def round_weights(weight: np.ndarray, gram: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Integers that represent the weights when multiplied by `scale`.

    The largest weight of each scale is kept, so that the same scale is found from the rounded weights and
    rounding again changes nothing.

    Args:
        weight: [D, O] float.
        gram: [D, D], the sum of x xᵀ over the inputs x; not all zero.
        scale: [O], an output's largest magnitude / 127; or [N, O] for N blocks of neighbouring inputs, see
            `block_scale`; N divides D.

    Returns:
        [D, O] int8, from −127, or by blocks −128, to 127.

    Raises:
        ValueError: shapes that do not fit, a gram without any input.
    """
    inputs, outputs = weight.shape
    least = -LARGEST if scale.ndim == 1 else -LARGEST - 1
    scale = np.atleast_2d(scale)
    blocks = len(scale)
    if gram.shape != (inputs, inputs) or scale.shape[1] != outputs or inputs % blocks:
        raise ValueError(
            f"weight {weight.shape} needs a gram of {(inputs, inputs)} and {(outputs,)} scales, or blocks of "
            f"them, got {gram.shape} and {scale.shape}"
        )
    reach = np.diagonal(gram)
    if not reach.any():
        raise ValueError("the gram holds no input: rounding needs texts")
    largest = np.abs(weight).reshape(blocks, -1, outputs).argmax(axis=1)
    largest += np.arange(blocks)[:, None] * (inputs // blocks)
    top = np.zeros(weight.shape, dtype=bool)
    np.put_along_axis(top, largest, True, axis=0)
    scale = by_weight(scale, inputs)
    order = np.argsort(-reach)  # the strongest first, while most others can still compensate
    spread = _spread(gram[np.ix_(order, order)])
    left = weight[order].astype(np.float64)
    found = np.empty((inputs, outputs), dtype=np.int8)
    for start in range(0, inputs, BLOCK):
        stop = min(start + BLOCK, inputs)
        errors = np.empty((stop - start, outputs))
        for row in range(start, stop):
            place = order[row]
            steps = np.where(top[place], weight[place], left[row]) / scale[place]
            whole = np.clip(np.rint(steps), least, LARGEST)
            found[place] = whole
            errors[row - start] = (left[row] - whole * scale[place]) / spread[row, row]
            left[row + 1 : stop] -= spread[row, row + 1 : stop, None] * errors[row - start]
        left[stop:] -= spread[start:stop, stop:].T @ errors
    return found


def by_weight(scale: np.ndarray, inputs: int) -> np.ndarray:
    """[O], or [N, O] of N blocks of neighbouring inputs -> [inputs, O]: the scale of each weight."""
    scale = np.atleast_2d(scale)
    return np.repeat(scale, inputs // len(scale), axis=0)


def block_scale(weight: np.ndarray, block: int) -> np.ndarray:
    """Scales [D, O] -> [D / block, O]: as in onnxruntime, a block's largest magnitude becomes −128."""
    blocks = weight.reshape(-1, block, weight.shape[1])
    largest = np.abs(blocks).argmax(axis=1, keepdims=True)
    return -np.take_along_axis(blocks, largest, axis=1)[:, 0] / (LARGEST + 1)


def _spread(gram: np.ndarray) -> np.ndarray:
    """Upper Cholesky factor of the inverse of the damped gram."""
    damped = gram + DAMPING * np.diagonal(gram).mean() * np.eye(len(gram))
    inverse, failed = lapack.dpotri(cholesky(damped, lower=True), lower=True)
    if failed:
        raise ValueError("the gram cannot be inverted")
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    return cholesky(inverse)
