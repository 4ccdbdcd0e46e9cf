"""MovieLens in any of GroupLens's editions; posters, trailer numbers and tags where there are files.

A rating means that the film was seen: an event of kind "view". Some copies of the small set in public
repositories are altered (invented users, reordered rows); the entry's checksum is of a copy with GroupLens's
counts, 100,836 ratings of 610 users.

Posters, trailer features and tags were collected **after the ratings**, and posters exist mostly for popular
films (92 % of the ratings, half of the films), so missing ones are not missing at random. A poster shows the
title in print. The names of the seven trailer features are taken from the source, unchecked: shot length,
mean and deviation of colour variance, mean and deviation of motion, lighting key, shots.
"""

import re

import numpy as np
import pandas as pd

from recsys.data import sources
from recsys.data.errors import NotData
from recsys.data.families import Family
from recsys.data.labelled.dataset import file_of
from recsys.data.media.movielens_files import read_file
from recsys.data.media.unpacked import by_stem, unpacked
from recsys.data.registry import Source
from recsys.data.tables import Dataset, place_in_history

TRAILER = tuple(f"trailer_{number}" for number in range(1, 8))
YEAR = re.compile(r"\s*\((\d{4})(?:[–-]\d*)?\)\s*$")


def load(source: Source) -> Dataset:
    """The data set of a registry entry of family "movielens" (ratings, movies; tags, posters, trailers).

    Returns:
        items: source_id (movieId), title (without the year), year (float, NaN unknown), genres ("A|B", ""
        where none are listed), text (title and genres as one sentence), picture (path or None) where the
        entry has posters, and TRAILER (float, NaN where the trailer is unknown) where it has them.
        users: source_id. events: kind "view", time, rating (0.5 to 5).

    Raises:
        RegistryError, DataUnavailable: a file cannot be had, or is no such table (NotData).
    """
    ratings = _table(source, "ratings", ("userid", "movieid", "rating", "timestamp"))
    movies = _table(source, "movies", ("movieid", "title", "genres")).drop_duplicates("movieid")
    known = ratings["movieid"].isin(movies["movieid"])
    movies = movies.sort_values("movieid", ignore_index=True)
    user_codes, user_ids = pd.factorize(ratings.loc[known, "userid"], sort=True)
    items = pd.DataFrame({"item": np.arange(len(movies)), "source_id": movies["movieid"]})
    items["title"] = movies["title"].str.replace(YEAR, "", regex=True).str.strip()
    items["year"] = pd.to_numeric(movies["title"].str.extract(YEAR)[0], errors="coerce")
    items["genres"] = movies["genres"].where(movies["genres"] != "(no genres listed)", "")
    items["text"] = _sentences(items)
    if source.role("posters"):
        pictures = by_stem(unpacked(source.name, file_of(source, "posters")), (".jpg", ".jpeg", ".png"))
        items["picture"] = [pictures.get(str(code)) for code in movies["movieid"]]
    if source.role("trailers"):
        trailers = _table(source, "trailers", ("ml_id",)).drop_duplicates("ml_id").set_index("ml_id")
        numbers = trailers.iloc[:, : len(TRAILER)].astype(float).reindex(movies["movieid"])
        items[list(TRAILER)] = numbers.to_numpy()
    users = pd.DataFrame({"user": np.arange(len(user_ids)), "source_id": user_ids})
    dropped = int((~known).sum())
    cleaning = {"unknown film": dropped, "rows read": len(ratings), "rows kept": len(ratings) - dropped}
    return Dataset(source.name, items, users, _events(ratings[known], user_codes, items), cleaning=cleaning)


def load_tags(name: str, dataset: Dataset) -> pd.DataFrame:
    """Tags that users gave to films: user, item (codes of `dataset`), tag (lower case), time; by time.

    Raises:
        RegistryError: the data set has no tags.
    """
    tags = _table(sources.get(name), "tags", ("userid", "movieid", "tag", "timestamp"))
    user = pd.Index(dataset.users["source_id"]).get_indexer(tags["userid"])
    item = pd.Index(dataset.items["source_id"]).get_indexer(tags["movieid"])
    time = pd.to_datetime(tags["timestamp"], unit="s").astype("datetime64[ns]")
    table = pd.DataFrame({"user": user, "item": item, "tag": tags["tag"].astype(str).str.lower().str.strip()})
    table["time"] = time.to_numpy()
    # a user who tagged but rated nothing is not in the log, but the tag counts: user code -1
    return table[(item >= 0) & (table["tag"] != "")].sort_values("time", kind="stable", ignore_index=True)


def _sentences(items: pd.DataFrame) -> list[str]:
    """Title and genres as an encoder reads them."""
    return [
        f"{title}. {genres.replace('|', ', ')}" if genres else title
        for title, genres in zip(items["title"], items["genres"], strict=True)
    ]


def _events(ratings: pd.DataFrame, user_codes: np.ndarray, items: pd.DataFrame) -> pd.DataFrame:
    events = pd.DataFrame(
        {
            "user": user_codes,
            "item": pd.Index(items["source_id"]).get_indexer(ratings["movieid"]),
            "kind": "view",
            "time": pd.to_datetime(ratings["timestamp"], unit="s").astype("datetime64[ns]").to_numpy(),
            "rating": ratings["rating"].astype(float).to_numpy(),
        }
    )
    # films rated in the same second stand in the order of their ids, whatever the order of the file
    events = events.sort_values(["user", "time", "item"], kind="stable", ignore_index=True)
    events.insert(3, "order", place_in_history(events["user"]))
    return events


def _table(source: Source, role: str, columns: tuple[str, ...]) -> pd.DataFrame:
    """The columns asked for, of a file in the form of any edition."""
    path = sources.local_file(source.name, file_of(source, role))
    table = read_file(path, role)
    missing = [column for column in columns if column not in table]
    if missing:
        raise NotData(f"{path}: column missing: {', '.join(missing)}; is it the {role} of MovieLens?")
    return table.set_index("ml_id").reset_index() if "ml_id" in columns else table[list(columns)]


FAMILY = Family(load, ("ratings", "movies", "tags", "posters", "trailers"))
