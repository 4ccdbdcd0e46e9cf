"""A generative model as a classifier: by likelihoods as `label_scores`, by writing as what it wrote says."""

from types import SimpleNamespace

import numpy as np
import pytest

from recsys.models.labelled.task import LabelledTask, Part, judge
from recsys.models.prompting.classifier import PromptedClassifier
from recsys.models.prompting.generator import load_generator
from recsys.models.prompting.label_words import label_scores, prompt_for


def part(texts: list[str], labels: list[int], pairs: list[str] | None = None) -> Part:
    return Part(texts, np.array(labels), pairs, None)


def reviews(train: Part, test: Part) -> LabelledTask:
    return LabelledTask("womens_clothing", ["negative", "positive"], 64, train, test, test)


TEST = part(["a red dress", "x", "an apple and a boat"], [1, 0, 1])
NOTHING = part([], [])


def writer(answers: list[str]) -> SimpleNamespace:
    """Stands for a generator that answers so, whatever is asked."""
    return SimpleNamespace(ids=str.split, chats=False, write=lambda prompts, most: answers[: len(prompts)])


def test_likelihoods_are_those_of_the_label_words_with_the_examples_shown():
    generator = load_generator("random-gpt")
    task = reviews(part(["dog food", "blue hat"], [0, 1]), TEST)
    examples = [("dog food", "", 0), ("blue hat", "", 1)]
    wanted = label_scores(generator, prompt_for("womens_clothing"), TEST.texts, None, examples)
    found = PromptedClassifier(generator, task)
    assert np.allclose(found.outputs(TEST), wanted)
    assert "dog food" in found.prompts(TEST)[0]
    assert found.answered_share == 1


def test_what_is_written_decides_and_an_answer_without_a_label_word_is_a_guess():
    asked = PromptedClassifier(
        writer([" positive.", "no idea", "Negative"]), reviews(NOTHING, TEST), writes=True
    )
    outputs = asked.outputs(TEST)
    assert asked.prompts(TEST)[0].startswith(
        "Decide whether the customer recommends the product. Answer with one of: negative, positive."
    )
    assert outputs[[0, 2]].tolist() == [[0, 1], [1, 0]]
    assert outputs[1].sum() == 1
    assert asked.answered_share == pytest.approx(2 / 3)
    many = part(["x"] * 2000, [0, 1] * 1000)
    silent = PromptedClassifier(writer(["?"] * 2000), reviews(NOTHING, many), writes=True, seed=3)
    assert judge(silent.task, many, silent.outputs(many))["accuracy"] == pytest.approx(0.5, abs=0.05)
    assert silent.answered_share == 0


def test_a_pair_is_answered_by_one_number():
    pairs = part(["a", "b"], [0, 1], ["c", "d"])
    task = LabelledTask("atec", ["different", "same"], 64, part([], [], []), pairs, pairs)
    asked = PromptedClassifier(writer([" 是", " 否"]), task, writes=True)
    assert asked.outputs(pairs).tolist() == [[1], [-1]]
    assert "问题二: c" in asked.prompts(pairs)[0]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="65 examples do not fit into a prompt"):
        PromptedClassifier(writer([]), reviews(part(["x"] * 65, [0] * 65), TEST))
    graded = LabelledTask("home_depot", [], 64, part(["x"], [1], ["y"]), TEST, TEST)
    with pytest.raises(ValueError, match="home_depot has grades, which no label word says"):
        PromptedClassifier(writer([]), graded)
