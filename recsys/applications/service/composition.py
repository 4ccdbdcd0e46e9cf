"""An answer in words of its own from help pages that a search found, shown only where it is faithful.

N: questions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.applications.service.faithfulness import grounded_share, unsupported
from recsys.applications.service.help_texts import Passage
from recsys.encoders.backbone import Backbone
from recsys.encoders.embed import embed_texts
from recsys.encoders.model_folders import BackboneError
from recsys.models.labelled.task import Part
from recsys.models.prompting.generator import Generator

INSTRUCTION = (
    "You answer customers of a shop. Answer the question in one to three short sentences. Use only the "
    "facts; repeat their numbers and names exactly. Add nothing."
)
GROUNDED = 0.5  # of an answer's content words must stand in the pages or the question
MOST_TOKENS = 80  # of an answer
CLAUSES = re.compile(r"[?.!;]\s+|,? and (?:also )?|,? also ", re.IGNORECASE)
MOST_PASSAGES = 2


class HelpSearch:
    """Help pages by how near a question lies to them, or to a question that they have answered.

    Args:
        pages: intent -> page. answered: questions with codes of `labels`.
    """

    def __init__(self, encoder: Backbone, pages: dict[str, Passage], answered: Part, labels: Sequence[str]):
        self.encoder, self.intents = encoder, [label for label in labels if label in pages]
        self.texts = [pages[intent].text for intent in self.intents]
        place = {labels.index(intent): number for number, intent in enumerate(self.intents)}
        rows = [row for row, code in enumerate(answered.labels) if int(code) in place]
        texts = self.texts + [answered.texts[row] for row in rows]
        self.page = np.array([*range(len(self.texts)), *(place[int(answered.labels[row])] for row in rows)])
        self.vectors = embed_texts(encoder, texts, max_tokens=64)

    def scores(self, questions: Sequence[str]) -> np.ndarray:
        """[N, pages]: the highest cosine with the page or with a question that it has answered."""
        cosines = embed_texts(self.encoder, questions, max_tokens=64) @ self.vectors.T
        found = np.full((len(questions), len(self.texts)), -1.0)
        for page in range(len(self.texts)):
            found[:, page] = cosines[:, self.page == page].max(axis=1)
        return found

    def find(self, question: str) -> list[int]:
        """Pages: the best for the whole question, then the best of each of its clauses; MOST_PASSAGES."""
        clauses = [part for part in CLAUSES.split(question) if len(part.split()) > 1]
        best = self.scores([question, *(clauses if len(clauses) > 1 else [])]).argmax(axis=1)
        return list(dict.fromkeys(int(page) for page in best))[:MOST_PASSAGES]


@dataclass(frozen=True)
class Answer:
    """shown: what the customer reads. written: what the generator wrote, "" without one. wrong: its numbers
    and names that the pages lack; composed: whether `shown` is `written`."""

    shown: str
    written: str = ""
    wrong: tuple[str, ...] = ()

    @property
    def composed(self) -> bool:
        return bool(self.written) and self.shown == self.written


def template(pages: Sequence[str]) -> str:
    """The pages themselves, one after the other: what is shown where nothing better is certain."""
    return " ".join(pages)


def prompt(generator: Generator, question: str, pages: Sequence[str]) -> str:
    """What the generator reads. The question is masked by then; pages are the only source of facts."""
    facts = "\n".join(f"- {page}" for page in pages)
    asked = f"Facts:\n{facts}\n\nQuestion: {question}"
    try:
        roles = ("system", INSTRUCTION), ("user", asked)
        return generator.chat([{"role": role, "content": content} for role, content in roles])
    except BackboneError:  # no chat template: a model that goes on with a text
        return f"{INSTRUCTION}\n\n{asked}\nAnswer:"


def compose(
    generator: Generator | None, questions: Sequence[str], pages: Sequence[Sequence[str]]
) -> list[Answer]:
    """N answers, each from its own pages.

    Args:
        generator: None: the template everywhere.
        questions: N, masked. pages: of each, at least one.
    """
    if generator is None:
        return [Answer(template(found)) for found in pages]
    prompts = [prompt(generator, question, found) for question, found in zip(questions, pages, strict=True)]
    written = [whole_sentences(text) for text in generator.write(prompts, most_tokens=MOST_TOKENS)]
    return [checked(text, *read) for text, *read in zip(written, pages, questions, strict=True)]


def checked(written: str, pages: Sequence[str], question: str = "") -> Answer:
    """The written answer where all its numbers and names stand in the pages, and at least GROUNDED of its
    words there or in the question; else the template."""
    wrong = tuple(unsupported(written, pages))
    fits = bool(written) and not wrong and grounded_share(written, [*pages, question]) >= GROUNDED
    return Answer(written if fits else template(pages), written, wrong)


def whole_sentences(text: str) -> str:
    """A text up to the end of its last whole sentence, in one line; all of it where no sentence ends."""
    line = " ".join(text.split())
    end = max((match.end() for match in re.finditer(r"[.!?](?=\s|$)", line)), default=len(line))
    return line[:end]
