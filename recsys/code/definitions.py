"""A module's source as definitions: what each is, as a hash, and what each refers to.

A definition is a function, a class, a module-level assignment, one line of a `Registry`, or the statements
that a module runs when it is imported. Its hash leaves out what cannot change a number: layout, comments,
docstrings, the annotations of functions, and the import lines of `recsys`; so a file that moves, or a name
that is imported from another place, changes no hash.
"""

import ast
import functools
import hashlib
import re
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field

PACKAGE = "recsys"
PLACE = re.compile(rf"\b{PACKAGE}(\.[a-z_]\w*)+")  # a module, or something in it, as texts name them
BODY = "<import>"  # name of the definition that collects statements which only run at import


@dataclass(frozen=True)
class Definition:
    """One definition of a module.

    name: within its module; "X[name]" for an entry of the registry X. sha256: of what can change a number.
    uses: dotted paths inside `recsys` that it refers to. packages: other packages that it refers to.
    entry: "kind/name" of a registry entry, else "".
    """

    name: str
    sha256: str
    uses: frozenset[str]
    packages: frozenset[str]
    entry: str = ""


@dataclass(frozen=True)
class Module:
    """One source file. definitions: by name. aliases: what it imports, local name → dotted path."""

    name: str
    definitions: dict[str, Definition]
    aliases: dict[str, str] = field(default_factory=dict)


@functools.lru_cache(maxsize=4096)
def read_module(name: str, source: str) -> Module:
    """The definitions of a module's source.

    Raises:
        SyntaxError: the source is not valid Python.
    """
    tree = ast.parse(source)
    aliases = dict(_aliases(_statements(tree.body)))
    found: dict[str, Definition] = {}
    body: list[ast.stmt] = []
    for node in tree.body:
        names = _bound(node)
        if isinstance(node, ast.Import | ast.ImportFrom) or _is_docstring(node) or _for_types_only(node):
            continue
        if not names:
            body += [node]
            continue
        rest, entries = _registry(node)
        own = _definition(names[0], [rest], name, aliases)
        for bound in names:
            again = bound in found  # `X = 1` and later `X += 1`: both belong to X
            found[bound] = _joined(found[bound], own, bound) if again else _named(own, bound)
        for kind, key, target in entries:
            found[f"{names[0]}[{key}]"] = _entry(names[0], kind, key, target)
    imports = [node for node in body if not _only_imports(node)]
    if imports:
        found[BODY] = _definition(BODY, imports, name, aliases)
    local = {bound: f"{name}.{bound}" for bound in found}
    return Module(name, found, {k: v for k, v in aliases.items() if k not in local})


def code_of(statements: list[ast.stmt], aliases: dict[str, str], module: str = "") -> Definition:
    """Statements that belong to no module, such as a notebook's, as one definition."""
    return _definition(BODY, deepcopy(statements), module, aliases)


def aliases_of(statements: Iterable[ast.stmt]) -> dict[str, str]:
    """Names that statements import, each with its dotted path."""
    return dict(_aliases(_statements(list(statements))))


def references(nodes: Iterable[ast.AST], aliases: dict[str, str]) -> set[str]:
    """Dotted paths that code refers to: imported names are spelt out, other names stay as they are."""
    found = set()
    for node in nodes:
        for chain in _chains(node):
            head, *rest = chain
            found.add(".".join([aliases.get(head, head), *rest]))
    return found


def _definition(name: str, nodes: list[ast.stmt], module: str, aliases: dict[str, str]) -> Definition:
    """One definition of these statements, which it uses up: a copy of each would be half of the reading."""
    local = aliases | dict(_aliases(n for node in nodes for n in ast.walk(node)))
    bare = [node for node in map(_Bare().visit, nodes) if node is not None]
    uses, packages = set(), set()
    for node in bare:
        for head, *rest in _chains(node):
            if head in local:
                path = ".".join([local[head], *rest])
                top = path.partition(".")[0]
                uses |= {path} if top == PACKAGE else set()
                packages |= {top} if top != PACKAGE else set()
            elif module:
                uses.add(".".join([module, head, *rest]))
        uses |= set(_named_in_text(node))
    # a package imported in a function may be used for its side effects alone
    packages |= {p.partition(".")[0] for p in local.values() if p not in aliases.values()} - {PACKAGE}
    modules = {head for head, path in local.items() if path.startswith(f"{PACKAGE}.") and head.islower()}
    text = "\n".join(ast.dump(_Unplaced(modules).visit(node)) for node in bare)
    return Definition(
        name, hashlib.sha256(text.encode()).hexdigest()[:16], frozenset(uses), frozenset(packages)
    )


def _named(own: Definition, name: str) -> Definition:
    return Definition(name, own.sha256, own.uses, own.packages)


