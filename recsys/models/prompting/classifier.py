"""A generative model as a classifier: by the likelihood of label words, or by what it writes.

N: texts of a part. C: classes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recsys.models.labelled.task import LabelledTask, Part
from recsys.models.prompting.generator import Generator
from recsys.models.prompting.label_words import answered, label_scores, prompt_for

MOST_CHARACTERS = 300  # of each text in a prompt
TOLD = "Answer with one of: {}."  # what may be written; likelihoods compare these words anyway
MOST_EXAMPLES = 32  # a class; more do not fit into what small models read


class PromptedClassifier:
    """Answers a labelled task by prompts, with the training part as examples; nothing is trained.

    Args:
        task: its training part is shown in every prompt: at most 32 texts a class, no grades.
        writes: False takes log-likelihoods of the label words; True names them, lets the model write (by its
            chat template, where it has one), and takes the label word that occurs first. An answer without
            one is a guess, drawn from `seed`.

    Attributes:
        answered_share: of the part judged last, the share of answers with a label word; 1 by likelihoods.

    Raises:
        ValueError: too many examples, examples of grades, a data set without a prompt.

    Example:
        task = budget(load_task("womens_clothing", tested=100), shots=2, seed=0)
        logits = PromptedClassifier(load_generator(), task).outputs(task.test)
    """

    def __init__(self, generator: Generator, task: LabelledTask, writes: bool = False, seed: int = 0):
        shown = task.train
        if len(shown) > MOST_EXAMPLES * max(2, len(task.labels)):
            raise ValueError(f"{len(shown)} examples do not fit into a prompt: say how many shots a class")
        if task.kind == "grade" and len(shown):
            raise ValueError(f"{task.name} has grades, which no label word says: set shots = 0")
        self.generator, self.task, self.writes, self.seed = generator, task, writes, seed
        self.prompt = prompt_for(task.name, task.labels)
        if writes:
            told = f"{self.prompt.instruction} {TOLD.format(', '.join(self.prompt.words))}"
            self.prompt = replace(self.prompt, instruction=told, chat=generator.chats)
        pairs = _cut(shown.pairs, len(shown))
        self.examples = list(zip(_cut(shown.texts, len(shown)), pairs, shown.labels.tolist(), strict=True))
        self.answered_share = 1.0

    @property
    def most_tokens(self) -> int:
        """Tokens that an answer may have: those of the longest label word, and two."""
        return 2 + max(len(self.generator.ids(label)) for label in self.prompt.answers)

    def prompts(self, part: Part) -> list[str]:
        """The prompt of each text of a part, with the examples, [N]."""
        shown = zip(_cut(part.texts, len(part)), _cut(part.pairs, len(part)), strict=True)
        return [self.prompt.render(self.generator, text, pair, self.examples) for text, pair in shown]

    def outputs(self, part: Part) -> np.ndarray:
        """[N, C] logits; of pairs [N, 1], log-odds of the second label word, which also rank by grade."""
        if self.writes:
            scores = self._written(part)
        else:
            texts, pairs = _cut(part.texts, len(part)), _cut(part.pairs, len(part))
            scores = label_scores(self.generator, self.prompt, texts, pairs, self.examples)
        return (scores[:, 1] - scores[:, 0])[:, None] if self.task.paired else scores

    def _written(self, part: Part) -> np.ndarray:
        codes = answered(self.generator.write(self.prompts(part), self.most_tokens), self.prompt.words)
        self.answered_share = float(np.mean(codes >= 0))
        guesses = np.random.default_rng(self.seed).integers(len(self.prompt.words), size=len(codes))
        return np.eye(len(self.prompt.words))[np.where(codes < 0, guesses, codes)]


def _cut(texts: list[str] | None, rows: int) -> list[str]:
    return [""] * rows if texts is None else [text[:MOST_CHARACTERS] for text in texts]
