"""The alarm is a fold: the same counts give the same alarms however they come; its limit keeps its budget."""

from dataclasses import replace
from itertools import chain, pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.applications.opinion.alarm import NEW, AlarmSpec, alarms, calibrated, per_week, step
from recsys.applications.opinion.live_watch import Alarm, DatedText, LiveWatch
from recsys.applications.opinion.surges import stream_of
from recsys.applications.opinion.texts import load_watched
from recsys.streaming.events import DAY

counts_of_days = st.lists(st.integers(0, 30), min_size=1, max_size=80)


@given(counts_of_days, st.integers(0, 80))
def test_any_cut_of_the_days_gives_the_same_alarms(counts, cut):
    spec, state = AlarmSpec(limit=2.0), NEW
    for count in counts[:cut]:
        state, _ = step(state, count, spec)
    both = np.concatenate([alarms(counts[:cut], spec), alarms(counts[cut:], spec, state)])
    assert (both == alarms(counts, spec)).all()


@given(counts_of_days)
def test_a_higher_limit_never_raises_the_first_alarm_sooner(counts):
    first = [np.argmax(np.r_[alarms(counts, AlarmSpec(limit=limit)), True]) for limit in (1.0, 3.0, 9.0)]
    assert first == sorted(first)


@given(counts_of_days, st.integers(1, 10))
def test_days_of_rest_are_silent(counts, rest):
    raised = np.flatnonzero(alarms(counts, AlarmSpec(limit=0.5, rest=rest)))
    assert (np.diff(raised) > rest).all()


def test_a_level_that_lasts_becomes_usual_and_a_surge_is_noticed():
    quiet = [2, 1, 3, 2, 1, 2, 3, 1] * 6
    assert not alarms(quiet, AlarmSpec(limit=4.0)).any()
    assert alarms([*quiet, 10, 10, 10], AlarmSpec(limit=4.0))[-3:].any()
    later = alarms(quiet + [10] * 120, AlarmSpec(limit=4.0))
    assert not later[-30:].any()


def test_nothing_is_usual_in_the_first_days():
    assert not alarms([100] * 7, AlarmSpec(limit=0.5)).any()
    assert not alarms([], AlarmSpec()).any()


@pytest.mark.parametrize("wrong", [{"memory": 3}, {"limit": 0.0}, {"rest": -1}, {"slack": -0.1}])
def test_a_spec_out_of_range(wrong):
    with pytest.raises(ValueError, match="memory must be"):
        AlarmSpec(**wrong)


@pytest.mark.parametrize("a_week", [2.0, 1.0, 0.25])
def test_the_limit_keeps_the_budget_and_is_the_lowest_that_does(a_week):
    counts = np.random.default_rng(0).poisson(3, size=(400, 2)).astype(float)
    spec = calibrated(counts, 200, 400, a_week, AlarmSpec())

    def rate(limit):
        tried = AlarmSpec(limit=limit)
        return sum(alarms(column, tried)[200:].sum() for column in counts.T) * 7 / 200

    assert rate(spec.limit) <= a_week
    if spec.limit > 0.25:
        assert rate(spec.limit - (0.25 if spec.limit <= 6 else 0.5)) > a_week
    with pytest.raises(ValueError, match="no days"):
        calibrated(counts, 200, 200, a_week, AlarmSpec())


def test_a_rate_has_a_poisson_interval():
    rate, low, high = per_week(0, 70)
    assert (rate, low) == (0.0, 0.0)
    assert high == pytest.approx(3.689 / 10, abs=1e-3)
    rate, low, high = per_week(10, 70)
    assert low < rate == 1.0 < high
    with pytest.raises(ValueError, match="at least one day"):
        per_week(1, 0)


told = st.builds(
    DatedText,
    st.integers(0, 20 * DAY),
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from([True, True, False]),
)


@given(st.lists(told, max_size=120), st.lists(st.integers(0, 120), max_size=5))
def test_the_cut_of_a_live_stream_changes_nothing(texts, cuts):
    spec = AlarmSpec(limit=0.5)
    whole = LiveWatch(["a", "b"], spec)
    found = whole.push(texts) + whole.finish()
    parts = LiveWatch(["a", "b"], spec)
    ends = [0, *sorted(min(cut, len(texts)) for cut in cuts), len(texts)]
    pieces = [parts.push(texts[a:b]) for a, b in pairwise(ends)]
    assert [*chain(*pieces), *parts.finish()] == found
    assert parts.late == whole.late


