"""Reviews of ten kinds of goods of Chinese shops, positive or negative.

Source: SophonPlus/ChineseNlpCorpus, folder datasets/online_shopping_10_cats; no licence stated. 62,774
reviews in UTF-8, one of them without text. Some texts begin with a stray byte order mark, which is removed.
After that 50 texts repeat an earlier one, and 18 texts occur with both labels: all are kept, and
`labelled_split` keeps equal texts in one part. The reviews name no author and no product to group by.
"""

import pandas as pd

from recsys.data.families import Family
from recsys.data.labelled.csv_files import read_table, require
from recsys.data.labelled.dataset import LabelledTexts, cleaning_counts
from recsys.data.registry import Source

LABELS = ["negative", "positive"]


def load(source: Source) -> LabelledTexts:
    """The data set of a registry entry of family "chinese_reviews".

    Returns:
        table: text, label (1: positive), category (kind of goods, in Chinese).

    Raises:
        RegistryError, DataUnavailable: as `recsys.data.labelled.dataset.load_labelled`.
    """
    raw = read_table(source, "reviews", {"cat": str, "label": int, "review": str})
    require(raw, "label", (0, 1), source)
    faults = {"empty text": raw["review"] == "", "empty category": raw["cat"] == ""}
    kept = raw[~(faults["empty text"] | faults["empty category"])].reset_index(drop=True)
    table = pd.DataFrame({"text": kept["review"], "label": kept["label"], "category": kept["cat"]})
    repeated = {"kept though repeated": int(kept["review"].duplicated().sum())}
    return LabelledTexts(source.name, table, list(LABELS), repeated | cleaning_counts(len(raw), faults))


FAMILY = Family(load, ("reviews",))
