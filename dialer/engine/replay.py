"""Audit replay: decide a recorded stream again and compare every following row, byte for byte."""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from dialer.engine.snapshot import freeze, thaw
from dialer.engine.step import Gate
from domain.errors import Broken
from domain.events import FloorOpened, RulesChanged
from domain.pace import PaceRule
from domain.people import Verdict
from domain.records import Row, encode


class Divergence(msgspec.Struct, frozen=True, kw_only=True):
    """Where deciding again gave another row than the record holds."""

    #: The row that differs, and the input that it follows from.
    seq: int
    input_seq: int
    #: Payloads; None where one side has no row.
    recorded: str | None
    decided: str | None


class Replay(msgspec.Struct, kw_only=True):
    """What an audit replay found."""

    rows: int = 0
    inputs: int = 0
    orders_and_facts: int = 0
    divergences: list[Divergence] = []
    #: Versions named in the segments' headers.
    versions: list[dict[str, str]] = []
    #: Versions of the rules in force, in their order; of them, those that are not to be had any more.
    rules: list[str] = []
    rules_missing: list[str] = []
    #: Rows under rules that are missing: taken as they are.
    undecided: int = 0


class _NoGate:
    """Stands where no rules are to be had; nothing is decided by it."""

    version = ""

    def judge(self, *_: object, **__: object) -> Verdict:
        raise Broken("replay: judged without rules")

    def pace_rules(self, *_: object, **__: object) -> tuple[PaceRule, ...]:
        raise Broken("replay: asked without rules")


def replay(rows: Iterable[Row], gates: Callable[[str], Gate | None], *, follow: bool = False) -> Replay:
    """Decide a stream again, each stretch of it under the rules that it names.

    Parameters
    ----------
    rows : iterable of Row
        The stream from its first row.
    gates : callable
        Returns the gate of a version of the rules; None: that version is not to be had.
    follow : bool
        After a divergence, or where rules are missing, take the recorded rows as they are and go on; otherwise stop at
        the first.

    Raises
    ------
    Broken
        When the record itself cannot be folded.
    """
    from dialer.engine import Engine

    found = Replay()
    engine, gate = Engine(_NoGate()), None
    for recorded in _steps(rows):
        found.rows += len(recorded)
        found.inputs += 1
        head = recorded[0].record
        if type(head) is FloorOpened:
            found.versions.append(head.versions)
        if isinstance(head, FloorOpened | RulesChanged):
            gate = gates(head.rules)
            found.rules.append(head.rules)
            if gate is None:
                found.rules_missing.append(head.rules)
            else:
                engine.gate = gate
        if gate is None:
            found.undecided += len(recorded)
            if not follow:
                return found
            for row in recorded:
                engine.fold(row)
            continue
        before = freeze(engine.state) if follow and engine.state.opened else None
        decided = engine.handle(head)  # type: ignore[arg-type]
        difference = _compare(recorded, decided)
        if difference is None:
            found.orders_and_facts += len(recorded) - 1
            continue
        found.divergences.append(difference)
        if before is None:
            return found
        engine = Engine(gate, thaw(before))
        for row in recorded:
            engine.fold(row)
    return found


def _steps(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Group a stream into an input and the rows that follow from it."""
    step: list[Row] = []
    for row in rows:
        if row.is_input and step:
            yield step
            step = []
        step.append(row)
    if step:
        yield step


def _compare(recorded: list[Row], decided: list[Row]) -> Divergence | None:
    for index in range(max(len(recorded), len(decided))):
        old = recorded[index] if index < len(recorded) else None
        new = decided[index] if index < len(decided) else None
        old_bytes = encode(old.record) if old is not None else None
        new_bytes = encode(new.record) if new is not None else None
        same_place = (
            old is not None
            and new is not None
            and (old.seq, old.at_us, old.campaign)
            == (
                new.seq,
                new.at_us,
                new.campaign,
            )
        )
        if old_bytes != new_bytes or not same_place:
            return Divergence(
                seq=recorded[0].seq + index,
                input_seq=recorded[0].seq,
                recorded=old_bytes.decode() if old_bytes is not None else None,
                decided=new_bytes.decode() if new_bytes is not None else None,
            )
    return None
