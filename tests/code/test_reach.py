"""What code can reach: exactly the definitions it refers to, and nothing changes when they only move."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.code.definitions import read_module
from recsys.code.reach import code_hash, own_sources, reach

SHOP = {
    "recsys.models.catalogue": """\
from recsys.code.registry import Registry

MODELS = Registry("model", {
    "ease": "recsys.baselines.ease:EASE",
    "knn": "recsys.baselines.knn:KNN",
})
OTHER = 3


def fit(name, data):
    return MODELS.load(name)().fit(data)
""",
    "recsys.baselines.ease": """\
import numpy as np
from recsys.metrics import sums

PENALTY = 2


class EASE:
    '''Closed form.'''

    def fit(self, data: list) -> "EASE":
        return sums.total(data) + PENALTY


def unused():
    return 1
""",
    "recsys.baselines.knn": """\
class KNN:
    def fit(self, data):
        return 0
""",
    "recsys.metrics.sums": """\
def total(data):
    return sum(data)


def mean(data):
    return total(data) / len(data)
""",
}


def sources(changes=()):
    return {**SHOP, **dict(changes)}.get


def reached(changes=(), loaded=("model/ease",), start="recsys.models.catalogue.fit"):
    return reach([start], loaded, sources(changes))


def test_exactly_what_is_referred_to_is_reached():
    assert sorted(reached().definitions) == [
        "recsys.baselines.ease:EASE",
        "recsys.baselines.ease:PENALTY",
        "recsys.metrics.sums:total",
        "recsys.models.catalogue:MODELS",
        "recsys.models.catalogue:MODELS[ease]",
        "recsys.models.catalogue:fit",
    ]
    assert reached(start="recsys.baselines.ease.unused").packages == frozenset()


@pytest.mark.parametrize(
    ("module", "old", "new", "changes"),
    [
        ("recsys.baselines.ease", "PENALTY = 2", "PENALTY = 3", True),
        ("recsys.metrics.sums", "sum(data)", "max(data)", True),
        ("recsys.models.catalogue", ":EASE", ":unused", True),
        ("recsys.baselines.ease", "PENALTY = 2", "PENALTY = 2  # why\n\n\nNEW = 1", False),
        ("recsys.baselines.ease", "'''Closed form.'''", "'''Another word.'''", False),
        ("recsys.baselines.ease", "data: list", "data: 'tuple[int, ...]'", False),
        ("recsys.baselines.ease", "return 1", "return 2", False),
        ("recsys.metrics.sums", "/ len(data)", "/ 2", False),
        ("recsys.models.catalogue", "OTHER = 3", "OTHER = 4", False),
        ("recsys.models.catalogue", "KNN\",", "KNN\",\n    \"new\": \"recsys.baselines.new:New\",", False),
    ],
)  # fmt: skip
def test_a_change_counts_where_it_is_reached_and_nowhere_else(module, old, new, changes):
    assert old in SHOP[module]
    text = {module: SHOP[module].replace(old, new)}
    assert (reached(text).sha256 != reached().sha256) == changes


def test_a_move_changes_nothing():
    ease = SHOP["recsys.baselines.ease"].replace(
        "from recsys.metrics import sums", "from recsys.metrics.plain import adding"
    )
    moved = {
        "recsys.metrics.sums": None,
        "recsys.metrics.plain.adding": SHOP["recsys.metrics.sums"],
        "recsys.baselines.ease": ease.replace("sums.total", "adding.total"),
    }
    assert "recsys.metrics.plain.adding:total" in reached(moved).definitions
    assert reached(moved).sha256 == reached().sha256


def test_a_line_that_was_not_loaded_is_not_followed():
    assert not [name for name in reached().definitions if "knn" in name]
    assert "recsys.baselines.knn:KNN" in reached(loaded=["model/knn"]).definitions


def test_a_module_that_is_handed_on_counts_whole():
    text = "from recsys.metrics import sums\n\n\ndef fit(f):\n    return f(sums)\n"
    assert "recsys.metrics.sums:mean" in reached({"recsys.models.catalogue": text}).definitions


def test_statements_that_run_at_import_count():
    text = SHOP["recsys.metrics.sums"] + "\nimport os\n\nos.putenv('X', '1')\n"
    changes = {"recsys.metrics.sums": text}
    assert "recsys.metrics.sums:<import>" in reached(changes).definitions
    assert reached(changes).sha256 != reached().sha256


def test_what_only_types_need_is_not_followed():
    changes = {
        "recsys.models.catalogue": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
        "    from recsys.metrics.sums import mean\n\n\ndef fit(x: 'mean') -> 'mean':\n    return x\n"
    }
    assert list(reached(changes).definitions) == ["recsys.models.catalogue:fit"]


@given(st.sampled_from(sorted(SHOP)), st.text("abcxyz ", min_size=1, max_size=20))
def test_comments_change_no_hash(module, comment):
    text = SHOP[module]
    assert read_module(module, text) == read_module(module, f"# {comment}\n{text}\n# {comment}\n")


def test_this_package_has_no_unresolvable_start():
    assert code_hash("recsys.baselines.ease:EASE") != code_hash("recsys.baselines.item_knn:ItemKNN")
    with pytest.raises(ValueError, match="there is no recsys"):
        code_hash("recsys.baselines.ease:Nothing")


def test_popularity_does_not_depend_on_language_models():
    found = reach(
        ["recsys.baselines.popularity.trivial_scorer", "recsys.metrics.ranking.evaluate"], [], own_sources()
    )
    assert not [name for name in found.definitions if "encoders" in name or "plots" in name or "runs" in name]
    assert {name.split(".")[1] for name in found.modules} == {"baselines", "metrics"}
