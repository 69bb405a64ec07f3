"""The floor of another dialer as its events tell it, and at each tick what our pacing would do in its place.

Rule 1: nothing here dials, writes a record or knows a number; words come in, advice goes out.
Rule 2: time is that of the events. `advance` ticks up to an instant, `take` folds one word.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
from msgspec.structs import replace

from dialer.pacing import Limit, Pacer, PacingSettings
from dialer.shadow import words
from dialer.shadow.ghost import Ghost
from dialer.shadow.summary import Side, Summary
from domain.calls import Cause
from domain.errors import BadInput
from domain.instants import HOUR, SECOND, from_datetime, to_datetime
from domain.settings import CampaignSettings, FloorSettings

#: Nobody is there and nothing rings for so long: the ticks in between are left out.
_QUIET_US = 60 * SECOND

_KINDS = {
    Cause.busy: "busy",
    # The far network answered for a number that does not exist: the trunk is well.
    Cause.not_in_service: "busy",
    Cause.congestion: "failed",
    Cause.network_fail: "failed",
    Cause.switch_fail: "failed",
}


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What our pacing would do at a tick, beside what the other dialer did since the last one."""

    at_us: int
    campaign: str
    #: Calls that we would place now, and why no more (`dialer.pacing.REASONS`).
    advised: int
    reason: str
    #: Calls that the other dialer has placed.
    placed: int
    free: int
    busy: int
    ringing: int
    waiting: int
    expected_free: float
    expected_answers: float
    budget_left: float
    risk: float
    tolerated: float
    p_answer: float
    #: Of the other dialer's calls so far: answered by people, of those abandoned.
    answered: int
    abandoned: int


class _Line(msgspec.Struct):
    """A call that has not ended."""

    campaign: str
    dialled_us: int
    p_answer: float | None
    #: ringing, detecting, waiting, talking, or over (abandoned, or a machine) but not hung up.
    place: str = "ringing"
    answered_us: int = 0
    agent: str = ""
    #: 0 nothing told, 1 ringing, 2 early media.
    progress: int = 0


class _Agent(msgspec.Struct):
    campaign: str | None
    state: str
    since_us: int
    call: str = ""
    finishing_us: int = 0
    #: Length of the conversation that is being wrapped up.
    talk_s: float | None = None


class _Side:
    """One campaign that is followed."""

    def __init__(self, settings: CampaignSettings, pacing: PacingSettings) -> None:
        self.settings = settings
        self.pacer = Pacer(pacing)
        self.ghost = Ghost(lambda: Pacer(pacing), settings.patience_s)
        self.summary = Summary(campaign=settings.name)
        self.placed = 0
        self.advised = 0
        self.staff = -1
        #: The other dialer's counts when the comparison began.
        self.before: Side | None = None

    def compared(self) -> Summary:
        """Return how the two compare so far."""
        summary, before = self.summary, self.before
        if before is None:
            return summary
        theirs = summary.theirs
        since = {name: getattr(theirs, name) - getattr(before, name) for name in Side.__struct_fields__}
        return replace(summary, theirs_compared=Side(**since), ours=self.ghost.side)


