"""Who is given a caller, against a rule in one line: class, group, what an agent adds, how long idle."""

from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from dialer.engine.agents import MOST_COMPARED, MOST_IDLE_US, pick
from dialer.engine.state import Agent, Call, State
from dialer.engine.step import Step
from domain.calls import AgentState, Mode, Phase
from domain.matching import Matching
from domain.people import Debt, Dossier
from domain.settings import FloorSettings
from tests.unit.engine.floor import SECOND, START_US, OpenGate

GROUPS = ("seniors", "plans")

AGENTS = st.lists(
    st.fixed_dictionaries(
        {
            "allotted": st.sampled_from(["c", "c", "c", "d", None]),
            "campaigns": st.sampled_from([(), (), ("c",), ("d",)]),
            "node": st.sampled_from(["main", "main", "main", "other"]),
            "then": st.sampled_from(["ready", "ready", "leave"]),
            "groups": st.lists(st.sampled_from(GROUPS), unique=True).map(tuple),
            "gain": st.integers(-2, 2),
            "refused": st.sampled_from([False, False, False, True]),
        }
    ),
    max_size=MOST_COMPARED + 8,
)


@profile(max_examples=300, deadline=None)
@given(
    agents=AGENTS,
    asked=st.sampled_from(["", "seniors", "plans", "nobody"]),
    matched=st.booleans(),
    idle_s=st.sampled_from([1, 59, 60, 200]),
)
def test_the_pick_is_the_first_by_class_group_gain_and_idleness(
    agents: list[dict[str, object]], asked: str, matched: bool, idle_s: int
) -> None:
    names = [f"a{n:02}" for n in range(len(agents))]
    of = dict(zip(names, agents, strict=True))
    table = Matching(
        version="m",
        days=(),
        much_minor={"EUR": 1},
        gains={name: (0.0, one["gain"] / 100) for name, one in of.items()},
    )
    state = State()
    state.settings = FloorSettings(matching=table if matched else None)
    state.at_us, state.day = START_US, "2026-11-30"
    debt = Debt(debt=1, creditor=1, balance_minor=5, currency="EUR", due_on="2026-01-01")
    state.people[1] = Dossier(person=1, keys=(), country="ES", debts=(debt,))
    for n, (name, one) in enumerate(of.items()):
        told = {key: one[key] for key in ("allotted", "campaigns", "node", "then", "groups")}
        since_us = START_US - idle_s * SECOND + n
        state.agents[name] = Agent(agent=name, state=AgentState.ready, phone_up=True, since_us=since_us, **told)
        state.ready[name] = None
    call = Call(
        call_id="f-1", campaign="c", person=1, debts=(1,), phone=1, keys=(), mode=Mode.predictive, node="main",
        trunk="t", caller_id="", language="", abandon_message=False, phase=Phase.waiting, agent_group=asked,
        refused=tuple(name for name, one in of.items() if one["refused"]),
    )  # fmt: skip

    def place(name: str) -> tuple[int, bool]:
        one = of[name]
        own = one["allotted"] == "c"
        return 2 if not own else one["then"] != "ready", bool(asked) and asked not in one["groups"]

    able = [
        name
        for name, one in of.items()
        if one["node"] == "main" and not one["refused"] and one["campaigns"] in ((), ("c",))
    ]
    found = pick(Step(state, OpenGate()), call)
    if not able:
        assert found.agent is None
        return
    first = min(map(place, able))
    equal = [name for name in able if place(name) == first]
    best = equal[0]
    if matched and idle_s * SECOND - names.index(best) < MOST_IDLE_US:
        best = max(equal[:MOST_COMPARED], key=lambda name: of[name]["gain"])
    assert found.agent is not None
    assert found.agent.agent == best
    assert found.of_group == ((0 if first[1] else len(equal)) if asked else None)
    assert (found.match is not None) == (matched and len(equal) > 1)
