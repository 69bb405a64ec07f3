"""Callees that do as they are told, and a world around them: for tests of the simulated switch."""

from collections.abc import Callable

import msgspec
from simpy import Environment

from domain.calls import Disposition
from domain.events import AnyEvent
from domain.orders import Connect, Originate
from simulation.callees import Fate, Meeting, Said
from simulation.chance import Chance
from simulation.exchange import WorldSettings
from simulation.world import World

START_US = 1_763_000_000_000_000
NEVER_US = 10**15


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt as it is to go; times in microseconds."""

    fate: Fate | None = None
    who: str = "debtor"
    setup_us: int = 500_000
    ring_us: int = 5_000_000
    patience_us: int = NEVER_US
    talk_us: int = 60_000_000
    person_ends: bool = True


class ScriptedCallees:
    """Callees by phone: the n-th attempt on a phone follows its n-th script, the last one for ever."""

    def __init__(self, scripts: dict[int, list[Script]]) -> None:
        self.scripts = scripts
        self.attempts: dict[int, int] = {}

    def _script(self, meeting: Meeting) -> Script:
        scripts = self.scripts[meeting.phone]
        return scripts[min(meeting.nth, len(scripts)) - 1]

    def dial(self, phone: int, at_us: int) -> Meeting:
        nth = self.attempts[phone] = self.attempts.get(phone, 0) + 1
        meeting = Meeting(phone=phone, person=phone, nth=nth, who="", fate=None, setup_us=0, ring_us=0)
        script = self._script(meeting)
        meeting.fate, meeting.who = script.fate, script.who
        meeting.setup_us, meeting.ring_us = script.setup_us, script.ring_us
        return meeting

    def answer(self, meeting: Meeting) -> None:
        meeting.patience_us = self._script(meeting).patience_us

    def talk(self, meeting: Meeting) -> None:
        script = self._script(meeting)
        meeting.talk_us, meeting.person_ends = script.talk_us, script.person_ends

    def say(self, meeting: Meeting, at_us: int, person: int, debts: tuple[int, ...]) -> Said:
        return Said(disposition=Disposition.no_promise)


class Stage:
    """A world whose events are kept, in virtual time from 0 µs after its start."""

    def __init__(
        self,
        *scripts: Script,
        settings: WorldSettings | None = None,
        react: Callable[["Stage", AnyEvent], None] | None = None,
    ) -> None:
        self.env = Environment(START_US)
        self.events: list[AnyEvent] = []
        self._react = react
        callees = ScriptedCallees({phone: [script] for phone, script in enumerate(scripts, 1)})
        self.world = World(self.env, settings or WorldSettings(), callees, Chance(1), self._deliver)
        self.world.start()
        self.events.clear()

    def _deliver(self, event: AnyEvent) -> None:
        self.events.append(event)
        if self._react is not None:
            self._react(self, event)

    def run(self, seconds: float) -> list[tuple[str, int]]:
        """Go on for a while; return the new events' names and instants in microseconds from the start."""
        seen = len(self.events)
        self.env.run(until=int(self.env.now) + round(seconds * 1e6))
        return [(type(event).__name__, event.at_us - START_US) for event in self.events[seen:]]

    def names(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    def dial(self, phone: int = 1, **changes: object) -> str:
        call_id = f"floor-{phone}"
        order = Originate(
            call_id=call_id,
            campaign="a",
            phone=phone,
            node="main",
            trunk="trunk",
            caller_id="",
            ring_timeout_ms=25_000,
            valid_until_us=START_US + NEVER_US,
            detect=False,
            record=False,
            grace_ms=300,
            limit_ms=1_700,
            abandon="message",
            language="es",
        )
        self.world.send(msgspec.structs.replace(order, **changes))
        return call_id

    def seat(self, *agents: str) -> None:
        """Have agents off-hook."""
        for agent in agents:
            self.world.lift(agent, "main")
        self.run(5)
        self.events.clear()


def connect_at_once(agent: str) -> Callable[[Stage, AnyEvent], None]:
    """Return an engine that gives every answered caller to one agent."""

    def react(stage: Stage, event: AnyEvent) -> None:
        if type(event).__name__ == "Answered":
            stage.world.send(Connect(call_id=event.call_id, agent=agent, node="main"))  # type: ignore[union-attr]

    return react