@given(st.lists(st.integers(0, 12), min_size=8, max_size=20), st.randoms(use_true_random=False))
def test_a_live_stream_folds_what_the_days_held_whatever_their_order_within_the_delay(counts, random):
    texts = [DatedText(day * DAY + n, "a", True) for day, count in enumerate(counts) for n in range(count)]
    texts.append(DatedText(len(counts) * DAY - 1, "z", False))
    spec, delay = AlarmSpec(limit=0.5), DAY
    start = texts[0].time // DAY
    # within half a day of delay any two texts may change places
    mixed = [texts[0], *sorted(texts[1:], key=lambda text: text.time + random.randrange(delay // 2))]
    live = LiveWatch(["a"], spec, delay)
    found = live.push(mixed) + live.finish()
    watched = np.array([day for day, count in enumerate(counts) if count or day == len(counts) - 1])
    watched = watched[watched >= start]
    expected = watched[alarms([counts[day] for day in watched], spec)]
    assert live.late == 0
    assert [raised.day for raised in found] == expected.tolist()
    assert all(raised == Alarm(raised.day, "a", counts[raised.day]) for raised in found)


def test_a_late_text_is_counted_and_left_out():
    live = LiveWatch(["a"], AlarmSpec(), delay=0)
    live.push([DatedText(0, "a", True), DatedText(3 * DAY, "a", True), DatedText(DAY, "a", True)])
    assert live.late == 1


@pytest.mark.parametrize("leap", [32 * DAY, 365 * DAY, 367 * DAY, 10**15, 10**18, 10**30])
def test_one_wrong_clock_neither_ends_the_watch_nor_makes_it_count_days_for_ever(leap):
    texts = [SimpleNamespace(time=day * DAY, firm="a", bad=True) for day in (100, 101, 103)]
    wrong = SimpleNamespace(time=texts[1].time + leap, firm="a", bad=True)
    live, disturbed = (LiveWatch(["a"], AlarmSpec(limit=0.5), delay=0) for _ in range(2))
    alarms = live.push(texts) + live.finish()
    told = disturbed.push([*texts[:2], wrong, texts[2]]) + disturbed.finish()
    assert told == alarms
    assert (disturbed.strange, disturbed.late) == (1, 0)


def test_a_live_stream_raises_what_the_study_of_the_same_texts_raises():
    """Days on which nothing was read are left out of both: a gap is no quiet time."""
    watched = load_watched("demo_store")
    table = watched.table[watched.table["time"].dt.day % 3 > 0]  # with gaps
    watched = replace(watched, table=table)
    bad = (table["label"] == watched.bad).to_numpy()
    stream, spec = stream_of(watched, {"model": bad}), AlarmSpec(limit=1.0)
    expected = stream.days[alarms(stream.flagged["model"][:, 0], spec)]
    times = table["time"].astype("datetime64[ms]").astype("int64")
    live = LiveWatch(["all"], spec)
    texts = [DatedText(int(time), "all", flag) for time, flag in zip(times, bad, strict=True)]
    found = live.push(sorted(texts)) + live.finish()
    assert [raised.day for raised in found] == (expected.astype("int64") // 86_400_000_000_000).tolist()
    assert found


@pytest.mark.parametrize("first", [0, 10**13, 19_800 * DAY, 20_300 * DAY])
def test_a_wrong_clock_on_the_first_text_does_not_end_the_watch(first):
    random = np.random.default_rng(0)
    days = np.repeat(np.arange(20_000, 20_030), random.poisson(4, 30) + 20 * (np.arange(30) == 25))
    texts = [DatedText(int(day) * DAY + n, "a", True) for n, day in enumerate(days)]
    good, disturbed = (LiveWatch(["a"], AlarmSpec(limit=2.0)) for _ in range(2))
    expected = good.push(texts) + good.finish()
    found = disturbed.push([DatedText(first, "a", True), *texts]) + disturbed.finish()
    assert expected
    assert found == expected
    assert (disturbed.strange, disturbed.restarts, disturbed.late) == (1, 1, 0)


def test_after_a_silence_of_years_the_watch_goes_on():
    early = [DatedText(day * DAY, "a", True) for day in range(20)]
    later = [
        DatedText((3000 + day) * DAY, "a", True) for day in range(20) for _ in range(1 + 20 * (day == 12))
    ]
    live = LiveWatch(["a"], AlarmSpec(limit=2.0))
    found = live.push(early) + live.push(later) + live.finish()
    assert [alarm.day for alarm in found] == [3012]
    assert live.restarts == 1
