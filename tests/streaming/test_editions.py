"""Editions of a log that the kit has never seen come in by a registry entry, and replay to an exact end."""

import dataclasses
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml

from recsys.data.load import load_dataset
from recsys.streaming.cli import replay_command
from recsys.streaming.errors import StreamError
from recsys.streaming.events import KIND, KINDS, parse_lines
from recsys.streaming.item_factors import item_factors
from recsys.streaming.replay import Disorder, disordered
from recsys.streaming.shard_batch import apply_batch
from recsys.streaming.sharding import shards_of
from recsys.streaming.stores.opening import open_store
from recsys.streaming.studies.load import accounts, equals_batch
from recsys.streaming.studies.moments import moments
from recsys.streaming.studies.replayed import CLOSE, rows_to_replay
from recsys.streaming.user_state import StateSpec

SPEC, SHARDS = StateSpec(width=4, delay=60_000), 3
FILMS = ["Toy Story (1995)", "Cité des enfants perdus, La (1995)", 'Great Performances "Cats" (1998)']
GENRES = ["Animation|Children's|Comedy", "Adventure|Sci-Fi", "Musical"]


def invoices(lines=600, seed=0):
    """Lines as of Online Retail II's second year: returns, nameless customers, postage, equal minutes."""
    random = np.random.default_rng(seed)
    code = random.integers(0, 30, lines)
    minutes = np.sort(random.integers(0, 60 * 24 * 20, lines))
    back = random.random(lines) < 0.05
    customer = np.where(random.random(lines) < 0.2, np.nan, random.integers(12346, 12376, lines))
    return pd.DataFrame(
        {
            "Invoice": [f"{'C' if gone else ''}{536365 + n // 3}" for n, gone in enumerate(back)],
            "StockCode": [f"{22700 + c}{'B' if c % 7 == 0 else ''}" if c else "POST" for c in code],
            "Description": [f" PRODUCT {c}" if c else "POSTAGE" for c in code],
            "Quantity": random.integers(1, 12, lines) * np.where(back, -1, 1),
            "InvoiceDate": pd.Timestamp("2010-12-01 08:26") + pd.to_timedelta(minutes, unit="min"),
            "Price": random.integers(1, 900, lines) / 100,
            "Customer ID": customer,
            "Country": "United Kingdom",
        }
    )


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Function: register files of a family under a name, by a YAML file."""
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RECSYS_DATA", raising=False)

    def register(name, family, files):
        entries = [{"name": path.name, "role": role, "path": str(path)} for role, path in files.items()]
        (tmp_path / "own.yaml").write_text(yaml.safe_dump({name: {"family": family, "files": entries}}))
        monkeypatch.setenv("RECSYS_SOURCES", str(tmp_path / "own.yaml"))

    return register


@pytest.fixture(params=["parquet", "csv", "month first"])
def second_year(request, tmp_path, own):
    lines = invoices()
    path = tmp_path / ("year_2." + ("parquet" if request.param == "parquet" else "csv"))
    if request.param == "month first":
        lines["InvoiceDate"] = [
            f"{t.month}/{t.day}/{t.year} {t.hour}:{t.minute:02d}" for t in lines["InvoiceDate"]
        ]
    lines.to_parquet(path) if path.suffix == ".parquet" else lines.to_csv(path, index=False)
    own("year_2", "online_retail", {"invoice_lines": path})
    return lines


def without_spark(rows, folder, seed=0):
    """What the engine's workers do, in this process, in batches of 200 lines; the tables of comparison."""
    rows = rows[rows["item"] >= 0]
    known = rows[rows["user"] >= 0]
    vectors = item_factors(known, int(rows["item"].max()) + 1, SPEC.width)
    injected = disordered(rows, Disorder(0.05, 0.05, 0.01, 0.01), SPEC.delay, SHARDS, seed)
    store = open_store(folder / "store", SPEC, SHARDS)
    for batch, start in enumerate(range(0, len(injected.lines), 200)):
        part = injected.lines[start : start + 200]
        events, letters = parse_lines(part, range(start, start + len(part)))
        for shard in range(SHARDS):
            mine = [letter for letter in letters if letter.offset % SHARDS == shard]
            apply_batch(store, shard, batch, events[shards_of(events, SHARDS) == shard], mine, vectors)
    return accounts(store, injected), equals_batch(store, injected, vectors)


def assert_exact(table, equality, users):
    assert (table["put_in"] == table["found"]).all(), table
    assert equality["whole_numbers_equal"] == 1
    assert equality["largest_difference"] <= CLOSE
    assert equality["users"] == users


def test_a_second_year_is_read_and_replayed_to_the_batch_computation(second_year, tmp_path):
    rows = rows_to_replay("year_2")
    kept = second_year[
        second_year["Customer ID"].notna()
        & (second_year["Quantity"] > 0)
        & (second_year["StockCode"] != "POST")
    ]
    assert len(rows) == len(kept.drop_duplicates())
    assert_exact(*without_spark(rows, tmp_path), kept["Customer ID"].nunique())


def test_its_raw_lines_keep_returns_and_nameless_customers(second_year, tmp_path):
    rows = rows_to_replay("year_2", raw=True)
    assert len(rows) == len(second_year)
    assert (rows["user"] < 0).sum() == second_year["Customer ID"].isna().sum()
    assert (rows["kind"] == KIND["return"]).sum() == (second_year["Quantity"] < 0).sum()
    assert_exact(*without_spark(rows, tmp_path), second_year["Customer ID"].nunique())


