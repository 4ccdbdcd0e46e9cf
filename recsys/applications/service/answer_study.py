"""Composed answers against the best page that a search finds, question by question.

Every second question asks two things, as customers do: there the best page can answer only one of them. So
that composing is not credited with finding, the pages that were composed from stand beside it, unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.applications.service.composition import Answer, HelpSearch, compose, template
from recsys.applications.service.faithfulness import facts_stated
from recsys.applications.service.help_texts import HELP
from recsys.applications.service.masking import mask
from recsys.applications.service.tasks import DEMO, ServiceTask, load_service
from recsys.encoders.backbone import Backbone
from recsys.models.prompting.generator import Generator, load_generator


@dataclass(frozen=True)
class AnswerStudy:
    """lists: a row a question: "composed:difference", what is shown less the best page, and
    "over_pages:difference", less the pages one after another; shares of the needed facts. table: what a
    reader sees. answers: a row a question: question, pages, shown, written, made up. writer: what worded
    them."""

    metrics: dict[str, float]
    lists: pd.DataFrame
    table: pd.DataFrame
    answers: pd.DataFrame
    writer: Generator | None


def asked_questions(service: ServiceTask, count: int) -> pd.DataFrame:
    """Questions of the test part, one and two wishes in turn: question, facts (needed), wishes.

    Raises:
        ValueError: an intent without a help page, or no question.
    """
    test, labels = service.task.test, service.task.labels
    if unknown := sorted(set(labels) - set(HELP)):
        raise ValueError(
            f"the help pages answer the intents of demo_store and bitext_support, not {unknown[0]!r} of "
            f"{service.task.name}: set answers to 0"
        )
    rows = np.unique(np.linspace(0, len(test) - 1, min(count, len(test))).round().astype(int))
    drawn = np.random.default_rng(0)
    found = []
    for number, row in enumerate(rows):
        codes, words = [int(test.labels[row])], test.texts[row]
        if number % 2:
            others = np.flatnonzero(test.labels != codes[0])
            other = int(drawn.choice(others))
            codes.append(int(test.labels[other]))
            words = f"{words.rstrip('?.! ')}, and also {test.texts[other]}"
        facts = tuple(dict.fromkeys(fact for code in codes for fact in HELP[labels[code]].facts))
        found.append({"question": words, "facts": facts, "wishes": len(codes)})
    return pd.DataFrame(found)


def help_service(service: ServiceTask) -> ServiceTask:
    """The service itself where the help pages answer its intents, else the demo shop's."""
    return service if set(service.task.labels) <= set(HELP) else load_service(DEMO)


def study_answers(
    service: ServiceTask, encoder: Backbone, generator: str = "", count: int = 300
) -> AnswerStudy:
    """Answer `count` questions and count what is stated, and what is made up.

    Args:
        encoder: of the search. generator: see `load_generator`; "": no composing, the pages themselves.

    Raises:
        ValueError: see `asked_questions`. BackboneError: the generator's package is not installed; the one
            line names the command.
    """
    writer = load_generator(generator) if generator else None
    asked = asked_questions(service, count)
    search = HelpSearch(encoder, HELP, service.task.train, service.task.labels)
    pages = [[search.texts[page] for page in search.find(question)] for question in asked["question"]]
    answers = compose(writer, [mask(question)[0] for question in asked["question"]], pages)
    texts = {
        "shown": [answer.shown for answer in answers],
        "written": [answer.written or answer.shown for answer in answers],
        "best page": [found[0] for found in pages],
        "all pages": [template(found) for found in pages],
    }
    facts = pd.DataFrame(
        {
            name: [
                facts_stated(text, needed, found)
                for text, needed, found in zip(said, asked["facts"], pages, strict=True)
            ]
            for name, said in texts.items()
        }
    )
    lists = pd.DataFrame(
        {
            "list": np.arange(len(asked)),
            "composed:difference": facts["shown"] - facts["best page"],
            "over_pages:difference": facts["shown"] - facts["all pages"],
            "wishes": asked["wishes"],
        }
    )
    table = facts.groupby(asked["wishes"]).mean().rename_axis("wishes").reset_index()
    return AnswerStudy(_metrics(answers, facts, lists), lists, table, _told(asked, pages, answers), writer)


def _metrics(answers: list[Answer], facts: pd.DataFrame, lists: pd.DataFrame) -> dict[str, float]:
    written = [answer for answer in answers if answer.written]
    unfaithful = sum(bool(answer.wrong) for answer in written)
    return {
        "questions": float(len(answers)),
        "unfaithful": float(unfaithful),
        "share_unfaithful": unfaithful / max(1, len(written)),
        "share_composed_shown": sum(answer.composed for answer in answers) / len(answers),
        "share_facts_shown": float(facts["shown"].mean()),
        "share_facts_best_page": float(facts["best page"].mean()),
        "share_facts_all_pages": float(facts["all pages"].mean()),
        "composed:difference": float(lists["composed:difference"].mean()),
        "over_pages:difference": float(lists["over_pages:difference"].mean()),
    }


def _told(asked: pd.DataFrame, pages: list[list[str]], answers: list[Answer]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "question": [mask(question)[0] for question in asked["question"]],
            "pages": [" | ".join(found) for found in pages],
            "shown": [answer.shown for answer in answers],
            "written": [answer.written for answer in answers],
            "made up": [", ".join(answer.wrong) for answer in answers],
        }
    )
