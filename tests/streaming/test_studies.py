"""What the notebook measures: moments without leaks, arms that differ in freshness alone, loads."""

import itertools

import numpy as np
import pandas as pd
import pytest

from recsys.data.load import load_dataset
from recsys.data.tables import Dataset
from recsys.plots import streaming as pictures
from recsys.streaming.events import DAY, HOUR
from recsys.streaming.overlay import Overlay
from recsys.streaming.replay import Disorder, synthetic_rows
from recsys.streaming.shard_batch import apply_batch
from recsys.streaming.stores.opening import open_store
from recsys.streaming.studies.freshness import Arm, ArmError, curve, judge, ladder
from recsys.streaming.studies.freshness_tables import cost, for_whom, gains, refreshes_a_day
from recsys.streaming.studies.load import accounts, equals_batch, live_latency, make_log, pure_rates
from recsys.streaming.studies.moments import Freshness, moments, session_starts
from recsys.streaming.studies.ticker import busiest_user, ticker
from recsys.streaming.top_lists import TopLists
from recsys.streaming.user_state import StateSpec

SPEC = StateSpec(width=4)
VECTORS = np.random.default_rng(0).normal(size=(30, 4))


@pytest.fixture(scope="module")
def shop():
    return load_dataset("demo_store", size="small")


@pytest.fixture(scope="module")
def asked(shop):
    return moments(shop, 0.3, inside_session=True)


def test_a_moment_is_one_a_user_after_the_cut_inside_a_session(asked):
    assert len(np.unique(asked.users)) == len(asked.users)
    assert (asked.time >= asked.cut).all()
    assert (asked.session < asked.time).all()
    assert sorted(asked.targets["user"].unique()) == list(range(len(asked.users)))


def test_targets_are_new_to_their_users(asked):
    both = asked.targets.merge(asked.seen, on=["user", "item"])
    assert both.empty


@pytest.mark.parametrize("freshness", ["cut", "month", "day", "hour", "session", "event"])
def test_nothing_is_known_that_came_later(asked, freshness):
    until = asked.known_until(freshness)
    assert (until <= asked.time).all()
    history = asked.history(freshness)
    for place in range(0, len(asked.users), 7):
        own = asked.rows[(asked.rows["user"] == asked.users[place]) & (asked.rows["time"] < until[place])]
        assert history.loc[history["user"] == place, "item"].tolist() == own["item"].tolist()[-50:]


def test_each_step_knows_at_least_what_the_one_before_knew(asked):
    steps = [asked.known_until(step) for step in ("cut", "month", "day", "hour", "event")]
    assert all((a <= b).all() for a, b in itertools.pairwise(steps))
    assert (asked.known_until("session") > asked.known_until("cut")).any()


def test_the_session_alone_and_an_unknown_word(asked):
    alone = asked.history("session_only")
    assert alone.groupby("user").size().reindex(range(len(asked.users))).ge(1).all()
    assert len(alone) < len(asked.history("event"))
    with pytest.raises(ValueError, match="freshness must be"):
        asked.known_until("week")


