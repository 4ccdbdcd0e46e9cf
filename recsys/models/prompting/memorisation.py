"""Memorisation: how much of a catalogue a generative model has memorised, reported beside its scores.

A public catalogue (MovieLens, Amazon) may have been in the model's training data. Two probes, after Carlini
et al. 2023 (arXiv:2202.07646): does it complete a title from its first half, word for word; and does it find
the true second half likelier than that of another title? Both are compared with titles that cannot be
memorised: *perturbed* ones (second halves exchanged) and, where a source has them, titles *newer* than the
model's training. A model without memorisation completes none, and prefers the true half only as far as its
words fit the first half.

n: titles that can be halved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from recsys.models.prompting.generator import Generator

LEAST_WORDS = 4  # of a title that is halved: completing "The" by "Matrix" would not show memorisation


@dataclass(frozen=True)
class Memory:
    """Results of both probes.

    Attributes:
        titles: n.
        completed: share of titles whose second half was generated word for word.
        prefers_true: share whose true second half has the higher log-likelihood per token; .5 by chance.
        true_per_token, exchanged_per_token: mean log-likelihood per token of either half, in nats.
    """

    titles: int
    completed: float
    prefers_true: float
    true_per_token: float
    exchanged_per_token: float


def memory(
    generator: Generator, titles: Sequence[str], what: str = "Product", most: int = 200, seed: int = 0
) -> Memory:
    """Both probes on titles.

    Args:
        titles: of a catalogue; those of fewer than four words, or with nothing but marks in their second
            half, are left out, of the others `most` are drawn.
        what: word before a title in the prompt, such as "Film".
        most: number of titles that are used.
        seed: of the draw and of the exchange.

    Raises:
        ValueError: fewer than two titles can be halved.
    """
    halved = _halvable(titles)
    if len(halved) < 2:
        raise ValueError(f"two titles of {LEAST_WORDS} words are needed, got {len(halved)}")
    draw = np.random.default_rng(seed)
    chosen = [halved[row] for row in draw.permutation(len(halved))[:most]]
    prompts = [f"{what}: {' '.join(w[: len(w) // 2])}" for w in chosen]
    ends = [" " + " ".join(w[len(w) // 2 :]) for w in chosen]
    shift = 1 + int(draw.integers(len(chosen) - 1))  # no title keeps its own half
    exchanged = ends[shift:] + ends[:shift]
    true, true_counts = generator.log_likelihood(prompts, ends)
    other, other_counts = generator.log_likelihood(prompts, exchanged)
    longest = int(true_counts.max()) + 2
    written = generator.write(prompts, most_tokens=longest)
    completed = [_begins(_plain(text), _plain(end)) for text, end in zip(written, ends, strict=True)]
    return Memory(
        titles=len(chosen),
        completed=float(np.mean(completed)),
        prefers_true=float(np.mean(true / true_counts > other / other_counts)),
        true_per_token=float(true.sum() / true_counts.sum()),
        exchanged_per_token=float(other.sum() / other_counts.sum()),
    )


def perturbed(titles: Sequence[str], seed: int = 0) -> list[str]:
    """Titles that are not in the catalogue, of the same words: each gets the second half of another."""
    words = _halvable(titles)
    if len(words) < 2:
        return []
    shift = 1 + int(np.random.default_rng(seed).integers(len(words) - 1))
    known = {" ".join(w) for w in words}
    made = [
        " ".join(one[: len(one) // 2] + other[len(other) // 2 :])
        for one, other in zip(words, words[shift:] + words[:shift], strict=True)
    ]
    return [title for title in made if title not in known]


def _halvable(titles: Sequence[str]) -> list[list[str]]:
    """Words of each distinct title that has enough of them, and a letter or digit in its second half."""
    words = [title.split() for title in dict.fromkeys(titles)]
    return [w for w in words if len(w) >= LEAST_WORDS and _plain(" ".join(w[len(w) // 2 :]))]


def _plain(text: str) -> list[str]:
    """Words without case and marks."""
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()


def _begins(written: list[str], end: list[str]) -> bool:
    return written[: len(end)] == end


def memory_table(
    generator: Generator, titles: Sequence[str], what: str = "Product", most: int = 200, seed: int = 0
) -> pd.DataFrame:
    """`memory` of a catalogue's titles and of its perturbed titles (which cannot be memorised), a row each.

    Raises:
        ValueError: as `memory`.
    """
    of = {"catalogue": titles, "perturbed": perturbed(titles, seed)}
    rows = {name: asdict(memory(generator, shown, what, most, seed)) for name, shown in of.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("titles of")
