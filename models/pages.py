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


def table(columns: Sequence[str], cells: Sequence[Sequence[str]], right: set[int], *, kind: str = "") -> str:
    """Return a table of words; the columns of `right` stand to the right, `kind` is its class."""
    body = [
        "<tr>" + "".join(f"<td{_N if i in right else ''}>{escape(text)}</td>" for i, text in enumerate(row)) + "</tr>"
        for row in cells
    ]
    return rows(columns, body, right, kind=kind)


def rows(
    columns: Sequence[str], body: Sequence[str], right: "set[int] | range", *, kind: str = "", over: str = ""
) -> str:
    """Return a table of rows that are HTML already, as is `over`, a row above the names of the columns."""
    head = "".join(f"<th{_N if i in right else ''}>{escape(name)}</th>" for i, name in enumerate(columns))
    below = f"<tr>{head}</tr>" if any(columns) else ""
    named = f' class="{kind}"' if kind else ""
    return f"<table{named}><thead>{over}{below}</thead><tbody>{''.join(body)}</tbody></table>"


# ---- figures


def share(value: float) -> str:
    return f"{100 * value:.0f} %"


def fine(value: float) -> str:
    return f"{100 * value:.1f} %"


def count(value: float) -> str:
    return f"{value:,.0f}"


def amount(value: float) -> str:
    """Return a large number short: 1.2M, 340k."""
    size = abs(value)
    return f"{value / 1e6:,.1f}M" if size >= 1e6 else f"{value / 1e3:,.0f}k" if size >= 1e4 else f"{value:,.0f}"
