"""Who is given a caller, and shown a lead, where a step of a strategy asks for agents of a group."""

from functools import partial

from msgspec.structs import replace

from dialer.engine import Engine
from dialer.engine.agents import MOST_COMPARED
from domain import events
from domain.calls import Mode
from domain.instants import iso
from domain.matching import Match, Sought
from domain.orders import Connect, Originate, Reserve, ShowLead
from domain.people import Choice, Lead, Verdict
from domain.settings import CallTreatment, CampaignSettings
from tests.unit.engine.floor import SECOND, Floor, OpenGate, of, person
from tests.unit.engine.test_matching import TABLE

BY_LOT = Choice(strategy="s@1", segment="s", treatment="c.t.1", arm="c", p_arm=1.0, p_call=1.0, place=1, of=9)
ASKS = CallTreatment(agent_group="seniors")


def allowed(at_us: int, *, agent_always: bool = False) -> Verdict:
    local = iso(at_us)[:19] + "+00:00"
    return Verdict(allowed=True, agent_always=agent_always, valid_until_us=at_us + 3600 * SECOND, local_time=local)


def floor_of(
    *agents: tuple[str, tuple[str, ...]], mode: Mode = Mode.power, asks: tuple[int, ...] = (1, 2, 3), **floor: object
) -> Floor:
    """Return a floor of free agents, the first longest idle; some leads' step asks for seniors."""
    campaign = CampaignSettings(name="c", mode=mode, ratio=1.0, treatments={"c.t.1": ASKS, "c.t.2": CallTreatment()})
    found = Floor(campaign, people=0, **floor)
    people = tuple(person(number) for number in range(1, 10))
    due = tuple(replace(one, debts=(replace(one.debts[0], due_on="2026-01-01"),)) for one in people)
    leads = tuple(
        Lead(
            person=one.person,
            rank=one.person,
            debts=(one.person * 100,),
            choice=BY_LOT if one.person in asks else replace(BY_LOT, treatment="c.t.2"),
        )
        for one in due
    )
    found.hear(events.LeadsLoaded, campaign="c", plan="q", chunk=0, sha256="", leads=leads, people=due)
    for one in people:
        found.gate.verdicts[one.person] = allowed
    for name, groups in agents:
        found.agent(name, groups=groups)
        found.after(1)
    return found


def given(floor: Floor, call: Originate) -> Connect:
    floor.after(5)
    (connect,) = of(floor.hear(events.Answered, call_id=call.call_id), Connect)
    return connect


def test_a_caller_goes_to_who_of_the_group_is_longest_idle() -> None:
    floor = floor_of(("1001", ()), ("1002", ("plans",)), ("1003", ("plans", "seniors")), ("1004", ("seniors",)))
    connect = given(floor, floor.dial()[0])
    assert connect.agent == "1003"
    assert connect.sought == Sought(group="seniors", within=True, free=2)
    assert connect.match is None


def test_nobody_waits_for_a_group_while_another_agent_is_free() -> None:
    floor = floor_of(("1001", ()), ("1002", ("plans",)))
    connect = given(floor, floor.dial()[0])
    assert connect.agent == "1001"
    assert connect.sought == Sought(group="seniors", within=False, free=0)


def test_calls_that_ask_for_no_group_are_given_as_ever() -> None:
    floor = floor_of(("1001", ()), ("1002", ("seniors",)), asks=())
    connect = given(floor, floor.dial()[0])
    assert (connect.agent, connect.sought) == ("1001", None)


def test_who_is_to_leave_comes_after_who_stays_whatever_the_group() -> None:
    floor = floor_of(("1001", ("seniors",)), ("1002", ()))
    first = floor.dial()[0]
    floor.hear(events.PauseAsked, agent="1001", reason="break")
    assert floor.engine.state.agents["1001"].state == "ready"
    connect = given(floor, first)
    assert (connect.agent, connect.sought) == ("1002", Sought(group="seniors", within=False, free=0))


