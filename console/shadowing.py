"""`run --shadow`: another dialer's events in, advice and a comparison out. Nothing is dialled, nothing written."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from math import inf
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from console import logs
from console.board_view import REASONS
from console.command_line import printer
from console.settings import Settings
from dialer.shadow import Advice, Shadow, Side, Summary, read
from dialer.warming import warm_pacing
from domain.errors import BadInput
from domain.instants import HOUR, SECOND, iso, to_datetime

_encode = msgspec.json.Encoder().encode
#: How often the table is drawn, s.
_REDRAW_S = 0.5


def follow(
    settings: Settings, campaigns: Sequence[str], events: str | None, *, hours: float | None, as_json: bool
) -> None:
    """Follow another dialer until its events end, a signal comes or the hours are over; then compare."""
    shadow = Shadow(settings.floor, campaigns)
    warm_pacing()
    out = printer()
    shown = _Lines() if as_json or not out.is_terminal else _Table(settings.floor.zone)
    with shown:
        if events is None:
            asyncio.run(_overhear(settings, shadow, shown, hours))
        elif events == "-" or not Path(events).is_file():
            asyncio.run(_piped(events, shadow, shown, hours))
        else:
            _filed(Path(events), shadow, shown, hours)
    summaries = shadow.summaries()
    if isinstance(shown, _Lines):
        _Lines.write({"summary": [_told(one) for one in summaries], "unused": dict(shadow.unused)})
    else:
        out.print(view(summaries, dict(shadow.unused), settings.floor.zone))


def _told(summary: Summary) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(summary)
    for side in ("theirs", "theirs_compared", "ours"):
        found: Side = getattr(summary, side)
        told[side] |= {"abandon_rate": found.abandon_rate, "occupancy": found.occupancy}
    return told


# ---- where events come from


def _filed(path: Path, shadow: Shadow, shown: "_Shown", hours: float | None) -> None:
    """Read a whole file in its own time."""
    with path.open("rb") as file:
        try:
            for number, line in enumerate(file, 1):
                if line.strip():
                    _take(line, f"{path}:{number}", shadow, shown)
                    if _over(shadow, hours):
                        break
        except KeyboardInterrupt:
            return


async def _piped(name: str, shadow: Shadow, shown: "_Shown", hours: float | None) -> None:
    """Read lines as they come; while none comes, time goes on by the wall."""
    stop = _stopped()
    if name == "-":
        source: BinaryIO = sys.stdin.buffer
    else:
        try:
            source = await asyncio.to_thread(Path(name).open, "rb")
        except OSError as error:
            raise BadInput(f"run: --events {name} cannot be read ({error.strerror}); name a file, or - ") from None
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), source
    )
    number = 0
    until_s = _until_s(hours)
    line_read: asyncio.Task[bytes] | None = None
    try:
        while not stop.is_set() and not _over(shadow, hours) and time.monotonic() < until_s:
            line_read = line_read or asyncio.ensure_future(reader.readline())
            heard_s, heard_us = time.monotonic(), shadow.at_us
            while not stop.is_set() and time.monotonic() < until_s:
                done, _ = await asyncio.wait((line_read,), timeout=shadow.floor.tick_s)
                if done:
                    break
                shown.show(shadow.advance(heard_us + round((time.monotonic() - heard_s) * SECOND)))
            if not line_read.done():
                break
            line, line_read = line_read.result(), None
            if not line:
                break
            number += 1
            if line.strip():
                _take(line, f"line {number}", shadow, shown)
    finally:
        if line_read is not None:
            line_read.cancel()
        transport.close()


def _take(line: bytes, where: str, shadow: Shadow, shown: "_Shown") -> None:
    at_us, word = read(line, where)
    shown.show(shadow.advance(at_us))
    try:
        shadow.take(at_us, word)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None


async def _overhear(settings: Settings, shadow: Shadow, shown: "_Shown", hours: float | None) -> None:
    from console.floor import server
    from dialer.asterisk.overhear import Overhearing, listen

    if not settings.nodes:
        raise BadInput(
            "run: cadencia.toml has no [nodes.NAME] whose calls could be followed; add one, or feed --events"
        )

    # The standard output is the advice's.
    logs.to_stderr()

    def now_us() -> int:
        return time.time_ns() // 1000

    overhearing = Overhearing(
        [settings.floor.campaign(name) for name in shadow.campaigns],
        lambda word: shadow.take(now_us(), word),
        lambda: now_us() / SECOND,
    )
    stop = _stopped()
    listening = asyncio.ensure_future(
        listen([server(name, node) for name, node in settings.nodes.items()], overhearing)
    )
    stopping = asyncio.ensure_future(stop.wait())
    until_s = _until_s(hours)
    try:
        while not listening.done() and not stop.is_set() and time.monotonic() < until_s:
            await asyncio.wait((listening, stopping), timeout=shadow.floor.tick_s, return_when=asyncio.FIRST_COMPLETED)
            shown.show(shadow.advance(now_us()))
        if listening.done():
            try:
                listening.result()
            except* BadInput as errors:
                raise errors.exceptions[0] from None
    finally:
        for task in (listening, stopping):
            task.cancel()
        await asyncio.gather(listening, stopping, return_exceptions=True)


def _stopped() -> asyncio.Event:
    """Return what a signal to end sets."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _until_s(hours: float | None) -> float:
    """Return when the hours are over by the wall: nothing may ever be heard."""
    return inf if hours is None else time.monotonic() + hours * HOUR / SECOND


