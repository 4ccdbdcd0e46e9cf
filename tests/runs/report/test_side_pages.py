"""What the index keeps short and a page beside it tells in full: provenance, the articles' errors."""

from tests.runs.report.elements import Elements


def test_failures_and_provenance_are_said(site):
    text = Elements(site / "index.html").text
    assert "beauty can't be had: no network" in text
    assert "(cell 7)" in text
    foot = text[text.rindex("Provenance") :]
    facts = ("0123456789ab", "Test processor, 2 cores, 23 GB", "2026-11-22T06:40:00Z", "3 package versions")
    assert [fact for fact in facts if fact not in foot] == []
    ingredients = Elements(site / "provenance.html").text
    assert "torch" in ingredients
    assert "2.13.0" in ingredients


def test_the_articles_errors_have_a_page_and_their_count_stands_in_the_index(site):
    assert 'href="errors.html"' in (site / "index.html").read_text()
    assert "1 error, " in Elements(site / "index.html").text
    told = Elements(site / "errors.html").text
    assert "The sign." in told
    assert "Mended: Minus." in told