def test_sessions_end_after_half_an_hour():
    from recsys.streaming.events import EVENT

    rows = np.zeros(4, dtype=EVENT)
    rows["time"], rows["user"] = [0, HOUR // 2, HOUR + 1, HOUR + 2], [0, 0, 0, 1]
    assert session_starts(rows).tolist() == [0, 0, HOUR + 1, HOUR + 2]


def test_new_items_and_categories_have_no_event_before_the_cut(shop):
    for targets in ("new_items", "new_categories"):
        found = moments(shop, 0.3, targets=targets)
        before = found.rows["item"][found.rows["time"] < found.cut]
        assert not np.isin(found.targets["item"], before).any()
    assert shop.items["category"][found.targets["item"]].nunique() >= 1


def test_what_cannot_be_asked_is_refused(shop):
    for wrong in ({"test_share": 0}, {"test_share": 0.3, "targets": "some"}):
        with pytest.raises(ValueError, match="must"):
            moments(shop, **wrong)
    bare = Dataset("bare", shop.items.drop(columns="category"), shop.users, shop.events)
    with pytest.raises(ValueError, match="no categories"):
        moments(bare, 0.3, targets="new_categories")


def follower():
    """User u meets item u all year before the cut and, a day after it, the pair (10, 11) within minutes."""
    times, users, items = [], [], []
    for user in range(9):
        for n in range(4):
            times, users, items = [*times, n * DAY + user], [*users, user], [*items, user]
        times, users, items = [*times, 2 * DAY, 2 * DAY + 60_000], [*users, user, user], [*items, 10, 11]
    late = 30 * DAY
    for user in range(9, 20):
        times, users, items = [*times, 0, late, late + 60_000], [*users] + [user] * 3, [*items, 12, 10, 11]
    for user in range(20, 34):  # item 13 is what everybody else wants
        times, users, items = [*times, DAY], [*users, user], [*items, 13]
    when = pd.to_datetime(np.array(times) + 1_600_000_000_000, unit="ms").astype("datetime64[ns]")
    events = pd.DataFrame({"user": users, "item": items, "kind": "click", "time": when})
    events = events.sort_values(["user", "time"], ignore_index=True)
    events["order"] = events.groupby("user").cumcount()
    entity = {"item": pd.DataFrame({"item": range(14)}), "user": pd.DataFrame({"user": range(34)})}
    return Dataset("planted", entity["item"], entity["user"], events)


def test_a_fresh_state_finds_what_a_frozen_one_cannot():
    """The pair was learnt before the cut; only who sees the first of it can foresee the second."""
    planted = follower()
    found = moments(planted, 0.3, inside_session=True)
    event, cut = (judge(planted, found, Arm(freshness=step)).per_user().mean() for step in ("event", "cut"))
    assert event == 1.0
    assert cut < 0.9


def test_ladder_gains_and_cost(shop, asked):
    arms = ladder(Arm(), inside_session=True)
    outcomes = curve(shop, asked, arms)
    table = gains(outcomes, "item_knn, cut")
    assert table.loc["item_knn, cut", "gain"] == 0
    assert table["users"].eq(len(asked.users)).all()
    assert (table["low"] <= table["gain"]).all()
    assert table.loc["random", "ndcg@10"] < table["ndcg@10"].max()
    groups = for_whom(asked, outcomes["item_knn, event"], outcomes["item_knn, cut"])
    assert groups["users"].sum() <= len(asked.users)
    dear = cost(asked, outcomes, arms, "item_knn, cut")
    assert (dear["core_seconds_a_day"] >= 0).all()
    assert outcomes["item_knn, event, refitted"].fits > 1
    pictures.plot_freshness(table)


def test_records_are_shown_from_old_knowledge_to_new():
    frame = pd.DataFrame({"state": ["event", "cut", "session", "day"], "seed": 0})
    assert pictures.by_freshness(frame)["state"].tolist() == ["cut", "day", "session", "event"]
    assert pictures.by_freshness(pd.DataFrame()).empty


def test_fresher_states_mean_more_lists(asked):
    steps: list[Freshness] = ["cut", "month", "day", "hour", "event"]
    counts = [refreshes_a_day(asked, step) for step in steps]
    assert counts == sorted(counts)


@pytest.mark.parametrize("scorer", ["sequence", "text", "popularity"])
def test_other_scorers_rank_every_target(shop, asked, scorer):
    text = np.random.default_rng(0).normal(size=(shop.n_items, 8)).astype(np.float32)
    outcome = judge(shop, asked, Arm(scorer=scorer, text=text, epochs=1))
    assert len(outcome.positions) == len(asked.targets)
    assert set(outcome.positions["user"]) == set(asked.users)


def test_arms_that_cannot_be_run_are_refused(shop, asked):
    for arm, message in (
        (Arm("bert"), "scorer must"),
        (Arm("sequence", refit=True), "nightly"),
        (Arm("text"), "text="),
    ):
        with pytest.raises(ArmError, match=message):
            judge(shop, asked, arm)


def engine_without_spark(tmp_path, rows, disorder):
    """`make_log`, then what the engine's workers do, in this process."""
    from recsys.streaming.events import parse_lines
    from recsys.streaming.sharding import shards_of

    injected = make_log(rows, VECTORS, tmp_path, SPEC, disorder, 200)
    store = open_store(tmp_path / "store")
    events, letters = parse_lines(injected.lines, range(len(injected.lines)))
    shard = shards_of(events, 4)
    for number in range(4):
        own = [letter for letter in letters if letter.offset % 4 == number]
        apply_batch(store, number, 0, events[shard == number], own, VECTORS)
    return injected, store


def test_accounts_and_states_of_a_log_with_disorder(tmp_path):
    rows = synthetic_rows(800, 40, 30, rate=1.0)
    injected, store = engine_without_spark(tmp_path, rows, Disorder(0.05, 0.05, 0.01, 0.01))
    table = accounts(store, injected)
    assert (table["put_in"] == table["found"]).all()
    same = equals_batch(store, injected, VECTORS)
    assert same["whole_numbers_equal"] == 1
    assert same["largest_difference"] <= 1e-9


def test_rates_latency_and_ticker(tmp_path):
    rows = synthetic_rows(600, 40, 30, rate=1.0)
    assert (pure_rates(rows, VECTORS, SPEC, 100) > 0).all()
    _, store = engine_without_spark(tmp_path, rows[:300], Disorder())
    ranker = TopLists(VECTORS, np.ones(30), k=10)
    told = ticker(Overlay(store, VECTORS), ranker, rows[300:], busiest_user(rows), ["title"] * 30, 100)
    assert told.index.tolist() == [100, 200, 300]
    assert told["users"].is_monotonic_increasing
    waits = live_latency(
        Overlay(store, VECTORS), ranker, rows[300:], per_second=2000, requests_per_second=200
    )
    assert 0 < waits["event_p50_ms"] <= waits["event_p99_ms"] <= waits["event_max_ms"]
    assert waits["lists"] == len(np.unique(rows["user"][300:]))
    pictures.plot_ticker(told)
    pictures.plot_pipeline()
