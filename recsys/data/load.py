"""Loads a log of events by name, as checked tables. (Labelled texts: `recsys.data.labelled.dataset`.)"""

from typing import Any

import pandas as pd

from recsys.data import sources
from recsys.data.errors import RegistryError
from recsys.data.families import GENERATED, LABELLED, LOGS, MEDIA, SECTORS
from recsys.data.tables import Dataset, check

FIRST_ROWS = 3  # shown by describe
SHOWN_CHARACTERS = 60  # of each text in those rows


def load_dataset(name: str, seed: int = 0, **options: Any) -> Dataset:
    """Load a data set by name, as checked tables.

    Args:
        name: "demo_store", or a name of the source registry ("beauty", "sports", "online_retail", ...).
        seed: of the demo store's generator; data sets from files do not depend on it.
        options: demo store: size ("full" or "small"); S3-Rec family: titles (False leaves them out).

    Raises:
        RegistryError: no data set has that name; the message gives the nearest name and all names. Also for
            a data set of labelled texts.
        DataUnavailable: a file cannot be obtained; one line says why and how to mend it.
        TableError: a table breaks its schema.
        TypeError: an option that this data set does not have.

    Example:
        >>> shop = load_dataset("demo_store", size="small")
        >>> sorted(shop.events["kind"].unique())
        ['cart', 'click', 'purchase', 'search', 'view']
    """
    if name in GENERATED:
        return check(GENERATED.load(name)(seed=seed, **options))
    source = sources.get(name)
    if source.family in LABELLED:
        raise RegistryError(
            f"{name} holds labelled texts, not a log of events: "
            "use recsys.data.labelled.dataset.load_labelled"
        )
    if source.family in MEDIA:
        raise RegistryError(
            f"{name} holds labelled media, not a log of events: use recsys.data.media.load.load_samples"
        )
    return check(LOGS.load(source.family).load(source, **options))


def describe(name: str) -> dict[str, Any]:
    """What `recsys data show` prints: provenance, counts, time range, cleaning, columns, first rows.

    Raises:
        as `load_dataset`.
    """
    if name != sources.DEMO_STORE and sources.get(name).family in LABELLED:
        from recsys.data.labelled.dataset import describe_labelled

        return describe_labelled(name)
    if name != sources.DEMO_STORE and sources.get(name).family in MEDIA:
        from recsys.data.media.load import describe_samples

        return describe_samples(name)
    if name != sources.DEMO_STORE and sources.get(name).family in SECTORS:
        from recsys.data.sectors.tables import describe_tables

        return describe_tables(name)
    dataset = load_dataset(name)
    entry = next(row for row in sources.listing() if row["name"] == name)
    facts = {key: entry[key] for key in ("name", "title", "licence", "source", "size", "where")}
    facts["users"] = f"{dataset.n_users:,}"
    facts["items"] = f"{dataset.n_items:,}"
    facts["events"] = f"{len(dataset.events):,}" + "".join(
        f", {kind}: {count:,}" for kind, count in dataset.events["kind"].value_counts().items()
    )
    if dataset.has_times:
        times = dataset.events["time"]
        facts["times"] = f"{times.min():%Y-%m-%d %H:%M} to {times.max():%Y-%m-%d %H:%M}"
    else:
        facts["times"] = "none: only the order within a user is known, so leave-one-out only"
    if dataset.cleaning:
        facts["cleaning"] = ", ".join(f"{reason}: {count:,}" for reason, count in dataset.cleaning.items())
    for table in ("items", "users", "events", "judgements"):
        frame = getattr(dataset, table)
        if frame is not None:
            facts[f"{table}, columns"] = ", ".join(
                f"{column} ({kind})" for column, kind in frame.dtypes.items()
            )
            facts[f"{table}, first rows"] = "\n" + _first_rows(frame)
    return facts


def _first_rows(frame: pd.DataFrame) -> str:
    head = frame.head(FIRST_ROWS)
    return head.to_string(index=False, max_colwidth=SHOWN_CHARACTERS)
