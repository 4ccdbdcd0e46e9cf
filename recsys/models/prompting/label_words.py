"""Classification by label words: the likeliest label after a prompt, with 0 or more examples (shots).

score(c | x) = log p(w_c | prompt(x)) − a · log p(w_c | prompt(no content)), summed over the tokens of w_c

The second term removes the model's preference for a label whatever the text: contextual calibration (Zhao et
al. 2021, arXiv:2102.09690), here as a difference of logs (as in Holtzman et al. 2021, arXiv:2104.08315), with
the mean over three content-free texts. a = 1 calibrates, a = 0 does not.

N: texts. C: classes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.models.prompting.generator import Generator

EMPTY = ("N/A", "[MASK]", "none")  # content-free texts (Zhao et al., §5)


@dataclass(frozen=True)
class Prompt:
    """A prompt template.

    Attributes:
        instruction: first line. text: name of the text in the prompt, such as "Review".
        second: name of the second text of a pair; "" where a label belongs to one text.
        answer: name of the answer. words: label word of each class, in the order of the codes.
        chat: write turns of the model's chat template instead of plain lines.
    """

    instruction: str
    text: str
    answer: str
    words: tuple[str, ...]
    second: str = ""
    chat: bool = False

    @property
    def answers(self) -> list[str]:
        """The label words as they continue the prompt."""
        return [word if self.chat else f" {word}" for word in self.words]

    def asks(self, text: str, pair: str = "") -> str:
        """The lines of one text, without the answer."""
        second = f"\n{self.second}: {_one_line(pair)}" if self.second else ""
        return f"{self.text}: {_one_line(text)}{second}\n{self.answer}:"

    def render(self, generator: Generator, text: str, pair: str = "", examples: Sequence[tuple] = ()) -> str:
        """The whole prompt. examples: (text, pair, code) each; the last one is next to the question."""
        if not self.chat:
            shown = "".join(f"{self.asks(t, p)} {self.words[code]}\n\n" for t, p, code in examples)
            return f"{self.instruction}\n\n{shown}{self.asks(text, pair)}"
        messages = [{"role": "system", "content": self.instruction}]
        for t, p, code in examples:
            messages += [{"role": "user", "content": self.asks(t, p)}]
            messages += [{"role": "assistant", "content": self.words[code]}]
        return generator.chat([*messages, {"role": "user", "content": self.asks(text, pair)}])


# prompts of the kit's labelled sets; intents have their label's own words
PROMPTS = {
    "womens_clothing": Prompt(
        "Decide whether the customer recommends the product.",
        "Review",
        "Sentiment",
        ("negative", "positive"),
    ),
    "chinese_reviews": Prompt(
        "判断下面的购物评论是正面还是负面。",
        "评论",
        "情感",
        ("负面", "正面"),  # 情感分析 sentiment
    ),
    "atec": Prompt("判断两个问题的意思是否相同。", "问题一", "相同", ("否", "是"), second="问题二"),
    "banking77": Prompt("Name the intent of a bank's customer.", "Question", "Intent", ()),
    "clinc_oos": Prompt("Name the intent of the question.", "Question", "Intent", ()),
    "home_depot": Prompt(
        "Decide whether the product is relevant to the query.",
        "Query",
        "Relevant",
        ("no", "yes"),
        second="Product",
    ),
}


def prompt_for(dataset: str, labels: Sequence[str] = (), chat: bool = False) -> Prompt:
    """The prompt of a data set; label words are the classes' names where the prompt has none.

    Raises:
        ValueError: no prompt for this data set.

    Example:
        >>> prompt_for("banking77", ["card_arrival", "lost_card"]).words
        ('card arrival', 'lost card')
    """
    if dataset not in PROMPTS:
        raise ValueError(f"no prompt for {dataset!r}; there are {', '.join(PROMPTS)}")
    found = PROMPTS[dataset]
    words = found.words or tuple(name.replace("_", " ").strip("?").lower() for name in labels)
    return Prompt(found.instruction, found.text, found.answer, words, found.second, chat)


def label_scores(
    generator: Generator,
    prompt: Prompt,
    texts: Sequence[str],
    pairs: Sequence[str] | None = None,
    examples: Sequence[tuple] = (),
    calibrate: float = 1.0,
) -> np.ndarray:
    """Scores of the classes, [N, C] float64: softmax of a row gives probabilities.

    Args:
        examples: (text, pair, code) each, shown in every prompt, in this order.
        calibrate: a of the formula; 1 calibrates, 0 does not.

    Raises:
        ValueError: a prompt longer than the model can read; fewer than two classes.
    """
    if len(prompt.words) < 2:
        raise ValueError(f"classes need two words at least, got {len(prompt.words)}")
    seconds = [""] * len(texts) if pairs is None else pairs
    asked = [prompt.render(generator, t, p, examples) for t, p in zip(texts, seconds, strict=True)]
    found = generator.label_log_likelihood(asked, prompt.answers)
    if calibrate:
        empty = [prompt.render(generator, content, content, examples) for content in EMPTY]
        found = found - calibrate * generator.label_log_likelihood(empty, prompt.answers).mean(axis=0)
    return found


def answered(written: Sequence[str], words: Sequence[str]) -> np.ndarray:
    """Classes of generated short answers, [N] int64: the label word that occurs first; −1 where none does.

    A word in Latin letters counts as a whole word only: "I know" says no "no".

    Example:
        >>> answered(["It is positive.", "?"], ("negative", "positive")).tolist()
        [1, -1]
    """
    codes = np.full(len(written), -1, dtype=np.int64)
    for row, answer in enumerate(written):
        places = [(_place(answer.lower(), word.lower()), -len(word), code) for code, word in enumerate(words)]
        there = [place for place in places if place[0] >= 0]
        codes[row] = min(there)[2] if there else -1
    return codes


def _place(answer: str, word: str) -> int:
    before = r"(?<![a-z0-9])" if word[:1].isascii() else ""
    behind = r"(?![a-z0-9])" if word[-1:].isascii() else ""
    found = re.search(before + re.escape(word) + behind, answer)
    return found.start() if found else -1


def _one_line(text: str) -> str:
    return " ".join(text.split())
