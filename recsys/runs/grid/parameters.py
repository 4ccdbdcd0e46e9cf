"""A notebook's parameters: read strictly, and checked before any run starts.

Papermill only warns about a misspelt name, accepts a string for an int and injects its values after the
parameters cell, so that a value derived in that cell goes stale. Here the one cell tagged `parameters` may
contain only annotated literals, every requested name and type is checked against it, and a notebook that
assigns a parameter a second time is refused.
"""

import ast
import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from recsys.runs.grid.notebook_cells import Cell, code_cells

SIMPLE_TYPES = {"int": int, "float": float, "str": str, "bool": bool}


class ParameterError(ValueError):
    """A parameter is unknown, of the wrong type, or declared in a form that the runner cannot use."""


@dataclass(frozen=True)
class Parameter:
    """One line of the parameters cell: `name: annotation = default  # meaning`."""

    name: str
    annotation: str
    default: Any
    meaning: str
    adapter: TypeAdapter

    def check(self, value: Any, source: str) -> Any:
        """The value converted to the parameter's type; `source` names its origin in errors."""
        try:
            checked = self.adapter.validate_python(value, strict=True)
        except ValidationError:
            raise ParameterError(
                f"{source}: parameter '{self.name}' expects {self._expected()}, got {value!r:.200} "
                f"({type(value).__name__}); the notebook's default is {self.default!r}"
            ) from None
        try:
            json.dumps(checked, allow_nan=False, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ParameterError(
                f"{source}: parameter '{self.name}' holds half a character: {checked!r:.200}"
            ) from None
        except ValueError:
            raise ParameterError(f"{source}: parameter '{self.name}' must be finite, got {value!r}") from None
        return checked

    def _expected(self) -> str:
        """The annotation in words: a Literal's values, any other type by its name."""
        values = re.fullmatch(r"Literal\[(.*)\]", self.annotation)
        return f"one of {values[1]}" if values else self.annotation


def parse_cell(source: str) -> ast.Module:
    """The syntax tree of a cell, with IPython magics as function calls."""
    if source.startswith(("%%time", "%%capture")):
        source = source.partition("\n")[2]  # the body of these cell magics runs in the notebook's namespace
    try:
        return _tree(source)
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager

        return _tree(TransformerManager().transform_cell(source))


def _tree(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (ValueError, RecursionError, MemoryError) as error:  # NUL, half a character, nested without end
        raise SyntaxError(str(error) or type(error).__name__) from None


def _parameters_cell(cells: Sequence[Cell], path: str) -> Cell:
    tagged = [cell for cell in code_cells(cells) if "parameters" in cell.tags]
    if len(tagged) != 1:
        raise ParameterError(f"{path}: needs exactly one code cell tagged 'parameters', has {len(tagged)}")
    return tagged[0]


def _parsed(cell: Cell, path: str) -> ast.Module:
    try:
        return _tree(cell.source)
    except SyntaxError as error:
        raise ParameterError(f"{path}, cell {cell.number}, line {error.lineno}: {error.msg}") from None


def _type_of(node: ast.expr) -> Any:
    """The type that an annotation names, from an allow-list: nothing is evaluated."""
    match node:
        case ast.Name(id=name) if name in SIMPLE_TYPES:
            return SIMPLE_TYPES[name]
        case ast.Subscript(value=ast.Name(id="list"), slice=inner):
            return list[_type_of(inner)]
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inner):
            choices = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return Literal[tuple(ast.literal_eval(choice) for choice in choices)]
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            return _type_of(left) | None
    raise ValueError(ast.unparse(node))


def read_parameters(cells: Sequence[Cell], path: str) -> dict[str, Parameter]:
    """The parameters that a notebook declares, in its order.

    Raises:
        ParameterError: there is not exactly one tagged cell, or it contains anything but
            `name: type = literal` lines.
    """
    tagged = _parameters_cell(cells, path)
    number, lines = tagged.number, tagged.source.splitlines()
    parameters: dict[str, Parameter] = {}
    for node in _parsed(tagged, path).body:
        text = ast.unparse(node)
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value):
            raise ParameterError(
                f"{path}, cell {number}: '{text}' is not an annotated literal like 'rank: int = 8'; values "
                "derived from parameters belong in a later cell, because papermill injects after this one"
            )
        try:
            adapter = TypeAdapter(_type_of(node.annotation))
            default = ast.literal_eval(node.value)
        except (ValueError, TypeError):
            raise ParameterError(
                f"{path}, cell {number}: '{text}' must have a literal value and one of the types "
                "int, float, str, bool, list[...], Literal[...] or one of them | None"
            ) from None
        rest = lines[node.end_lineno - 1].encode()[node.end_col_offset :].decode()  # ast counts bytes
        meaning = rest.partition("#")[2].strip()
        name, annotation = node.target.id, ast.unparse(node.annotation)
        if name in parameters:
            raise ParameterError(f"{path}, cell {number}: parameter '{name}' stands twice")
        parameter = Parameter(name, annotation, default, meaning, adapter)
        # `rate: float = 1` has the default 1.0: the same run must have the same identity
        checked = parameter.check(default, f"{path}, cell {number}")
        parameters[name] = replace(parameter, default=checked)
    return parameters


def resolve(
    parameters: Mapping[str, Parameter], asked: Mapping[str, Any], source: str, *, as_text: bool = False
) -> dict[str, Any]:
    """The requested values, checked against the notebook's declaration.

    Args:
        parameters: from `read_parameters`.
        asked: name → value; with `as_text` the values are strings from the command line.
        source: where the values come from, for errors.

    Raises:
        ParameterError: a name that the notebook lacks (the message suggests the nearest), or a wrong type.
    """
    checked = {}
    for name, value in asked.items():
        if name not in parameters:
            near = difflib.get_close_matches(name, parameters, n=1, cutoff=0.5)
            hint = (
                f"did you mean '{near[0]}' ({parameters[near[0]].annotation})?"
                if near
                else "it has " + ", ".join(f"{p.name} ({p.annotation})" for p in parameters.values())
            )
            raise ParameterError(f"{source}: the notebook has no parameter '{name}'; {hint}")
        parameter = parameters[name]
        checked[name] = parameter.check(_from_text(value, parameter) if as_text else value, source)
    return checked


def _from_text(text: str, parameter: Parameter) -> Any:
    """A command-line string as a Python value; left as text where the parameter may be text."""
    if text == "None" and parameter.annotation.endswith("| None"):
        return None
    try:
        return parameter.adapter.validate_python(text, strict=True)
    except ValidationError:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return {"True": True, "False": False, "None": None}.get(text, text)


def reassigned(cells: Sequence[Cell], names: set[str]) -> list[str]:
    """Where a parameter is assigned again after its cell, which would undo an override."""
    first = next((cell.number for cell in cells if "parameters" in cell.tags), 0)
    found = []
    for cell in code_cells(cells):
        if cell.number <= first:
            continue
        try:
            tree = parse_cell(cell.source)
        except SyntaxError:
            continue  # the kernel reports it, with its traceback
        for node in ast.walk(tree):
            bound = _bound_names(node) & names
            if bound:
                line = cell.source.splitlines()[node.lineno - 1].strip()
                found.append(f"cell {cell.number} binds '{bound.pop()}' again: {line}")
    return found


def _bound_names(node: ast.AST) -> set[str]:
    """Names that one syntax node binds in its scope."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return {name}
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.AsyncFunctionDef(name=name):
            return {name}
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.ExceptHandler(name=str(name)):
            return {name}
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return {alias.asname or alias.name.partition(".")[0] for alias in names}
    return set()
