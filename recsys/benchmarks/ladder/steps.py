"""The ladder (a cumulative ablation): its steps, which of them go together, the stacks of a comparison.

The ground is a small, untuned sequence model of ids alone, asked with the histories that it was
trained on. A step changes one thing (`STEPS`); a stack is a set of steps on that ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recsys.ensembling.errors import EnsembleError

STEPS: dict[str, str] = {
    "pretrained": "items also have their titles' vectors from a pretrained encoder",
    "fine_tuned": "that encoder is tuned on pairs of titles that shoppers bought one after the other",
    "multimodal": "items also have pictures and whatever else the shop knows of them",
    "optimised_graph": "titles are encoded by the encoder's optimised graph, in int8",
    "stream_state": "users are asked about with all that happened until that moment, not until training",
    "fusion": "scores are fused with EASE, item kNN and the cosine of titles, weights from validation",
    "tuning": "learning rate, batch size, penalty and dropout are searched on validation",
}
ALL = "all"
GROUND = "ground"  # the stack without a step
NEEDS = {"fine_tuned": "pretrained", "optimised_graph": "pretrained"}
# another order in which the same stack is built: what is cheap first, what reads texts last
OTHER_ORDER = (
    "tuning",
    "fusion",
    "stream_state",
    "multimodal",
    "pretrained",
    "optimised_graph",
    "fine_tuned",
)


@dataclass(frozen=True)
class Comparison:
    """What a step buys: the stack with it against the stack without. way: "alone", "added", "other order";
    step `ALL`, way "together": the whole stack against the ground."""

    step: str
    way: str
    below: tuple[str, ...]
    above: tuple[str, ...]


def parse(text: str) -> tuple[str, ...]:
    """Blank-separated steps -> the stack, in the order of `STEPS`; "ground" is the stack without any.

    Raises:
        EnsembleError: an unknown step, one named twice, or one without the step that it needs.

    Example:
        >>> parse("fusion pretrained")
        ('pretrained', 'fusion')
    """
    named = [] if text.strip() == GROUND else text.split()
    unknown = [step for step in named if step not in STEPS]
    if unknown or len(set(named)) < len(named):
        raise EnsembleError(f"steps are {', '.join(STEPS)}, each once, or {GROUND}; got {text!r}")
    for step, needed in NEEDS.items():
        if step in named and needed not in named:
            raise EnsembleError(f"the step {step} needs {needed} in the stack; got {text!r}")
    return tuple(step for step in STEPS if step in named)


def told(stack: Sequence[str]) -> str:
    """A stack as text, in the form of the notebook's parameter `steps`: "ground", or its steps in order."""
    return " ".join(step for step in STEPS if step in stack) or GROUND


def comparisons(steps: Sequence[str] = tuple(STEPS), other: Sequence[str] = OTHER_ORDER) -> list[Comparison]:
    """Every step alone (on the ground, or on the step that it needs), added in order, and in another order.

    Args:
        steps: of the ladder, in the order of adding; a data set without pictures leaves one out.
        other: the second order; steps that are not among `steps` are passed over.

    Raises:
        EnsembleError: an order in which a step stands before the one that it needs.
    """
    found = [
        Comparison(step, "alone", parse(NEEDS.get(step, GROUND)), parse(f"{NEEDS.get(step, '')} {step}"))
        for step in steps
    ]
    for way, order in (("added", steps), ("other order", [step for step in other if step in steps])):
        stack: list[str] = []
        for step in order:
            below = parse(told(stack))
            stack.append(step)
            found.append(Comparison(step, way, below, parse(" ".join(stack))))
    together = [Comparison(ALL, "together", (), parse(told(steps)))] if steps else []
    return found + together


def stacks(steps: Sequence[str] = tuple(STEPS), other: Sequence[str] = OTHER_ORDER) -> list[tuple[str, ...]]:
    """Every stack that `comparisons` needs, each once, the smaller ones first."""
    every = {stack for one in comparisons(steps, other) for stack in (one.below, one.above)}
    return sorted(every, key=lambda stack: (len(stack), [list(STEPS).index(step) for step in stack]))
