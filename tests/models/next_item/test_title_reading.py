"""What further pre-training may read of a catalogue."""

from recsys.models.next_item import text_recommender
from tests.models.next_item.test_text_recommender import HARMLESS, ITEMS, SPLIT, WORDS, fitted


def test_further_pretraining_reads_no_title_that_first_appears_after_training(monkeypatch):
    """Titles of the whole catalogue were read, those of the test period too."""
    read = []
    monkeypatch.setattr(
        text_recommender, "further_pretrain", lambda backbone, titles, *_, **__: read.extend(titles)
    )
    later = ITEMS - 1
    fitted(HARMLESS, events=SPLIT.train[SPLIT.train["item"] != later], further="masked")
    assert sorted(read) == sorted(WORDS[:later])
