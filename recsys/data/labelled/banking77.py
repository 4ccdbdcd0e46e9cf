"""BANKING77: questions of a bank's customers, each with one of 77 intents.

Source: Casanueva et al. 2020, "Efficient Intent Detection with Dual Sentence Encoders" (repository
PolyAI-LDN/task-specific-datasets, folder banking_data), CC BY 4.0. 10,003 training questions, 3,080 test
questions (40 an intent). `labelled_split` keeps the source's test part and takes validation from the rest.
Seven training questions are also in test when case and blanks are ignored; the split leaves them out of
training.
"""

import pandas as pd

from recsys.data.errors import NotData
from recsys.data.families import Family
from recsys.data.labelled.csv_files import read_table
from recsys.data.labelled.dataset import LabelledTexts, cleaning_counts
from recsys.data.registry import Source


def load(source: Source) -> LabelledTexts:
    """The data set of a registry entry of family "banking77".

    Returns:
        table: text, label (code of the intent, the intents in alphabetical order), part ("train" or "test").

    Raises:
        RegistryError, DataUnavailable: as `recsys.data.labelled.dataset.load_labelled`; NotData also for an
            intent that only the test part has.
    """
    files = {part: read_table(source, part, {"text": str, "category": str}) for part in ("train", "test")}
    raw = pd.concat([table.assign(part=part) for part, table in files.items()], ignore_index=True)
    faults = {"empty text": raw["text"] == "", "empty intent": raw["category"] == ""}
    kept = raw[~(faults["empty text"] | faults["empty intent"])].reset_index(drop=True)
    labels = sorted(kept["category"][kept["part"] == "train"].unique())
    untaught = sorted(set(kept["category"]) - set(labels))
    if untaught:
        raise NotData(f"data set {source.name}: intents of the test file only: {', '.join(untaught[:5])}")
    code = kept["category"].map({label: code for code, label in enumerate(labels)}).astype("int64")
    table = pd.DataFrame({"text": kept["text"], "label": code, "part": kept["part"]})
    return LabelledTexts(source.name, table, labels, cleaning_counts(len(raw), faults))


FAMILY = Family(load, ("train", "test"))
