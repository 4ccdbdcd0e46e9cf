"""RecBole's atomic files, as of MovieLens 100K: events with times, user profiles, a knowledge graph.

Columns are named `<field>:<type>` and separated by tabs. The only data set here with gender, age and
occupation beside times. Freebase was collected after the events: in a split by time the graph is a leak.
"""

import io

import numpy as np
import pandas as pd

from recsys.data import sources
from recsys.data.errors import NotData
from recsys.data.families import Family
from recsys.data.files.archives import read_text
from recsys.data.labelled.dataset import file_of
from recsys.data.registry import Source
from recsys.data.tables import Dataset, place_in_history


def load(source: Source) -> Dataset:
    """The data set of a registry entry of family "atomic_files" (roles inter, user, item; kg, link).

    Returns:
        items: source_id, title, text (title and classes), genres ("A|B"), year (float). users:
        source_id, age (float, years), gender, occupation. events: kind "view", time, rating.

    Raises:
        RegistryError, DataUnavailable: a file cannot be had, or lacks a field (NotData).
    """
    inter = _fields(source, "inter", ("user_id", "item_id", "rating", "timestamp"))
    people = _fields(source, "user", ("user_id",)).drop_duplicates("user_id")
    films = _fields(source, "item", ("item_id", "movie_title")).drop_duplicates("item_id")
    users = _by_number(people, "user_id")
    items = _by_number(films, "item_id")
    events = pd.DataFrame(
        {
            "user": pd.Index(users["source_id"]).get_indexer(inter["user_id"]),
            "item": pd.Index(items["source_id"]).get_indexer(inter["item_id"]),
            "kind": "view",
            "time": pd.to_datetime(inter["timestamp"].astype(float), unit="s").astype("datetime64[ns]"),
            "rating": inter["rating"].astype(float),
        }
    )
    known = (events["user"] >= 0) & (events["item"] >= 0)
    events = events[known].sort_values(["user", "time", "item"], kind="stable", ignore_index=True)
    events.insert(3, "order", place_in_history(events["user"]))
    items = items.rename(columns={"movie_title": "title", "release_year": "year"})
    items["year"] = pd.to_numeric(items["year"], errors="coerce") if "year" in items else np.nan
    genres = items.pop("class").fillna("") if "class" in items else pd.Series("", index=items.index)
    items["title"] = items["title"].astype(str)
    items["genres"] = genres.str.replace(" ", "|")  # no genre of this set has a blank in its name
    items["text"] = [f"{t}. {g}" if g else t for t, g in zip(items["title"], genres, strict=True)]
    if "age" in users:
        users["age"] = pd.to_numeric(users["age"], errors="coerce")
    cleaning = {
        "unknown user or item": int((~known).sum()),
        "rows read": len(inter),
        "rows kept": len(events),
    }
    return Dataset(
        source.name, items, users.drop(columns="zip_code", errors="ignore"), events, cleaning=cleaning
    )


def load_graph(name: str, dataset: Dataset) -> pd.DataFrame:
    """Triples of the knowledge graph: head, relation, tail (the graph's ids), item (code of head, or −1)."""
    source = sources.get(name)
    triples = _fields(source, "kg", ("head_id", "relation_id", "tail_id"))
    link = _fields(source, "link", ("item_id", "entity_id")).drop_duplicates("entity_id")
    item_of = pd.Series(
        pd.Index(dataset.items["source_id"]).get_indexer(link["item_id"]), index=link["entity_id"]
    )
    triples.columns = ["head", "relation", "tail"]
    return triples.assign(item=triples["head"].map(item_of).fillna(-1).astype("int64"))


def _by_number(table: pd.DataFrame, key: str) -> pd.DataFrame:
    """Rows in the order of their ids, with the kit's two columns in front."""
    ordered = table.assign(number=pd.to_numeric(table[key])).sort_values("number", ignore_index=True)
    ordered = ordered.drop(columns="number").rename(columns={key: "source_id"})
    ordered.insert(0, key.removesuffix("_id"), np.arange(len(ordered)))
    return ordered


def _fields(source: Source, role: str, needed: tuple[str, ...]) -> pd.DataFrame:
    path = sources.local_file(source.name, file_of(source, role))
    # quoting=3: titles hold single quotation marks that close nowhere
    table = pd.read_csv(io.StringIO(read_text(path)), sep="\t", dtype=str, quoting=3, keep_default_na=False)
    table.columns = [str(column).partition(":")[0] for column in table.columns]
    missing = [field for field in needed if field not in table]
    if missing:
        raise NotData(f"{path}: field missing: {', '.join(missing)}; is it an atomic file ({role})?")
    return table


FAMILY = Family(load, ("inter", "user", "item", "kg", "link"))
