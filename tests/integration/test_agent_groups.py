"""A simulated day whose strategy asks for agents of a group: who is given what, said by `why` and decided again."""

from functools import partial
from pathlib import Path

from msgspec.structs import replace

from compliance.gate import Gate
from console.why_agent import call_of, why_agent
from dialer.engine.replay import replay
from domain.calls import Mode
from domain.events import SignedIn
from domain.orders import Connect, Reserve
from domain.settings import FloorSettings
from ledger.store import SqlLedger, open_ledger
from simulation.agents import Chair
from simulation.day import chairs_of
from simulation.run import SimulatedFloor
from strategy.checking import read
from strategy.documents import Segment, Strategy, attached
from tests.integration.days import MORNING_US, campaign, enrolled, work_a_day
from tests.integration.simulated import RULES

#: Longest idle first at the start: two juniors, then two seniors.
CHAIRS = [
    Chair(agent=f"a{n}", starts_us=MORNING_US + n * 10**6, groups=("seniors",) if n % 4 > 1 else ()) for n in range(8)
]


def floor_settings(group: str) -> FloorSettings:
    """Return a floor whose strategy has half of the accounts called by agents of a group first."""
    document = read(Path("config/strategies/balance.toml")).document
    of_group = replace(document.treatments["call"].steps[0], agent_group=group)
    document = replace(
        document,
        explore=0.0,
        # Everybody alike: both halves are called from the first minute on.
        rank_by=("debts",),
        segments=(Segment(name="much", when="balance_share >= 0.5", treatment="much"), *document.segments),
        treatments={**document.treatments, "much": replace(document.treatments["call"], steps=(of_group,))},
    )
    listed = attached(campaign(Mode.power, ratio=2.0), Strategy(document=document))
    return FloorSettings(campaigns=(listed,), max_lines=100)


def worked(ledger: SqlLedger, group: str, chairs: list[Chair]) -> SimulatedFloor:
    enrolled(ledger, 900)
    return work_a_day(ledger, settings=floor_settings(group), hours=1.2, chairs=chairs)


def test_half_of_the_callers_go_to_seniors_first_and_the_record_says_why(tmp_path: Path) -> None:
    with open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        worked(ledger, "seniors", CHAIRS)
        rows = list(ledger.read("floor"))
        gate = Gate.load(RULES)
        found = replay(rows, {gate.version: gate}.get)
        assert (found.divergences, found.rows) == ([], len(rows))
        reserved = {row.record.call_id: row.record for row in rows if isinstance(row.record, Reserve)}
        given = [row.record for row in rows if isinstance(row.record, Connect)]
        assert len(given) > 60
        seniors = {chair.agent for chair in CHAIRS if chair.groups}
        for one in given:
            choice = reserved[one.call_id].choice
            assert choice is not None
            assert (one.sought is not None) == (choice.segment == "much")
            if one.sought is not None:
                assert one.sought.within == (one.agent in seniors)
                assert one.sought.free is None or one.sought.within == (one.sought.free > 0)
        asked = [one.sought for one in given if one.sought is not None and one.sought.free is not None]
        assert len(asked) > 20
        assert sum(one.within for one in asked) > len(asked) // 2
        told = partial(why_agent, ledger, zone="Europe/Madrid")

        def said(within: bool) -> tuple[Connect, list[str]]:
            chosen = [one for one in given if one.sought is not None and one.sought.free is not None]
            order = next(one for one in chosen if one.sought is not None and one.sought.within == within)
            call = call_of(ledger, order.call_id)
            assert call is not None
            return order, told(call).said

        order, sentences = said(True)
        assert order.sought is not None
        assert sentences[1] == (
            f"It asked for agents of the group seniors: {order.sought.free} free, agent {order.agent} of them."
        )
        assert sentences[2] == "Of these, this one had been idle longest."
        _, sentences = said(False)
        assert sentences[1:] == [
            "It asked for agents of the group seniors: none of them was free for this campaign, so it went to another.",
            "Of the agents free for it, this one had been idle longest.",
        ]
        chairs = {chair.agent: chair.groups for chair in chairs_of(rows, ())}
        assert chairs == {chair.agent: chair.groups for chair in CHAIRS}


def test_a_group_in_which_nobody_is_changes_only_what_is_said_of_it(tmp_path: Path) -> None:
    """Nobody waits, nobody else is picked, and nothing else is dialled."""
    days = []
    for group in ("", "nobody"):
        with open_ledger(f"sqlite:///{tmp_path / f'{group}.db'}") as ledger:
            worked(ledger, group, CHAIRS)
            days.append([row.record for row in ledger.read("floor")])
    given, of_nobody = ([one for one in day if isinstance(one, Connect)] for day in days)
    assert [replace(one, sought=None) for one in of_nobody] == given
    assert any(one.sought is not None for one in of_nobody)
    assert not any(one.sought is not None and (one.sought.within or one.sought.free) for one in of_nobody)
    signed_in = {one.agent: one.groups for one in days[0] if isinstance(one, SignedIn)}
    assert signed_in == {chair.agent: chair.groups for chair in CHAIRS}
