"""Removes the test part from data before a trial gets it, so that no search can use it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from recsys.data.splits import Split

Data = TypeVar("Data")


class NoTestPart(RuntimeError):
    """Something in a search tried to use the test part."""


class _Absent:
    """Stands where the test part was; holds nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copying and pickling look for their own hooks
            raise AttributeError(name)
        raise NoTestPart(f"a search sees no test part ({name} was asked of it): choose on validation")

    def __getitem__(self, name: Any) -> Any:
        raise NoTestPart(f"a search sees no test part ({name!r} was asked of it): choose on validation")

    def __len__(self) -> int:
        raise NoTestPart("a search sees no test part (its length was asked): choose on validation")

    def __iter__(self) -> Any:
        raise NoTestPart("a search sees no test part (it was to be walked through): choose on validation")

    def __repr__(self) -> str:
        return "<the test part, which a search is not given>"


ABSENT = _Absent()


def without_test(data: Data) -> Data:
    """The data without its test part, as a trial gets it.

    Args:
        data: a `Split`, or anything with a method `without_test()`.

    Raises:
        TypeError: neither; such data could hold a test part that cannot be removed.
    """
    if isinstance(data, Split):
        return replace(data, test=ABSENT)
    if hasattr(data, "without_test"):
        return data.without_test()
    raise TypeError(f"{type(data).__name__} has no without_test(): a search cannot tell its test part")
