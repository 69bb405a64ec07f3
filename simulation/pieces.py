"""Pieces of a page: figures in words, sections, tables."""

from collections.abc import Sequence
from html import escape


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


def section(title: str, content: str, note: str = "") -> str:
    explained = f'<p class="note">{escape(note)}</p>' if note else ""
    return f'<section><h2>{escape(title)}</h2>{explained}<div class="scroll">{content}</div></section>'


def table(columns: Sequence[str], lines: Sequence[Sequence[str]], right: set[int], *, kind: str = "") -> str:
    body = [
        "<tr>" + "".join(f"<td{_N if i in right else ''}>{escape(text)}</td>" for i, text in enumerate(row)) + "</tr>"
        for row in lines
    ]
    return rows(columns, body, right, kind=kind)


_N = ' class="n"'


def rows(
    columns: Sequence[str], body: Sequence[str], right: "set[int] | range", *, kind: str = "", over: str = ""
) -> str:
    head = "".join(f"<th{_N if i in right else ''}>{escape(name)}</th>" for i, name in enumerate(columns))
    below = f"<tr>{head}</tr>" if any(columns) else ""
    return f'<table class="{kind}"><thead>{over}{below}</thead><tbody>{"".join(body)}</tbody></table>'
