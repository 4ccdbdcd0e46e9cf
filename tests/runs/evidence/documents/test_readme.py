"""The README's numbers are filled from the records, and verify says when they are not."""

from recsys.runs.evidence.documents.readme import TEMPLATE, problems, with_block, with_numbers
from tests.runs.made_records import make_record

OLD = "# Title\n<!-- numbers -->\n0.1\n<!-- /numbers -->\nmore\n"


def test_numbers_are_filled_and_a_stale_one_is_told(tmp_path):
    records = [make_record(tmp_path / "runs", "02_x", {"model": "ease"}, {"mrr": 0.25})]
    (tmp_path / TEMPLATE).parent.mkdir()
    (tmp_path / TEMPLATE).write_text("EASE {{ 02_x | model=ease | mrr | .2f }}\n")
    (tmp_path / "README.md").write_text(OLD)
    assert "run `recsys findings`" in problems(records, tmp_path)[0]
    filled = with_numbers(OLD, records, tmp_path)
    assert "EASE [0.25](experiments/reference/02_x/" in filled
    assert filled.endswith("<!-- /numbers -->\nmore\n")
    (tmp_path / "README.md").write_text(filled)
    assert problems(records, tmp_path) == []
    (tmp_path / TEMPLATE).write_text("{{ 02_x | model=als | mrr | .2f }}")
    assert "no committed record" in problems(records, tmp_path)[0]


def test_a_lost_place_is_told_and_an_empty_one_is_filled(tmp_path):
    (tmp_path / TEMPLATE).parent.mkdir()
    (tmp_path / TEMPLATE).write_text("nothing to choose\n")
    (tmp_path / "README.md").write_text("# Title\n<!-- number -->\n0.1\n<!-- /number -->\n")
    assert "no place <!-- numbers -->" in problems([], tmp_path)[0]
    assert with_block("<!-- x -->\n<!-- /x -->", "x", "new") == "<!-- x -->\nnew\n<!-- /x -->"


def test_without_a_template_or_a_place_the_text_is_as_it_was(tmp_path):
    assert with_numbers(OLD, [], tmp_path) == OLD
    assert problems([], tmp_path) == []
    assert with_block("no place", "numbers", "x") == "no place"
