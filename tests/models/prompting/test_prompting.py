"""A generative model without training: likelihoods against a plain loop, label words, calibration, memory."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch.nn.functional import log_softmax
from transformers import GPT2Config, GPT2LMHeadModel

from recsys.encoders.backbone import load_backbone
from recsys.encoders.model_folders import BackboneError
from recsys.encoders.packaged import smollm2
from recsys.models.labelled.task import Part
from recsys.models.prompting.few_shot import budget, fresh_part, probed
from recsys.models.prompting.generator import Generator, load_generator
from recsys.models.prompting.label_words import PROMPTS, Prompt, answered, label_scores, prompt_for
from recsys.models.prompting.memorisation import memory, perturbed
from tests.models.labelled.small_tasks import classes, graded

PROMPT = Prompt("Say what it is.", "Text", "Kind", ("apple boat", "dog", "guitar horse island"))
ASKED = ["a red dress", "Text: an apple and a boat in the sea\nKind:", "x"]


@pytest.fixture(scope="module")
def generator():
    return load_generator("random-gpt")


def plainly(generator: Generator, prompt: str, continuation: str) -> float:
    """One token after the other, nothing padded, nothing kept."""
    ids, wanted = generator.ids(prompt), generator.ids(continuation)
    total = 0.0
    for token in wanted:
        with torch.inference_mode():
            logits = generator.model(input_ids=torch.tensor([ids])).logits[0, -1]
        total += float(log_softmax(logits.float(), dim=-1)[token])
        ids = [*ids, token]
    return total


def test_likelihoods_equal_a_plain_loop_whatever_the_batch(generator):
    ends = [" summer", " boats and ships", " flower"]
    wanted = [plainly(generator, p, c) for p, c in zip(ASKED, ends, strict=True)]
    for size in (1, 2048):
        sums, counts = generator.log_likelihood(ASKED, ends, token_budget=size)
        assert np.allclose(sums, wanted, atol=1e-4)
        assert counts.tolist() == [len(generator.ids(end)) for end in ends]


def test_labels_of_several_words_share_one_reading(generator):
    labels = [" apple", " boat chair", " dog engine flower guitar"]
    wanted = [[plainly(generator, prompt, label) for label in labels] for prompt in ASKED]
    for size in (1, 2048):
        assert np.allclose(
            generator.label_log_likelihood(ASKED, labels, token_budget=size), wanted, atol=1e-4
        )


def test_what_all_prompts_begin_with_is_read_once(generator, monkeypatch):
    shown = [f"Say what it is.\n\nText: a boat and an engine\nKind: dog\n\nText: {asked}" for asked in ASKED]
    labels = [" apple", " boat chair"]
    wanted = [[plainly(generator, prompt, label) for label in labels] for prompt in shown]
    read = []
    inner = generator.model.forward
    monkeypatch.setattr(
        generator.model, "forward", lambda **given: read.append(given["input_ids"].shape[1]) or inner(**given)
    )
    for size in (1, 2048):
        assert np.allclose(
            generator.label_log_likelihood(shown, labels, token_budget=size), wanted, atol=1e-4
        )
    assert sorted(read)[-2:] == [read[0], read[0]], "the beginning, once a call, is the longest that is read"
    same = ["x y z"] * 3
    alone = generator.label_log_likelihood(same[:1], labels)
    assert np.allclose(generator.label_log_likelihood(same, labels), alone, atol=1e-4)


def test_one_prompt_is_read_once_for_all_its_continuations(generator, monkeypatch):
    prompt, ends = "a red dress and a boat", [" apple", " boat chair", " dog engine flower guitar"]
    wanted = [plainly(generator, prompt, end) for end in ends]
    read = []
    inner = generator.model.forward
    monkeypatch.setattr(
        generator.model, "forward", lambda **given: read.append(given["input_ids"].shape) or inner(**given)
    )
    for size in (1, 2048):
        assert np.allclose(
            generator.log_likelihood([prompt] * 3, ends, token_budget=size)[0], wanted, atol=1e-4
        )
    tokens, longest = len(generator.ids(prompt)), max(len(generator.ids(end)) for end in ends)
    assert read[0] == (1, tokens - 1)
    assert read[-1] == (3, 1 + longest), (
        "the prompt's last token, which decides the next, and the continuation"
    )


def test_writing_takes_the_likeliest_token(generator):
    written = generator.write(ASKED, most_tokens=1)
    for prompt, text in zip(ASKED, written, strict=True):
        with torch.inference_mode():
            best = generator.model(input_ids=torch.tensor([generator.ids(prompt)])).logits[0, -1].argmax()
        assert text == generator.tokenizer.decode([int(best)], skip_special_tokens=True)


def test_calibration_takes_away_what_no_text_asked_for(generator):
    raw = label_scores(generator, PROMPT, ASKED, calibrate=0)
    found = label_scores(generator, PROMPT, ASKED)
    shift = raw - found
    assert np.allclose(shift, shift[0]), "the same for every text"
    with torch.no_grad():
        bias = torch.zeros(generator.model.config.vocab_size)
        bias[generator.ids(" dog")[0]] = 30.0
    head = generator.model.lm_head
    generator.model.lm_head = torch.nn.Sequential(head, _Adds(bias))
    try:
        biased = label_scores(generator, PROMPT, ASKED, calibrate=0)
        mended = label_scores(generator, PROMPT, ASKED)
    finally:
        generator.model.lm_head = head
    assert (biased.argmax(axis=1) == 1).all(), "one class for every text"
    assert np.ptp(mended[:, 1]) < 5
    assert abs(mended[:, 1].mean()) < 5


class _Adds(torch.nn.Module):
    def __init__(self, bias):
        super().__init__()
        self.bias = bias

    def forward(self, logits):
        return logits + self.bias


def test_prompts_hold_examples_in_order_and_one_line_a_text(generator):
    shown = PROMPT.render(generator, "a\nb", examples=[("one", "", 0), ("two", "", 2)])
    assert shown == (
        "Say what it is.\n\nText: one\nKind: apple boat\n\n"
        "Text: two\nKind: guitar horse island\n\nText: a b\nKind:"
    )
    pair = Prompt("Same?", "First", "Same", ("no", "yes"), second="Second").render(generator, "x", "y")
    assert pair.endswith("First: x\nSecond: y\nSame:")
    with pytest.raises(BackboneError, match="no chat template"):
        Prompt("", "Text", "Kind", ("a", "b"), chat=True).render(generator, "x")


def test_prompts_of_data_sets():
    assert prompt_for("banking77", ["card_lost?", "Top_up"]).words == ("card lost", "top up")
    for name, prompt in PROMPTS.items():
        assert prompt.instruction, name
        assert len(prompt.words) in (0, 2)
    with pytest.raises(ValueError, match="no prompt for 'beauty'"):
        prompt_for("beauty")


def test_answers_are_read_by_their_first_word():
    found = answered(
        ["Positive!", " negative, not positive", "hm", "not at all, no"], ["negative", "positive"]
    )
    assert found.tolist() == [1, 0, -1, -1]
    inside = ["I know it fits: yes", "Unknown, but yes", "It is now relevant: yes", "相关吗？不相关"]
    assert answered(inside, ["no", "yes"]).tolist() == [1, 1, 1, -1]
    assert answered(inside[-1:], ["相关", "不相关"]).tolist() == [0]
    assert answered(["top up failed"], ["top", "top up"]).tolist() == [1], (
        "the longer of two that begin alike"
    )


def test_what_cannot_be_read_is_named(generator):
    with pytest.raises(ValueError, match="prompt 1 is empty"):
        generator.log_likelihood(["a", ""], ["b", "c"])
    with pytest.raises(ValueError, match="continuation 0 is empty"):
        generator.log_likelihood(["a"], [""])
    with pytest.raises(ValueError, match=r"reads 512: shorten"):
        generator.write(["word " * 600])
    with pytest.raises(BackboneError, match="is an encoder"):
        load_generator("minilm")


@pytest.mark.parametrize("lost", ["transformer.h.1.mlp.c_fc.weight", "lm_head.weight"])
def test_a_folder_without_a_layer_or_the_head_is_refused(tmp_path, generator, lost):
    """transformers fills in random numbers and only warns."""
    config = GPT2Config.from_dict(generator.model.config.to_dict() | {"tie_word_embeddings": False})
    weights = {key: value.clone() for key, value in GPT2LMHeadModel(config).state_dict().items()}
    for part in (generator.tokenizer, config):
        part.save_pretrained(tmp_path)
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert load_generator(str(tmp_path)).max_tokens == generator.max_tokens, "whole, it loads"
    del weights[lost]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BackboneError, match=f"1 parameters of .* first {lost}"):
        load_generator(str(tmp_path))


def test_budgets_nest_and_are_even(small_task):
    task = small_task(classes())
    small, large = budget(task, 2, seed=0), budget(task, 8, seed=0)
    assert np.bincount(small.train.labels).tolist() == [2, 2, 2]
    assert set(small.train.texts) < set(large.train.texts) < set(task.train.texts)
    assert small.train.labels[:3].tolist() == [0, 1, 2]
    assert len(budget(task, 0, seed=0).train) == 0
    assert small.test is task.test
    with pytest.raises(ValueError, match="fewer than 1000 training rows"):
        budget(task, 1000, seed=0)
    with pytest.raises(ValueError, match="has grades"):
        budget(small_task(graded()), 2, seed=0)


@given(st.integers(1, 40), st.integers(1, 12), st.booleans())
@settings(max_examples=40, deadline=None)
def test_fresh_parts_of_different_seeds_do_not_overlap(n, most, in_lists):
    lists = np.arange(n) // 3 if in_lists else None
    part = Part([str(row) for row in range(n)], np.arange(n), [str(-row) for row in range(n)], lists)
    keys = np.arange(n) if lists is None else lists
    blocks = max(1, len(np.unique(keys)) // most)
    drawn = [fresh_part(part, most, seed) for seed in range(blocks)]
    for one in drawn:
        assert one.texts == [str(row) for row in one.labels]
        assert one.pairs == [str(-row) for row in one.labels]
        assert len(np.unique(keys[one.labels])) == min(most, len(np.unique(keys)))
        assert np.isin(keys, keys[one.labels]).sum() == len(one), "lists stay whole"
    assert len(np.unique(np.concatenate([one.labels for one in drawn]))) == sum(map(len, drawn))


def test_few_labels_teach_a_probe(small_task):
    task = small_task(classes())
    backbone = load_backbone("minilm", layers=1)
    few = probed(backbone, budget(task, 4, seed=0), task.test)
    assert few["accuracy"] > 0.8
    none = probed(backbone, budget(task, 0, seed=0), task.test)
    assert set(none) == set(few)


class Parrot(Generator):
    """Knows some titles by heart: writes their end, and finds it likely."""

    def __init__(self, known):
        self.known = known

    def log_likelihood(self, prompts, continuations, token_budget=0):
        whole = [p.split(": ", 1)[1] + c for p, c in zip(prompts, continuations, strict=True)]
        return np.array([-1.0 if w in self.known else -9.0 for w in whole]), np.ones(len(whole), dtype=int)

    def write(self, prompts, most_tokens=16):
        starts = [prompt.split(": ", 1)[1] for prompt in prompts]
        return [next((k[len(s) :] + "!" for k in self.known if k.startswith(s)), "no idea") for s in starts]


def test_memory_tells_the_known_from_the_perturbed():
    titles = [f"the {word} of the {word}s number {n}" for n, word in enumerate(["cat", "dog", "owl", "fox"])]
    parrot = Parrot(titles)
    known = memory(parrot, titles, what="Film")
    assert (known.titles, known.completed, known.prefers_true) == (4, 1.0, 1.0)
    made = perturbed(titles)
    assert len(made) == 4
    assert not set(made) & set(titles)
    unknown = memory(parrot, made, what="Film")
    assert unknown.completed == 0.0
    assert unknown.prefers_true == 0.0
    with pytest.raises(ValueError, match="two titles of 4 words"):
        memory(parrot, ["Heat", "Alien"])


def test_a_title_is_completed_by_its_own_words_only():
    class Writes(Parrot):
        def write(self, prompts, most_tokens=16):
            return [" pack of 12 pieces", " pack of 1"]

    titles = ["soap bar pack of 1", "rose cream pack of 1"]
    assert memory(Writes(titles), titles).completed == 0.5, "12 is not 1"


def test_ends_without_a_letter_or_digit_complete_nothing():
    titles = ["big soap - &", "rose cream - &", "a b c d", "e f g h"]
    assert memory(Parrot([]), titles).titles == 2
    assert len(perturbed(titles)) == 2


def test_real_generator():
    if not smollm2.MODEL.installed():
        pytest.skip(f"not installed: {smollm2.MODEL.command}")
    generator = load_generator()
    assert "Paris" in generator.write(["The capital of France is"], most_tokens=3)[0]
    reviews = [
        "I love this dress, it fits perfectly.",
        "Terrible quality, it broke at once. I want my money back.",
    ]
    examples = [("Great, my favourite.", "", 1), ("Awful, do not buy.", "", 0)]
    scores = label_scores(generator, prompt_for("womens_clothing"), reviews, examples=examples)
    assert scores.argmax(axis=1).tolist() == [1, 0]
    asked = generator.chat([{"role": "user", "content": "hello"}])
    assert asked.endswith("<|im_start|>assistant\n")