def test_of_the_group_whoever_suits_best_is_picked() -> None:
    agents = (("1002", ()), ("1001", ("seniors",)), ("1003", ("seniors",)))
    floor = floor_of(*agents, matching=TABLE)
    connect = given(floor, floor.dial()[0])
    # 1002 suits best of all, and is no senior.
    assert connect.agent == "1003"
    assert connect.match == Match(version="t", group=3, of=2, gain=0.02, instead="1001", passed=-0.05)
    assert connect.sought == Sought(group="seniors", within=True, free=2)


def test_the_group_is_found_among_any_number_of_others() -> None:
    others = [(str(2000 + number), ()) for number in range(MOST_COMPARED + 3)]
    floor = floor_of(*others, ("1001", ("seniors",)), matching=TABLE)
    assert given(floor, floor.dial()[0]).agent == "1001"


def test_a_call_keeps_the_group_that_it_was_placed_with() -> None:
    floor = floor_of(("1001", ()), ("1002", ("seniors",)))
    first, second = floor.dial()
    lead = Lead(person=1, rank=1, debts=(100,), choice=replace(BY_LOT, treatment="c.t.2"))
    floor.hear(events.LeadsLoaded, campaign="c", plan="r", chunk=0, sha256="", leads=(lead,), replaces=True)
    assert given(floor, first).agent == "1002"
    assert given(floor, second).sought == Sought(group="seniors", within=False, free=0)


def test_who_waits_is_given_to_the_first_who_comes_free_and_the_order_tells_the_group() -> None:
    floor = floor_of(("1001", ()))
    (first,) = floor.dial()
    floor.hear(events.PhoneDown, agent="1001")
    assert not of(floor.hear(events.Answered, call_id=first.call_id), Connect)
    (connect,) = of(floor.hear(events.PhoneUp, agent="1001", node="main"), Connect)
    assert connect.sought == Sought(group="seniors", within=False)


def test_a_call_that_needs_an_agent_of_its_own_is_placed_on_account_of_the_group() -> None:
    floor = floor_of(("1001", ()), ("1002", ("seniors",)))
    floor.gate.verdicts[1] = partial(allowed, agent_always=True)
    floor.tick()
    (first,) = [one for one in of(floor.rows_of(), Reserve) if one.person == 1]
    assert first.agent == "1002"
    floor.after(5)
    (connect,) = of(floor.hear(events.Answered, call_id=first.call_id), Connect)
    assert (connect.agent, connect.sought) == ("1002", Sought(group="seniors", within=True))


def shown(floor: Floor, agent: str) -> int:
    (lead,) = of(floor.hear(events.LeadAsked, agent=agent), ShowLead)
    return lead.person


def test_leads_of_a_group_at_work_are_shown_to_its_agents() -> None:
    floor = floor_of(("1001", ()), ("1002", ("seniors",)), ("1003", ("seniors",)), mode=Mode.preview)
    assert shown(floor, "1001") == 4
    assert shown(floor, "1002") == 1
    floor.hear(events.SignedOut, agent="1003")
    # A senior reads a lead: the group is at work still.
    floor.hear(events.LeadSkipped, agent="1001")
    assert shown(floor, "1001") == 5


def test_leads_of_a_group_are_shown_to_anybody_when_it_is_not_at_work_or_nothing_else_is_left() -> None:
    floor = floor_of(("1001", ()), ("1002", ("seniors",)), mode=Mode.preview)
    floor.hear(events.PauseAsked, agent="1002", reason="break")
    assert shown(floor, "1001") == 1
    floor = floor_of(("1001", ()), ("1002", ("seniors",)), mode=Mode.preview, asks=tuple(range(1, 10)))
    assert shown(floor, "1001") == 1


def test_groups_are_those_of_the_last_sign_in_and_come_back_from_a_snapshot() -> None:
    floor = floor_of(("1001", ()), ("1002", ("seniors",)), ("1003", ()))
    floor.hear(events.SignedOut, agent="1002")
    floor.agent("1002")
    floor.hear(events.SignedOut, agent="1003")
    floor.agent("1003", groups=("seniors",))
    first = floor.dial()[0]
    answered = events.Answered(at_us=floor.at_us, call_id=first.call_id)
    back = Engine.restore(floor.engine.snapshot(), OpenGate())
    rows = floor.engine.handle(answered)
    assert [row.record.agent for row in rows if isinstance(row.record, Connect)] == ["1003"]
    assert back.handle(answered) == rows
