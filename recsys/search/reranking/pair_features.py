"""What the words of a query and a title say of their match, as numbers: for a model that grades pairs.

Words are those of BM25 (`recsys.search.lexical.words`), weighted by how rare they are among the titles. Parts
of words, three letters each, see what a typing error or an inflection leaves whole.

P: pairs. F: features.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys.search.lexical import words


class PairFeatures:
    """Rarity of words among some titles, and the features of pairs by it.

    Args:
        titles: that words are counted in; each distinct one counts once. Titles only: no grade, no query.
    """

    def __init__(self, titles: Sequence[str]):
        distinct = list(dict.fromkeys(titles))
        counts = Counter(word for title in distinct for word in set(words(title)))
        self._rarity = {word: np.log(1 + len(distinct) / count) for word, count in counts.items()}
        self._unknown = float(np.log(1 + len(distinct)))

    def of(self, queries: Sequence[str], titles: Sequence[str]) -> pd.DataFrame:
        """[P, F]: lengths; shares of the query's words and of their rarity that the title has, first and last
        word apart; shares of its parts of words, mean and least; where and in which order; numbers."""
        texts = {text: (words(text), text.casefold()) for text in {*queries, *titles}}
        parts = {text: _parts(own[0]) for text, own in texts.items()}
        rows = [
            self._pair(texts[query][0], texts[title][0], parts[query], parts[title])
            for query, title in zip(queries, titles, strict=True)
        ]
        return pd.DataFrame(rows)

    def _pair(
        self, query: list[str], title: list[str], asked: list[set[str]], there: list[set[str]]
    ) -> dict[str, float]:
        named, place = set(title), {word: i for i, word in reversed(list(enumerate(title)))}
        rarity = np.array([self._rarity.get(word, self._unknown) for word in query])
        hit = np.array([word in named for word in query], dtype=float)
        pieces = set().union(*there) if there else set()
        near = np.array([len(own & pieces) / len(own) for own in asked]) if asked else np.zeros(0)
        # the best single word of the title, which a whole title's letters cannot make up for
        best = np.array([max((_dice(own, other) for other in there), default=0.0) for own in asked])
        best = best if len(best) else np.zeros(0)
        places = [place[word] for word in query if word in place]
        numbers = [i for i, word in enumerate(query) if word[0].isdigit()]
        total = max(float(rarity.sum()), 1e-9)
        return {
            "query_words": float(len(query)),
            "title_words": float(len(title)),
            "query_known": float(np.mean([word in self._rarity for word in query])) if query else 0.0,
            "hits": float(hit.sum()),
            "share": float(hit.mean()) if query else 0.0,
            "rarity_share": float(rarity @ hit / total),
            "rarity_missed": float(rarity @ (1 - hit)),
            "rarest_hit": float(hit[rarity.argmax()]) if query else 0.0,
            "first_hit": float(hit[0]) if query else 0.0,
            "last_hit": float(hit[-1]) if query else 0.0,
            "letters_share": float(near.mean()) if query else 0.0,
            "letters_least": float(near.min()) if query else 0.0,
            "best_share": float(rarity @ best / total),
            "best_least": float(best.min()) if query else 0.0,
            "best_last": float(best[-1]) if query else 0.0,
            "first_place": float(min(places, default=-1)),
            "in_order": float(np.mean(np.diff(places) > 0)) if len(places) > 1 else -1.0,
            "adjacent": float(np.mean(np.diff(places) == 1)) if len(places) > 1 else -1.0,
            "numbers": float(len(numbers)),
            "numbers_hit": float(hit[numbers].mean()) if numbers else -1.0,
        }


def _parts(found: list[str]) -> list[set[str]]:
    marked = [f"<{word}>" for word in found]
    return [{word[i : i + 3] for i in range(max(1, len(word) - 2))} for word in marked]


def _dice(one: set[str], other: set[str]) -> float:
    return 2 * len(one & other) / (len(one) + len(other))
