"""Learners that see each outcome after they have said what they expect."""

import numpy as np
import pytest

from recsys.data.load import load_dataset

pytest.importorskip("river", reason="river is not installed")

from recsys.streaming.events import DAY
from recsys.streaming.online_learners import LEARNERS, Impression, Learner, loss, prequential
from recsys.streaming.studies.drift import (
    compare_learners,
    daily_losses,
    impressions,
    learner_table,
    with_break,
)


def stream(size=3000, seed=0, flip=None):
    """Item 0 is clicked in 9 of 10, item 1 in 1 of 10; from place `flip` on the other way round."""
    random = np.random.default_rng(seed)
    made = []
    for n in range(size):
        item = int(random.integers(2))
        good = (item == 0) != (flip is not None and n >= flip)
        made.append(
            Impression(
                n * DAY // 500, int(random.integers(9)), item, 0, 0, random.random() < (0.9 if good else 0.1)
            )
        )
    return made


def test_what_is_said_does_not_depend_on_what_comes():
    """Prequential: exchanging the future changes no earlier probability."""
    first, other = stream(600, 0), stream(600, 0)
    other[300:] = [shown._replace(clicked=not shown.clicked) for shown in other[300:]]
    for kind in LEARNERS:
        a, b = (list(prequential(made, Learner(kind, DAY))) for made in (first, other))
        assert a[:301] == b[:301]
        assert all(0 < probability < 1 for probability in a)


def test_learners_learn_when_they_say_they_do():
    made = stream(2000)
    cut = made[1000].time
    said = {kind: list(prequential(made, Learner(kind, cut))) for kind in LEARNERS}
    later = {kind: said[kind][1000:] for kind in said}
    good = np.array([shown.item == 0 for shown in made[1000:]])
    for kind in ("frozen", "nightly", "online"):
        assert np.mean(np.array(later[kind])[good]) > 0.8
        assert np.mean(np.array(later[kind])[~good]) < 0.2
    assert abs(np.mean(later["rate"]) - 0.5) < 0.05
    # within a day the nightly model does not move: the same features, the same probability
    day = made[1500].time // DAY
    same = [
        p
        for p, shown in zip(said["nightly"], made, strict=True)
        if shown.time // DAY == day and shown[1:5] == made[1500][1:5]
    ]
    assert len(set(same)) == 1


def test_a_break_is_noticed_and_made_good():
    made = stream(6000, flip=3000)
    learner = Learner("online_drift", 0)
    watched = list(prequential(made, learner))
    plain = list(prequential(made, Learner("online", 0)))
    assert learner.drifts
    assert made[3000].time < learner.drifts[0] <= made[3600].time
    after = range(3600, 6000)
    losses = [np.mean([loss(said[n], made[n].clicked) for n in after]) for said in (watched, plain)]
    assert losses[0] < losses[1]


def test_no_alarm_where_nothing_changes():
    learner = Learner("online_drift", 0)
    list(prequential(stream(6000), learner))
    assert learner.drifts == []


def test_an_unknown_learner_is_refused():
    with pytest.raises(ValueError, match="learner must be"):
        Learner("batch", 0)


def test_impressions_of_the_demo_store_and_their_tables():
    dataset = load_dataset("demo_store", size="small")
    shown = impressions(dataset, 3000)
    events = dataset.events
    everything = impressions(dataset)
    assert len(everything) == ((events["kind"] == "view") & events["position"].notna()).sum()
    clicks = ((events["kind"] == "click") & events["position"].notna()).sum()
    assert sum(one.clicked for one in everything) == clicks
    at = shown[2000].time
    broken = with_break(shown, at)
    assert broken[:100] == shown[:100]
    assert {one.place for one in broken} == {one.place for one in shown}
    assert [one.clicked for one in broken] == [one.clicked for one in shown]
    table = compare_learners(broken, ["rate", "nightly", "online"])
    rows = learner_table(table)
    assert rows.loc["nightly", "more_loss"] == 0
    assert 0.3 < rows.loc["rate", "auc"] < 0.7
    assert daily_losses(table).notna().all(axis=None)
