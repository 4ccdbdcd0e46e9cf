"""Bitext's sample of customer service: questions to a shop, 27 intents, with what they name marked.

Source: bitext/customer-support-intent-detection-training-dataset, folder data, CDLA-Sharing-1.0. 6,480
questions to train on, 810 to validate and 810 to test by, written by templates: an accuracy near 100 % is
normal and proves nothing. What it serves for are the marked entities (order and invoice numbers, names,
plans, places, amounts) and the tags of a question's register (Z: errors of typing, Q: colloquial, W: rude,
...).
"""

import pandas as pd

from recsys.data.families import Family
from recsys.data.labelled.csv_files import read_table
from recsys.data.labelled.dataset import LabelledTexts, cleaning_counts
from recsys.data.registry import Source

PARTS = ("train", "validation", "test")


def load(source: Source) -> LabelledTexts:
    """The data set of a registry entry of family "bitext_support".

    Returns:
        table: text, label (code of the intent, in alphabetical order), part, own_part ("train", "validation"
        or "test"), entity (its kind, "" where nothing is marked), value (the marked words), tags (letters).

    Raises:
        RegistryError, DataUnavailable: as `recsys.data.labelled.dataset.load_labelled`.
    """
    columns = dict.fromkeys(("utterance", "intent", "entity_type", "entity_value", "tags"), str)
    read = [read_table(source, part, columns).assign(own_part=part) for part in PARTS]
    raw = pd.concat(read, ignore_index=True)
    faults = {"empty text": raw["utterance"] == "", "empty intent": raw["intent"] == ""}
    kept = raw[~(faults["empty text"] | faults["empty intent"])].reset_index(drop=True)
    labels = sorted(kept["intent"].unique())
    table = pd.DataFrame(
        {
            "text": kept["utterance"],
            "label": kept["intent"].map({label: code for code, label in enumerate(labels)}).astype("int64"),
            "part": kept["own_part"].where(kept["own_part"] == "test", "train"),
            "own_part": kept["own_part"],
            "entity": kept["entity_type"],
            "value": kept["entity_value"],
            "tags": kept["tags"],
        }
    )
    return LabelledTexts(source.name, table, labels, cleaning_counts(len(raw), faults))


FAMILY = Family(load, PARTS)
