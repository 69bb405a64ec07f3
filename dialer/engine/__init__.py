"""The engine: events in, each with its own time; facts and orders out. No clock, no I/O, no chance.

`handle` is *evolve the input, then decide*; every fact and order is evolved as it is emitted. `fold` is recovery: the
same `evolve` over a recorded row, nothing decided again. Equal rows give equal states, equal inputs equal rows.
"""

from dialer.board import Board
from dialer.engine.board import board
from dialer.engine.decide import FOLLOWS
from dialer.engine.evolve import evolve
from dialer.engine.snapshot import Image, freeze, take, thaw
from dialer.engine.state import State
from dialer.engine.step import Gate, Step
from domain.errors import Broken
from domain.events import AnyEvent, FloorOpened, RulesChanged
from domain.records import Row

#: A method of an imported name would be looked up anew for every input.
_follow_of = FOLLOWS.get


class Engine:
    """One floor's engine.

    Parameters
    ----------
    gate : Gate
        Judges every contact before it is reserved. Whoever hands in an input that names rules, `FloorOpened` or
        `RulesChanged`, sets `gate` to theirs before.
    """

    def __init__(self, gate: Gate, state: State | None = None) -> None:
        self.gate = gate
        self.state = state or State()
        self._step = Step(self.state, gate)

    @classmethod
    def restore(cls, blob: bytes, gate: Gate) -> "Engine":
        """Return the engine of a snapshot; fold the rows after `seq` next."""
        return cls(gate, thaw(blob))

    @property
    def seq(self) -> int:
        """Number of the last row."""
        return self.state.seq

    def handle(self, event: AnyEvent) -> list[Row]:
        """Take one input and return its rows: the input, then the facts and orders that follow.

        Raises
        ------
        Broken
            When the input cannot be folded, or names other rules than the gate's; the floor must stop dialling.
        """
        state, kind, at_us = self.state, type(event), event.at_us
        if at_us < state.at_us:
            raise Broken(f"input {event} is older than the floor's last, {state.at_us}")
        if not state.opened:
            if type(event) is not FloorOpened:
                raise Broken(f"the first input of a stream is FloorOpened, was {kind.__name__}")
            state.settings = event.settings
        # By the type itself: `isinstance` takes ten times as long where classes are records'.
        if (type(event) is FloorOpened or type(event) is RulesChanged) and event.rules != self.gate.version:
            raise Broken(f"input names the rules {event.rules!r}, and the gate has {self.gate.version!r}")
        state.at_us = at_us
        step = self._step
        step.begin(self.gate)
        step.emit(event, getattr(event, "campaign", None))
        if (follow := _follow_of(kind)) is not None:
            follow(step, event)
        return step.rows

    def fold(self, row: Row) -> None:
        """Take one recorded row as it is.

        Raises
        ------
        Broken
            When a row is missing or contradicts what came before.
        """
        state = self.state
        if row.seq != state.seq + 1:
            raise Broken(f"stream {row.stream}: row {row.seq} follows {state.seq}; rows are missing")
        state.seq = row.seq
        state.at_us = row.at_us
        evolve(state, row.record)

    def snapshot(self) -> bytes:
        """Return the state as bytes, to be stored with `seq`."""
        return freeze(self.state)

    def image(self) -> Image:
        """Return what a snapshot is made of, at little cost; `snapshot.pack` makes the bytes, in any thread."""
        return take(self.state)

    def board(self) -> Board:
        """Return what the live board shows."""
        return board(self.state)


__all__ = ["Engine", "Gate"]
