"""The life of a call, as a table.

Rule 1: every change of a call's phase stands here. `evolve` refuses any other (`Broken`): no code path can invent one.
Rule 2: the table does not know who caused a change; inputs without an entry in `TRIGGERED` are late news and change
nothing.
"""

from domain.calls import Phase
from domain.events import Abandoned, Answered, Connected, Event, Queued, Ringing

#: What may follow a phase, whoever causes it (inputs, our own orders, a resync after blindness).
ALLOWED: dict[Phase, frozenset[Phase]] = {
    Phase.reserving: frozenset({Phase.originating, Phase.closed}),
    Phase.originating: frozenset(
        {Phase.ringing, Phase.detecting, Phase.waiting, Phase.queued, Phase.message, Phase.talking, Phase.wrapping}
        | {Phase.closed}
    ),
    Phase.ringing: frozenset(
        {Phase.detecting, Phase.waiting, Phase.queued, Phase.message, Phase.talking, Phase.wrapping, Phase.closed}
    ),
    Phase.detecting: frozenset(
        {Phase.waiting, Phase.queued, Phase.message, Phase.talking, Phase.wrapping, Phase.closed}
    ),
    Phase.waiting: frozenset(
        {Phase.connecting, Phase.queued, Phase.message, Phase.talking, Phase.wrapping, Phase.closed}
    ),
    Phase.connecting: frozenset(
        {Phase.waiting, Phase.queued, Phase.message, Phase.talking, Phase.wrapping, Phase.closed}
    ),
    Phase.queued: frozenset({Phase.message, Phase.talking, Phase.wrapping, Phase.closed}),
    Phase.message: frozenset({Phase.talking, Phase.wrapping, Phase.closed}),
    # A switch may hand a caller on to another agent.
    Phase.talking: frozenset({Phase.talking, Phase.wrapping, Phase.closed}),
    Phase.wrapping: frozenset({Phase.closed}),
    Phase.closed: frozenset(),
}

#: Phases of a channel that exists, or may, on the switch.
ON_SWITCH = frozenset(ALLOWED) - {Phase.reserving, Phase.wrapping, Phase.closed}

#: Not answered yet.
UNANSWERED = frozenset({Phase.reserving, Phase.originating, Phase.ringing})

#: A person (as far as known) who has no agent yet.
HOLDING = frozenset({Phase.waiting, Phase.connecting, Phase.queued})

#: How far a call has come, as `dialer.engine.state.Lines` keeps it; empty: it holds no line.
STAGES: dict[Phase, str] = (
    dict.fromkeys(UNANSWERED, "unanswered")
    | dict.fromkeys(HOLDING | {Phase.message}, "answered")
    | {Phase.detecting: "detecting", Phase.talking: "talking", Phase.wrapping: "", Phase.closed: ""}
)

#: Of every change that is allowed, how far the call had come and how far it has come then.
CHANGES: dict[Phase, dict[Phase, tuple[str, str]]] = {
    was: {phase: (STAGES[was], STAGES[phase]) for phase in Phase if phase in following}
    for was, following in ALLOWED.items()
}

#: The phase that a switch's word leads to. `Answered` leads to `detecting` where the campaign detects machines.
TRIGGERED: dict[Phase, dict[type[Event], Phase]] = {
    Phase.originating: {
        Ringing: Phase.ringing,
        Answered: Phase.waiting,
        Connected: Phase.talking,
        Queued: Phase.queued,
        Abandoned: Phase.message,
    },
    Phase.ringing: {
        Answered: Phase.waiting,
        Connected: Phase.talking,
        Queued: Phase.queued,
        Abandoned: Phase.message,
    },
    Phase.detecting: {Queued: Phase.queued, Connected: Phase.talking, Abandoned: Phase.message},
    Phase.waiting: {Queued: Phase.queued, Connected: Phase.talking, Abandoned: Phase.message},
    Phase.connecting: {Queued: Phase.queued, Connected: Phase.talking, Abandoned: Phase.message},
    Phase.queued: {Connected: Phase.talking, Abandoned: Phase.message},
    Phase.message: {Connected: Phase.talking},
}


def diagram() -> str:
    """Return the table as a Mermaid state diagram; `docs/engine.md` shows it, and a test keeps it true."""
    lines = ["stateDiagram-v2", "    [*] --> reserving"]
    for phase, following in ALLOWED.items():
        words = {target: event.__name__ for event, target in TRIGGERED.get(phase, {}).items()}
        lines += [
            f"    {phase} --> {target}" + (f": {words[target]}" if target in words else "")
            for target in Phase
            if target in following
        ]
    return "\n".join([*lines, "    closed --> [*]"])
