"""How attempts come along on their way to the outcome: their columns of phase, instants, agent and class."""

from typing import Any

from sqlalchemy import Connection, bindparam, case, func, update

from domain.calls import Phase
from ledger.schema import attempt

#: The column that entering a phase fills, the first time.
_INSTANTS = {
    Phase.originating: "originated_us",
    Phase.ringing: "ringing_us",
    Phase.detecting: "answered_us",
    Phase.waiting: "answered_us",
    Phase.connecting: "answered_us",
    Phase.queued: "answered_us",
    Phase.message: "answered_us",
    Phase.talking: "talking_us",
    Phase.wrapping: "ended_us",
    Phase.closed: "ended_us",
}


class Progress:
    """Gathers how the attempts of one batch come along, and writes it with one update of each."""

    def __init__(self) -> None:
        self._steps: dict[str, dict[str, Any]] = {}

    def note(self, call_id: str, **latest: Any) -> None:
        """Take values of columns, which replace those before."""
        self._step(call_id).update({f"{column}_": value for column, value in latest.items()})

    def move(self, call_id: str, phase: Phase, at_us: int) -> None:
        """Take that a call entered a phase."""
        step = self._step(call_id)
        step["phase_"] = phase
        step.setdefault(f"{_INSTANTS[phase]}_", at_us)

    def ring(self, call_id: str, at_us: int) -> None:
        """Take that the network rings a number: a phase of a call that was only originated, else late news."""
        step = self._step(call_id)
        if "phase_" not in step:
            step.setdefault("rung_us_", at_us)  # which of both, the table knows
        elif step["phase_"] is Phase.originating:
            self.move(call_id, Phase.ringing, at_us)

    def write(self, connection: Connection) -> None:
        if self._steps:
            connection.execute(_UPDATE, [_NOTHING | step for step in self._steps.values()])

    def _step(self, call_id: str) -> dict[str, Any]:
        return self._steps.setdefault(call_id, {"of": call_id})


def _given(column: str, name: str = "") -> Any:
    return bindparam(f"{name or column}_", type_=attempt.c[column].type)


_FIRST = tuple(dict.fromkeys(_INSTANTS.values()))
_LATEST = ("phase", "agent", "answer_class", "class_why", "wait_us", "recorded")
_rung_us = case((attempt.c.phase == Phase.originating, _given("ringing_us", "rung_us")))
_UPDATE = (
    update(attempt)
    .where(attempt.c.call_id == bindparam("of"))
    .values(
        {column: func.coalesce(attempt.c[column], _given(column)) for column in _FIRST}
        | {column: func.coalesce(_given(column), attempt.c[column]) for column in _LATEST}
        | {
            "ringing_us": func.coalesce(attempt.c.ringing_us, _given("ringing_us"), _rung_us),
            "phase": func.coalesce(_given("phase"), case((_rung_us.is_not(None), Phase.ringing)), attempt.c.phase),
        }
    )
)
_NOTHING: dict[str, Any] = dict.fromkeys(f"{column}_" for column in (*_FIRST, *_LATEST, "rung_us"))
