"""A mutant: where it is, what it says instead, and how it is made."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from .operators import variants
from .targets import Target

_BLOCKS: Final = ("body", "orelse", "finalbody", "handlers", "cases", "decorator_list")
_NOT_RUN: Final = {"annotation", "returns", "decorator_list", "type_params", "format_spec"}


@dataclass(slots=True)
class Edit:
    """One node of a tree, and what stands there in the mutant."""

    holder: ast.AST
    name: str
    at: int | None
    new: ast.AST

    def apply(self) -> ast.AST:
        """Put the new node there; returns the old one."""
        found: Any = getattr(self.holder, self.name)
        if self.at is None:
            setattr(self.holder, self.name, self.new)
            return found
        old, found[self.at] = found[self.at], self.new
        return old


@dataclass(slots=True, kw_only=True)
class Mutant:
    """A module with one slip in it."""

    target: Target
    where: str
    """The qualified name of the function or class; "" for the module."""
    line: int
    """The first line of the statement."""
    last_line: int
    before: str
    """The statement as it is, its head if it has a block."""
    after: str
    in_function: bool
    """Whether it is in the code of a function, and not run by the import."""
    names: frozenset[str]
    """What a module's or class's statement gives a name to."""
    tree: ast.Module = field(repr=False)
    edit: Edit = field(repr=False)
    number: int = 1
    """Of those that say the same in the same function."""

    @property
    def key(self) -> str:
        """What it is called; the same as long as the statement is."""
        which = f" (number {self.number})" if self.number > 1 else ""
        return f"{self.target.name}: {self.where or 'module'}: {self.before} => {self.after or 'nothing'}{which}"

    def code(self) -> Any:
        """The compiled module. The tree stays as it was."""
        old = self.edit.apply()
        try:
            ast.fix_missing_locations(self.tree)
            return compile(self.tree, str(self.target.path), "exec", dont_inherit=True)
        finally:
            Edit(self.edit.holder, self.edit.name, self.edit.at, old).apply()


def mutants_of(target: Target) -> list[Mutant]:
    """All mutants of a module, in the order of its lines; no two that say the same in the same function."""
    tree = ast.parse(target.text())
    found: dict[tuple[int, str], Mutant] = {}
    seen: Counter[str] = Counter()
    for mutant in _Finder(target, tree).block(tree, "body", _Place(tree)):
        if (mutant.line, mutant.key) not in found:
            seen[mutant.key] += 1
            found[mutant.line, mutant.key] = replace(mutant, number=seen[mutant.key])
    return list(found.values())


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the finder is."""

    stmt: ast.AST
    where: str = ""
    in_function: bool = False
    in_class: bool = False


class _Finder:
    """Goes through a tree and yields what each node could be instead."""

    def __init__(self, target: Target, tree: ast.Module) -> None:
        self._target = target
        self._tree = tree

    def block(self, holder: ast.AST, name: str, place: _Place) -> Iterator[Mutant]:
        for at, stmt in enumerate(getattr(holder, name)):
            if _is_typing_only(stmt):
                continue
            here = _Place(stmt, place.where, place.in_function, place.in_class)
            yield from self._node(stmt, holder, name, at, here)

    def _node(self, node: ast.AST, holder: ast.AST, name: str, at: int | None, place: _Place) -> Iterator[Mutant]:
        for new in variants(node):
            yield self._mutant(Edit(holder, name, at, ast.copy_location(new, node)), node, place)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield from self._definition(node, place)
        elif not isinstance(node, ast.Raise):
            yield from self._children(node, place)

    def _definition(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, place: _Place
    ) -> Iterator[Mutant]:
        where = f"{place.where}.{node.name}" if place.where else node.name
        if isinstance(node, ast.ClassDef):
            yield from self.block(node, "body", _Place(node, where, in_class=True))
            return
        yield from self._children(node.args, _Place(node, where, place.in_function))
        if place.in_function:
            where = place.where  # a function in a function is part of its code
        yield from self.block(node, "body", _Place(node, where, in_function=True))

    def _children(self, node: ast.AST, place: _Place) -> Iterator[Mutant]:
        for name, value in ast.iter_fields(node):
            if name in _NOT_RUN:
                continue
            if isinstance(value, list):
                if value and isinstance(value[0], ast.stmt):
                    yield from self.block(node, name, place)
                else:
                    for at, child in enumerate(value):
                        if isinstance(child, ast.AST):
                            yield from self._node(child, node, name, at, _inner(child, place))
            elif isinstance(value, ast.AST):
                yield from self._node(value, node, name, None, place)

    def _mutant(self, edit: Edit, node: ast.AST, place: _Place) -> Mutant:
        stmt = edit.new if node is place.stmt else place.stmt
        before = _head(place.stmt)
        old = edit.apply()
        try:
            after = _head(stmt)
        finally:
            Edit(edit.holder, edit.name, edit.at, old).apply()
        return Mutant(
            target=self._target,
            where=place.where,
            line=place.stmt.lineno,  # type: ignore[attr-defined]
            last_line=_last_line(place.stmt),
            before=before,
            after=after,
            in_function=place.in_function,
            names=frozenset() if place.in_function else _bound(place.stmt),
            tree=self._tree,
            edit=edit,
        )


def _inner(child: ast.AST, place: _Place) -> _Place:
    """An ``except`` and a ``case`` have lines of their own."""
    if isinstance(child, (ast.ExceptHandler, ast.match_case)):
        if isinstance(child, ast.match_case):
            ast.copy_location(child, child.pattern)
        return _Place(child, place.where, place.in_function, place.in_class)
    return place


def _is_typing_only(stmt: ast.stmt) -> bool:
    match stmt:
        case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.Import() | ast.ImportFrom():
            return True
        case ast.Assign(targets=[ast.Name(id="__slots__")]):
            return True
        case ast.Assign(value=ast.Call(func=ast.Name(id="TypeVar"))):
            return True
    return False


def _head(stmt: ast.AST) -> str:
    """A statement in one line, without the block it may have."""
    shown = copy.copy(stmt)
    for name in _BLOCKS:
        if isinstance(getattr(shown, name, None), list):
            setattr(shown, name, [ast.Pass()] if name == "body" else [])
    if isinstance(shown, ast.Try):
        shown.finalbody = [ast.Pass()]
    return " ".join(ast.unparse(ast.fix_missing_locations(shown)).removesuffix("pass").split())


def _last_line(stmt: ast.AST) -> int:
    body = getattr(stmt, "body", None)
    if isinstance(body, list) and body:
        return max(stmt.lineno, body[0].lineno - 1)  # type: ignore[attr-defined]
    return stmt.end_lineno or 0  # type: ignore[attr-defined]


def _bound(stmt: ast.AST) -> frozenset[str]:
    if isinstance(stmt, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return frozenset()
    stored = (node for node in ast.walk(stmt) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    return frozenset(node.id for node in stored)
