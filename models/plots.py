"""Few, plain plots as SVG text, to stand inside a page: no script, no file beside it, printable.

Colours are those of Okabe & Ito, told apart by people who see colours differently; series differ in dash or marker too.
Every plot has a title that is read aloud.
"""

from collections.abc import Callable, Sequence
from html import escape
from math import floor, isfinite, log10

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 4", "1 4")
_INK, _SOFT, _RULE = "#1d2733", "#5b6876", "#dfe4ea"
_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 640, 62, 14, 34, 30

Values = Sequence[float | None]
Words = Callable[[float], str]


def colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def lines(
    title: str, across: Sequence[str], series: Sequence[tuple[str, Values]], words: Words, *, limit: float | None = None
) -> str:
    """Return curves over named steps; a limit is drawn as a dashed line."""
    known = [value for _, values in series for value in values if value is not None] + ([limit] if limit else [])
    scale = _Scale(known, 240)
    parts = [scale.grid(words)]
    step = (_WIDTH - _LEFT - _RIGHT) / max(1, len(across))
    at = [_LEFT + step * (i + 0.5) for i in range(len(across))]
    parts.append(_steps(across, at, 240))
    if limit is not None:
        y = scale.y(limit)
        parts.append(
            _rule(_LEFT, _WIDTH - _RIGHT, y, y, f'stroke="{_SOFT}" stroke-dasharray="5 4"')
            + _text(_WIDTH - _RIGHT, y - 4, f"limit {words(limit)}", "end", _SOFT)
        )
    for number, (name, values) in enumerate(series):
        points = [(x, scale.y(value)) for x, value in zip(at, values, strict=True) if value is not None]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(_curve(number, path, 2.2, name))
        if len(points) <= 40:
            parts += [_dot(number, x, y, 3.0) for x, y in points]
    return _svg(title, 240, parts, [name for name, _ in series])


def bars(title: str, across: Sequence[str], series: Sequence[tuple[str, Values]], words: Words) -> str:
    """Return groups of upright bars with their values above them."""
    scale = _Scale([value for _, values in series for value in values if value is not None], 240)
    step = (_WIDTH - _LEFT - _RIGHT) / max(1, len(across))
    width = 0.78 * step / max(1, len(series))
    parts = [scale.grid(words), _steps(across, [_LEFT + step * (i + 0.5) for i in range(len(across))], 240)]
    for number, (name, values) in enumerate(series):
        for i, value in enumerate(values):
            if value is None:
                continue
            x, y, zero = _LEFT + step * (i + 0.11) + width * number, scale.y(value), scale.y(0.0)
            parts.append(
                f'<rect x="{x:.1f}" y="{min(y, zero):.1f}" width="{width - 1:.1f}" height="{abs(zero - y):.1f}" '
                f'fill="{colour(number)}"><title>{escape(f"{name}, {across[i]}: {words(value)}")}</title></rect>'
            )
            if width > 6.2 * len(words(value)):
                parts.append(_text(x + width / 2, min(y, zero) - 4, words(value), "middle", _INK, 10.5))
    return _svg(title, 240, parts, [name for name, _ in series])


def intervals(title: str, rows: Sequence[tuple[str, float, float, float, Sequence[float]]], words: Words) -> str:
    """Return one row for each comparison: estimate with interval, and a dot for every pair behind it.

    Parameters
    ----------
    rows : sequence of (name, value, low, high, dots)
    """
    known = [x for _, *ends, dots in rows for x in (*ends, *dots) if isfinite(x)] or [0.0]
    low, high = min(0.0, *known), max(0.0, *known)
    pad = 0.06 * ((high - low) or 1.0)
    low, high = low - pad, high + pad
    height = 46 + 62 * len(rows)

    def x(value: float) -> float:
        return 20 + (max(low, min(high, value)) - low) / (high - low) * (_WIDTH - 40)

    parts = []
    for tick in _ticks(low, high, 6):
        parts.append(
            _rule(x(tick), x(tick), 8, height - 24, f'stroke="{_RULE}"')
            + _text(x(tick), height - 8, words(tick), "middle", _SOFT)
        )
    parts.append(_rule(x(0), x(0), 8, height - 24, f'stroke="{_INK}" stroke-width="1.4"'))
    for number, (name, value, least, most, dots) in enumerate(rows):
        y = 40 + 62 * number
        parts.append(_text(22, y - 16, name, "start", _INK, 12.5))
        parts += [
            f'<circle cx="{x(dot):.1f}" cy="{y + 16}" r="2.6" fill="{_SOFT}" fill-opacity="0.45"/>' for dot in dots
        ]
        parts.append(
            _rule(x(least), x(most), y, y, f'stroke="{colour(number + 1)}" stroke-width="7" stroke-opacity="0.45"')
            + f'<circle cx="{x(value):.1f}" cy="{y}" r="6" fill="{colour(number + 1)}">'
            f"<title>{escape(words(value))}</title></circle>"
        )
    return _svg(title, height, parts, [])


