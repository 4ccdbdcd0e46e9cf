"""SiTunes (Li et al., CHIIR 2024): songs with audio features, rated in laboratory and field.

Stage 1 laboratory (25 songs of a fixed set), 2 field, 3 field with a recommender that knows the situation
(`rec_type` says which served). Thirty users: intervals have to be over users.

- `emo_post_*` is an outcome of listening and is left out: it must never be a feature.
- Weather, time of day and mood before listening are the situation; stage 1 has none.
- Some songs that were rated have no metadata: their audio features are missing.
"""

import json

import numpy as np
import pandas as pd

from recsys.data import sources
from recsys.data.errors import NotData
from recsys.data.families import Family
from recsys.data.files.archives import read_text
from recsys.data.labelled.dataset import file_of
from recsys.data.registry import Source
from recsys.data.tables import Dataset, place_in_history

# openSMILE's and Spotify's audio features; popularity is known only later and is left out
SOUND = (
    *("loudness", "danceability", "energy", "key", "speechiness", "acousticness", "instrumentalness"),
    *("valence", "tempo", "duration", "F0final_sma_amean", "F0final_sma_stddev"),
    *("audspec_lengthL1norm_sma_stddev", "pcm_RMSenergy_sma_stddev", "pcm_fftMag_psySharpness_sma_amean"),
    *("pcm_fftMag_psySharpness_sma_stddev", "pcm_zcr_sma_amean", "pcm_zcr_sma_stddev"),
)
MOOD = ("mood_valence", "mood_arousal")
WEATHER = ("weather", "pressure", "temperature", "humidity")
SITUATION = (*MOOD, "time_of_day", *WEATHER)


def load(source: Source) -> Dataset:
    """The data set of a registry entry of family "situnes" (roles stage1 to 3, env2, env3, songs).

    Returns:
        items: source_id (song), title, text (title, singer, genre), and SOUND (float, NaN where unknown).
        users: source_id. events: kind "view", time, rating, stage (1 to 3), rec_type, and SITUATION.

    Raises:
        RegistryError, DataUnavailable: a file cannot be had, or is no such table (NotData).
    """
    stages = [_stage(source, number) for number in (1, 2, 3)]
    listened = pd.concat(stages, ignore_index=True)
    songs = _songs(source)
    item_ids = np.union1d(songs["source_id"], listened["item_id"])
    items = pd.DataFrame({"item": np.arange(len(item_ids)), "source_id": item_ids})
    items = items.merge(songs, on="source_id", how="left")
    user_codes, user_ids = pd.factorize(listened["user_id"], sort=True)
    events = pd.DataFrame({"user": user_codes, "item": np.searchsorted(item_ids, listened["item_id"])})
    events["kind"] = "view"
    events["time"] = pd.to_datetime(listened["timestamp"], unit="s").astype("datetime64[ns]")
    events[["rating", "stage", "rec_type", *SITUATION]] = listened[
        ["rating", "stage", "rec_type", *SITUATION]
    ]
    events = events.sort_values(["user", "time"], kind="stable", ignore_index=True)
    events.insert(3, "order", place_in_history(events["user"]))
    users = pd.DataFrame({"user": np.arange(len(user_ids)), "source_id": user_ids})
    unknown = int((~listened["item_id"].isin(songs["source_id"])).sum())
    cleaning = {"song without metadata (kept)": unknown, "rows read": len(listened), "rows kept": len(events)}
    return Dataset(source.name, items, users, events, cleaning=cleaning)


def _stage(source: Source, number: int) -> pd.DataFrame:
    path = sources.local_file(source.name, file_of(source, f"stage{number}"))
    table = pd.read_csv(path)
    missing = {"user_id", "item_id", "timestamp", "rating"} - set(table)
    if missing:
        raise NotData(f"{path}: column missing: {', '.join(sorted(missing))}; is it a stage of SiTunes?")
    table["stage"], table["rating"] = number, table["rating"].astype(float)
    table["rec_type"] = (
        table["rec_type"].where(table["rec_type"].notna(), None) if "rec_type" in table else None
    )
    table[list(SITUATION)] = np.nan
    if "emo_pre_valence" in table:
        table[list(MOOD)] = table[["emo_pre_valence", "emo_pre_arousal"]]
    if source.role(f"env{number}"):
        around = json.loads(read_text(sources.local_file(source.name, file_of(source, f"env{number}"))))
        rows = [around.get(str(code)) for code in table["inter_id"]]
        table["time_of_day"] = [np.nan if row is None else float(row["time"]) for row in rows]
        weather = [[np.nan] * 4 if row is None else list(map(float, row["weather"])) for row in rows]
        table[list(WEATHER)] = np.array(weather)
    return table


def _songs(source: Source) -> pd.DataFrame:
    path = sources.local_file(source.name, file_of(source, "songs"))
    table = pd.read_csv(path)
    missing = [column for column in ("i_id_c", "music", "singer", *SOUND) if column not in table]
    if missing:
        raise NotData(f"{path}: column missing: {', '.join(missing)}; is it the table of songs?")
    # a negative id stands for songs that nobody was shown
    table = table[table["i_id_c"] >= 0].drop_duplicates("i_id_c")
    songs = pd.DataFrame({"source_id": table["i_id_c"].astype("int64"), "title": table["music"]})
    songs["text"] = [
        f"{title} by {singer}. {genre}"
        for title, singer, genre in zip(
            table["music"],
            table["singer"],
            table.get("general_genre", pd.Series("", table.index)),
            strict=True,
        )
    ]
    songs[list(SOUND)] = table[list(SOUND)].astype(float)
    return songs.reset_index(drop=True)


FAMILY = Family(load, ("stage1", "stage2", "stage3", "env2", "env3", "songs"))
