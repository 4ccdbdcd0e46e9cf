"""Search spaces: typed ranges of settings, shared by small searches and by sweeps.

A point of the unit cube maps to settings (`settings_at`), so that any sequence of points searches any space.
Numbers on a logarithmic scale are rounded to three significant digits, so that a setting can be typed in
again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class SpaceError(ValueError):
    """A range is empty, of the wrong type, or not in the form that `read_space` describes."""


@dataclass(frozen=True)
class Real:
    """Real numbers in [low, high]; with `log` on a logarithmic scale.

    Raises:
        SpaceError: not finite, low ≥ high, or a logarithm of a number that is not above 0.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self):
        _ends(self, (int, float))

    def at(self, unit: float) -> float:
        """The value at a place in [0, 1)."""
        value = _between(self, unit)
        return min(max(float(f"{value:.3g}"), self.low), self.high) if self.log else value

    def holds(self, value: Any) -> bool:
        """Whether the value lies in the range and is of its type."""
        return _is_number(value, (int, float)) and self.low <= value <= self.high


@dataclass(frozen=True)
class Whole:
    """Whole numbers low … high, both included; with `log` on a logarithmic scale.

    Raises:
        SpaceError: not whole, low ≥ high, or a logarithm of a number that is not above 0.
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self):
        _ends(self, (int,))

    def at(self, unit: float) -> int:
        """The value at a place in [0, 1)."""
        if self.log:
            return round(_between(self, unit))
        return self.low + min(int(unit * (self.high - self.low + 1)), self.high - self.low)

    def holds(self, value: Any) -> bool:
        """Whether the value lies in the range and is of its type."""
        return _is_number(value, (int,)) and self.low <= value <= self.high


@dataclass(frozen=True)
class Choice:
    """One of these values, in the given order: text, numbers, True, False or None.

    Raises:
        SpaceError: no value, one twice, or one that is none of these.
    """

    values: tuple[Any, ...]

    def __post_init__(self):
        object.__setattr__(self, "values", tuple(self.values))
        if not self.values:
            raise SpaceError("a choice needs at least one value")
        for value in self.values:
            if value is not None and not isinstance(value, bool | int | float | str):
                raise SpaceError(f"a choice holds text, numbers, true, false or null, not {value!r}")
        if len({repr(value) for value in self.values}) < len(self.values):
            raise SpaceError(f"a choice names one value twice: {list(self.values)}")

    def at(self, unit: float) -> Any:
        """The value at a place in [0, 1)."""
        return self.values[int(unit * len(self.values))]

    def holds(self, value: Any) -> bool:
        """Whether the value is one of the choices."""
        return any(type(value) is type(one) and value == one for one in self.values)


Range = Real | Whole | Choice
Space = Mapping[str, Range]
KINDS = {"real": Real, "whole": Whole}


def settings_at(space: Space, row: Sequence[float]) -> dict[str, Any]:
    """The settings at a point of the unit cube, one coordinate per range in the space's order."""
    return {name: one.at(unit) for (name, one), unit in zip(space.items(), row, strict=True)}


def read_space(raw: Mapping[str, Any]) -> dict[str, Range]:
    """A space as a YAML file writes it.

    Args:
        raw: name → {"real": [low, high]}, {"whole": [low, high]}, each with "log": true where wanted, or
            {"choice": [values]}.

    Raises:
        SpaceError: no name, or a range that is wrong; the message begins with the name.

    Example:
        >>> read_space({"rate": {"real": [1e-4, 0.1], "log": True}})
        {'rate': Real(low=0.0001, high=0.1, log=True)}
    """
    if not isinstance(raw, Mapping) or not raw:
        raise SpaceError("the space is empty: name at least one parameter and its range")
    return {str(name): _range(str(name), one) for name, one in raw.items()}


def written(space: Space) -> dict[str, Any]:
    """A space as plain values, from which `read_space` makes it again."""
    return {
        name: {"choice": list(one.values)}
        if isinstance(one, Choice)
        else {"real" if isinstance(one, Real) else "whole": [one.low, one.high], "log": one.log}
        for name, one in space.items()
    }


def _range(name: str, raw: Any) -> Range:
    hint = "write {real: [low, high]}, {whole: [low, high]} (log: true where wanted) or {choice: [values]}"
    if not isinstance(raw, Mapping):
        raise SpaceError(f"{name}: {raw!r} is no range; {hint}")
    kinds = [kind for kind in (*KINDS, "choice") if kind in raw]
    allowed = {*kinds, "log"} if kinds and kinds[0] != "choice" else set(kinds)
    if len(kinds) != 1 or set(raw) - allowed:
        raise SpaceError(f"{name}: {dict(raw)!r} is no range; {hint}")
    given = raw[kinds[0]]
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise SpaceError(f"{name}: {kinds[0]} takes a list, got {given!r}")
    try:
        if kinds[0] == "choice":
            return Choice(tuple(given))
        if len(given) != 2:
            raise SpaceError(f"{kinds[0]} takes [low, high], got {list(given)}")
        if not isinstance(raw.get("log", False), bool):
            raise SpaceError(f"log is true or false, got {raw['log']!r}")
        return KINDS[kinds[0]](*given, log=raw.get("log", False))
    except SpaceError as error:
        raise SpaceError(f"{name}: {error}") from None


def _is_number(value: Any, kinds: tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)


def _ends(one: Real | Whole, kinds: tuple[type, ...]) -> None:
    what = "whole numbers" if kinds == (int,) else "numbers"
    if not (_is_number(one.low, kinds) and _is_number(one.high, kinds)):
        raise SpaceError(f"a range of {what} got {one.low!r} and {one.high!r}")
    if one.low >= one.high:
        raise SpaceError(f"the range [{one.low}, {one.high}] is empty: low must be below high")
    if one.log and one.low <= 0:
        raise SpaceError(f"a logarithm needs low > 0, got {one.low}")


def _between(one: Real | Whole, unit: float) -> float:
    if one.log:
        return one.low * (one.high / one.low) ** unit
    return one.low + (one.high - one.low) * unit
