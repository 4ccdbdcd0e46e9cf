"""Patients' reviews of drugs: what it was taken for, how it worked, what else it did.

Source of the built-in entry: Gräßer et al. 2018, UCI Machine Learning Repository 461 (Druglib.com). The file
called "Train" holds the published test rows as well (3,107 + 1,036), so parts are made anew, by drug. Texts
have line breaks inside quotes: 6,043 lines are 4,143 reviews, some of which stand twice. Ratings and
effectiveness nearly determine each other: neither may predict the other.
"""

import pandas as pd

from recsys.data.families import Family
from recsys.data.registry import Source
from recsys.data.sectors.tables import SectorTables, read_rows

TEXTS = ("benefitsReview", "sideEffectsReview", "commentsReview")


def load(source: Source) -> SectorTables:
    """Table "reviews": drug, condition (lower case), rating (1 to 10), effectiveness, side_effects (words of
    a scale), benefits_text, side_effects_text, comments_text.

    Raises:
        RegistryError, DataUnavailable: as `recsys.data.sectors.tables.load_tables`.
    """
    types = {"urlDrugName": str, "rating": int, "effectiveness": str, "sideEffects": str, "condition": str}
    raw = read_rows(source, "reviews", types | dict.fromkeys(TEXTS, str), separator="\t")
    table = pd.DataFrame(
        {
            "drug": raw["urlDrugName"],
            "condition": raw["condition"].str.casefold(),
            "rating": raw["rating"],
            "effectiveness": raw["effectiveness"],
            "side_effects": raw["sideEffects"],
            "benefits_text": raw["benefitsReview"],
            "side_effects_text": raw["sideEffectsReview"],
            "comments_text": raw["commentsReview"],
        }
    )
    faults = {
        "no drug": table["drug"] == "",
        "no text": (table[[name for name in table if name.endswith("_text")]] == "").all(axis=1),
        "the same review again": table.duplicated(),
    }
    dropped = pd.DataFrame(faults).any(axis=1)
    counts = {reason: int(rows.sum()) for reason, rows in faults.items()}
    return SectorTables(
        source.name, source.family, {"reviews": table[~dropped].reset_index(drop=True)}, counts
    )


FAMILY = Family(load, ("reviews",))