class Shadow:
    """Follows the campaigns of another dialer.

    Parameters
    ----------
    floor : FloorSettings
        Calendar and tick; of its campaigns, limits and patience.
    campaigns : sequence of str
        Those to follow; their names are the other dialer's.
    """

    def __init__(self, floor: FloorSettings, campaigns: Sequence[str]) -> None:
        self.floor = floor
        self.campaigns = tuple(campaigns)
        self._settings = [floor.campaign(name) for name in campaigns]
        self._sides: dict[str, _Side] = {}
        self._lines: dict[str, _Line] = {}
        self._agents: dict[str, _Agent] = {}
        self.start_us = 0
        self._tick_us = round(floor.tick_s * SECOND)
        self._next_us = 0
        self.at_us = 0
        #: Words that could not be used, by why.
        self.unused: Counter[str] = Counter()

    # ---- words in

    def take(self, at_us: int, word: words.AnyWord) -> None:
        """Fold a word; one that is older than the last counts as of now."""
        if not self.start_us:
            self._begin(at_us)
        if at_us < self.at_us:
            self.unused["earlier than the one before: taken as of then"] += 1
        self.at_us = max(self.at_us, at_us)
        match word:
            case words.Dialled():
                self._dialled(word)
            case words.AgentIs():
                self._agent_is(word)
            case words.Finishing():
                agent = self._agents.get(word.agent)
                if agent is not None and agent.state == "talking":
                    agent.finishing_us = (agent.finishing_us or self.at_us) if word.about_to else 0
            case words.Connected():
                self._connected(word)
            case _:
                line = self._lines.get(word.call)
                if line is None:
                    self.unused["of a call that was not seen dialled"] += 1
                elif isinstance(word, words.Progressed):
                    if line.place == "ringing":
                        line.progress = 1 if word.to == "ringing" else 2
                elif isinstance(word, words.Answered):
                    self._answered(line, "detecting" if self._of(line).settings.detect_machines else "waiting")
                elif isinstance(word, words.Detected):
                    self._detected(line, word.result)
                elif isinstance(word, words.Abandoned):
                    self._abandoned(line)
                else:
                    self._ended(word.call, line, word.cause)

    def _begin(self, at_us: int) -> None:
        floor = self.floor
        self.start_us = self.at_us = at_us
        self._next_us = at_us + self._tick_us
        local = to_datetime(at_us, floor.zone)
        first_us = from_datetime(local.replace(hour=floor.first_hour, minute=0, second=0, microsecond=0))
        end_us = first_us + floor.slots * HOUR
        # Who works after the floor's hours is given a day of their length.
        day_s = (end_us - at_us if end_us > at_us else floor.slots * HOUR) / SECOND
        for settings in self._settings:
            pacing = PacingSettings(
                abandon_limit=settings.abandon_limit,
                patience_s=settings.patience_s,
                tick_s=floor.tick_s,
                agents=1,
                max_lines=min(settings.max_lines or floor.max_lines, floor.max_lines),
                day_s=day_s,
                hard=settings.hard,
                limits=tuple(Limit(name=one.name, share=one.share, hard=one.hard) for one in settings.limits),
                counted=settings.counted,
                calls_per_second=settings.calls_per_second,
            )
            self._sides[settings.name] = side = _Side(settings, pacing)
            side.summary.from_us = at_us

    def _of(self, line: _Line) -> _Side:
        return self._sides[line.campaign]

    def _dialled(self, word: words.Dialled) -> None:
        side = self._sides.get(word.campaign)
        if side is None:
            self.unused[f"of campaign {word.campaign!r}, which is not followed"] += 1
            return
        self._lines[word.call] = _Line(campaign=word.campaign, dialled_us=self.at_us, p_answer=word.p_answer)
        side.placed += 1
        side.summary.theirs.dialled += 1

    def _outcome(self, line: _Line, kind: str, at_us: int) -> None:
        side, ring_s = self._of(line), (at_us - line.dialled_us) / SECOND
        side.pacer.observe_outcome(kind, ring_s, line.p_answer, at=self._s(self.at_us), progress=line.progress)
        side.ghost.learn_fate(kind, ring_s, line.p_answer)

    def _answered(self, line: _Line, place: str) -> None:
        if line.place == "ringing":
            line.answered_us, line.place = self.at_us, place
            if place != "detecting":
                self._outcome(line, "live", self.at_us)

    def _person(self, line: _Line) -> None:
        """Take it that a person is on the line, unless known."""
        self._answered(line, "waiting")
        if line.place == "detecting":
            line.place = "waiting"
            self._outcome(line, "live", line.answered_us)

    def _detected(self, line: _Line, result: str) -> None:
        if line.place == "ringing":
            line.answered_us, line.place = self.at_us, "detecting"
        if line.place != "detecting":
            return
        if result == "machine":
            line.place = "over"
            self._outcome(line, "machine", line.answered_us)
        else:
            self._person(line)

    def _connected(self, word: words.Connected) -> None:
        line = self._lines.get(word.call)
        agent = self._agents.get(word.agent)
        if agent is None:
            agent = self._agents[word.agent] = _Agent(campaign=None, state="offline", since_us=self.at_us)
        if agent.state == "wrapup":
            self._wrapped_up(agent)
        if line is None:
            # E.g. a call that came in: the agent is taken all the same.
            self.unused["of a call that was not seen dialled"] += 1
        elif line.place == "talking":
            former = self._agents[line.agent]
            if former is not agent:
                self._wrap_up(former)
            line.agent = word.agent
        else:
            self._person(line)
            if line.place == "waiting":
                side = self._of(line)
                side.summary.theirs.answered += 1
                side.pacer.observe_connected((self.at_us - line.answered_us) / SECOND)
            line.place, line.agent = "talking", word.agent
            agent.campaign = line.campaign
        if agent.state != "talking" or agent.call != word.call:
            agent.state, agent.since_us, agent.call, agent.finishing_us = "talking", self.at_us, word.call, 0

    def _abandoned(self, line: _Line) -> None:
        self._person(line)
        if line.place == "waiting":
            line.place = "over"
            side = self._of(line)
            side.summary.theirs.answered += 1
            side.summary.theirs.abandoned += 1
            side.pacer.observe_abandoned()

    def _ended(self, call: str, line: _Line, cause: Cause) -> None:
        if line.place == "ringing":
            self._outcome(line, _KINDS.get(cause, "no_answer"), self.at_us)
        elif line.place == "waiting":
            self._abandoned(line)
        elif line.place == "detecting":
            # Left while it was being found out; the engine calls it cut.
            self._outcome(line, "machine", line.answered_us)
            self._of(line).pacer.observe_abandoned("detection")
        elif line.place == "talking":
            agent = self._agents[line.agent]
            if agent.call == call:
                self._wrap_up(agent)
        del self._lines[call]

    # ---- agents

    def _agent_is(self, word: words.AgentIs) -> None:
        if word.campaign is not None and word.campaign not in self._sides:
            self.unused[f"of campaign {word.campaign!r}, which is not followed"] += 1
            self._agents.pop(word.agent, None)
            return
        agent = self._agents.get(word.agent)
        if agent is None:
            agent = self._agents[word.agent] = _Agent(campaign=None, state="offline", since_us=self.at_us)
        agent.campaign = word.campaign or agent.campaign or self._only_campaign(word.agent)
        if agent.state == word.state:
            return
        if agent.state == "talking":
            self._wrap_up(agent)
        if agent.state == "wrapup" and word.state != "wrapup":
            self._wrapped_up(agent)
        agent.state, agent.since_us, agent.call = word.state, self.at_us, ""

    def _only_campaign(self, agent: str) -> str:
        if len(self._sides) > 1:
            raise BadInput(
                f"agent {agent!r}: there are {len(self._sides)} campaigns and none was named; say it with `campaign`"
            )
        return next(iter(self._sides))

    def _wrap_up(self, agent: _Agent) -> None:
        agent.talk_s = (self.at_us - agent.since_us) / SECOND
        side = self._sides.get(agent.campaign or "")
        if side is not None:
            side.pacer.observe_talk(agent.talk_s)
            if agent.finishing_us:
                side.pacer.observe_finish((self.at_us - agent.finishing_us) / SECOND)
        agent.state, agent.since_us, agent.call, agent.finishing_us = "wrapup", self.at_us, "", 0

    def _wrapped_up(self, agent: _Agent) -> None:
        side = self._sides.get(agent.campaign or "")
        wrap_s = (self.at_us - agent.since_us) / SECOND
        if side is not None:
            side.pacer.observe_wrap(wrap_s)
            if agent.talk_s is not None:
                side.ghost.learn_spell(agent.talk_s, wrap_s)
        agent.talk_s = None

    # ---- advice out

    def advance(self, until_us: int) -> Iterator[Advice]:
        """Tick up to an instant and yield each tick's advice."""
        if not self.start_us:
            return
        if until_us - self._next_us > _QUIET_US and self._quiet():
            self._next_us = until_us
        while self._next_us <= until_us:
            self.at_us = self._next_us
            self._next_us += self._tick_us
            yield from self._tick()

    def _quiet(self) -> bool:
        return not self._lines and all(agent.state in ("paused", "offline") for agent in self._agents.values())

    def _s(self, at_us: int) -> float:
        return (at_us - self.start_us) / SECOND

    def _tick(self) -> Iterator[Advice]:
        floors = {name: _Seen() for name in self._sides}
        for line in self._lines.values():
            seen = floors[line.campaign]
            if line.place == "ringing":
                seen.ringing_s.append((self.at_us - line.dialled_us) / SECOND)
                seen.chances.append(line.p_answer)
                seen.progress.append(line.progress)
            elif line.place == "detecting":
                seen.detecting_s.append((self.at_us - line.answered_us) / SECOND)
            elif line.place == "waiting":
                seen.waiting += 1
        for agent in self._agents.values():
            if agent.campaign is None:
                continue
            seen, age_s = floors[agent.campaign], (self.at_us - agent.since_us) / SECOND
            if agent.state == "ready":
                seen.free += 1
            elif agent.state == "wrapup":
                seen.wrapping_s.append(age_s)
            elif agent.state == "talking" and agent.finishing_us:
                seen.finishing_s.append((self.at_us - agent.finishing_us) / SECOND)
            elif agent.state == "talking":
                seen.talking_s.append(age_s)
        for name, side in self._sides.items():
            yield self._advise(side, floors[name])

    def _advise(self, side: _Side, seen: "_Seen") -> Advice:
        chances = [chance for chance in seen.chances if chance is not None]
        busy = len(seen.talking_s) + len(seen.wrapping_s) + len(seen.finishing_s)
        if side.staff != seen.free + busy:
            side.staff = seen.free + busy
            side.pacer.observe_staff(side.staff)
        decision = side.pacer.decide(
            self._s(self.at_us),
            seen.free,
            seen.waiting,
            seen.talking_s,
            seen.wrapping_s,
            seen.ringing_s,
            p_answer=chances if chances and len(chances) == len(seen.chances) else None,
            detecting_s=seen.detecting_s,
            finishing_s=seen.finishing_s or None,
            progress=seen.progress or None,
        )
        placed, side.placed = side.placed, 0
        self._count(side, seen.free, busy, decision.dials, placed)
        theirs = side.summary.theirs
        return Advice(
            at_us=self.at_us,
            campaign=side.settings.name,
            advised=decision.dials,
            reason=decision.reason,
            placed=placed,
            free=seen.free,
            busy=busy,
            ringing=len(seen.ringing_s),
            waiting=seen.waiting + len(seen.detecting_s),
            expected_free=round(decision.expected_free, 3),
            expected_answers=round(decision.expected_answers, 3),
            budget_left=round(decision.budget_left, 3),
            risk=round(decision.risk, 5),
            tolerated=round(decision.tolerated, 5),
            p_answer=round(decision.p_answer, 5),
            answered=theirs.answered,
            abandoned=theirs.abandoned,
        )

    def _count(self, side: _Side, free: int, busy: int, advised: int, placed: int) -> None:
        summary, tick_s = side.summary, self.floor.tick_s
        theirs = summary.theirs
        theirs.busy_s += tick_s * busy
        theirs.idle_s += tick_s * free
        side.ghost.tick(self._s(self.at_us), free + busy)
        if side.before is None and side.ghost.compares:
            side.before, summary.compared_from_us = replace(theirs), self.at_us
        summary.ticks += 1
        summary.advised_ticks += advised > 0
        # What was placed since the last tick answers to what was advised then.
        over, side.advised = placed - side.advised, advised
        summary.over_ticks += over > 0
        summary.over_calls += max(0, over)
        summary.until_us = self.at_us

    def summaries(self) -> list[Summary]:
        """Return how the two compare so far, by campaign."""
        return [side.compared() for side in self._sides.values()]


class _Seen:
    """One campaign at one tick."""

    def __init__(self) -> None:
        self.free = self.waiting = 0
        self.talking_s: list[float] = []
        self.wrapping_s: list[float] = []
        self.finishing_s: list[float] = []
        self.ringing_s: list[float] = []
        self.chances: list[float | None] = []
        self.progress: list[int] = []
        self.detecting_s: list[float] = []
