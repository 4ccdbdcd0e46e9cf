import numpy as np
import pytest

from recsys.encoders.tokens import CHARACTERS_PER_TOKEN, tokenise

ODD = ["", " ", "👩‍👩‍👧 party", "中文商品标题", "a", "half of an emoji \ud83d", "x\x00y", "word " * 500]


def test_ids_are_those_of_the_tokenizer(minilm):
    tokens = tokenise(minilm, ["red shoe", "", "a longer title of an item"])
    expected = minilm.tokenizer(["red shoe", "", "a longer title of an item"])["input_ids"]
    assert tokens.ids.dtype == np.int32
    assert tokens.lengths.tolist() == list(map(len, expected))
    ids, mask = tokens.take([2, 0])
    assert mask.sum(1).tolist() == [len(expected[2]), len(expected[0])]
    assert ids[1].tolist() == expected[0] + [0] * (ids.shape[1] - len(expected[0]))
    assert len(tokens) == 3


@pytest.mark.parametrize("name", ["minilm", "gpt"])
def test_every_odd_text_has_a_token_and_fits(name, request):
    tokens = tokenise(request.getfixturevalue(name), ODD, max_tokens=16)
    assert tokens.lengths.min() >= 1
    assert tokens.lengths.max() == 16


def test_either_end_can_be_kept_with_the_special_tokens(minilm):
    words = [f"{word}" for word in ("red", "green", "blue", "black", "white", "pink")]
    spell = minilm.tokenizer.convert_ids_to_tokens
    for keep, kept in (("start", words[:3]), ("end", words[3:])):
        tokens = tokenise(minilm, [" ".join(words)], max_tokens=5, keep=keep)
        assert spell(tokens.ids.tolist()) == ["[CLS]", *kept, "[SEP]"]
    assert minilm.tokenizer.truncation_side == "right"


def test_decoder_pads_left_and_fills_the_empty_text(gpt):
    tokens = tokenise(gpt, ["red shoe", ""])
    ids, mask = tokens.take([0, 1])
    assert mask.tolist() == [[1, 1], [0, 1]]
    assert ids[1].tolist() == [gpt.tokenizer.pad_token_id, gpt.tokenizer.eos_token_id]


def test_of_a_hundred_thousand_characters_few_are_read(minilm, monkeypatch):
    read = []
    whole = type(minilm.tokenizer).__call__

    def tokenizer(self, texts, **options):
        read.extend(map(len, texts))
        return whole(self, texts, **options)

    monkeypatch.setattr(type(minilm.tokenizer), "__call__", tokenizer)
    for keep in ("start", "end"):
        tokens = tokenise(minilm, ["many words " * 9_100] * 50, keep=keep)
        assert set(tokens.lengths) == {128}
    assert len(read) == 100
    assert max(read) <= 128 * CHARACTERS_PER_TOKEN


@pytest.mark.parametrize("bad", [None, float("nan"), 3, b"bytes"])
def test_what_is_no_string_is_named_by_row(minilm, bad):
    with pytest.raises(ValueError, match=r"text 1 is "):
        tokenise(minilm, ["a", bad])


def test_wrong_options_are_errors(minilm):
    for max_tokens in (2, 513):
        with pytest.raises(ValueError, match="from 3 to 512"):
            tokenise(minilm, ["a"], max_tokens=max_tokens)
    with pytest.raises(ValueError, match="keep"):
        tokenise(minilm, ["a"], keep="middle")
    with pytest.raises(ValueError, match="one string"):
        tokenise(minilm, "a")
    for row in (1, -1):
        with pytest.raises(IndexError, match="0 to 0"):
            tokenise(minilm, ["a"]).take([row])


def test_no_texts(minilm):
    tokens = tokenise(minilm, [])
    assert len(tokens) == 0
    assert tokens.take([])[0].shape == (0, 0)
