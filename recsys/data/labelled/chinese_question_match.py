"""Pairs of Chinese customer questions that mean the same or not: ATEC (for training) and LCQMC's test part.

Source: IceFlameWorm/NLP_Datasets; no licence stated, research use. ATEC is Alipay's competition of 2018
(39,346 pairs, 22 % the same; a line holds number, question, question, label; two byte order marks at its
beginning). LCQMC (Liu et al. 2018, COLING) has 12,500 general pairs, half the same, without numbers.

ATEC has no train and test parts. A question occurs in up to 18 pairs, so a random split of pairs would put it
in several parts: pairs that share a question, directly or through others, form one group, which no split
divides. LCQMC's file is the published test part and is used as test only.
"""

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from recsys.data import sources
from recsys.data.errors import NotData
from recsys.data.families import Family
from recsys.data.files.archives import read_bytes
from recsys.data.labelled.csv_files import BYTE_ORDER_MARK
from recsys.data.labelled.dataset import LabelledTexts, cleaning_counts, file_of
from recsys.data.registry import Source
from recsys.data.splits import normal_query

LABELS = ["different", "same"]
ATEC_FIELDS, LCQMC_FIELDS = 4, 3  # of a line, the first of ATEC's is its number


def load(source: Source) -> LabelledTexts:
    """The data set of a registry entry of family "chinese_question_match".

    Returns:
        table: text, text_pair, label (1: they mean the same), and for ATEC group, for LCQMC part ("test"):
        a file whose lines have four fields is ATEC's, one with three LCQMC's.

    Raises:
        RegistryError, DataUnavailable: as `recsys.data.labelled.dataset.load_labelled`.
    """
    raw, fields = read_pairs(source)
    faults = {"empty question": (raw["first"] == "") | (raw["second"] == "")}
    kept = raw[~faults["empty question"]].reset_index(drop=True)
    table = pd.DataFrame({"text": kept["first"], "text_pair": kept["second"], "label": kept["label"]})
    if fields == ATEC_FIELDS:
        table["group"] = connected_questions(kept["first"], kept["second"])
    else:
        table["part"] = "test"
    return LabelledTexts(source.name, table, list(LABELS), cleaning_counts(len(raw), faults))


def read_pairs(source: Source) -> tuple[pd.DataFrame, int]:
    """A table of first, second (str, trimmed), label (int64), and the number of fields of a line.

    Raises:
        NotData: no such file; it names the first line that is wrong.
    """
    path = sources.local_file(source.name, file_of(source, "pairs"))
    try:
        lines = read_bytes(path).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise NotData(f"{path}: not UTF-8 text (byte {error.start}); is it the right file?") from None
    fields = ATEC_FIELDS if lines and lines[0].count("\t") + 1 == ATEC_FIELDS else LCQMC_FIELDS
    rows = []
    for number, line in enumerate(lines, start=1):
        parts = line.split("\t")
        if len(parts) != fields or parts[-1].strip() not in ("0", "1"):
            raise NotData(
                f"{path}: line {number} is not {fields} fields between tabs with a last one of 0 or 1; "
                "is it the right file?"
            )
        first, second = (text.strip().strip(BYTE_ORDER_MARK).strip() for text in parts[-3:-1])
        rows.append((first, second, int(parts[-1])))
    if not rows:
        raise NotData(f"{path}: a file without lines; is it the right file?")
    return pd.DataFrame(rows, columns=["first", "second", "label"]), fields


def connected_questions(first: pd.Series, second: pd.Series) -> np.ndarray:
    """[N] int64: pairs that share a question, directly or through other pairs, have the same number."""
    codes, _ = pd.factorize(pd.concat([normal_query(first), normal_query(second)], ignore_index=True))
    ends = codes[: len(first)], codes[len(first) :]
    edges = coo_matrix((np.ones(len(first), dtype=bool), ends), shape=(codes.max() + 1,) * 2)
    _, component = connected_components(edges, directed=False)
    return component[ends[0]].astype(np.int64)


FAMILY = Family(load, ("pairs",))
