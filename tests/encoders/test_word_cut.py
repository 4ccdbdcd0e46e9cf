"""A cut word table: the texts it was cut for have the same vectors, bit by bit; others are still read."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.encoders.model_folders import BackboneError
from recsys.encoders.peft.methods import apply_method
from recsys.encoders.word_cut import cut_words
from tests.encoders.packaged.small_weights import small_e5, small_use  # noqa: F401 - fixtures

TEXTS = ["red summer dress", "红色连衣裙 夏季", "wireless headphones 3.5 mm", ""]


@pytest.mark.parametrize("name", ["random-bert", "e5-small-multilingual"])
@pytest.mark.usefixtures("small_e5")
def test_vectors_stay_and_a_folder_reloads(name, tmp_path):
    backbone = load_backbone(name)
    before, size = embed_texts(backbone, TEXTS, precision="fp32"), len(backbone.tokenizer)
    kept = cut_words(backbone, TEXTS, keep_characters=False)
    assert len(kept) < size
    table = backbone.model.get_input_embeddings().weight
    assert len(table) == len(kept) == len(backbone.tokenizer) == backbone.model.config.vocab_size
    assert np.array_equal(embed_texts(backbone, TEXTS, precision="fp32"), before)
    backbone.save(tmp_path)
    again = load_backbone(str(tmp_path))
    assert np.array_equal(embed_texts(again, TEXTS, precision="fp32"), before)
    assert backbone.tokenizer("dress")["input_ids"] == again.tokenizer("dress")["input_ids"]


def test_a_new_word_is_spelt_where_characters_stay():
    spelt, short = load_backbone("random-bert"), load_backbone("random-bert")
    cut_words(spelt, TEXTS)
    cut_words(short, TEXTS, keep_characters=False)
    unknown = spelt.tokenizer.unk_token_id
    assert unknown not in spelt.tokenizer("zebra")["input_ids"]
    assert short.tokenizer.unk_token_id in short.tokenizer("zebra")["input_ids"]


def test_the_cut_table_learns():
    backbone = load_backbone("random-bert")
    cut_words(backbone, TEXTS)
    vectors = backbone.train()(torch.tensor([backbone.tokenizer("red dress")["input_ids"]]), torch.ones(1, 4))
    vectors.sum().backward()
    assert backbone.model.get_input_embeddings().weight.grad.abs().sum() > 0


@pytest.mark.usefixtures("small_use")
def test_refusals():
    frozen = load_backbone("use-multilingual")
    with pytest.raises(BackboneError, match="is frozen"):
        cut_words(frozen, TEXTS)
    bytewise = load_backbone("random-gpt")
    bytewise.tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(BPE()), pad_token="x")
    with pytest.raises(BackboneError, match="is BPE, whose merges"):
        cut_words(bytewise, TEXTS)
    applied = load_backbone("random-bert")
    apply_method(applied, "lora")
    with pytest.raises(ValueError, match="cut its words before"):
        cut_words(applied, TEXTS)