def _over(shadow: Shadow, hours: float | None) -> bool:
    return hours is not None and shadow.at_us - shadow.start_us >= hours * HOUR


# ---- what is shown


class _Lines:
    """A line of JSON for each advice that says something: calls advised, calls placed, another reason."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def show(self, advice: Iterable[Advice]) -> None:
        for one in advice:
            if one.advised or one.placed or self._reasons.get(one.campaign) != one.reason:
                self._reasons[one.campaign] = one.reason
                self.write(one)

    @staticmethod
    def write(line: object) -> None:
        sys.stdout.write(_encode(line).decode() + "\n")
        sys.stdout.flush()


class _Table:
    """The last advice of each campaign, drawn in place."""

    def __init__(self, zone: str) -> None:
        self._zone = zone
        self._last: dict[str, Advice] = {}
        self._live = Live(console=printer(), auto_refresh=False, transient=True)
        self._drawn_s = 0.0

    def __enter__(self) -> "_Table":
        self._live.__enter__()
        return self

    def __exit__(self, *_error: object) -> None:
        self._live.__exit__(None, None, None)

    def show(self, advice: Iterable[Advice]) -> None:
        for one in advice:
            self._last[one.campaign] = one
        if self._last and time.monotonic() - self._drawn_s >= _REDRAW_S:
            self._drawn_s = time.monotonic()
            self._live.update(board(list(self._last.values()), self._zone), refresh=True)


_Shown = _Lines | _Table


def board(advice: Sequence[Advice], zone: str) -> RenderableType:
    """Return the last advice as a table."""
    table = Table(box=None, pad_edge=False)
    columns: tuple[tuple[str, Callable[[Advice], str]], ...] = (
        ("campaign", lambda one: one.campaign),
        ("free", lambda one: str(one.free)),
        ("busy", lambda one: str(one.busy)),
        ("ringing", lambda one: str(one.ringing)),
        ("waiting", lambda one: str(one.waiting)),
        ("advice", lambda one: f"+{one.advised}"),
        ("why", lambda one: REASONS.get(one.reason, one.reason)),
        ("risk", lambda one: f"{_share(one.risk)} of {_share(one.tolerated)}"),
        ("they abandoned", lambda one: f"{one.abandoned} of {one.answered}"),
    )
    for title, _ in columns:
        table.add_column(title, justify="left" if title in ("campaign", "why") else "right")
    for one in advice:
        table.add_row(*(cell(one) for _, cell in columns))
    when = to_datetime(max(one.at_us for one in advice), zone)
    return Group(Text.assemble((" SHADOW ", "reverse bold"), f" dialling nothing · {when:%a %d %b %H:%M:%S}"), table)


def view(summaries: Sequence[Summary], unused: dict[str, int], zone: str) -> RenderableType:
    """Return the comparison for people."""
    parts: list[RenderableType] = []
    for one in summaries:
        parts.append(Text(f"{one.campaign}  {iso(one.from_us, zone)} – {iso(one.until_us, zone)}", style="bold"))
        if one.compared_from_us is None:
            parts.append(Text("  Too little was seen to compare: 40 outcomes and 5 conversations are needed."))
            parts.append(_sides((("theirs", one.theirs),)))
            continue
        parts.append(
            Text(f"  compared since {iso(one.compared_from_us, zone)}: the same team and fates of calls, our decisions")
        )
        parts.append(_sides((("theirs", one.theirs_compared), ("Cadencia", one.ours))))
        parts.append(
            Text(
                f"  At {one.over_ticks:,} of {one.ticks:,} ticks they placed more than advised: "
                f"{one.over_calls:,} calls too many in all.",
                style="dim",
            )
        )
    parts += [Text(f"  {count:,} events not used: {why}", style="yellow") for why, count in unused.items()]
    return Group(*parts)


def _sides(sides: Sequence[tuple[str, Side]]) -> Table:
    table = Table(box=None, pad_edge=True)
    for title in ("", "calls", "answered by people", "abandoned", "share", "occupancy"):
        table.add_column(title, justify="right" if title else "left")
    for name, side in sides:
        cells = (f"{side.dialled:,}", f"{side.answered:,}", f"{side.abandoned:,}")
        table.add_row(name, *cells, _share(side.abandon_rate), _share(side.occupancy))
    return table


def _share(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"
