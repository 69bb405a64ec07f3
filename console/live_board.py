"""The live board of a run: pictures and keys in a terminal, JSON lines where there is none."""

import asyncio
import os
import sys
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self, TextIO

import msgspec
from rich.console import Console
from rich.live import Live

from console import board_view
from dialer.board import Board

#: What a key asks for.
VERBS = {"p": "pause", "r": "run", "d": "drain", "q": "stop"}
KEYS = " p pause   r run on   d drain: finish the calls, dial nothing new   q stop"
WATCHING = " ctrl-c leaves; the floor goes on"
#: Boards kept for the trend.
TREND = 240


class LiveBoard:
    """Shows boards as they come and hands on the verbs of the keys.

    Parameters
    ----------
    on_verb
        Called in the running loop with `pause`, `run`, `drain` or `stop`; None: nobody listens to keys.
    speed
        Of the floor's clock against the wall's.
    lines
        Write JSON lines even where there is a terminal.
    """

    def __init__(
        self,
        on_verb: Callable[[str], None] | None = None,
        *,
        speed: float = 1.0,
        lines: bool = False,
        out: TextIO | None = None,
    ) -> None:
        self._on_verb = on_verb
        self._speed = speed
        self._out = out or sys.stdout
        self._trend: deque[tuple[int, float]] = deque(maxlen=TREND)
        self._stack = ExitStack()
        self._console = Console(file=self._out)
        self._live: Live | None = None
        self._notice = ""
        self.pictures = self._console.is_terminal and not lines

    def __enter__(self) -> Self:
        if self.pictures:
            self._live = self._stack.enter_context(
                Live(
                    console=self._console,
                    screen=True,
                    auto_refresh=False,
                    redirect_stderr=False,
                    vertical_overflow="crop",
                )
            )
            if self._on_verb is not None and sys.stdin.isatty():
                self._listen_to_keys(self._on_verb)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def show(self, board: Board) -> None:
        """Show one board."""
        self._trend.append((board.lines, sum(row.calls_per_hour for row in board.campaigns)))
        if self._live is None:
            self._out.write(msgspec.json.encode(board).decode() + "\n")
            self._out.flush()
            return
        width, height = self._console.size
        picture = board_view.view(
            board,
            width=width,
            height=height,
            speed=self._speed,
            trend=list(self._trend),
            keys=self._notice or (KEYS if self._on_verb else WATCHING),
        )
        self._live.update(picture, refresh=True)

    def tell(self, notice: str) -> None:
        """Put a notice in the place of the footer, or on a line of its own where there are no pictures."""
        self._notice = f" {notice}" if notice else ""
        if self._live is None and notice:
            self._out.write(msgspec.json.encode({"notice": notice}).decode() + "\n")
            self._out.flush()

    def _listen_to_keys(self, on_verb: Callable[[str], None]) -> None:
        import termios
        import tty

        before = termios.tcgetattr(sys.stdin)
        tty.setcbreak(sys.stdin)
        self._stack.callback(termios.tcsetattr, sys.stdin, termios.TCSADRAIN, before)
        loop = asyncio.get_running_loop()
        loop.add_reader(sys.stdin, self._key, on_verb)
        self._stack.callback(loop.remove_reader, sys.stdin)

    def _key(self, on_verb: Callable[[str], None]) -> None:
        for key in os.read(sys.stdin.fileno(), 32).decode(errors="ignore").lower():
            if verb := VERBS.get(key):
                on_verb(verb)
