"""The notebook's sections: left out they are empty, done they have what the record demands."""

import pytest

from recsys.streaming.overlay import Overlay
from recsys.streaming.studies import sections
from recsys.streaming.studies.freshness import Arm
from recsys.streaming.studies.moments import moments
from recsys.streaming.studies.shop import load_shop


@pytest.fixture(scope="module")
def shop():
    return load_shop("demo_store", "click,cart,purchase", 0.3, "small")


def test_left_out_sections_are_empty(shop, tmp_path):
    left_out = [
        sections.engine(shop, tmp_path, 0, 1, 1, 1, 1),
        sections.live(shop, None, None, 0, 1.0, 1.0),
        sections.learners(shop, 0),
        sections.new_items(shop, 0.3, Arm(), {}),
    ]
    assert all(section.metrics == {} and section["gains"].empty for section in left_out)


@pytest.mark.parametrize("kind", ["state", "sequence"])
def test_live_sends_events_that_the_overlay_has_not_seen(shop, tmp_path, kind):
    overlay = Overlay(shop.store_at(tmp_path, shop.first), shop.vectors)
    overlay.observe(shop.rows[shop.first :])
    found = sections.live(shop, overlay, shop.ranker(kind, epochs=0.1), 100, 1000.0, 50.0)
    assert found.metrics["live_lists"] > 0
    assert {"live_event_p50_ms", "live_event_p99_ms", "live_request_p99_ms"} <= found.metrics.keys()


def test_learners_record_a_loss_each(shop):
    pytest.importorskip("river", reason="river is not installed")
    found = sections.learners(shop, 3000)
    names = ("rate", "frozen", "nightly", "online", "online_drift")
    assert set(found.metrics) == {f"log_loss_{name}" for name in names}
    assert found["weekly"].attrs["break_at"] > 0


def test_ladder_has_its_three_tables(shop):
    asked = moments(shop.dataset, 0.3, shop.kinds, shop.kinds, most_users=40)
    found = sections.ladder(shop, asked, Arm(), False)
    assert not any(found[name].empty for name in ("gains", "for_whom", "cost"))


def test_a_kind_that_never_happens_is_refused():
    with pytest.raises(ValueError, match="no event of the kinds"):
        load_shop("demo_store", "return", 0.3, "small")


def test_an_unknown_ranker_is_refused(shop):
    with pytest.raises(ValueError, match="ranker must be"):
        shop.ranker("bert")
