"""Titles, descriptions and reviews in English, put together from phrases; none names what pictures show."""

import numpy as np

from recsys.data.demo_store import vocabulary as words
from recsys.data.demo_store.catalogue import Catalogue
from recsys.data.demo_store.constants import DESCRIPTION_SYNONYM_SHARE, RATING_SHARES, REVIEW_MISMATCH
from recsys.data.demo_store.seeds import generator

# Phrases that fit a noun in the singular and in the plural ("trainers").
OPENINGS = (
    "Our {style} {noun}, made of {material}.",
    "Buyers come back for the {style} {noun} in {material}.",
    "A {style} design: {noun} made with care from {material}.",
    "Meet the {noun} by {brand}: {style}, and all {material} where it counts.",
)
MIDDLES = (
    "Good for {use} and easy to look after.",
    "Chosen by our team for {use}.",
    "Works well for {use}.",
    "A safe choice for {use}.",
    "Made with {use} in mind.",
)
ENDINGS = (
    "Guarantee: {years} years.",
    "Packed in recycled card.",
    "Returns are free for thirty days.",
    "Made in small batches; {years} years of guarantee.",
    "See the picture for the finish.",
)

# Review sentences by tone: 0 = angry (1 star), 1 = let down, 2 = mixed, 3 = content, 4 = delighted (5 stars).
VERDICTS = (
    ("Broke within a week.", "Waste of money.", "Do not buy the {noun}.", "I sent the {noun} back.",
     "Very disappointed with the {noun}."),
    ("Not what I hoped for.", "Feels cheap.", "Below expectations.", "I would not order the {noun} again.",
     "Poor finish for the price."),
    ("It is okay.", "Average, nothing special.", "Does the job, no more.", "Some good points, some bad.",
     "Fine for now, but I expected a bit more."),
    ("Good {noun} for the price.", "I like the {noun}.", "Works well so far.",
     "Happy with it, only small flaws.", "A sound buy, I would order it again."),
    ("Love the {noun}!", "Excellent quality.", "The best {noun} I have owned.",
     "Perfect, exactly what I wanted.", "Fantastic {noun}, highly recommended."),
)  # fmt: skip
DETAILS = (
    ("The {material} came apart.", "Useless for {use}.", "Support never answered.",
     "{brand} should be ashamed."),
    ("The {material} is thinner than it looks.", "Awkward for {use}.", "It arrived late and scratched.",
     "{brand} used to be better."),
    ("The {material} is decent.", "Acceptable for {use}.", "Delivery took a while.", "Typical {brand}."),
    ("The {material} feels nice.", "Handy for {use}.", "Arrived on time.", "{brand} did well here."),
    ("The {material} is beautiful.", "Ideal for {use}.", "Quick delivery, lovely packing.",
     "I will buy from {brand} again."),
)  # fmt: skip
DETAIL_SHARE = 0.65  # reviews with a second sentence


def product_texts(seed: int, size: str, catalogue: Catalogue) -> tuple[list[str], list[str]]:
    """Titles and descriptions, M each.

    The title holds brand, style, material and the category's first noun, and the use in every second one; the
    description holds them all and, in a fixed share, a synonym in place of the noun.
    """
    random = generator(seed, size, "texts")
    n = catalogue.n_items
    names_use = random.random(n) < 0.5
    variant = np.where(random.random(n) < DESCRIPTION_SYNONYM_SHARE, random.integers(1, 3, n), 0)
    phrase = np.stack([random.integers(0, len(p), n) for p in (OPENINGS, MIDDLES, ENDINGS)], axis=1)
    years = random.integers(2, 11, n)
    titles, descriptions = [], []
    for i in range(n):
        said = _facts(catalogue, i)
        nouns = catalogue.leaves[catalogue.leaf[i]].nouns
        suffix = f" for {said['use']}" if names_use[i] else ""
        named = f"{said['style']} {said['material']} {nouns[0]}".title().replace(" Of ", " of ")
        titles.append(f"{said['brand']} {named}{suffix}")
        said |= {"noun": nouns[variant[i]], "years": years[i]}
        a, b, d = phrase[i]
        descriptions.append(f"{OPENINGS[a]} {MIDDLES[b]} {ENDINGS[d]}".format(**said))
    return titles, descriptions


def source_codes(seed: int, size: str, n_items: int) -> list[str]:
    """M article numbers such as "P0413652"; they differ between seeds, so a picture set can be matched."""
    random = generator(seed, size, "codes")
    return [f"P{number:07d}" for number in np.sort(random.choice(10_000_000, n_items, replace=False))]


def reviews(seed: int, size: str, catalogue: Catalogue, items: np.ndarray, ratings: np.ndarray) -> list[str]:
    """One short text for each of n rated purchases; a small share is written in the tone of another rating.

    Args:
        seed, size, catalogue: of the store.
        items: [n] product codes.
        ratings: [n] 1..5.
    """
    random = generator(seed, size, "reviews")
    n = len(items)
    other = random.choice(5, n, p=RATING_SHARES)
    tone = np.where(random.random(n) < REVIEW_MISMATCH, other, ratings - 1)
    verdict, detail = random.integers(0, 5, n), random.integers(0, 4, n)
    longer = random.random(n) < DETAIL_SHARE
    texts = []
    for i in range(n):
        said = _facts(catalogue, items[i])
        said["noun"] = catalogue.leaves[catalogue.leaf[items[i]]].nouns[0]
        text = VERDICTS[tone[i]][verdict[i]]
        if longer[i]:
            text = f"{text} {DETAILS[tone[i]][detail[i]]}"
        texts.append(text.format(**said))
    return texts


def _facts(catalogue: Catalogue, item: int) -> dict[str, object]:
    return {
        "brand": words.BRANDS[catalogue.brand[item]],
        "material": _MATERIALS[catalogue.material[item]],
        "style": _STYLES[catalogue.style[item]],
        "use": _USES[catalogue.use[item]],
    }


_MATERIALS, _STYLES, _USES = (list(table) for table in (words.MATERIALS, words.STYLES, words.USES))
