"""Fashion product photos with names and attributes (Kaggle "Fashion Product Images (Small)").

44,446 products; a photo archive holds part of them, and only products with a photo are kept. No behaviour.

- 22 names contain an unquoted comma and spill over into unnamed columns; they are joined again.
- A name nearly gives away type, colour and gender, and many products are the same article in another colour:
  42 % of the test rows of a split by name have such a twin in training. `group` is the name's **stem**, its
  words without colours and digits, so that twins stay together.
- "NA" as colour or usage is a missing label.
"""

import csv
import io
import re

import pandas as pd

from recsys.data import sources
from recsys.data.errors import NotData
from recsys.data.families import Family
from recsys.data.files.archives import read_text
from recsys.data.labelled.dataset import file_of
from recsys.data.media.samples import MediaSamples
from recsys.data.media.unpacked import by_stem, unpacked
from recsys.data.registry import Source

LABELS = (
    "season",
    "usage",
    "articleType",
    "subCategory",
    "masterCategory",
    "baseColour",
    "gender",
)
PICTURES = (".jpg", ".jpeg", ".png", ".webp")


def load(source: Source) -> MediaSamples:
    """The data set of a registry entry of family "fashion" (roles attributes, names, pictures).

    Returns:
        table: source_id (the product's id), picture, text (the name), group (the stem), year, and LABELS.

    Raises:
        RegistryError, DataUnavailable: a file is missing in the entry, cannot be had, or is no such table.
    """
    attributes = read_attributes(source)
    names = read_names(source)
    pictures = by_stem(unpacked(source.name, file_of(source, "pictures")), PICTURES)
    table = attributes.merge(names, on="source_id", how="inner")
    named = table["text"].fillna("").str.strip() != ""
    photographed = table["source_id"].isin(pictures)
    kept = table[named & photographed].drop_duplicates("source_id")
    kept = kept.assign(number=kept["source_id"].astype(int)).sort_values("number", ignore_index=True)
    kept.insert(1, "picture", kept["source_id"].map(pictures))
    colours = colour_words(attributes["baseColour"])
    kept["group"] = kept["text"].map(lambda name: name_stem(name, colours))
    cleaning = {
        "without a photo": int((~photographed).sum()),
        "without a name": int((~named).sum()),
        "rows read": len(table),
        "rows dropped": len(table) - len(kept),
        "rows kept": len(kept),
    }
    return MediaSamples(source.name, kept.drop(columns="number"), LABELS, cleaning=cleaning)


def colour_words(colours: pd.Series) -> frozenset[str]:
    """All words of the colour names, in lower case ("Navy Blue" gives navy and blue)."""
    return frozenset(word for colour in colours.dropna().unique() for word in colour.lower().split())


def name_stem(name: str, colours: frozenset[str]) -> str:
    """A product's name without colour words and digits; the whole name, folded, where nothing is left.

    Example:
        >>> name_stem("Puma Men Navy Blue T-shirt 12", frozenset({"navy", "blue"}))
        'puma men t shirt'
    """
    words = re.findall(r"[^\W\d_]+", name.casefold())
    return " ".join(word for word in words if word not in colours) or name.casefold()


def read_attributes(source: Source) -> pd.DataFrame:
    """source_id, LABELS (None where missing) and year of all products, with a photo or not."""
    path = sources.local_file(source.name, file_of(source, "attributes"))
    table = pd.read_csv(io.StringIO(read_text(path)), dtype=str, keep_default_na=False)
    missing = [column for column in ("id", *LABELS) if column not in table]
    if missing:
        raise NotData(f"{path}: column missing: {', '.join(missing)}; is it the table of attributes?")
    for column in LABELS:
        table[column] = table[column].str.strip().map(lambda value: None if value in ("", "NA") else value)
    table["year"] = pd.to_numeric(table["year"], errors="coerce") if "year" in table else float("nan")
    return table.rename(columns={"id": "source_id"})[["source_id", *LABELS, "year"]]


def read_names(source: Source) -> pd.DataFrame:
    """source_id and text (the name, its commas joined again) of all products."""
    path = sources.local_file(source.name, file_of(source, "names"))
    rows = list(csv.reader(io.StringIO(read_text(path))))
    if not rows or rows[0][:2] != ["id", "productDisplayName"]:
        raise NotData(f"{path}: no table of id and productDisplayName; is it the right file?")
    joined = [(row[0], ",".join(row[1:]).rstrip(",").strip()) for row in rows[1:] if row]
    return pd.DataFrame(joined, columns=["source_id", "text"]).drop_duplicates("source_id")


FAMILY = Family(load, ("attributes", "names", "pictures"))
