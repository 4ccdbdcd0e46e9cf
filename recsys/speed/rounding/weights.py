"""Weights rounded to int8 with an eye on what they multiply: one weight's error is made good by others.

GPTQ (Frantar et al. 2022, arXiv:2210.17323, algorithm 1): inputs are taken one after the other; what rounding
one of them costs is spread over those that are still to come, so that the product's output changes least on
the texts seen. The format stays that of rounding to the nearest: int8, a scale an output.

D: inputs. O: outputs.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cholesky, lapack

LARGEST = 127  # of a symmetric int8
DAMPING = 0.01  # of the mean of the diagonal: directions that the texts hardly show
BLOCK = 64  # inputs whose errors are spread within the block first


def round_weights(weight: np.ndarray, gram: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Integers that times `scale` stand for the weights.

    The largest weight of each scale stays: who finds the scale from what is rounded finds the same one, and
    rounding again changes nothing.

    Args:
        weight: [D, O] float.
        gram: [D, D], the sum of x xᵀ over inputs x seen; not all zero.
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
    order = np.argsort(-reach)  # the strongest first, while most others can still make it good
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
    """[D, O] -> [D / block, O]: onnxruntime's, by which a block's largest is −128, whatever its sign."""
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
