"""Noisy queries: typing errors, synonyms, other word orders.

Each function changes a query by its own random generator, so that a seed gives the same noisy queries to
every scorer. A query that can be changed always is, so that the ones that stay as they are do not depend on
the seed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

NEIGHBOURS = dict(zip("qwertyuiopasdfghjklzxcvbnm", "wqwertyuiosasdfghjkxzxcvbn", strict=True))
SHORTEST = 4  # letters; a typing error in a shorter word, such as "tv", makes another word
# groups of common shop words; the demo store's own synonyms are part of its vocabulary and not used here
_GROUPS = """
sofa couch settee | rug carpet mat | lamp light | tap faucet | refrigerator fridge | television tv |
laptop notebook | sneakers trainers | trousers pants | sweater jumper pullover | purse handbag | bag
tote | cup mug | blanket throw | curtain drape | dresser bureau | wardrobe armoire | hoover vacuum |
torch flashlight | bin trash | screw fastener | picture image | phone handset | headphones headset
earphones | cable cord lead | backpack rucksack | pan skillet | ring band | necklace pendant | bike
bicycle | watch timepiece | shoe footwear | jacket coat | toy plaything | kids children | women
ladies | men mens | bathroom bath | cheap inexpensive | small little | big large
"""
SYNONYMS = {
    word: [other for other in group.split() if other != word]
    for group in _GROUPS.replace("\n", " ").split("|")
    for word in group.split()
}


def typed_errors(query: str, rng: np.random.Generator) -> str:
    """One typing error in the longest word: letters swapped, or one missing, doubled or mistyped."""
    words = query.split()
    lengths = [len(word) if word.isalpha() else 0 for word in words]
    if not words or max(lengths) < SHORTEST:
        return query
    place = int(np.argmax(lengths))
    word, at = words[place], int(rng.integers(1, lengths[place] - 1))
    slips = (
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        word[:at] + word[at + 1 :],
        word[:at] + word[at] + word[at:],
        word[:at] + NEIGHBOURS.get(word[at].lower(), word[at]) + word[at + 1 :],
    )
    slips = [slip for slip in slips if slip != word]  # two equal letters, swapped, are no error
    words[place] = slips[int(rng.integers(len(slips)))]
    return " ".join(words)


def synonyms(query: str, rng: np.random.Generator) -> str:
    """Every word of `SYNONYMS` replaced by another one of its group."""
    words = query.split()
    changed = [SYNONYMS.get(word.lower()) for word in words]
    return " ".join(
        word if others is None else others[int(rng.integers(len(others)))]
        for word, others in zip(words, changed, strict=True)
    )


def word_order(query: str, rng: np.random.Generator) -> str:
    """The same words in another order, where two of them differ."""
    words = query.split()
    other = [words[i] for i in rng.permutation(len(words))]
    return " ".join(words[1:] + words[:1] if other == words else other)


NOISES: dict[str, Callable[[str, np.random.Generator], str]] = {
    "typos": typed_errors,
    "synonyms": synonyms,
    "order": word_order,
}


def noisy(queries: list[str], kind: str, seed: int) -> list[str]:
    """Change each distinct query once, by random draws that depend on seed and query only.

    Raises:
        KeyError: no such kind.
    """
    change = NOISES[kind]
    made = {
        query: change(query, np.random.default_rng([seed, *query.encode()]))
        for query in dict.fromkeys(queries)
    }
    return [made[query] for query in queries]
