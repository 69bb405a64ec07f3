"""Whatever is ordered, and whenever: every call ends exactly once, and no agent hears two callees."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from domain.events import AnyEvent
from domain.orders import Connect, DropAgent, HangUp, Keep, QueueAgent, RingAgent
from simulation.callees import BUSY, NO_ANSWER, NOT_IN_SERVICE, REJECTED
from simulation.exchange import WorldSettings
from tests.unit.simulation.scripted import Script, Stage

AGENTS = ("ana", "eva")
CALLS = 4

scripts = st.builds(
    Script,
    fate=st.sampled_from([None, None, None, None, BUSY, NO_ANSWER, NOT_IN_SERVICE, REJECTED]),
    who=st.sampled_from(["debtor", "machine"]),
    setup_us=st.integers(0, 1_000_000),
    ring_us=st.integers(0, 30_000_000),
    patience_us=st.integers(0, 10_000_000),
    talk_us=st.integers(0, 20_000_000),
    person_ends=st.booleans(),
)
calls = st.integers(1, CALLS)
agents = st.sampled_from(AGENTS)
actions = st.one_of(
    st.tuples(st.just("dial"), calls, st.booleans(), st.sampled_from(["message", "hangup"])),
    st.tuples(st.just("connect"), calls, agents),
    st.tuples(st.just("connect"), calls, agents),
    st.tuples(st.just("keep"), calls, st.integers(0, 3_000)),
    st.tuples(st.just("hang_up"), calls),
    st.tuples(st.just("ring"), agents),
    st.tuples(st.just("lift"), agents),
    st.tuples(st.just("drop"), agents),
    st.tuples(st.just("drop_order"), agents),
    st.tuples(st.just("queue"), agents, st.booleans()),
    st.tuples(st.just("cut"), st.integers(0, 3_000_000)),
    st.tuples(st.just("mend")),
    st.tuples(st.just("restart"), st.integers(0, 3_000_000)),
)


def carry_out(stage: Stage, action: tuple, placed: set[str]) -> None:
    world = stage.world
    match action:
        case "dial", phone, detect, abandon:
            if f"floor-{phone}" not in placed:
                placed.add(stage.dial(phone, detect=detect, abandon=abandon))
        case "connect", phone, agent:
            world.send(Connect(call_id=f"floor-{phone}", agent=agent, node="main"))
        case "keep", phone, for_ms:
            world.send(Keep(call_id=f"floor-{phone}", node="main", for_ms=for_ms))
        case "hang_up", phone:
            world.send(HangUp(call_id=f"floor-{phone}", node="main", why="test"))
        case "ring", agent:
            world.send(RingAgent(agent=agent, node="main"))
        case "lift", agent:
            world.lift(agent, "main")
        case "drop", agent:
            if agent in world.seats:
                world.drop(agent)
        case "drop_order", agent:
            world.send(DropAgent(agent=agent, node="main"))
        case "queue", agent, paused:
            world.send(QueueAgent(agent=agent, node="main", campaigns=("a",), paused=paused))
        case "cut", notice_us:
            world.cut_link("main", notice_us)
        case ("mend",):
            world.mend_link("main")
        case "restart", down_us:
            world.restart_node("main", down_us)


def talks(events: list[AnyEvent]) -> None:
    """Check, from what was told, that nobody talks twice at once and nothing is heard of a call that ended."""
    talking: dict[str, str] = {}
    over: set[str] = set()
    for event in events:
        name, call_id = type(event).__name__, getattr(event, "call_id", "")
        assert call_id not in over, f"{name} after the end of {call_id}"
        if name == "Resynced":
            # What happened in the dark is not told; begin again from what is alive.
            talking = {call.agent: call.call_id for call in event.calls if call.agent}  # type: ignore[union-attr]
        elif name == "Connected":
            agent = event.agent  # type: ignore[union-attr]
            assert agent not in talking, f"{agent} hears {talking[agent]} and {call_id}"
            assert call_id not in talking.values()
            talking[agent] = call_id
        elif name == "Ended":
            over.add(call_id)
            talking = {agent: other for agent, other in talking.items() if other != call_id}


@given(
    st.lists(scripts, min_size=CALLS, max_size=CALLS),
    st.lists(st.tuples(st.integers(0, 8_000_000), actions), max_size=30),
    st.sampled_from([WorldSettings(), WorldSettings(lines=2, order_us=400_000, p_unsure=0.3)]),
)
def test_every_call_ends_exactly_once_and_no_agent_hears_two(
    people: list[Script], steps: list[tuple[int, tuple]], settings: WorldSettings
) -> None:
    stage = Stage(*people, settings=settings)
    placed: set[str] = set()
    for after_us, action in steps:
        stage.env.run(until=int(stage.env.now) + 1 + after_us)
        before = stage.world.placed
        had = set(placed)
        carry_out(stage, action, placed)
        if placed != had and stage.world.placed == before:
            placed = had  # the link was down: it never left
        assert stage.world.placed - stage.world.ended == len(stage.world.lines)
        held = [seat.line for seat in stage.world.seats.values() if seat.line is not None]
        assert len({id(line) for line in held}) == len(held)
    stage.env.run(until=int(stage.env.now) + 300_000_000)
    assert stage.world.placed == stage.world.ended == len(placed)
    assert not stage.world.lines
    assert all(seat.line is None for seat in stage.world.seats.values())
    talks(stage.events)
    told = Counter(event.call_id for event in stage.events if type(event).__name__ == "Ended")  # type: ignore[union-attr]
    assert all(count == 1 for count in told.values())
    if not any(action[0] in ("cut", "restart") for _, action in steps):
        assert set(told) == placed


@given(
    st.lists(scripts, min_size=CALLS, max_size=CALLS),
    st.lists(st.tuples(st.integers(0, 8_000_000), actions), max_size=30),
)
def test_equal_orders_give_equal_events(people: list[Script], steps: list[tuple[int, tuple]]) -> None:
    def told() -> list[AnyEvent]:
        stage = Stage(*people)
        placed: set[str] = set()
        for after_us, action in steps:
            stage.env.run(until=int(stage.env.now) + 1 + after_us)
            carry_out(stage, action, placed)
        stage.env.run(until=int(stage.env.now) + 300_000_000)
        return stage.events

    assert told() == told()
