"""Chorus electronics: 19,406 products and 135 queries whose results three judges graded 0 to 3.

Source: the demonstration shop "Chorus" of OpenSource Connections (github.com/o19s/chorus); products from
Icecat's open catalogue. The judged pool comes from one search engine's settings: a product that nobody judged
need not be irrelevant. 36 queries have the same grade for all products and cannot tell orders apart.
"""

from __future__ import annotations

import json

import pandas as pd

from recsys.data import sources
from recsys.data.errors import NotData
from recsys.data.families import Family
from recsys.data.files.archives import read_bytes
from recsys.data.labelled.csv_files import read_table, require
from recsys.data.labelled.dataset import LabelledTexts, cleaning_counts, file_of
from recsys.data.registry import Source

GRADES = (0.0, 3.0)
PARTS = tuple(f"catalogue_{number}" for number in range(1, 5))  # roles of the catalogue's files
JUDGES = ("agent_1_rating", "agent_2_rating", "agent_3_rating")


def load(source: Source) -> LabelledTexts:
    """The data set of a registry entry of family "chorus_electronics".

    Returns:
        table: text (query), text_pair (title), label (final grade, 0 to 3), group (query), product (row of
        `catalogue`), description ("" where there is none).

    Raises:
        RegistryError, DataUnavailable: as `recsys.data.labelled.dataset.load_labelled`.
    """
    products = catalogue(source)
    raw = read_table(source, "grades", {"query": str, "docid": str, "rating": float})
    require(raw, "rating", GRADES, source)
    row = pd.Index(products["source_id"]).get_indexer(raw["docid"])
    faults = {"product not in the catalogue": pd.Series(row < 0), "empty query": raw["query"] == ""}
    faults["the same pair again"] = raw.duplicated(["query", "docid"])
    kept = ~(faults["product not in the catalogue"] | faults["empty query"] | faults["the same pair again"])
    found = products.iloc[row[kept]].reset_index(drop=True)
    table = pd.DataFrame(
        {
            "text": raw.loc[kept, "query"].to_numpy(),
            "text_pair": found["title"],
            "label": raw.loc[kept, "rating"].to_numpy(),
            "group": raw.loc[kept, "query"].to_numpy(),
            "product": row[kept],
            "description": found["description"],
        }
    )
    return LabelledTexts(source.name, table, [], cleaning_counts(len(raw), faults))


def catalogue(source: Source) -> pd.DataFrame:
    """All products: source_id, title, description, supplier; one row a product, in the order of the files."""
    rows = []
    for role in PARTS:
        path = sources.local_file(source.name, file_of(source, role))
        try:
            content = json.loads(read_bytes(path))
        except (ValueError, UnicodeDecodeError) as error:
            raise NotData(f"{path}: no list of products ({error}); is it the right file?") from None
        if not isinstance(content, list) or not all(isinstance(one, dict) and "id" in one for one in content):
            raise NotData(f"{path}: no list of products with ids; is it the right file?")
        rows += [
            {
                "source_id": str(one["id"]),
                "title": _words(one, "title") or _words(one, "name"),
                "description": _words(one, "short_description"),
                "supplier": _words(one, "supplier"),
            }
            for one in content
        ]
    table = pd.DataFrame(rows).drop_duplicates("source_id", ignore_index=True)
    return table[table["title"] != ""].reset_index(drop=True)


def judges(source: Source) -> pd.DataFrame:
    """Pairs that all three judges graded: query, docid, one column a judge, final_rating (0 to 3)."""
    types = {"query": str, "docid": str, **dict.fromkeys((*JUDGES, "final_rating"), float)}
    table = read_table(source, "judges", types)
    return table.dropna().reset_index(drop=True)


def _words(product: dict, field: str) -> str:
    return " ".join(str(product.get(field) or "").split())


FAMILY = Family(load, ("grades", "judges", *PARTS))
