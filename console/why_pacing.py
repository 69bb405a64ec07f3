"""Why so many calls were placed: the decision in force at an instant, in words and figures."""

import msgspec

from console.board_view import REASONS
from domain.facts import PacingDecided
from domain.instants import SECOND
from ledger import queries
from ledger.store import SqlLedger


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign's last decision until an instant."""

    seq: int
    at_us: int
    decision: PacingDecided
    #: The decision in sentences.
    said: list[str]


class WhyPacing(msgspec.Struct, frozen=True, kw_only=True):
    at_us: int
    #: By campaign; one that had decided nothing yet is left out.
    in_force: list[InForce]
    #: The decisions around the instant, oldest first.
    around: list[queries.Pacing]


def why_pacing(
    ledger: SqlLedger, stream: str, campaigns: list[str], at_us: int, *, named: str | None, within_us: int
) -> WhyPacing:
    """Return what was decided at an instant and around it, for one campaign or all."""
    with ledger.reading() as connection:
        around = queries.pacing_around(connection, stream, at_us, campaign=named, within_us=within_us)
        names = (
            [named]
            if named is not None
            else list(dict.fromkeys([*campaigns, *(one.decision.campaign for one in around)]))
        )
        found = [queries.pacing_at(connection, stream, name, at_us) for name in names]
    return WhyPacing(
        at_us=at_us,
        in_force=[
            InForce(
                seq=one.seq, at_us=one.at_us, decision=one.decision, said=sentences(one.decision, at_us - one.at_us)
            )
            for one in found
            if one is not None
        ],
        around=around,
    )


def _in_force(found: queries.Pacing, at_us: int) -> InForce:
    said = sentences(found.decision, at_us - found.at_us)
    return InForce(seq=found.seq, at_us=found.at_us, decision=found.decision, said=said)


def sentences(fact: PacingDecided, since_us: int) -> list[str]:
    """Say a decision; `since_us` is how long before the instant asked about it was made."""
    placed = f"{_count(fact.dials, 'call')} placed" if fact.dials else "no call placed"
    when = f", {since_us / SECOND:.1f} s before; nothing was dialled and the reason stood since" if since_us else ""
    said = [f"{placed}: {REASONS.get(fact.reason, fact.reason.replace('_', ' '))}{when}."]
    busy = f" of {_count(fact.busy, 'busy agent')}" if fact.busy else ""
    finishing = f", {fact.finishing} of them about to finish" if fact.finishing else ""
    said.append(
        f"{_count(fact.free, 'agent')} free, {fact.expected_free:.1f} expected soon{busy}{finishing}; "
        f"{_count(fact.ringing, 'call')} ringing and {fact.waiting} answered without an agent: "
        f"{fact.expected_answers:.1f} answers expected until then."
    )
    if fact.tolerated:
        said.append(
            f"One more call, if answered, would meet nobody with {fact.risk:.2%}; {fact.tolerated:.2%} is tolerated: "
            f"{fact.budget_left:.1f} abandoned calls are left under the tightest limit."
        )
    if fact.p_answer:
        said.append(f"A call is answered by a person with {fact.p_answer:.1%}, by what was seen so far.")
    return said


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
