"""Loads a set of labelled pictures, sounds or clips by name."""

from typing import Any

from recsys.data import sources
from recsys.data.errors import RegistryError
from recsys.data.families import MEDIA
from recsys.data.media.samples import MediaSamples, check_samples, sample_parts
from recsys.data.registry import unknown

FIRST_ROWS = 3  # shown by describe_samples
SHOWN_CHARACTERS = 40


def load_samples(name: str) -> MediaSamples:
    """Load a set of labelled pictures, sounds or clips by name, checked.

    Args:
        name: "fashion_products", "grocery_store", "free_spoken_digit", "ucf101_15clips", or an entry of
            RECSYS_SOURCES with one of these families.

    Raises:
        RegistryError: no such data set; the message gives the nearest name and all names.
        DataUnavailable: a file cannot be obtained or read; one line says how to mend it.
        TableError: the table breaks a rule of `MediaSamples`.

    Example:
        >>> load_samples("free_spoken_digit").table["digit"].nunique()
        10
    """
    every = sources.all_sources()
    known = [source.name for source in every.values() if source.family in MEDIA]
    if name not in known:
        raise RegistryError(unknown("set of labelled media", name, known, "the registry"))
    source = every[name]
    return check_samples(MEDIA.load(source.family).load(source))


def describe_samples(name: str) -> dict[str, Any]:
    """What `recsys data show` prints: provenance, counts, labels, parts, cleaning, first rows."""
    data = load_samples(name)
    entry = next(row for row in sources.listing() if row["name"] == name)
    facts = {key: entry[key] for key in ("name", "title", "licence", "source", "size", "where")}
    facts["rows"] = f"{len(data):,}"
    for label in data.labels:
        counts = data.table[label].value_counts()
        facts[label] = f"{len(counts)}: " + ", ".join(f"{k}: {v:,}" for k, v in counts.head(8).items())
    if "group" in data.table:
        facts["groups"] = f"{data.table['group'].nunique():,}, never divided by a split"
    facts["parts"] = ", ".join(f"{part}: {len(rows):,}" for part, rows in sample_parts(data).items())
    facts["cleaning"] = ", ".join(f"{reason}: {count:,}" for reason, count in data.cleaning.items())
    head = data.table.drop(columns=[c for c in ("picture", "sound", "video") if c in data.table])
    facts["first rows"] = "\n" + head.head(FIRST_ROWS).to_string(index=False, max_colwidth=SHOWN_CHARACTERS)
    return facts
