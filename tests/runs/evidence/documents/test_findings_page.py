"""docs/findings.md: a selector chooses one cell and shows its lowest and its highest seed, or is refused."""

import pytest

from recsys.runs.evidence.documents.findings_page import FindingsError, cost_table, expand, problems
from tests.runs.made_records import make_record

SHOP = {"dataset": "shop", "model": "ease"}


def made(tmp_path, *rows):
    return [make_record(tmp_path, "02_x", parameters, {"mrr": value}) for parameters, value in rows]


def test_the_lowest_and_the_highest_seed_are_shown_with_their_records(tmp_path):
    reference = made(
        tmp_path, *((SHOP | {"seed": seed}, value) for seed, value in enumerate((0.3, 0.1, 0.2)))
    )
    text = expand("It reaches {{ 02_x | model=ease | 100*mrr | .0f }} %.", reference)
    low, high = (reference[place].run for place in (1, 0))
    path = "../experiments/reference/02_x"
    assert text == (
        f"It reaches [10]({path}/{low}/record.json#100*metrics.mrr) to "
        f"[30]({path}/{high}/record.json#100*metrics.mrr) %."
    )


def test_one_number_where_both_ends_read_the_same(tmp_path):
    reference = made(tmp_path, (SHOP | {"seed": 0}, 0.301), (SHOP | {"seed": 1}, 0.302))
    assert " to " not in expand("{{ 02_x | model=ease | mrr | .1f }}", reference)


def test_a_parameter_that_only_some_records_have_makes_no_other_cell(tmp_path):
    """A notebook was split, or got a parameter, between two sessions of one measurement."""
    reference = made(tmp_path, (SHOP | {"seed": 0, "price": 1.0}, 0.1), (SHOP | {"seed": 10}, 0.2))
    assert " to " in expand("{{ 02_x | model=ease | mrr | .1f }}", reference)


def test_two_records_of_one_seed_are_refused(tmp_path):
    reference = made(tmp_path, (SHOP | {"seed": 0, "price": 1.0}, 0.1), (SHOP | {"seed": 0}, 0.2))
    with pytest.raises(FindingsError, match="two records of one seed"):
        expand("{{ 02_x | model=ease | mrr | .1f }}", reference)


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("02_x | model=als | mrr", "no committed record has these parameters"),
        ("02_x | dataset=shop | mrr", "chooses 2 cells, which differ in model"),
        ("02_x | model=ease | map", "has no metric 'map'"),
        ("02_x | ease | mrr", "'ease' is no name=value"),
        ("02_x | dataset=shop, model=ease, dataset=fair | mrr", "'dataset' is given twice"),
        ("02_x | model=ease | many*mrr", "could not convert string to float: 'many'"),
        ("02_x | model=ease | mrr | .2q | ", "is no selector"),
        ("02_x | model=ease", "is no selector"),
    ],
)
def test_what_chooses_no_cell_or_several_is_refused_by_name(tmp_path, selector, message):
    reference = made(tmp_path, (SHOP | {"seed": 0}, 0.1), (SHOP | {"model": "knn", "seed": 0}, 0.2))
    with pytest.raises(FindingsError, match=message):
        expand("{{ " + selector + " | .2f }}", reference)


@pytest.mark.parametrize("form", [".4q", "s", ".2f %", "{"])
def test_a_format_that_python_does_not_have_is_refused_by_name(tmp_path, form):
    reference = made(tmp_path, (SHOP | {"seed": 0}, 0.1))
    with pytest.raises(FindingsError, match="model=ease"):
        expand("{{ 02_x | model=ease | mrr | " + form + " }}", reference)


def test_a_page_that_is_not_what_its_records_say_is_told(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    reference = made(tmp_path, (SHOP | {"seed": 0}, 0.1))
    assert problems(reference, docs) == []
    (docs / "findings.template.md").write_text("{{ 02_x | model=ease | mrr | .1f }}")
    assert "run `recsys findings`" in problems(reference, docs)[0]
    (docs / "findings.template.md").write_text("{{ 02_x | model=als | mrr | .1f }}")
    assert "no committed record" in problems(reference, docs)[0]


@pytest.mark.parametrize("spoilt", ["", "{", "[]", "null", '{"runs": 3}', '{"runs": "3", "core_minutes": 1}'])
def test_spoilt_costs_are_named(tmp_path, spoilt):
    (tmp_path / "02_x").mkdir()
    (tmp_path / "02_x" / "cost.json").write_text(spoilt)
    with pytest.raises(FindingsError, match=r"02_x/cost\.json cannot be read"):
        cost_table(tmp_path)


def test_costs_are_listed_with_their_files(tmp_path):
    (tmp_path / "02_x").mkdir()
    (tmp_path / "02_x" / "cost.json").write_text('{"runs": 3, "core_minutes": 12.4}')
    last = cost_table(tmp_path).splitlines()[-1]
    path = "../experiments/reference/02_x/cost.json"
    assert last == f"| `02_x` | [3]({path}#runs) | [12]({path}#core_minutes) |"
