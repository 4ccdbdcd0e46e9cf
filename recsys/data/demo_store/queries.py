"""The searches' query texts: a noun or its synonym, with or without a material, style or use."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.data.demo_store import vocabulary as words
from recsys.data.demo_store.catalogue import Catalogue
from recsys.data.demo_store.constants import MODIFIER_SHARE, PARAPHRASE_SHARE, PARAPHRASE_UNDERSTOOD
from recsys.data.demo_store.seeds import generator

NO_MODIFIER, MATERIAL, STYLE, USE = range(4)
MODIFIER_KINDS = (0.4, 0.3, 0.3)  # of the queries with a modifier: material, style, use


@dataclass(frozen=True)
class Queries:
    """Q distinct query texts and the searches that used them.

    Attributes:
        text: [Q] the words.
        leaf: [Q] category wanted.
        modifier: [Q] one of NO_MODIFIER, MATERIAL, STYLE, USE.
        value: [Q] code of the wanted material, style or use; -1 without a modifier.
        title_noun: [Q] True where the noun is the title's noun.
        title_modifier: [Q] True where the modifier is the title's word.
        understood: [Q] True where the production search knows the category behind the words.
        of_search: [n] row of the query of each search.
    """

    text: np.ndarray
    leaf: np.ndarray
    modifier: np.ndarray
    value: np.ndarray
    title_noun: np.ndarray
    title_modifier: np.ndarray
    understood: np.ndarray
    of_search: np.ndarray

    def wishes(self, catalogue: Catalogue, queries: np.ndarray, items: np.ndarray) -> np.ndarray:
        """True where the product has the material, style or use that the query asks for; arguments broadcast.

        True for every product where the query has no modifier.
        """
        kind, value = self.modifier[queries], self.value[queries]
        return np.select(
            [kind == MATERIAL, kind == STYLE, kind == USE],
            [
                catalogue.material[items] == value,
                catalogue.style[items] == value,
                catalogue.use[items] == value,
            ],
            default=True,
        )

    def grade(self, catalogue: Catalogue, queries: np.ndarray, items: np.ndarray) -> np.ndarray:
        """True relevance 0..3; the arguments broadcast.

        3: the wanted category and the wanted material, style or use; 2: the wanted category; 1: another
        category of the same group (sofa and armchair); 0: anything else.
        """
        same_leaf = catalogue.leaf[items] == self.leaf[queries]
        same_group = catalogue.group[items] == self.leaf[queries] // 3
        return np.where(same_leaf, 2 + self.wishes(catalogue, queries, items), 1 * same_group)

    def table(self, catalogue: Catalogue) -> pd.DataFrame:
        """One row a query text: query, category (label), modifier, value, title_noun, understood."""
        names = {MATERIAL: list(words.MATERIALS), STYLE: list(words.STYLES), USE: list(words.USES)}
        return pd.DataFrame(
            {
                "query": self.text,
                "category": np.array([leaf.label for leaf in catalogue.leaves], dtype=object)[self.leaf],
                "modifier": np.array(["", "material", "style", "use"], dtype=object)[self.modifier],
                "value": [names[m][v] if m else "" for m, v in zip(self.modifier, self.value, strict=True)],
                "title_noun": self.title_noun,
                "understood": self.understood,
            }
        )


def build_queries(seed: int, size: str, catalogue: Catalogue, leaves: np.ndarray) -> Queries:
    """Draw the query text of each search.

    Args:
        seed, size: of the store.
        catalogue: its products.
        leaves: [n] category that each search is about.
    """
    random = generator(seed, size, "words")
    n = len(leaves)
    noun = np.where(random.random(n) < PARAPHRASE_SHARE, random.integers(1, 3, n), 0)
    modifier = np.where(
        random.random(n) < MODIFIER_SHARE, random.choice([MATERIAL, STYLE, USE], n, p=MODIFIER_KINDS), 0
    )
    # The wish is an attribute that products of the category do have: that of a random one of them.
    members = catalogue.members()
    width = (members >= 0).sum(axis=1)
    example = members[leaves, (random.random(n) * width[leaves]).astype(np.int64)]
    value = np.select(
        [modifier == MATERIAL, modifier == STYLE, modifier == USE],
        [catalogue.material[example], catalogue.style[example], catalogue.use[example]],
        default=-1,
    )
    own_words = np.where(modifier > 0, random.random(n) < PARAPHRASE_SHARE, False)
    code = (((leaves * 3 + noun) * 4 + modifier) * 32 + value + 1) * 2 + own_words
    distinct, of_search = np.unique(code, return_inverse=True)
    rest, own_words = np.divmod(distinct, 2)
    rest, value = np.divmod(rest, 32)
    rest, modifier = np.divmod(rest, 4)
    leaf, noun = np.divmod(rest, 3)
    value = value - 1
    text = [
        _query_text(catalogue.leaves[a].nouns[b], c, d, bool(e))
        for a, b, c, d, e in zip(leaf, noun, modifier, value, own_words, strict=True)
    ]
    understood = _known_nouns(random, len(catalogue.leaves))[leaf, noun]
    return Queries(
        text=np.array(text, dtype=object),
        leaf=leaf,
        modifier=modifier,
        value=value,
        title_noun=noun == 0,
        title_modifier=own_words == 0,
        understood=understood,
        of_search=of_search,
    )


def _known_nouns(random: np.random.Generator, n_leaves: int) -> np.ndarray:
    """[L, 3] nouns whose category the production search knows: the title's always, synonyms in part."""
    known = random.random((n_leaves, 3)) < PARAPHRASE_UNDERSTOOD
    known[:, 0] = True
    return known


def _query_text(noun: str, modifier: int, value: int, own_words: bool) -> str:
    if modifier == MATERIAL:
        return f"{_word(words.MATERIALS, value, own_words)} {noun}"
    if modifier == STYLE:
        return f"{_word(words.STYLES, value, own_words)} {noun}"
    if modifier == USE:
        return f"{noun} for {_word(words.USES, value, own_words)}"
    return noun


def _word(table: dict[str, str], value: int, own_words: bool) -> str:
    titles_word = list(table)[value]
    return table[titles_word] if own_words else titles_word
