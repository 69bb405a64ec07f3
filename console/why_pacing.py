"""Why so many calls were placed: the decision in force at an instant, in words, with what was seen at that instant."""

import msgspec

from console.accepted import gate_in_force
from console.board_view import REASONS
from console.settings import Settings
from console.why import folded
from dialer.engine.paced import resting
from dialer.engine.state import State
from domain.facts import PacingDecided
from domain.instants import SECOND
from ledger import queries
from ledger.store import SqlLedger


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign's last decision until an instant, and the floor as its pacer saw it then."""

    seq: int
    at_us: int
    decision: PacingDecided
    #: The same at the instant asked about: nothing was dialled and the reason stood since.
    seen: PacingDecided
    #: Both in sentences.
    said: list[str]


class WhyPacing(msgspec.Struct, frozen=True, kw_only=True):
    at_us: int
    #: By campaign; one that had decided nothing yet is left out.
    in_force: list[InForce]
    #: The decisions around the instant, oldest first.
    around: list[queries.Pacing]


def why_pacing(ledger: SqlLedger, settings: Settings, at_us: int, *, named: str | None, within_us: int) -> WhyPacing:
    """Return what was decided at an instant and around it, for one campaign or all."""
    stream = settings.floor.stream
    with ledger.reading() as connection:
        around = queries.pacing_around(connection, stream, at_us, campaign=named, within_us=within_us)
    state = folded(ledger, stream, gate_in_force(settings.rules), at_us)
    names = [named] if named is not None else list(state.campaigns)
    with ledger.reading() as connection:
        found = [queries.pacing_at(connection, stream, name, at_us) for name in names]
    return WhyPacing(
        at_us=at_us, in_force=[_in_force(state, one, at_us) for one in found if one is not None], around=around
    )


def _in_force(state: State, found: queries.Pacing, at_us: int) -> InForce:
    name = found.decision.campaign
    seen = resting(state, state.campaigns[name], found.decision.reason, state.settings.max_lines)
    said = sentences(found.decision, seen, at_us - found.at_us)
    return InForce(seq=found.seq, at_us=found.at_us, decision=found.decision, seen=seen, said=said)


def sentences(decided: PacingDecided, seen: PacingDecided, since_us: int) -> list[str]:
    """Say a decision that was made so long before the instant asked about, and what was seen then."""
    placed = f"{_count(decided.dials, 'call')} placed" if decided.dials else "no call placed"
    when = f", {since_us / SECOND:.1f} s before; nothing was dialled and the reason stood since" if since_us else ""
    said = [f"{placed}: {REASONS.get(decided.reason, decided.reason.replace('_', ' '))}{when}."]
    finishing = f", {seen.finishing} of them about to finish" if seen.finishing else ""
    said.append(
        f"{_count(seen.free, 'agent')} free, {_count(seen.busy, 'agent')} busy{finishing}: "
        f"{seen.expected_free:.1f} expected free soon; {_count(seen.ringing, 'call')} ringing, {seen.waiting} answered "
        f"without an agent: {seen.expected_answers:.1f} answers expected until then."
    )
    if seen.risk:
        said.append(
            f"One more call, if answered, would meet nobody with {seen.risk:.2%}; {seen.tolerated:.2%} is tolerated: "
            f"{seen.budget_left:.1f} abandoned calls are left under the tightest limit."
        )
    if seen.p_answer:
        said.append(f"A call takes an agent with {seen.p_answer:.1%}, by what was seen so far.")
    return said


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
