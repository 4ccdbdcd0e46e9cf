import copy

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.encoders.peft.adapter_files import load_adapter, merge, save_adapter
from recsys.encoders.peft.applied import adapter_tensors
from recsys.encoders.peft.methods import apply_method
from recsys.encoders.peft.registry import METHODS
from recsys.encoders.tokens import tokenise

TEXTS = ["a red summer dress for the beach", "boots", "hand cream"]
HEAD = 384 * 2 + 2  # a linear map to two labels, beside the backbone: 770
PROMPTS = ("prefix", "prompt", "p_tuning")
# encoder for all, decoder for those that have it
PAIRS = [(kind, m.name) for m in METHODS.values() for kind in m.kinds]


def own(backbone):
    """A copy that may be changed; the tokenizer, slow to copy, is shared."""
    return copy.deepcopy(backbone, {id(backbone.tokenizer): backbone.tokenizer})


@pytest.fixture(scope="module")
def bare(bert, gpt):
    return {"encoder": bert, "decoder": gpt}


def batch(backbone, texts=TEXTS):
    return tokenise(backbone, texts).take(range(len(texts)))


def applied(backbone, name, **options):
    """A copy of the backbone with the method, and the counts."""
    changed = own(backbone)
    if name == "eva":
        options["batches"] = [batch(changed, TEXTS * 4)] * 2
    return changed, apply_method(changed, name, **options)


def train(backbone, steps=2):
    weights = [p for p in backbone.parameters() if p.requires_grad]
    if not weights:
        return
    target = torch.linspace(-1, 1, 3 * backbone.width).view(3, -1)
    optimizer = torch.optim.AdamW(weights, lr=3e-3)
    backbone.train()
    for _ in range(steps):
        (backbone(*batch(backbone)) - target).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    backbone.eval()


@torch.no_grad()
def vectors(backbone, texts=TEXTS):
    return backbone(*batch(backbone, texts))


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_trains_saves_reloads_to_the_same_bits_and_merges(bare, kind, name, tmp_path):
    backbone, counts = applied(bare[kind], name)
    before = vectors(backbone)
    assert (counts["trainable"] > 0) == (name != "frozen")
    untouched = {n: p.clone() for n, p in backbone.model.named_parameters() if not p.requires_grad}
    train(backbone)
    after = vectors(backbone)
    assert torch.equal(before, after) == (name == "frozen")
    for label, weight in backbone.model.named_parameters():
        assert label not in untouched or torch.equal(untouched[label], weight), label
    # a text's vector is its own, whatever pads its batch
    torch.testing.assert_close(vectors(backbone, TEXTS[1:2])[0], after[1], atol=1e-5, rtol=0)

    size = save_adapter(backbone, tmp_path)
    assert size >= 4 * counts["trainable"]
    again = own(bare[kind])
    assert load_adapter(again, tmp_path)["trainable"] == counts["trainable"]
    assert torch.equal(vectors(again), after)
    if METHODS[name].merges:
        merge(again)
        assert (vectors(again) - after).abs().max() <= 1e-5
        assert type(again.model) is type(bare[kind].model)
    else:
        with pytest.raises(ValueError, match="cannot be merged"):
            merge(again)


MINILM = {
    "lora": ({"r": 8}, 74_498),
    "adalora": ({"init_r": 8}, 74_594),
    "ia3": ({}, 16_898),
    "prefix": ({"num_virtual_tokens": 8}, 37_634),
    "vera": ({"r": 64}, 6_146),
    "ln_tuning": ({}, 10_754),
    "bitfit": ({}, 26_882 - 384),  # a classifier of BERT's has a pooler with one more bias, see below
    "dora": ({"r": 8}, 79_106),
    "houlsby": ({"size": 24}, 236_064 + HEAD),
    "pfeiffer": ({"size": 24}, 113_040 + HEAD),
    "last-1": ({}, 1_774_464 + HEAD),
    "frozen": ({}, HEAD),
}


@pytest.mark.parametrize("name", MINILM)
def test_counts_on_minilm_with_a_two_label_head(minilm, name):
    options, expected = MINILM[name]
    counts = applied(minilm, name, **options)[1]
    assert counts["trainable"] + HEAD == expected
    assert counts["total"] >= 22_565_376


