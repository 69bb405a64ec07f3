"""Pieces of a self-contained page: no script, no request, printable. Reports and model cards share it."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

_TEMPLATE = Path(__file__).with_name("page.html")
_N = ' class="n"'


def page(parts: Mapping[str, str]) -> str:
    """Return a page of its parts, which are HTML: title, question, answer, setting, body, footer."""
    # Split, not replaced one by one: a value may contain what looks like another placeholder.
    pieces = _TEMPLATE.read_text(encoding="utf-8").split("{{")
    whole = [pieces[0]]
    for piece in pieces[1:]:
        name, rest = piece.split("}}", 1)
        whole += [parts[name], rest]
    return "".join(whole)


def cards(told: Sequence[tuple[str, str, str]]) -> str:
    """Return figures told large: (value, words, good or bad or nothing)."""
    html = [
        f'<div class="card {kind}"><b>{escape(value)}</b><span>{escape(text)}</span></div>'
        for value, text, kind in told
    ]
    return f'<div class="cards">{"".join(html)}</div>'


def section(title: str, content: str, note: str = "") -> str:
    """Return a section; its content is HTML, title and note are words."""
    explained = f'<p class="note">{escape(note)}</p>' if note else ""
    return f'<section><h2>{escape(title)}</h2>{explained}<div class="scroll">{content}</div></section>'


def table(columns: Sequence[str], cells: Sequence[Sequence[str]], right: set[int]) -> str:
    """Return a table of words; the columns of `right` stand to the right."""
    body = [
        "<tr>" + "".join(f"<td{_N if i in right else ''}>{escape(text)}</td>" for i, text in enumerate(row)) + "</tr>"
        for row in cells
    ]
    return rows(columns, body, right)


def rows(columns: Sequence[str], body: Sequence[str], right: "set[int] | range") -> str:
    """Return a table of rows that are HTML already."""
    head = "".join(f"<th{_N if i in right else ''}>{escape(name)}</th>" for i, name in enumerate(columns))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
