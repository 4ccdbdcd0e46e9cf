"""BM25 over titles (Robertson & Zaragoza 2009), by bm25s: the baseline of every learned search.

bm25s computes each word's scores when the index is built and sums them for a query. Its tokeniser takes words
of two characters or more; here single characters count as well ("5 gallon", "c cable"), and numbers with a
unit are normalised, since "1/2 in." and "0.5 inch" are the same size.

N: products.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import bm25s
import numpy as np

from recsys.search.errors import SearchError

STOP_WORDS = frozenset(
    ["a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "has", "in", "is", "it", "of", "on"]
) | {"or", "that", "the", "to", "was", "with"}
UNITS = {
    **dict.fromkeys(('"', "in", "in.", "inch", "inches", "-inch"), "inch"),
    **dict.fromkeys(("'", "ft", "ft.", "foot", "feet"), "foot"),
    **dict.fromkeys(("v", "volt", "volts"), "volt"),
    **dict.fromkeys(("w", "watt", "watts"), "watt"),
    **dict.fromkeys(("lb", "lb.", "lbs", "pound", "pounds"), "pound"),
    **dict.fromkeys(("gal", "gal.", "gallon", "gallons"), "gallon"),
    **dict.fromkeys(("oz", "oz.", "ounce", "ounces"), "ounce"),
}
LONGEST = 20_000  # characters of a text that are read
# of at most 15 digits: longer ones are codes, and no float holds what their quotients may be
_NUMBER = r"(?:(\d{1,15})[ -])?(\d{1,15})/(\d{1,15})|(\d{1,15}(?:\.\d{1,15})?|\.\d{1,15})"
_UNIT = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
_THOUSANDS = re.compile(r"(?<![\w.,])(\d{1,3})((?:,\d{3})+)(?![\w,])")  # 12,000 is 12000
# whole numbers of their own only: "18v" and "18 v" are sizes, "1080p" and "mbs100" are names
_SIZE = re.compile(rf"(?<![\w.])(?:{_NUMBER})(?:\s*-?\s*({_UNIT})(?![a-z]))?(?!\w)", re.IGNORECASE)
_WORD = re.compile(r"(?u)[^\W_]+(?:\.\d+)?")


def words(text: str) -> list[str]:
    """The normalised words of a text: case folded, sizes with units as "0.5inch", no stop words.

    In scripts without blanks (Chinese, Japanese) every character is a word, since queries are short.

    Example:
        >>> words('1/2 in. Drill-Bit of steel') == words("0.5 inch drill bit steel")
        True
    """
    text = unicodedata.normalize("NFKC", text.replace("⁄", "/")[:LONGEST]).casefold().replace("⁄", "/")
    found = []
    text = _THOUSANDS.sub(lambda match: match[0].replace(",", ""), text)
    for word in _WORD.findall(_SIZE.sub(_size, text)):
        if any("\u3040" <= c <= "\u9fff" for c in word):
            found += list(word)
        elif word not in STOP_WORDS:
            found.append(word)
    return found


def _size(match: re.Match) -> str:
    whole, top, bottom, plain, unit = match.groups()
    if top is not None:
        if int(bottom) == 0:
            return match.group()
        value = int(whole or 0) + int(top) / int(bottom)
    else:
        value = float(plain)
    # a third of an inch is told by four digits; of larger numbers every whole digit is kept
    told = f"{value:.4g}" if value < 1 else f"{value:.3f}".rstrip("0").rstrip(".")
    return f" {told}{UNITS[unit] if unit else ''} "


class LexicalIndex:
    """BM25 scores of a query for N texts.

    Args:
        texts: N strings; an empty one is never found.
        k1, b: of BM25: saturation of repeated words, penalty of long texts.

    Raises:
        SearchError: no text has a word.

    Example:
        >>> int(LexicalIndex(["red shoe", "blue mug"]).scores("mug").argmax())
        1
    """

    def __init__(self, texts: Sequence[str], k1: float = 1.2, b: float = 0.75):
        tokens = [words(text) for text in texts]
        if not any(tokens):
            raise SearchError("none of the catalogue's texts has a word: nothing can be indexed")
        self.size = len(tokens)
        self.model = bm25s.BM25(k1=k1, b=b)
        self.model.index(tokens, show_progress=False)

    def scores(self, query: str) -> np.ndarray:
        """[N] float32, ≥ 0; all 0 for a query without a known word."""
        known = [word for word in dict.fromkeys(words(query)) if word in self.model.vocab_dict]
        if not known:
            return np.zeros(self.size, dtype=np.float32)
        return np.asarray(self.model.get_scores(known), dtype=np.float32)

    def pair_scores(self, queries: Sequence[str], rows: Sequence[int]) -> np.ndarray:
        """[P] score of queries[p] for text rows[p]; each distinct query is scored once."""
        rows, scores = np.asarray(rows), np.empty(len(queries), dtype=np.float32)
        places: dict[str, list[int]] = {}
        for place, query in enumerate(queries):
            places.setdefault(query, []).append(place)
        for query, where in places.items():
            scores[where] = self.scores(query)[rows[where]]
        return scores