def test_bitfit_of_a_bert_classifier_counts_the_poolers_bias_too(minilm):
    with torch.device("meta"):
        model = BertForSequenceClassification(BertConfig(**minilm.model.config.to_dict()))
    biases = {n: p.numel() for n, p in model.named_parameters() if n.endswith("bias")}
    assert biases["bert.pooler.dense.bias"] == 384
    assert sum(biases.values()) + model.classifier.weight.numel() == 26_882


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
@pytest.mark.parametrize("name", PROMPTS)
@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_virtual_tokens_are_read_but_not_pooled(bare, kind, name, pooling):
    backbone, _ = applied(bare[kind], name, num_virtual_tokens=5)
    backbone.pooling = pooling
    ids, mask = batch(backbone, TEXTS[:1])
    extra = {"position_ids": torch.arange(ids.shape[1])[None]} if kind == "decoder" else {}
    with torch.no_grad():
        hidden = backbone.model(input_ids=ids, attention_mask=mask, **extra).last_hidden_state
    assert hidden.shape == (1, ids.shape[1], backbone.width)
    expected = {"mean": hidden[0].mean(dim=0), "cls": hidden[0, 0], "last": hidden[0, -1]}[pooling]
    found = vectors(backbone, TEXTS[:1])[0]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    plain = own(bare[kind])
    plain.pooling = pooling
    assert (found - vectors(plain, TEXTS[:1])[0]).abs().max() > 1e-3


def test_prompt_is_what_a_text_that_starts_with_these_embeddings_gives(bert):
    """BERT on [virtual, text] computed by hand."""
    backbone, _ = applied(bert, "prompt", num_virtual_tokens=4)
    ids, _ = batch(backbone, TEXTS[:1])
    prompt = backbone.model.get_prompt(1)
    joined = torch.cat([prompt, bert.model.get_input_embeddings()(ids)], dim=1)
    with torch.no_grad():
        hidden = bert.model(inputs_embeds=joined).last_hidden_state
    torch.testing.assert_close(vectors(backbone, TEXTS[:1])[0], hidden[0, 4:].mean(0), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", PROMPTS)
def test_virtual_tokens_take_places_of_the_position_table(bert, name):
    backbone, _ = applied(bert, name, num_virtual_tokens=12)
    assert backbone.max_tokens == 500
    longest = ["word " * 600]
    assert embed_texts(backbone, longest, max_tokens=500, precision="fp32").shape == (1, 64)
    with pytest.raises(ValueError, match="to 500"):
        embed_texts(backbone, longest, max_tokens=501)
    with pytest.raises(ValueError, match=r"from 1 to 509 \(the position table has 512 places"):
        applied(bert, name, num_virtual_tokens=510)


@pytest.mark.parametrize(
    ("block", "within"),
    [
        (
            "attention",
            {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"},
        ),
        ("feed-forward", {"intermediate.dense", "output.dense"}),
    ],
)
def test_a_block_is_adapted_and_no_other(bert, block, within):
    """By the end of a name, "output.dense" would be attention's map as well."""
    backbone, _ = applied(bert, "lora", target_modules=[block])
    changed = {n.split(".layer.")[1] for n, m in backbone.model.named_modules() if hasattr(m, "lora_A")}
    assert changed == {f"{layer}.{name}" for layer in (0, 1) for name in within}


def test_blocks_of_a_decoder(gpt):
    for block, names in (("attention", {"c_attn", "c_proj"}), ("feed-forward", {"c_fc", "c_proj"})):
        backbone, _ = applied(gpt, "lora", target_modules=[block])
        assert {
            n.rsplit(".", 1)[1] for n, m in backbone.model.named_modules() if hasattr(m, "lora_A")
        } == names
    both = applied(gpt, "lora", target_modules=["attention", "feed-forward"])[1]
    assert applied(gpt, "lora", target_modules=["all-linear"])[1] == both


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lorra", {}, "method must be one of full, frozen, last-1"),
        ("corda", {}, "corda fails: reloads wrongly"),
        ("lora", {"init_lora_weights": "pissa_niter_4"}, "not supported: its random SVD"),
        ("lora", {"r": 0}, "r must be a whole number from 1 to 64, got 0"),
        ("lora", {"r": 65}, "r must be a whole number from 1 to 64, got 65"),
        ("adalora", {"init_r": 0}, "init_r must be a whole number from 1 to 64"),
        ("lora", {"rank": 4}, "lora has no option 'rank': .*lora_alpha.* r, "),
        ("bitfit", {"r": 4}, "bitfit has no option 'r': none"),
        (
            "lora",
            {"target_modules": ["q_proj"]},
            "not found in random-bert: it has .*key.*query.*value.*attention, feed-forward, all-linear",
        ),
        ("last-3", {}, "'last-1' to 'last-2'"),
        ("houlsby", {"size": 65}, "size must be a whole number from 1 to 64"),
        ("eva", {}, "batches .* must be given for 'eva' alone"),
        ("eva", {"batches": [(torch.ones(1, 4), torch.ones(1, 4))]}, "every batch for 'eva' needs 32 tokens"),
        ("lora", {"batches": []}, "batches .* must be given for 'eva' alone"),
    ],
)
def test_refused_in_one_line_that_names_what_is_valid(bert, name, options, message):
    backbone = own(bert)
    with pytest.raises(ValueError, match=message) as caught:
        apply_method(backbone, name, **options)
    assert "\n" not in str(caught.value)
    assert getattr(backbone, "peft", None) is None
    assert torch.equal(vectors(backbone), vectors(bert))


