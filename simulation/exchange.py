"""The things of the simulated switch: its settings, its calls, the agents' phones, and what an agent senses there."""

import msgspec

from domain.calls import AnswerClass
from domain.orders import Originate, ShowLead
from simulation.alarms import Alarm
from simulation.callees import Meeting

#: Where a call is on the switch.
DOWN, RINGING, DETECTING, MACHINE, WAITING, KEPT, QUEUED, MESSAGE, TALKING, GONE = (
    "down",
    "ringing",
    "detecting",
    "machine",
    "waiting",
    "kept",
    "queued",
    "message",
    "talking",
    "gone",
)

#: What a resync calls these places.
LIVE = {
    DOWN: "down",
    RINGING: "ringing",
    DETECTING: "detecting",
    WAITING: "up",
    KEPT: "up",
    QUEUED: "queued",
    MESSAGE: "queued",
    TALKING: "talking",
}

#: The class of an answered call that ended in a place while nobody listened.
CLASSES = {
    DETECTING: AnswerClass.cut,
    MACHINE: AnswerClass.machine,
    WAITING: AnswerClass.abandoned,
    KEPT: AnswerClass.abandoned,
    QUEUED: AnswerClass.abandoned,
    MESSAGE: AnswerClass.abandoned,
    TALKING: AnswerClass.connected,
}


class WorldSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The switch and its lines. Times measured on Asterisk 22 unless marked (assumed)."""

    nodes: tuple[str, ...] = ("main",)
    #: Lines of each node; a call beyond them meets congestion. None: no limit.
    lines: int | None = None
    #: From an order's leaving to its effect on the switch.
    order_us: int = 1_000
    #: From AgentRequest to voices (0.8–1.4 ms).
    bridge_us: int = 1_000
    #: From the queue's choice to voices (3–8 ms).
    queue_bridge_us: int = 4_000
    #: The queue looks for an agent this often while a caller waits (`retry` of the queue).
    queue_retry_us: int = 1_000_000
    #: The agent's phone is picked up so long after it is rung (assumed).
    agent_answer_us: int = 2_000_000
    #: From AgentLogin to usable.
    agent_usable_us: int = 4_800_000
    #: The recorded message to an abandoned caller (assumed).
    message_us: int = 8_000_000
    #: A callee whom the agent should have left hangs up this long after the conversation (assumed).
    reluctance_us: int = 20_000_000
    #: Machine detection: a person is found in this range, a machine in that, undecided after so long.
    detect_person_us: tuple[int, int] = (1_700_000, 1_840_000)
    detect_machine_us: tuple[int, int] = (1_350_000, 1_440_000)
    detect_unsure_us: int = 4_900_000
    #: Share of persons taken for machines, of machines taken for persons, and of both left undecided. Asterisk's
    #: detection is right in 85–95 % of calls when tuned (published range; the split is assumed).
    p_person_as_machine: float = 0.05
    p_machine_as_person: float = 0.08
    p_unsure: float = 0.02


class Line(msgspec.Struct, eq=False):
    """A call on the switch."""

    call_id: str
    node: str
    order: Originate
    meeting: Meeting
    #: The switch gives up ringing.
    rang_out_us: int
    place: str = DOWN
    answered: bool = False
    detected: str = ""
    #: The callee hangs up unless somebody speaks before.
    leave_us: int = 0
    #: The patience is over.
    limit_us: int = 0
    #: The agent in conversation with the callee.
    seat: "Seat | None" = None
    #: What happens next to this call, if nothing comes between.
    alarm: Alarm | None = None


class Seat:
    """An agent's phone."""

    __slots__ = ("agent", "campaigns", "dead_until_us", "line", "node", "paused", "turn", "up", "used_us")

    def __init__(self, agent: str, node: str) -> None:
        self.agent = agent
        self.node = node
        #: Off-hook and usable.
        self.up = False
        #: Tells a coming up from one that was called off meanwhile.
        self.turn = 0
        #: Cannot be rung before.
        self.dead_until_us = 0
        self.line: Line | None = None
        self.campaigns: tuple[str, ...] = ()
        self.paused = True
        #: Last end of a conversation: the queue takes the least recent.
        self.used_us = 0


class Listener:
    """What an agent senses at the phone and on the screen. Robot agents override it; an empty chair senses nothing."""

    def lifted(self, agent: str) -> None:
        """Hear that the phone is off-hook and usable."""

    def dropped(self, agent: str) -> None:
        """Hear that the phone went on-hook."""

    def connected(self, agent: str, call_id: str, meeting: Meeting) -> None:
        """Hear the callee."""

    def left(self, agent: str, call_id: str) -> None:
        """Hear that the callee is gone."""

    def shown(self, order: ShowLead) -> None:
        """See a lead on the screen."""
