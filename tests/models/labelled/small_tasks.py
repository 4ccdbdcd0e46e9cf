"""Labelled texts that a small encoder learns in a few steps, in the place of the real sets."""

import numpy as np
import pandas as pd

from recsys.data.labelled.dataset import LabelledTexts

WORDS = ["apple boat chair", "dog engine flower", "guitar horse island"]


def classes(n: int = 300, kinds: int = 3) -> LabelledTexts:
    """The label is told by the words; a number makes every text another one."""
    label = np.arange(n) % kinds
    texts = [f"{WORDS[kind]} {number}" for number, kind in enumerate(label)]
    return LabelledTexts("small", pd.DataFrame({"text": texts, "label": label}), WORDS[:kinds])


def graded(queries: int = 60) -> LabelledTexts:
    """Each query with a title of grade 3, one of 2 and one of 1; every tenth query has one grade only."""
    rows = [
        (f"query {q}", f"{WORDS[place]} {q}", 2.0 if q % 10 == 0 else 3.0 - place)
        for q in range(queries)
        for place in range(3)
    ]
    table = pd.DataFrame(rows, columns=["text", "text_pair", "label"])
    return LabelledTexts("pairs", table.assign(group=table["text"]), [])
