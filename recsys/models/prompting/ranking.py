"""Re-ranking by a generative model: candidates by the likelihood of their titles after a history or a query.

score(i | u) = (log p(title_i | prompt(u)) − a · log p(title_i | prompt without history)) / tokens of title_i

Without the second term frequent titles rank first for every user (pointwise mutual information, Holtzman et
al. 2021, arXiv:2104.08315); without the division short titles win. Meant for re-ranking the first results of
a retriever: it costs one forward pass per candidate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recsys.models.prompting.generator import Generator

HISTORY = "A customer bought these products:\n{}\nThe next product is:"
QUERY = "A customer searched for: {}\nThe product that fits best is:"
NOTHING = "A product of the shop is:"


def candidate_scores(
    generator: Generator,
    asked: Sequence[str] | str,
    titles: Sequence[str],
    calibrate: float = 1.0,
    most_tokens: int = 32,
) -> np.ndarray:
    """Scores of candidates for one history or one query, [candidates] float64, higher is better.

    Args:
        asked: titles of a history, oldest first, or one query.
        titles: of the candidates, none empty; longer ones are cut.
        calibrate: a of the formula.

    Example:
        scores = candidate_scores(load_generator(), "red shoes", ["Red running shoes", "Blue hat"])
        order = np.argsort(-scores, kind="stable")  # best title first
    """
    if isinstance(asked, str):
        prompt = QUERY.format(asked)
    else:
        prompt = HISTORY.format("\n".join(f"- {title}" for title in asked))
    shown = [_cut(generator, f" {title}", most_tokens) for title in titles]
    sums, counts = generator.log_likelihood([prompt] * len(shown), shown)
    if calibrate:
        sums = sums - calibrate * generator.log_likelihood([NOTHING] * len(shown), shown)[0]
    return sums / counts


def _cut(generator: Generator, text: str, most_tokens: int) -> str:
    ids = generator.ids(text)
    return text if len(ids) <= most_tokens else generator.tokenizer.decode(ids[:most_tokens])
