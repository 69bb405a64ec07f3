"""Conditions that business people write: safe expressions over named fields of a debtor.

    days_past_due > 30 and balance >= 200_00 and p_pay_uplift > 0.02
    country in ("ES", "PT") and promises_open == 0
    missing(days_since_contact) or days_since_contact >= 7

The syntax is Python's, of which comparisons, `and`, `or`, `not`, `in`, + - * / and `missing(field)` are allowed; it is
never executed. A field without a value makes a comparison unknown, as in SQL: a debtor is in a segment only where the
condition is known to hold (`not` of unknown is unknown).
"""

import ast
import math
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, Literal, NamedTuple, NoReturn

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.countries import plain
from domain.errors import BadInput
from strategy.spelling import misspelt

Flags = NDArray[np.bool_]
Numbers = NDArray[np.float64]
Kind = Literal["number", "word", "flag"]

#: Longer conditions are two segments.
MOST_CHARACTERS: Final = 2_000
#: So many operations may lie within one another; Python itself ends near a thousand.
_DEEPEST: Final = 100
#: No field holds more; beyond it neighbouring whole numbers are one as floats.
_GREATEST: Final = 2**53
#: More words than these are not listed in an error.
_LISTED: Final = 20
_MISSING: Final = "missing"
_COMPARE: Final[dict[type[ast.cmpop], Any]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
_MEMBER: Final = (ast.In, ast.NotIn)
_RECKON: Final[dict[type[ast.operator], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
}
_ALLOWED: Final = (
    "a condition compares fields with numbers, words in quotes or other fields (< <= > >= == != in, not in), joins by "
    "and, or, not, reckons by + - * /, and may ask missing(field)"
)
_TOLD: Final[dict[Kind, str]] = {"number": "a number", "word": "a word in quotes", "flag": "yes or no"}


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A field that conditions may name."""

    kind: Kind
    meaning: str
    unit: str = ""
    #: The words that it may hold; empty: any.
    words: tuple[str, ...] = ()
    #: Other names of those words, as `domain.countries.plain` has them.
    names: Mapping[str, str] = {}


class Truth(NamedTuple):
    """Where a condition holds and where it does not; elsewhere nobody knows."""

    yes: Flags
    no: Flags


class _Expression:
    """What has been checked against its fields."""

    def __init__(self, text: str, tree: ast.expr, reads: frozenset[str]) -> None:
        self.text = text
        #: Names of the fields that it looks at.
        self.reads = reads
        self._tree = tree

    @property
    def normal(self) -> str:
        """Return the text that all spellings of the same have in common."""
        return ast.unparse(self._tree)


class Quantity(_Expression):
    """A number of each debtor; `parse_quantity` makes it."""

    def of(self, columns: Mapping[str, NDArray[Any]], n: int) -> Numbers:
        """Return the number of each of n debtors, NaN where nobody knows it; columns as `Condition.holds` takes."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.broadcast_to(np.asarray(_value(self._tree, columns), np.float64), (n,))


class Condition(_Expression):
    """A condition; `parse` makes it."""

    @property
    def everybody(self) -> bool:
        """Return whether it is the bare word true."""
        return isinstance(self._tree, ast.Name) and self._tree.id == "true"

    @property
    def bounds(self) -> frozenset[str]:
        """Return the fields that it compares with figures other than nought."""
        found: set[str] = set()
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Compare):
                parts = list(ast.walk(node))
                if any(
                    isinstance(one, ast.Constant) and isinstance(one.value, int | float) and one.value for one in parts
                ):
                    found |= {one.id for one in parts if isinstance(one, ast.Name)}
        return frozenset(found)

    def holds(self, columns: Mapping[str, NDArray[Any]]) -> Flags:
        """Return where the condition is known to hold.

        Parameters
        ----------
        columns : mapping of str to (n,) arrays
            At least `reads`: numbers with NaN for none, words with None for none, flags.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            return _truth(self._tree, columns).yes


def parse(text: str, fields: Mapping[str, Field], where: str) -> Condition:
    """Check a condition against the fields.

    Parameters
    ----------
    where : str
        Stands before errors: the file, line and key of the condition.

    Raises
    ------
    BadInput
        At the first mistake, with its column and word.
    """
    return Condition(text, *_checked(text, fields, where, "flag"))


def parse_quantity(text: str, fields: Mapping[str, Field], where: str) -> Quantity:
    """Check what is to be a number, such as `value_call` or `balance * p_pay_uplift`; as `parse`."""
    return Quantity(text, *_checked(text, fields, where, "number"))


def _checked(text: str, fields: Mapping[str, Field], where: str, kind: Kind) -> tuple[ast.expr, frozenset[str]]:
    if len(text) > MOST_CHARACTERS:
        raise BadInput(f"{where}: {len(text):,} characters, at most {MOST_CHARACTERS:,}; make it two segments")
    if not text.strip():
        what = "an empty condition; write true for everybody" if kind == "flag" else "empty; name a field"
        raise BadInput(f"{where}: {what}")
    if (fault := misspelt(text)) is not None:
        column, what = fault
        raise BadInput(f"{where}: column {column}: {what}{_pointed(text, column)}")
    try:
        # In parentheses, so that it may go over several lines.
        tree = ast.parse(f"({text}\n)", mode="eval").body
    except SyntaxError as error:
        column = _column(text, error.lineno or 1, (error.offset or 1) - 1)
        # What Python guesses ("Perhaps you forgot a comma?") is about programs.
        what = f"{error.msg.partition('. ')[0]}; {_ALLOWED}"
        raise BadInput(f"{where}: column {column}: {what}{_pointed(text, column)}") from None
    except (RecursionError, MemoryError, ValueError):
        raise BadInput(f"{where}: too deeply nested; make it two segments") from None
    checker = _Checker(text, fields, where)
    checker.shallow(tree)
    checker.want(tree, kind)
    return tree, frozenset(checker.reads)


def _column(text: str, line: int, offset: int) -> int:
    """Return the place in the text, from 1, of a character in a line of the text in parentheses."""
    lines = text.splitlines(keepends=True)
    before = sum(map(len, lines[: line - 1]))
    return max(1, min(len(text) + 1, before + offset + (0 if line == 1 else 1)))


def _pointed(text: str, column: int) -> str:
    """Return the line of a column and a mark under it."""
    before = text[: column - 1]
    line = text.splitlines()[before.count("\n")] if text else ""
    return f"\n    {line}\n    {' ' * (len(before) - before.rfind(chr(10)) - 1)}^"


# ---- checking


class _Checker:
    def __init__(self, text: str, fields: Mapping[str, Field], where: str) -> None:
        self.text, self.fields, self.where = text, fields, where
        self.reads: set[str] = set()

    def fail(self, node: ast.expr, what: str) -> NoReturn:
        # ast counts bytes.
        line = f"({self.text}\n)".splitlines()[node.lineno - 1]
        column = _column(self.text, node.lineno, len(line.encode()[: node.col_offset].decode()))
        raise BadInput(f"{self.where}: column {column}: {what}{_pointed(self.text, column)}")

    def shallow(self, tree: ast.expr) -> None:
        """Refuse what is nested too deeply to be gone through."""
        level: list[ast.AST] = [tree]
        for _ in range(_DEEPEST):
            level = [inner for node in level for inner in ast.iter_child_nodes(node)]
        for node in level:
            if isinstance(node, ast.expr):
                self.fail(node, f"more than {_DEEPEST} operations within one another; make it two segments")

    def want(self, node: ast.expr, kind: Kind) -> None:
        found = self.kind(node)
        if found != kind:
            self.fail(node, f"{self.word(node)} is {_TOLD[found]}; {_TOLD[kind]} is needed here")

    def word(self, node: ast.expr) -> str:
        return ast.get_source_segment(f"({self.text}\n)", node) or "this"

    def kind(self, node: ast.expr) -> Kind:  # noqa: RET503 (`fail` never returns)
        match node:
            case ast.Name(id="true" | "false") | ast.Constant(value=bool()):
                return "flag"
            case ast.Name(id=name):
                return self.field(node, name).kind
            case ast.Constant(value=int() | float() as number):
                if not math.isfinite(number) or abs(number) > _GREATEST:
                    self.fail(node, f"{self.word(node)} is more than any field holds; write a smaller number")
                return "number"
            case ast.Constant(value=str()):
                return "word"
            case ast.BoolOp(values=values):
                for value in values:
                    self.want(value, "flag")
                return "flag"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                self.want(operand, "flag")
                return "flag"
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                self.want(operand, "number")
                return "number"
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _RECKON:
                self.want(left, "number")
                self.want(right, "number")
                return "number"
            case ast.Compare():
                self.compare(node)
                return "flag"
            case ast.Call(func=ast.Name(id=name), args=[ast.Name(id=field) as of], keywords=[]) if name == _MISSING:
                self.field(of, field)
                return "flag"
            case ast.Call(func=ast.Name(id=name)) if name == _MISSING:
                self.fail(node, f"missing takes the name of one field, without quotes: missing({self.example(node)})")
            case _:
                self.fail(node, f"{self.word(node)} is not allowed; {_ALLOWED}")

    def example(self, call: ast.expr) -> str:
        """Return the field that a call may mean."""
        inner = (one.value for one in ast.walk(call) if isinstance(one, ast.Constant))
        return next((word for word in inner if isinstance(word, str) and word in self.fields), min(self.fields))

    def field(self, node: ast.expr, name: str) -> Field:
        field = self.fields.get(name)
        if field is None:
            near = get_close_matches(name, self.fields, 1)
            hint = f"do you mean {near[0]}?" if near else f"the fields are {', '.join(sorted(self.fields))}"
            self.fail(node, f"{name} is no field; {hint}")
        self.reads.add(name)
        return field

    def compare(self, node: ast.Compare) -> None:
        left = node.left
        for op, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, ast.Is | ast.IsNot):
                if isinstance(left, ast.Name) and self.word(right).casefold() in ("none", "null"):
                    self.fail(right, f"nothing is known where missing({left.id}) holds; write that")
                self.fail(right, "is compares objects; write == or !=")
            self.quoted(left, right)
            self.quoted(right, left)
            if isinstance(op, _MEMBER):
                self.member(left, right)
            else:
                kind = self.kind(left)
                self.want(right, kind)
                if kind != "number" and not isinstance(op, ast.Eq | ast.NotEq):
                    self.fail(left, f"{self.word(left)} is {_TOLD[kind]}, and has no order; compare it by == or in")
                self.spelt(left, right)
                self.spelt(right, left)
            left = right

    def member(self, left: ast.expr, right: ast.expr) -> None:
        if not isinstance(right, ast.Tuple | ast.List) or not right.elts:
            self.fail(right, 'in wants what it may be in parentheses, as in country in ("ES", "PT")')
        kind = self.kind(left)
        for one in right.elts:
            self.quoted(left, one)
            value = one.operand if isinstance(one, ast.UnaryOp) else one
            if not isinstance(value, ast.Constant):
                self.fail(one, f"{self.word(one)} is no number and no word in quotes; in compares with fixed values")
            self.want(one, kind)
            self.spelt(left, one)

    def quoted(self, of: ast.expr, word: ast.expr) -> None:
        """Refuse a word without its quotes, beside a field of words."""
        field = self.fields.get(of.id) if isinstance(of, ast.Name) else None
        if field is None or field.kind != "word" or not isinstance(word, ast.Name) or word.id in self.fields:
            return
        if word.id in field.words or not get_close_matches(word.id, self.fields, 1):
            self.fail(word, f'{word.id} is no field; a word stands in quotes: "{word.id}"')

    def spelt(self, of: ast.expr, word: ast.expr) -> None:
        """Refuse a word that a field never holds."""
        if not (isinstance(of, ast.Name) and isinstance(word, ast.Constant) and isinstance(word.value, str)):
            return
        field = self.fields[of.id]
        words: Sequence[str] = field.words
        if words and word.value not in words:
            # Two letters are too few to guess by.
            alike = {one.casefold(): one for one in words if len(one) > 2 or one.casefold() == word.value.casefold()}
            near = get_close_matches(word.value.casefold(), alike, 1)
            if (meant := field.names.get(plain(word.value)) or (alike[near[0]] if near else None)) is not None:
                hint = f"do you mean {meant!r}?"
            elif len(words) <= _LISTED:
                hint = f"it is one of {', '.join(words)}"
            else:
                hint = f"write a word as files have it ({field.meaning})"
            self.fail(word, f"{of.id} is never {word.value!r}; {hint}")


# ---- evaluating


def _truth(node: ast.expr, columns: Mapping[str, NDArray[Any]]) -> Truth:
    match node:
        case ast.Name(id="true" | "false") | ast.Constant():
            yes = node.id == "true" if isinstance(node, ast.Name) else bool(node.value)
            n = len(next(iter(columns.values()))) if columns else 0
            return Truth(np.full(n, yes), np.full(n, not yes))
        case ast.Name(id=name):
            flag = np.asarray(columns[name], bool)
            return Truth(flag, ~flag)
        case ast.UnaryOp(operand=operand):
            yes_of, no_of = _truth(operand, columns)
            return Truth(no_of, yes_of)
        case ast.BoolOp(op=op, values=values):
            parts = [_truth(value, columns) for value in values]
            every, some = (0, 1) if isinstance(op, ast.And) else (1, 0)
            joined = [np.logical_and.reduce([p[every] for p in parts]), np.logical_or.reduce([p[some] for p in parts])]
            return Truth(joined[every], joined[some])
        case ast.Call(args=[ast.Name(id=name)]):
            gone = _gone(columns[name])
            return Truth(gone, ~gone)
        case ast.Compare(left=first, ops=ops, comparators=rest):
            truth = None
            for left, compared, right in zip((first, *rest), ops, rest, strict=False):
                one = _compared(left, compared, right, columns)
                truth = one if truth is None else Truth(truth.yes & one.yes, truth.no | one.no)
            assert truth is not None
            return truth
    raise TypeError(f"unchecked condition: {ast.dump(node)}")


def _compared(left: ast.expr, op: ast.cmpop, right: ast.expr, columns: Mapping[str, NDArray[Any]]) -> Truth:
    a = _value(left, columns)
    if isinstance(op, _MEMBER):
        assert isinstance(right, ast.Tuple | ast.List)
        said = np.isin(a, np.array([ast.literal_eval(one) for one in right.elts], a.dtype))
        said = ~said if isinstance(op, ast.NotIn) else said
        unknown = _gone(a)
    else:
        b = _value(right, columns)
        said = np.asarray(_COMPARE[type(op)](a, b), bool)
        unknown = _gone(a) | _gone(b)
    return Truth(said & ~unknown, ~said & ~unknown)


def _value(node: ast.expr, columns: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    match node:
        case ast.Name(id="true" | "false"):
            return np.array(node.id == "true")
        case ast.Name(id=name):
            return np.asarray(columns[name])
        case ast.Constant(value=str() as word):
            return np.array(word, object)
        case ast.Constant(value=value):
            return np.asarray(value)
        case ast.UnaryOp(operand=operand):
            return np.asarray(np.negative(_value(operand, columns)))
        case ast.BinOp(left=left, op=op, right=right):
            found: Numbers = np.asarray(_RECKON[type(op)](_value(left, columns), _value(right, columns)), np.float64)
            # Divided by nothing: nobody knows.
            return np.where(np.isfinite(found), found, np.nan)
    return _truth(node, columns).yes


def _gone(values: NDArray[Any]) -> Flags:
    """Return where there is no value."""
    if values.dtype.kind == "f":
        return np.asarray(np.isnan(values))
    if values.dtype.kind == "O":
        return np.asarray(values == np.array(None), bool)
    return np.zeros(values.shape, bool)
