"""Strict reading of YAML: version 1.2, where `1e-4` is a number; a duplicate key is an error.

So are keys that differ only in quotation marks (1 and "1"), numbers that are not finite, and aliases that
contain themselves or stand for more values than any file here has.

PyYAML reads YAML 1.1: `1e-4` becomes text, `yes` becomes true, and of two equal keys the last one silently
wins. ruamel.yaml does none of that, and its round-trip tree knows each entry's line, so that errors can name
the place.
"""

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedBase, CommentedMap
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, YAMLError

Model = TypeVar("Model", bound=BaseModel)

DEEPEST = 50  # levels
MOST_VALUES = 100_000  # of a file, those of its aliases counted each time: ten lines can stand for 10⁹


def read_yaml(path: Path, error: type[ValueError]) -> CommentedMap:
    """The mapping in a YAML file.

    Raises:
        error: with file and line: unreadable, no valid YAML, a duplicate key, a number that is not finite,
            too many or too deep values, or no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        told = getattr(problem, "strerror", None) or problem
        raise error(f"{path.name} can't be read: {told}") from None
    try:
        whole = _tree(text)
    except MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        where = f", line {mark.line + 1}" if mark else ""
        told = (problem.problem or "not valid YAML").replace('with value "', 'again, with the value "')
        raise error(f"{path.name}{where}: not valid YAML: {told}") from None
    except YAMLError as problem:
        raise error(f"{path.name}: not valid YAML: {problem}") from None
    if not isinstance(whole, CommentedMap):
        raise error(f"{path.name}: expected keys with values, found {type(whole).__name__}")
    if found := _odd(whole):
        location, what = found
        raise error(f"{path.name}, line {line_of(whole, location) or 1}: {what}")
    return whole


@functools.lru_cache(maxsize=128)
def _tree(text: str) -> Any:
    """Kept, because a tenth of a second a file is long where every broken claim asks for its line; nobody
    changes a tree."""
    reader = YAML(typ="rt")
    reader.Composer = _Shallow
    return reader.load(text)


class _Shallow(Composer):
    """Refuses what is nested too deeply while reading: at Python's own limit of calls anything may fail,
    even a finalizer that the garbage collector happens to call there."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.depth > DEEPEST:
            mark = self.parser.peek_event().start_mark
            raise MarkedYAMLError(None, None, f"nested more than {DEEPEST} levels deep", mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def _odd(whole: CommentedMap) -> tuple[tuple, str] | None:
    """The first place with what YAML allows and no file here means, and what it is."""
    waiting: list[tuple[tuple, Any]] = [((), whole)]
    seen = 0
    while waiting:
        location, node = waiting.pop()
        seen += 1
        if len(location) > DEEPEST:
            return location, f"nested more than {DEEPEST} levels deep, or an alias that contains itself"
        if seen > MOST_VALUES:
            return location, f"more than {MOST_VALUES:,} values, those of aliases counted each time"
        if isinstance(node, float) and not math.isfinite(node):
            return location, f"{node} is no finite number"
        if isinstance(node, dict):
            names = [str(key) for key in node]
            if again := [name for name in names if names.count(name) > 1]:
                return (*location, again[0]), f"the key {again[0]!r} stands twice, with and without quotes"
        if isinstance(node, dict | list):
            parts = node.items() if isinstance(node, dict) else enumerate(node)
            waiting += [((*location, key), part) for key, part in parts]
    return None


def plain(node: Any) -> Any:
    """The same values as dict, list and Python scalars, without the tree's positions."""
    if isinstance(node, dict):
        return {str(key): plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(value) for value in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def line_of(node: Any, location: tuple) -> int | None:
    """Line of the entry at a location (keys and indices), or of the nearest enclosing entry with a line."""
    line = None
    for key in location:
        if not isinstance(node, CommentedBase):
            break
        try:
            line = (node.lc.key(key) if isinstance(node, dict) else node.lc.item(key))[0] + 1
            node = node[key]
        except (KeyError, IndexError, TypeError, AttributeError):
            break
    if line is None and isinstance(node, CommentedBase):
        line = node.lc.line + 1
    return line


def validated(
    model: type[Model], path: Path, error: type[ValueError], named: Callable[[tuple], str] | None = None
) -> tuple[Model, CommentedMap]:
    """Read a file as a pydantic model; returns the model and the YAML tree.

    Args:
        model: class to validate by. path: of the file. error: exception class to raise.
        named: turns a location into text; default: its parts joined by dots.

    Raises:
        error: names file, line and what is wrong with each value.
    """
    tree = read_yaml(path, error)
    try:
        return model.model_validate(plain(tree)), tree
    except ValidationError as problem:
        told = "; ".join(
            f"{path.name}, line {line_of(tree, e['loc']) or 1}: {(named or _dotted)(e['loc'])}: {e['msg']}"
            for e in problem.errors()
        )
        raise error(told) from None


def _dotted(location: tuple) -> str:
    return ".".join(map(str, location))