def test_a_second_year_has_a_freshness_curve(second_year):
    from recsys.streaming.studies.freshness import Arm, curve, ladder
    from recsys.streaming.studies.freshness_tables import gains

    shop = load_dataset("year_2")
    asked = moments(shop, 0.3, ("purchase",), ("purchase",))
    table = gains(curve(shop, asked, ladder(Arm())), "item_knn, cut")
    assert {"item_knn, day", "popularity, event", "random"} <= set(table.index)
    assert (table["low"] <= table["high"]).all()


def ratings(rows=400, seed=0):
    """User, film, rating, seconds: many of one user in one second, as MovieLens has them."""
    random = np.random.default_rng(seed)
    user, film = random.integers(1, 12, rows), random.integers(1, 4, rows)
    return np.stack(
        [user, film, random.integers(1, 6, rows), 978_300_000 + 600 * user + random.integers(0, 40, rows)]
    ).T


def edition(folder, form):
    """Files of MovieLens in one of GroupLens's forms."""
    rows, films = ratings(), list(zip(FILMS, GENRES, strict=True))
    if form == "latest-small":
        texts = {"ratings": ["userId,movieId,rating,timestamp"], "movies": ["movieId,title,genres"]}
        texts["ratings"] += [",".join(map(str, row)) for row in rows]
        quoted = ['"' + title.replace('"', '""') + '"' for title in FILMS]
        texts["movies"] += [f"{n},{title},{GENRES[n - 1]}" for n, title in enumerate(quoted, 1)]
        names, encoding = {"ratings": "ratings.csv", "movies": "movies.csv"}, "utf-8"
    elif form == "1m":
        texts = {"ratings": ["::".join(map(str, row)) for row in rows]}
        texts["movies"] = [f"{n}::{title}::{genres}" for n, (title, genres) in enumerate(films, 1)]
        names, encoding = {"ratings": "ratings.dat", "movies": "movies.dat"}, "latin-1"
    else:
        from recsys.data.media.movielens_files import GENRES as FLAGS

        texts = {"ratings": ["\t".join(map(str, row)) for row in rows]}
        flags = ["|".join(str(int(name in genres.split("|"))) for name in FLAGS) for _, genres in films]
        texts["movies"] = [
            f"{n}|{title}|01-Jan-1995||http://films/{n}|{flags[n - 1]}" for n, title in enumerate(FILMS, 1)
        ]
        names, encoding = {"ratings": "u.data", "movies": "u.item"}, "latin-1"
    for role, lines in texts.items():
        (folder / names[role]).write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return {role: folder / name for role, name in names.items()}


@pytest.mark.parametrize("form", ["latest-small", "1m", "100k"])
def test_movielens_in_every_form_is_one_data_set_and_replays_exactly(form, tmp_path, own):
    own("films", "movielens", edition(tmp_path, form))
    found = load_dataset("films")
    assert found.items["title"].tolist() == [title[: -len(" (1995)")] for title in FILMS]
    assert found.items["year"].tolist() == [1995, 1995, 1998]
    assert [set(genres.split("|")) for genres in found.items["genres"]] == [set(g.split("|")) for g in GENRES]
    made = ratings()
    assert len(found.events) == len(made)
    assert found.events["rating"].sum() == made[:, 2].sum()
    rows = rows_to_replay("films")
    assert {KINDS[kind] for kind in rows["kind"]} == {"view"}
    assert sorted(rows["time"]) == sorted(1000 * made[:, 3])
    assert_exact(*without_spark(rows, tmp_path), len(np.unique(made[:, 0])))


@pytest.mark.usefixtures("spark")  # skips where Spark cannot start; the command has a session of its own
def test_a_second_year_goes_through_the_engine_by_one_command(tmp_path, own):
    invoices().to_csv(tmp_path / "year_2.csv", index=False)
    own("year_2", "online_retail", {"invoice_lines": tmp_path / "year_2.csv"})
    words = ["replay", "year_2", "--raw", "--segment-lines", "250", "--segments", "1", "--cores", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "recsys.cli", *words], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "whole numbers equal to a batch computation" in " ".join(done.stdout.split())
    assert "3 batches" in done.stdout


def test_what_cannot_be_replayed_is_told(tmp_path, own):
    own("films", "movielens", edition(tmp_path, "1m"))
    with pytest.raises(StreamError, match="no event of the kinds purchase"):
        rows_to_replay("films", ["purchase"])
    with pytest.raises(StreamError, match="no invoice lines"):
        rows_to_replay("films", raw=True)


def test_a_data_set_without_times_is_one_line_of_the_command(tmp_path, own, monkeypatch):
    """Found by reading the docs: `recsys replay beauty` ended in a traceback."""
    own("films", "movielens", edition(tmp_path, "1m"))
    whole = load_dataset("films")
    monkeypatch.setattr(
        "recsys.streaming.studies.replayed.load_dataset",
        lambda name: dataclasses.replace(whole, events=whole.events.drop(columns="time")),
    )
    with pytest.raises(StreamError, match="no event times"):
        replay_command("films")