def scatter(
    title: str,
    series: Sequence[tuple[str, Sequence[tuple[float, float, str]]]],
    x_words: Words,
    y_words: Words,
    x_name: str,
    y_name: str,
) -> str:
    """Return points joined in the order given, by series.

    Parameters
    ----------
    series : sequence of (name, points); a point is (x, y, label)
    """
    xs = [x for _, points in series for x, _, _ in points]
    scale = _Scale([y for _, points in series for _, y, _ in points], 320, tight=True)
    low, high = min(xs, default=0.0), max(xs, default=1.0)
    pad = 0.06 * ((high - low) or abs(high) or 1.0)
    low, high = low - pad, high + pad

    def at(x: float) -> float:
        return _LEFT + (x - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    parts = [scale.grid(y_words)]
    parts += [_text(at(tick), 306, x_words(tick), "middle", _SOFT) for tick in _ticks(low, high, 6)]
    parts.append(_text(_WIDTH - _RIGHT, 318, x_name, "end", _SOFT))
    parts.append(_text(_LEFT, _TOP - 6, y_name, "start", _SOFT))
    for number, (name, points) in enumerate(series):
        path = " ".join(f"{at(x):.1f},{scale.y(y):.1f}" for x, y, _ in points)
        parts.append(_curve(number, path, 1.4, name))
        for x, y, label in points:
            fits = at(x) + 7 + 6.2 * len(label) < _WIDTH
            parts += [
                _dot(number, at(x), scale.y(y), 4.5),
                _text(at(x) + (7 if fits else -7), scale.y(y) - 7, label, "start" if fits else "end", _SOFT, 10.5),
            ]
    return _svg(title, 320, parts, [name for name, _ in series])


class _Scale:
    """Values to heights."""

    def __init__(self, values: Sequence[float], height: int, *, tight: bool = False) -> None:
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        if not tight:
            low, high = min(0.0, low), max(0.0, high)
        pad = 0.08 * ((high - low) or abs(high) or 1.0)
        self.low = low if low == 0.0 else low - pad
        self.high = high + pad
        self._top, self._bottom = _TOP, height - (46 if tight else _BOTTOM)

    def y(self, value: float) -> float:
        return self._bottom - (value - self.low) / (self.high - self.low) * (self._bottom - self._top)

    def grid(self, words: Words) -> str:
        return "".join(
            _rule(_LEFT, _WIDTH - _RIGHT, self.y(tick), self.y(tick), f'stroke="{_RULE}"')
            + _text(_LEFT - 6, self.y(tick) + 4, words(tick), "end", _SOFT)
            for tick in _ticks(self.low, self.high, 4)
        )


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Return round numbers within a range, about so many."""
    if not high > low:
        return [low]
    raw = (high - low) / most
    power = 10.0 ** floor(log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw)
    first = -floor(-low / step)
    return [n * step for n in range(first, floor(high / step) + 1)]


def _steps(across: Sequence[str], at: Sequence[float], height: int) -> str:
    every = max(1, -(-len(across) // 12))
    return "".join(
        _text(x, height - 10, name, "middle", _SOFT)
        for i, (name, x) in enumerate(zip(across, at, strict=True))
        if i % every == 0
    )


def _dot(number: int, x: float, y: float, size: float) -> str:
    fill = colour(number)
    if number % 3 == 1:
        wide = f"{2 * size:.1f}"
        return f'<rect x="{x - size:.1f}" y="{y - size:.1f}" width="{wide}" height="{wide}" fill="{fill}"/>'
    if number % 3 == 2:
        top = f"{x:.1f},{y - 1.3 * size:.1f} {x - 1.2 * size:.1f},{y + size:.1f} {x + 1.2 * size:.1f},{y + size:.1f}"
        return f'<polygon points="{top}" fill="{fill}"/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}" fill="{fill}"/>'


def _rule(x1: float, x2: float, y1: float, y2: float, style: str) -> str:
    return f'<line x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}" {style}/>'


def _curve(number: int, points: str, width: float, name: str) -> str:
    dash = _DASHES[number % len(_DASHES)]
    return (
        f'<polyline fill="none" stroke="{colour(number)}" stroke-width="{width}" stroke-dasharray="{dash}" '
        f'points="{points}"><title>{escape(name)}</title></polyline>'
    )


def _text(x: float, y: float, text: str, anchor: str, fill: str, size: float = 11.5) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" font-size="{size}">{escape(text)}</text>'
    )


def _svg(title: str, height: int, parts: Sequence[str], legend: Sequence[str]) -> str:
    keys, x = [], float(_LEFT)
    for number, name in enumerate(legend if len(legend) > 1 else ()):
        keys.append(_dot(number, x, 12, 4.5) + _text(x + 10, 16, name, "start", _INK, 12))
        x += 26 + 7.0 * len(name)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title, quote=True)}">'
        f"<title>{escape(title)}</title>{''.join(keys)}{''.join(parts)}</svg>"
    )
