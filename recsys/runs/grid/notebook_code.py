"""The part of a notebook's code that can change what it records.

Cells that only show something (a plot, a table, "what the grid says", exercises) may change without making a
record out of date. Counted are the statements from which `record(...)` gets its values (a backward slice),
and every statement that may change one of those values or the state of a library.
"""

import ast
import builtins
from collections.abc import Iterable
from dataclasses import dataclass

from recsys.code.definitions import Definition, aliases_of, code_of
from recsys.runs.grid.notebook_cells import Cell, code_cells
from recsys.runs.grid.parameters import parse_cell

SHOWS = ("recsys.plots", "recsys.runs", "IPython", "matplotlib", "seaborn", "pandas", "display")
BY_HAND = "by-hand"  # tag of the cell that sets threads when a notebook is run without the runner
CHANGES = ("exec", "eval", "setattr", "delattr", "next", "open", "input")  # built-ins with side effects
# methods of tables and figures that return something new and do not change the object
READS = {"agg", "assign", "describe", "drop", "dropna", "filter", "format", "get", "groupby", "head", "hide"}
READS |= {"items", "join", "keys", "map", "merge", "pivot", "pivot_table", "query", "rename", "reset_index"}
READS |= {
    "round",
    "set_index",
    "sort_index",
    "sort_values",
    "tail",
    "to_frame",
    "to_string",
    "unstack",
    "values",
}


@dataclass(frozen=True)
class NotebookCode:
    """The statements that count: their sha256, and as a `Definition` with what they refer to."""

    sha256: str
    code: Definition


def notebook_code(cells: Iterable[Cell]) -> NotebookCode:
    """The statements of a notebook that count; all of them where no cell calls `record`."""
    statements: list[ast.stmt] = []
    parameters: set[str] = set()
    for cell in code_cells(cells):
        if "parameters" in cell.tags:  # the record contains the values that were used
            parameters = set().union(*map(_bound, parse_cell(cell.source).body))
            continue
        if BY_HAND in cell.tags:
            continue  # under the runner it does nothing
        try:
            statements += parse_cell(cell.source).body
        except SyntaxError:  # the kernel reports it, with its traceback
            statements.append(ast.Expr(ast.Constant(cell.source)))
    aliases = aliases_of(statements)
    kept = _Slice(aliases, parameters).of(statements) or statements
    definition = code_of(kept, aliases)
    return NotebookCode(definition.sha256, definition)


class _Slice:
    def __init__(self, aliases: dict[str, str], parameters: set[str]) -> None:
        self._aliases = aliases
        self._parameters = parameters  # numbers and texts, which cannot be changed in place
        self._needed: set[str] = set()
        self._kept: set[int] = set()

    def of(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        """The statements that count, in order; repeats until no more are found."""
        before = -1
        while before != len(self._kept):
            before = len(self._kept)
            self._visit(statements)
        if not any(self._is_record(node) for node in ast.walk(ast.Module(statements, []))):
            return []
        return self._without(statements)

    def _visit(self, statements: list[ast.stmt]) -> bool:
        """Mark the statements that count; True if any of these does."""
        found = False
        for node in reversed(statements):
            inner = [part for part in _blocks(node) if self._visit(part)]
            if inner or (not _blocks(node) and self._counts(node)):
                found = True
                self._kept.add(id(node))
                self._needed |= _loads(node if not _blocks(node) else _header(node))
        return found

    def _counts(self, node: ast.stmt) -> bool:
        if isinstance(node, ast.Import | ast.ImportFrom):
            return False  # what is used of them is found by name
        if any(self._is_record(call) for call in ast.walk(node)):
            return True
        if _bound(node) & self._needed:
            return True
        if not isinstance(node, ast.Expr):
            return bool(_blocks(node))
        return any(self._may_change(call) for call in ast.walk(node.value) if isinstance(call, ast.Call))

    def _may_change(self, call: ast.Call) -> bool:
        """Whether a call made for its effect may change a value that counts, or a library's state."""
        path = ast.unparse(call.func)
        head, _, method = path.partition(".")
        head = head.partition("(")[0].partition("[")[0]
        spelt = ".".join(filter(None, [self._aliases.get(head, head), method]))
        if _is_shown(spelt) or (hasattr(builtins, spelt) and spelt not in CHANGES):
            return False
        values = self._needed - self._parameters
        handed = bool(_loads_of([*call.args, *call.keywords]) & values)
        if head in self._aliases:
            return handed or not spelt.startswith("recsys.")
        if isinstance(call.func, ast.Attribute):
            return head in values and call.func.attr not in READS
        return handed

    def _is_record(self, node: ast.AST) -> bool:
        if not isinstance(node, ast.Call):
            return False
        head, _, rest = ast.unparse(node.func).partition(".")
        path = ".".join(filter(None, [self._aliases.get(head, head), rest]))
        return path.startswith("recsys.runs.") and path.rpartition(".")[2] == "record"

    def _without(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        """Copies of the statements that count, their blocks reduced to what counts."""
        kept = []
        for node in statements:
            if id(node) not in self._kept:
                continue
            if _blocks(node):
                node = _header(node, keep=self._without)
            kept += self._changing(node) if isinstance(node, ast.Expr) else [node]
        return kept

    def _changing(self, node: ast.Expr) -> list[ast.stmt]:
        """The calls inside an expression that may change a value; showing the result does not count."""
        outer = node.value
        if not isinstance(outer, ast.Call) or self._is_record(outer) or self._may_change(outer):
            return [node]
        calls = [call for call in ast.walk(outer) if isinstance(call, ast.Call)]
        return [ast.Expr(call) for call in calls if self._may_change(call)]


def _is_shown(path: str) -> bool:
    return any(path == shown or path.startswith(f"{shown}.") for shown in SHOWS)


def _blocks(node: ast.stmt) -> list[list[ast.stmt]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return []
    parts = [getattr(node, name, None) or [] for name in ("body", "orelse", "finalbody")]
    return [p for p in [*parts, *(h.body for h in getattr(node, "handlers", []))] if p]


def _header(node: ast.stmt, keep=lambda statements: []) -> ast.stmt:
    """A compound statement (`if`, `for`, ...) with its blocks replaced."""
    fields = dict(ast.iter_fields(node))
    for name in ("body", "orelse", "finalbody"):
        if name in fields:
            fields[name] = keep(fields[name])
    if "handlers" in fields:
        fields["handlers"] = [ast.ExceptHandler(h.type, h.name, keep(h.body)) for h in fields["handlers"]]
    return type(node)(**fields)


def _bound(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    targets = [*getattr(node, "targets", []), *filter(None, [getattr(node, "target", None)])]
    targets += [named.target for named in ast.walk(node) if isinstance(named, ast.NamedExpr)]
    found = set()
    for target in targets:
        while isinstance(target, ast.Subscript | ast.Attribute):
            target = target.value  # x[i] = 1 and x.a = 1 change x
        found |= {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
    return found


def _loads(node: ast.AST) -> set[str]:
    return _loads_of([node])


def _loads_of(nodes: Iterable[ast.AST]) -> set[str]:
    """Names that are read, without a comprehension's own variables."""
    found, own = set(), set()
    for node in nodes:
        for part in ast.walk(node):
            if isinstance(part, ast.comprehension):
                own |= {n.id for n in ast.walk(part.target) if isinstance(n, ast.Name)}
            elif isinstance(part, ast.Name):
                found.add(part.id)
    return found - own
