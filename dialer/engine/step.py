"""One handling of one input: records are emitted one by one, each evolved before the next is decided."""

from collections.abc import Iterable
from datetime import date
from typing import Protocol

from dialer.engine.evolve import FOLDS
from dialer.engine.state import Agent, Call, Campaign, State
from domain.pace import PaceRule
from domain.people import Dossier, Phone, Verdict
from domain.records import Record, Row


class Gate(Protocol):
    """`compliance.gate.Gate`, as far as the engine knows it."""

    @property
    def version(self) -> str: ...

    def judge(
        self,
        dossier: Dossier,
        *,
        at_us: int,
        channel: str = "call",
        phone: Phone | None,
        debts: tuple[int, ...],
        actor: str,
        purpose: str,
        live_agent_guaranteed: bool = False,
    ) -> Verdict: ...

    def pace_rules(self, people: Iterable[Dossier], *, actor: str, purpose: str, on: date) -> tuple[PaceRule, ...]: ...


#: A method of an imported name would be looked up anew for every row.
_fold_of = FOLDS.get
_NONE: frozenset[str] = frozenset()


class Step:
    """What `dialer.engine.decide` works with: the state to read, the gate to ask, and `emit` to say what follows."""

    __slots__ = ("_stream", "at_us", "gate", "rows", "state", "unsettled")

    def __init__(self, state: State, gate: Gate) -> None:
        self.state = state
        self.begin(gate)

    def begin(self, gate: Gate) -> None:
        """Begin with the input at hand: to make another step for every one would cost more."""
        state = self.state
        self.gate = gate
        self.at_us = state.at_us
        self._stream = state.settings.stream
        self.rows: list[Row] = []
        #: Calls of which a resync knows better than the state does yet: nobody is connected to them.
        self.unsettled: set[str] | frozenset[str] = _NONE

    def emit(self, record: Record, campaign: str | None = None) -> None:
        """Append a record to the journal's rows and fold it into the state."""
        state = self.state
        seq = state.seq = state.seq + 1
        self.rows.append(Row(stream=self._stream, seq=seq, at_us=self.at_us, campaign=campaign, record=record))
        # `evolve` written out: this is done for every row.
        fold = _fold_of(type(record))
        if fold is not None:
            fold(state, record)

    def next_id(self) -> str:
        """Return the call id that the next row, a `Reserve`, will have."""
        return f"{self.state.settings.stream}-{self.state.seq + 1}"

    # ---- reading

    def agent_of(self, call: Call) -> Agent | None:
        return self.state.agents.get(call.agent) if call.agent is not None else None

    def campaign_of(self, call: Call) -> Campaign:
        return self.state.campaigns[call.campaign]