def _joined(first: Definition, second: Definition, name: str) -> Definition:
    both = hashlib.sha256((first.sha256 + second.sha256).encode()).hexdigest()[:16]
    return Definition(name, both, first.uses | second.uses, first.packages | second.packages)


def _entry(registry: str, kind: str, key: str, target: str) -> Definition:
    module, _, attribute = target.partition(":")
    text = f"{registry} {key} {attribute}"  # not the module: it may move
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    path = f"{module}.{attribute}"
    return Definition(f"{registry}[{key}]", digest, frozenset({path}), frozenset(), f"{kind}/{key}")


def _registry(node: ast.stmt) -> tuple[ast.stmt, list[tuple[str, str, str]]]:
    """A `Registry(kind, {...})` assignment without its lines, and the lines: (kind, name, target)."""
    value = getattr(node, "value", None)
    if not (isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(value, ast.Call)):
        return node, []
    if ast.unparse(value.func).rpartition(".")[2] != "Registry" or len(value.args) != 2:
        return node, []
    kind, lines = value.args
    if not (isinstance(kind, ast.Constant) and isinstance(lines, ast.Dict)):
        return node, []
    pairs = list(zip(lines.keys, lines.values, strict=True))
    if not all(isinstance(part, ast.Constant) for pair in pairs for part in pair):
        return node, []
    rest = deepcopy(node)
    rest.value.args[1] = ast.Dict([], [])
    return rest, [(str(kind.value), str(key.value), str(target.value)) for key, target in pairs]


def _bound(node: ast.stmt) -> list[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [n.id for target in targets for n in ast.walk(target) if _is_store(n)]
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            return [n.id for n in ast.walk(target) if _is_store(n)]
    return []


def _is_store(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _for_types_only(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING"


def _only_imports(node: ast.stmt) -> bool:
    """`try: import x / except ImportError: ...` defines nothing else than a name."""
    inner = [n for n in ast.walk(node) if isinstance(n, ast.stmt) and n is not node]
    return bool(inner) and all(isinstance(n, ast.Import | ast.ImportFrom | ast.Pass) for n in inner)


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module's own level, those under `if` and `try` too, but not what only types need."""
    for node in body:
        if _for_types_only(node):
            continue
        yield node
        for part in ("body", "orelse", "finalbody"):
            if isinstance(node, ast.If | ast.Try | ast.With):
                yield from _statements(getattr(node, part, []))
        for handler in getattr(node, "handlers", []):
            yield from _statements(handler.body)


def _aliases(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (top, top)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


class _Bare(ast.NodeTransformer):
    """Takes out what cannot change a number; nested functions and classes too."""

    def visit_Import(self, node: ast.Import) -> ast.AST | None:
        return None if all(a.name.partition(".")[0] == PACKAGE for a in node.names) else node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return None if (node.module or "").partition(".")[0] == PACKAGE else node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        arguments = node.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            argument.annotation = None
        for argument in filter(None, (arguments.vararg, arguments.kwarg)):
            argument.annotation = None
        return self._without_docstring(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._without_docstring(node)

    def _without_docstring(self, node: ast.AST) -> ast.AST:
        node.body = [part for part in node.body if not _is_docstring(part)]
        self.generic_visit(node)
        return node


class _Unplaced(ast.NodeTransformer):
    """Forgets in which module of `recsys` a name was found: `timing.measure` is the same after a move.

    The same in texts, which name modules to importlib, to other processes and to readers of errors.
    """

    def __init__(self, modules: set[str]) -> None:
        self._modules = modules  # lower-case imported names: modules, where something is asked of them

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not isinstance(node.value, str):
            return node
        return ast.Constant(PLACE.sub(lambda found: found[0].rpartition(".")[2], node.value))

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id in self._modules:
            return ast.Name(node.attr, ast.Load())
        return self.generic_visit(node)


def _chains(node: ast.AST) -> Iterator[list[str]]:
    """Every name that is read, with the attributes asked of it: `a.b.c` is [a, b, c]."""
    if isinstance(node, ast.Attribute):
        parts, inner = [node.attr], node.value
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name):
            yield [inner.id, *reversed(parts)]
        else:
            yield from _chains(inner)
    elif isinstance(node, ast.Name):
        yield [node.id]
    else:
        for child in ast.iter_child_nodes(node):
            yield from _chains(child)


def _named_in_text(node: ast.AST) -> Iterator[str]:
    """Modules and objects named in a text, as `importlib` and subprocesses are told them."""
    for child in ast.walk(node):
        if isinstance(child, ast.Constant) and isinstance(child.value, str):
            path = child.value.replace(":", ".")
            if path.startswith(f"{PACKAGE}.") and all(part.isidentifier() for part in path.split(".")):
                yield path
