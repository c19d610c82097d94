"""What can be wrong in a line: for a node of the syntax tree the nodes that a slip of the pen could have put there.

Left alone is what no run can tell apart: annotations, docstrings, the words of messages (whatever a ``raise`` builds), and
texts, which are names and words for people. Bytes are not texts: they are what stands in a file.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from typing import Final

_COMPARED: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_CALCULATED: Final[dict[type[ast.operator], tuple[type[ast.operator], ...]]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.FloorDiv,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
}
_EXCHANGED: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}
_NEVER_RAISED: Final = "NotImplementedError"
"""What an ``except`` waits for in vain."""


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """The wrong nodes that could stand in a node's place. The node itself is not changed."""
    match node:
        case ast.Compare():
            yield from _comparisons(node)
        case ast.BoolOp():
            yield from _conditions(node)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.UnaryOp(op=ast.USub(), operand=operand) if not isinstance(operand, ast.Constant):
            yield operand
        case ast.BinOp(op=op) if not _is_formatting(node):
            yield from (_with(node, op=other()) for other in _CALCULATED.get(type(op), ()))
        case ast.Constant():
            yield from _constants(node)
        case ast.Call(func=ast.Name(id=name)) if name in _EXCHANGED:
            yield _with(node, func=ast.Name(_EXCHANGED[name], ast.Load()))
        case ast.Call(func=ast.Name(id="sorted"), args=[what, *_]):
            yield _with(node, func=ast.Name("list", ast.Load()), args=[what], keywords=[])
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) if _is_plain(test):
            yield _with(node, test=ast.UnaryOp(ast.Not(), test))
        case ast.comprehension(ifs=[_, *_] as ifs):
            yield from (_with(node, ifs=ifs[:at] + ifs[at + 1 :]) for at in range(len(ifs)))
        case ast.ExceptHandler(type=kind) if kind is not None:
            yield _with(node, type=ast.Name(_NEVER_RAISED, ast.Load()))
        case ast.stmt():
            yield from _statements(node)


def _statements(node: ast.stmt) -> Iterator[ast.stmt]:
    match node:
        case ast.Return(value=value) if value is not None and not isinstance(value, ast.Constant):
            yield ast.Return(ast.Constant(None))
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()
        case ast.AugAssign(op=op):
            yield from (_with(node, op=other()) for other in _CALCULATED.get(type(op), ()))
            yield ast.Assign([node.target], node.value)
            yield ast.Pass()
        case ast.Raise() | ast.Delete():
            yield ast.Pass()
        case ast.Expr(value=value) if not isinstance(value, ast.Constant):
            yield ast.Pass()
        case ast.Assign(targets=targets) if any(
            isinstance(target, (ast.Attribute, ast.Subscript)) for target in targets
        ):
            yield ast.Pass()
        case ast.Assert():
            yield ast.Pass()


def _comparisons(node: ast.Compare) -> Iterator[ast.Compare]:
    for at, op in enumerate(node.ops):
        for other in _COMPARED[type(op)]:
            yield _with(node, ops=[*node.ops[:at], other(), *node.ops[at + 1 :]])


def _conditions(node: ast.BoolOp) -> Iterator[ast.expr]:
    yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    for at in range(len(node.values)):
        rest = node.values[:at] + node.values[at + 1 :]
        yield rest[0] if len(rest) == 1 else _with(node, values=rest)


def _constants(node: ast.Constant) -> Iterator[ast.Constant]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
        yield ast.Constant(value - 1)
    elif isinstance(value, float):
        yield ast.Constant(value * 2 + 1)
    elif isinstance(value, bytes):
        yield ast.Constant(value[:-1] + b"?" if value else b"?")


def _is_plain(test: ast.expr) -> bool:
    """Whether nothing else turns a condition round: a comparison and a ``not`` have their own opposites."""
    return not isinstance(test, (ast.Compare, ast.UnaryOp, ast.Constant))


def _is_formatting(node: ast.BinOp) -> bool:
    return (
        isinstance(node.op, ast.Mod)
        and isinstance(node.left, ast.Constant)
        and isinstance(node.left.value, (bytes, str))
    )


def _with(node: ast.AST, **changes: object) -> ast.AST:
    other = copy.copy(node)
    for name, value in changes.items():
        setattr(other, name, value)
    return other
