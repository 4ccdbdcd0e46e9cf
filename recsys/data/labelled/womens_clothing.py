"""Women's E-Commerce Clothing Reviews: reviews of one shop, each with a rating and a recommendation.

Source: Kaggle data set "Women's E-Commerce Clothing Reviews", CC0; the user places the file. 23,486 reviews
of 1,206 garments. The zip holds a second member, macOS's shadow file, which is not read.

- 845 reviews have no text and are dropped, also the one of them that has a title.
- The text is the title, where there is one, a line break, and the review.
- A garment is a group: its reviews praise and criticise the same things, so a model that sees a garment's
  reviews in training knows part of the answer. A few garments have hundreds of reviews, so the parts deviate
  more from their shares than in a split by rows.
- 82 % recommend: judge by balanced accuracy or by AUC; accuracy alone says nothing.
"""

import pandas as pd

from recsys.data.families import Family
from recsys.data.labelled.csv_files import read_table, require
from recsys.data.labelled.dataset import LabelledTexts, cleaning_counts
from recsys.data.registry import Source

LABELS = ["not recommended", "recommended"]
TYPES = {
    "Clothing ID": int,
    "Age": int,
    "Title": str,
    "Review Text": str,
    "Rating": int,
    "Recommended IND": int,
    "Class Name": str,
}


def load(source: Source) -> LabelledTexts:
    """The data set of a registry entry of family "womens_clothing".

    Returns:
        table: text, label (1: recommended), group (the garment's number), rating (1 to 5), age (of the
        reviewer, years), title and class (of the garment), both None where the source has none.

    Raises:
        RegistryError, DataUnavailable: as `recsys.data.labelled.dataset.load_labelled`.
    """
    raw = read_table(source, "reviews", TYPES)
    require(raw, "Recommended IND", (0, 1), source)
    require(raw, "Rating", (1, 5), source)
    faults = {"empty text": raw["Review Text"] == ""}
    kept = raw[~faults["empty text"]].reset_index(drop=True)
    titled = kept["Title"] != ""
    text = kept["Review Text"].where(~titled, kept["Title"] + "\n" + kept["Review Text"])
    table = pd.DataFrame(
        {
            "text": text,
            "label": kept["Recommended IND"],
            "group": kept["Clothing ID"],
            "rating": kept["Rating"],
            "age": kept["Age"],
            "title": kept["Title"].where(titled, None),
            "class": kept["Class Name"].where(kept["Class Name"] != "", None),
        }
    )
    cleaning = {"kept without a title": int((~titled).sum())} | cleaning_counts(len(raw), faults)
    return LabelledTexts(source.name, table, list(LABELS), cleaning)


FAMILY = Family(load, ("reviews",))