def test_unsupported_pairings_and_second_methods_are_refused_by_name(gpt, bert):
    for name in ("houlsby", "oft", "olora"):
        with pytest.raises(
            ValueError, match=f"{name} does not support a decoder .random-gpt.*these do: full"
        ):
            applied(gpt, name)
    backbone, _ = applied(bert, "lora")
    with pytest.raises(ValueError, match="has 'lora' applied already"):
        apply_method(backbone, "bitfit")


def test_the_seed_alone_decides_the_first_weights(bert):
    before = torch.random.get_rng_state()
    states = [adapter_tensors(applied(bert, "lora", seed=seed)[0]) for seed in (1, 1, 2)]
    assert torch.equal(torch.random.get_rng_state(), before)
    same = [all(torch.equal(states[0][k], other[k]) for k in other) for other in states[1:]]
    assert same == [True, False]


def test_eva_starts_from_the_data(bert):
    backbone, _ = applied(bert, "eva")
    other, _ = applied(bert, "lora")
    mine, plain = adapter_tensors(backbone), adapter_tensors(other)
    key = next(name for name in mine if "lora_A" in name)
    assert not torch.allclose(mine[key], plain[key])
    rows = mine[key].detach()
    gram = rows @ rows.T  # principal directions are orthogonal
    assert (gram - gram.diag().diag()).abs().max() < 1e-4
    read = []  # what the first layer's query reads
    hook = bert.model.encoder.layer[0].attention.self.query.register_forward_hook(
        lambda _, x, __: read.append(x[0])
    )
    ids, mask = batch(bert, TEXTS * 4)
    vectors_of = bert(ids, mask)
    hook.remove()
    assert len(vectors_of) == len(ids)
    inputs = read[0][mask.bool()].detach()
    inputs = inputs - inputs.mean(dim=0)
    kept = [
        (inputs @ (basis / basis.norm(dim=1, keepdim=True)).T).square().sum() for basis in (rows, plain[key])
    ]
    most = torch.linalg.svdvals(inputs)[: len(rows)].square().sum()
    assert kept[0] > 0.9 * most > 2 * kept[1], "no other eight directions hold so much of what is read"


@pytest.mark.parametrize("name", ["lora", "vera", "bitfit", "boft"])
def test_the_backbone_still_embeds_and_saves_a_plain_folder(bert, name, tmp_path):
    backbone, _ = applied(bert, name)
    train(backbone)
    mine = embed_texts(backbone, TEXTS, precision="fp32")
    backbone.save(tmp_path)
    plain = embed_texts(load_backbone(str(tmp_path)), TEXTS, precision="fp32")
    assert abs(mine - plain).max() <= 1e-5
    assert torch.equal(vectors(backbone), vectors(backbone))
    assert backbone.peft.name == name


@pytest.mark.parametrize("name", ["prefix", "prompt", "pfeiffer"])
def test_what_cannot_be_merged_is_not_saved_as_a_plain_folder(bert, name, tmp_path):
    backbone, _ = applied(bert, name)
    with pytest.raises(ValueError, match="save_adapter"):
        backbone.save(tmp_path)
