"""What people write in a condition that Python does not read, or reads as something else, and what to write instead.

Signs of SQL and of spreadsheets, keywords in capitals, commas in numbers, words without a comma between: each is told
with its column before the condition is parsed, for Python's own complaints name neither the fault nor the remedy.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_TOKENS: Final = re.compile(
    r"""(?P<gap>\s+|\#[^\n]*)
    |(?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    |(?P<number>(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)
    |(?P<name>[^\W\d]\w*)
    |(?P<sign>===|!==|==|!=|<=|>=|=>|=<|<>|&&|\|\||:=|\*\*|//|<<|>>|.)""",
    re.VERBOSE | re.DOTALL,
)
#: By what is written, what is meant.
_SIGNS: Final = {
    "=": "==", "===": "==", "!==": "!=", "<>": "!=", "≠": "!=", "!": "not", "=>": ">=", "≥": ">=", "=<": "<=",
    "≤": "<=", "&&": "and", "&": "and", "||": "or", "|": "or", "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'",
    "×": "*", "÷": "/", "−": "-",
}  # fmt: skip
_JOINS: Final = ("and", "or", "not", "in", "is", "if", "else", "lambda", "for")
_LOWER: Final = ("and", "or", "not", "in", "is", "true", "false", "missing")
#: Python's own spellings of true and false are read.
_READ: Final = ("True", "False")
_OPENS: Final = {")": "(", "]": "[", "}": "{"}
#: After these something has to follow.
_UNFINISHED: Final = ("+", "-", "*", "/", "<", ">", "<=", ">=", "==", "!=")


class _Token(NamedTuple):
    kind: str
    text: str
    #: From 1.
    column: int
    #: Whether it follows the one before at once.
    joined: bool

    @property
    def operand(self) -> bool:
        return self.kind in ("text", "number") or (self.kind == "name" and self.text not in _JOINS)

    @property
    def unfinished(self) -> bool:
        return self.text in (_UNFINISHED if self.kind == "sign" else _JOINS)


def misspelt(text: str) -> tuple[int, str] | None:
    """Return the column of the first thing that is spelt as no condition is, and what to do; None: nothing is."""
    tokens = list(_tokens(text))
    faults = [*_each(tokens), *_brackets(tokens), *_numbers(tokens), *_neighbours(tokens)]
    return min(faults, default=None)


def _tokens(text: str) -> Iterator[_Token]:
    joined = False
    for found in _TOKENS.finditer(text):
        kind = found.lastgroup or "sign"
        if kind != "gap":
            yield _Token(kind, found[0], found.start() + 1, joined)
        joined = kind != "gap"


def _each(tokens: list[_Token]) -> Iterator[tuple[int, str]]:
    for kind, text, column, _ in tokens:
        if kind == "sign" and text in _SIGNS:
            yield column, f"{text} is no sign of a condition; write {_SIGNS[text]}"
        elif kind == "sign" and text in "\"'":
            yield column, f"this quote is not closed on its line; write {text} after the word too"
        elif kind == "sign" and text == "%":
            yield column, "% is no sign of a condition; shares are from 0 to 1: 3 % is written 0.03"
        elif kind == "name" and text not in (*_LOWER, *_READ) and text.casefold() in _LOWER:
            yield column, f"{text} is no word of a condition; write {text.casefold()}, in small letters"


def _brackets(tokens: list[_Token]) -> Iterator[tuple[int, str]]:
    open_: list[_Token] = []
    for token in tokens:
        if token.kind != "sign":
            continue
        if token.text in _OPENS.values():
            open_.append(token)
        elif token.text in _OPENS:
            if not open_ or open_[-1].text != _OPENS[token.text]:
                what = f"closes what {open_[-1].text} opens" if open_ else "closes what nothing opens"
                yield token.column, f"{token.text} {what}; remove it, or write {_OPENS[token.text]} where it begins"
                return
            open_.pop()
    for token in open_[:1]:
        yield token.column, f"{token.text} is never closed; close it, or remove it"


def _numbers(tokens: list[_Token]) -> Iterator[tuple[int, str]]:
    """Yield numbers with a comma in them: 200,00 would be two numbers."""
    lists: list[bool] = []
    for place, token in enumerate(tokens):
        before = tokens[place - 1] if place else None
        if token.text in _OPENS.values():
            lists.append(before is not None and before.text == "in")
        elif token.text in _OPENS and lists:
            lists.pop()
        if token.text != "," or before is None or place + 1 == len(tokens):
            continue
        after = tokens[place + 1]
        if not (before.kind == after.kind == "number" and token.joined and after.joined):
            continue
        # In a list, 10,90 are two numbers; 200,00 are none.
        if any(lists[-1:]) and not re.fullmatch(r"0\d", after.text):
            continue
        written, whole = f"{before.text},{after.text}", before.text.replace(".", "")
        if re.match(r"\d{3}(?!\d)", after.text):
            remedy = f"write it without: {whole}{after.text}; money is in minor units: 200_00 is 200.00"
        else:
            remedy = (
                f"decimals have a point: {whole}.{after.text}; and money is in minor units: {whole}_{after.text} where "
                "it has two decimals"
            )
        yield before.column, f"{written} has a comma; {remedy}"


def _neighbours(tokens: list[_Token]) -> Iterator[tuple[int, str]]:
    for place, token in enumerate(tokens):
        after = tokens[place + 1] if place + 1 < len(tokens) else None
        if token.unfinished and (after is None or after.text in _OPENS):
            yield token.column, f"nothing comes after {token.text}; write what does, or remove it"
        elif after is not None and token.operand and after.operand:
            joins = "a comma" if token.kind == after.kind == "text" else "a comparison, and, or"
            yield after.column, f"nothing stands between {token.text} and {after.text}; write {joins} between them"
