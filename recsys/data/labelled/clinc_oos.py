"""CLINC150: questions to an assistant, each with one of 150 intents, and questions that belong to none.

Source: Larson et al. 2019, "An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction"
(repository clinc/oos-eval), CC BY 3.0. 100 questions an intent to train on, 20 to validate, 30 to test by;
out of scope 100, 100 and 1,000. Two questions of the test part also stand in training: `labelled_split` and
`recsys.applications.service.tasks` leave them out of training.
"""

import json

import pandas as pd

from recsys.data import sources
from recsys.data.errors import NotData
from recsys.data.families import Family
from recsys.data.files.archives import read_text
from recsys.data.labelled.dataset import LabelledTexts, cleaning_counts, file_of
from recsys.data.registry import Source

OUTSIDE = "out_of_scope"  # the last label
KEYS = {"train": "train", "val": "validation", "test": "test"}  # of the file -> own_part


def load(source: Source) -> LabelledTexts:
    """The data set of a registry entry of family "clinc_oos".

    Returns:
        table: text, label (code of the intent, intents in alphabetical order, OUTSIDE last), part ("train" or
        "test") and own_part, the source's three: "train", "validation" or "test".

    Raises:
        RegistryError, DataUnavailable: as `recsys.data.labelled.dataset.load_labelled`; NotData also for an
            intent that only the test part has.
    """
    path = sources.local_file(source.name, file_of(source, "questions"))
    try:
        raw = json.loads(read_text(path))
        wanted = [(key, part) for name, part in KEYS.items() for key in (name, f"oos_{name}")]
        rows = [(str(text).strip(), str(intent), part) for key, part in wanted for text, intent in raw[key]]
    except (ValueError, KeyError, TypeError) as error:
        raise NotData(
            f"{path}: not a JSON object with lists of [text, intent] under train, val, test, oos_train, … "
            f"({type(error).__name__}: {error}); is it the right file?"
        ) from None
    table = pd.DataFrame(rows, columns=["text", "intent", "own_part"])
    faults = {"empty text": table["text"] == ""}
    kept = table[~faults["empty text"]].reset_index(drop=True)
    kept["intent"] = kept["intent"].replace("oos", OUTSIDE)
    labels = [*sorted(set(kept["intent"][kept["own_part"] == "train"]) - {OUTSIDE}), OUTSIDE]
    untaught = sorted(set(kept["intent"]) - set(labels))
    if untaught:
        raise NotData(f"{path}: intents without a training question: {', '.join(untaught[:5])}")
    kept["label"] = kept["intent"].map({label: code for code, label in enumerate(labels)}).astype("int64")
    kept["part"] = kept["own_part"].where(kept["own_part"] == "test", "train")
    chosen = kept[["text", "label", "part", "own_part"]]
    return LabelledTexts(source.name, chosen, labels, cleaning_counts(len(table), faults))


FAMILY = Family(load, ("questions",))
