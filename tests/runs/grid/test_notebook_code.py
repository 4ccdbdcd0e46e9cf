"""A notebook's code counts where it can change what is recorded; what only shows something is free."""

import pytest

from recsys.runs.grid.notebook_cells import Cell
from recsys.runs.grid.notebook_code import notebook_code

START = "import numpy as np\nimport pandas as pd\nfrom recsys.baselines import ease, popularity\n"
START += "from recsys.metrics import ranking\nfrom recsys.plots import long_tail\n"
START += "from recsys.runs.record import record"
CELLS = [
    START,
    "penalty: float = 2.0",
    "np.random.seed(0)",
    "model = ease.EASE(penalty)\nmodel.fit(events)",
    "found = ranking.evaluate(model, parts)\nmetrics = {'a': found}",
    "shown = pd.Series(metrics).round(3)\nshown",
    "long_tail.plot_long_tail(metrics);",
    "if found:\n    metrics |= {'b': 1.0}\n    long_tail.plot_long_tail(metrics)",
    "record(metrics=metrics)",
]


def code_of(*cells):
    tags = {1: ("parameters",)}
    return notebook_code(Cell(n + 1, "code", text, tags.get(n, ())) for n, text in enumerate(cells))


def changed(number, text):
    return code_of(*CELLS[:number], text, *CELLS[number + 1 :]).sha256 != code_of(*CELLS).sha256


@pytest.mark.parametrize(
    ("number", "text", "counts"),
    [
        (1, "penalty: float = 3.0  # another default", False),
        (2, "np.random.seed(1)", True),
        (3, "model = ease.EASE(2 * penalty)\nmodel.fit(events)", True),
        (3, "model = ease.EASE(penalty)", True),
        (3, "model = ease.EASE(penalty)\nmodel.fit(events)  # a comment", False),
        (4, "found = ranking.evaluate(model, parts)\nmetrics = {'a': found, 'c': 1.0}", True),
        (5, "shown = pd.Series(metrics).round(1).tail(2)\nshown", False),
        (6, "long_tail.plot_long_tail(metrics, colour='red');", False),
        (6, "metrics.update(c=1.0)", True),
        (6, "metrics['c'] = 1.0", True),
        (6, "popularity.adjust(metrics)", True),
        (6, "print(len(metrics))", False),
        (7, "if found:\n    metrics |= {'b': 2.0}", True),
        (7, "if found:\n    metrics |= {'b': 1.0}", False),
        (8, "record(metrics=metrics, notes='x')", True),
    ],
)
def test_what_counts(number, text, counts):
    assert changed(number, text) == counts


def test_what_it_refers_to_is_spelt_out():
    assert code_of(*CELLS).code.uses == {
        "recsys.baselines.ease.EASE",
        "recsys.metrics.ranking.evaluate",
        "recsys.runs.record.record",
    }


def test_another_place_of_the_same_names_changes_nothing():
    moved = START.replace("recsys.baselines import ease", "recsys.baselines.linear import ease")
    moved = moved.replace("popularity\n", "popularity\nfrom recsys.baselines import popularity\n")
    assert code_of(moved, *CELLS[1:]).sha256 == code_of(*CELLS).sha256


def test_without_a_record_all_of_it_counts():
    assert code_of(*CELLS[:8]).sha256 != code_of(*CELLS[:6]).sha256
