"""Who is given an answered caller where a table says which agent suits which debtor."""

from msgspec.structs import replace

from dialer.engine import Engine
from dialer.engine.agents import MOST_COMPARED, MOST_IDLE_US
from domain import events
from domain.calls import Mode
from domain.matching import Match, Matching
from domain.orders import Connect
from domain.settings import CampaignSettings
from tests.unit.engine.floor import SECOND, Floor, OpenGate, of, person

#: Of debts 60 days past due or more and with 100.00 owed: group 3.
TABLE = Matching(
    version="t",
    days=(60,),
    much_minor={"EUR": 10_000},
    gains={"1001": (0.0, 0.0, 0.0, -0.05), "1002": (0.0, 0.0, 0.0, 0.04), "1003": (0.0, 0.0, 0.0, 0.02)},
)


def floor_of(*names: str, due_on: str | None = "2026-01-01", table: Matching | None = TABLE) -> Floor:
    """Return a floor of free agents, the first longest idle, whose debtors are of group 3."""
    floor = Floor(CampaignSettings(name="c", mode=Mode.power, ratio=1.0), people=9, matching=table)
    for number in range(1, 10):
        known = person(number)
        due = replace(known, debts=tuple(replace(debt, due_on=due_on) for debt in known.debts))
        floor.hear(events.PersonChanged, dossier=due)
    for name in names:
        floor.agent(name)
        floor.after(1)
    return floor


def given(floor: Floor, after_s: float = 5.0) -> Connect:
    """Return to whom the first call placed is given when it is answered after so many seconds."""
    first = floor.dial()[0]
    floor.after(after_s)
    (connect,) = of(floor.hear(events.Answered, call_id=first.call_id), Connect)
    return connect


def test_a_caller_is_given_to_whom_suits_him_best_and_the_order_says_why() -> None:
    connect = given(floor_of("1001", "1002", "1003"))
    assert connect.agent == "1002"
    assert connect.match == Match(version="t", group=3, of=3, gain=0.04, instead="1001", passed=-0.05)


def test_of_equals_the_longest_idle_comes_first_and_strangers_to_the_table_add_nothing() -> None:
    connect = given(floor_of("1009", "1008", "1001"))
    assert connect.agent == "1009"
    assert connect.match == Match(version="t", group=3, of=3, gain=0.0)


def test_who_has_been_idle_for_long_comes_first_whatever_he_adds() -> None:
    connect = given(floor_of("1001", "1002"), after_s=MOST_IDLE_US / SECOND)
    assert connect.agent == "1001"
    assert connect.match == Match(version="t", group=3, of=2, gain=-0.05, idle=True)


def test_nobody_is_chosen_among_one_and_no_table_counts_where_the_debtor_has_no_group() -> None:
    assert given(floor_of("1001")).match is None
    unknown = given(floor_of("1001", "1002", due_on=None))
    assert (unknown.agent, unknown.match) == ("1001", None)
    without = given(floor_of("1001", "1002", table=None))
    assert (without.agent, without.match) == ("1001", None)


def test_who_is_to_leave_is_no_match_while_others_stay() -> None:
    floor = floor_of("1001", "1002", "1003")
    first = floor.dial()[0]
    # Calls ring for her, so she stays ready until they are over.
    floor.hear(events.PauseAsked, agent="1002", reason="break")
    assert floor.engine.state.agents["1002"].state == "ready"
    (connect,) = of(floor.hear(events.Answered, call_id=first.call_id), Connect)
    assert connect.agent == "1003"


def test_so_many_longest_idle_are_compared_and_no_more() -> None:
    names = [str(2000 + number) for number in range(MOST_COMPARED + 1)]
    best_last = {names[MOST_COMPARED - 1]: (0.0, 0.0, 0.0, 0.01), names[MOST_COMPARED]: (0.0, 0.0, 0.0, 0.02)}
    connect = given(floor_of(*names, table=replace(TABLE, gains=best_last)))
    assert connect.agent == names[MOST_COMPARED - 1]
    assert connect.match is not None
    assert connect.match.of == MOST_COMPARED


def test_a_floor_brought_back_from_a_snapshot_picks_as_the_one_that_went_on() -> None:
    floor = floor_of("1001", "1002", "1003")
    first = floor.dial()[0]
    answered = events.Answered(at_us=floor.at_us, call_id=first.call_id)
    back = Engine.restore(floor.engine.snapshot(), OpenGate())
    assert back.handle(answered) == floor.engine.handle(answered)


def test_groups_are_told_from_what_is_owed_and_the_oldest_open_debt() -> None:
    (debt,) = person(1).debts

    def group(*debts: tuple[str | None, int, str]) -> int | None:
        owed = tuple(
            replace(debt, debt=n, due_on=due, balance_minor=minor, state=state)
            for n, (due, minor, state) in enumerate(debts)
        )
        return TABLE.group(replace(person(1), debts=owed), "2026-11-30")

    assert group(("2026-11-01", 9_999, "open")) == 0
    assert group(("2026-11-01", 10_000, "open")) == 1
    assert group(("2026-10-01", 9_999, "open")) == 2
    assert group(("2026-11-01", 9_000, "open"), ("2026-10-01", 1_000, "open")) == 3
    assert group(("2026-11-01", 9_000, "open"), ("2026-01-01", 5_000, "withdrawn"), ("2026-01-01", 0, "paid")) == 0
    assert group((None, 9_000, "open")) is None
    assert TABLE.words(0) == "less than 60 days past due, little owed"
    assert TABLE.words(3) == "60 days past due or more, much owed"
