"""The world of the bench between two ticks: every event in its true time order, in compiled code.

Chance is a function of seed, quantity and counter, as in `simulation.chance`: the i-th dialled and the j-th connected
call have the same luck under every policy. All state lies in the arrays that the caller owns.
"""

import math
from typing import Any

import numpy as np
from numba import njit

from benchmarks.pacing.forecasts import NORMAL_GRID
from benchmarks.pacing.laws import QUANTILES_PER_UNIT

# What a call will come to.
LIVE, MACHINE, BUSY, NO_ANSWER, FAILED = range(5)
# What happened, beyond the five outcomes.
CONNECTED, ABANDONED, TALKED, WRAPPED, STAFFED = range(5, 10)
# What an agent does.
AWAY, FREE, TALKING, WRAPPING = range(4)
# Quantities that chance decides, as rows of `keys`.
ANSWER, REST, RING, TALK, WRAP, LEAD, SIGHT = range(7)
# Rows of `tables`.
PERSON_RING, MACHINE_RING, PERSON_TALK, PERSON_WRAP, MACHINE_TALK, MACHINE_WRAP, HALF_NORMAL = range(7)
# Columns of `lists`, the stretches of the day: bounds of the shares of the rest, then the factor of conversations.
TO_MACHINE, TO_BUSY, TO_NO_ANSWER, TALK_FACTOR = range(4)
# Columns of `odds`, one row a tick.
P_PERSON, MU, STRETCH = range(3)
# Distortions that move in time.
STILL, DRIFTING, FADING, USELESS = range(4)

#: Waits of agents are counted in steps of this many seconds.
WAIT_STEP_S = 0.1

CALL = np.dtype(
    [
        ("dialled_at", "f8"),
        ("answered_at", "f8"),
        ("ends_at", "f8"),
        ("shown", "f8"),
        ("kind", "i8"),
        ("stretch", "i8"),
        ("machine", "i8"),
    ],
    align=True,
)
WAITER = np.dtype([("since", "f8"), ("stretch", "i8"), ("machine", "i8")], align=True)
AGENT = np.dtype([("since", "f8"), ("until", "f8"), ("wrap_s", "f8"), ("state", "i8"), ("leaving", "i8")], align=True)
EVENT = np.dtype([("value", "f8"), ("shown", "f8"), ("word", "i8")], align=True)
#: What does not change in a day.
RULES = np.dtype(
    [
        ("day_s", "f8"),
        ("patience_s", "f8"),
        ("ring_out_s", "f8"),
        ("invalid_s", "f8"),
        ("detection_s", "f8"),
        ("sigma", "f8"),
        ("rho", "f8"),
        ("detects", "i8"),
        ("foretells", "i8"),
        ("moves", "i8"),
        ("ends_hard", "i8"),
    ],
    align=True,
)
#: Where the day stands, and its sums.
STATE = np.dtype(
    [
        ("at", "f8"),
        ("summed_to", "f8"),
        ("logged_in_s", "f8"),
        ("talk_s", "f8"),
        ("wrap_s", "f8"),
        ("line_s", "f8"),
        ("wait_s", "f8"),
        ("ticks", "i8"),
        ("calls", "i8"),
        ("queue", "i8"),
        ("events", "i8"),
        ("staffed", "i8"),
        ("ringing", "i8"),
        ("logged_in", "i8"),
        ("free", "i8"),
        ("talking", "i8"),
        ("wrapping", "i8"),
        ("dialled", "i8"),
        ("dialled_into_outage", "i8"),
        ("outcomes_live", "i8"),
        ("connected", "i8"),
        ("abandoned", "i8"),
        ("waits", "i8"),
        ("lines_most", "i8"),
    ],
    align=True,
)

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_GRID_START, _GRID_STEP, _GRID_END = NORMAL_GRID[0], NORMAL_GRID[1] - NORMAL_GRID[0], len(NORMAL_GRID) - 1


# ---- chance


@njit(cache=True)
def _mix(word: Any) -> Any:
    word = (word ^ (word >> np.uint64(30))) * _FIRST
    word = (word ^ (word >> np.uint64(27))) * _SECOND
    return word ^ (word >> np.uint64(31))


@njit(cache=True)
def uniform(key: Any, entity: int, counter: int) -> float:
    """Return the draw that `simulation.chance.Chance.u` gives, uniform in (0, 1)."""
    word = _mix(key + np.uint64(entity) * _GAMMA)
    word = _mix(word + np.uint64(counter) * _GAMMA)
    return float(word >> np.uint64(12)) * 2.0**-52 + 2.0**-53


@njit(cache=True)
def _quantile(table: Any, u: float) -> float:
    place = -math.log1p(-u) * QUANTILES_PER_UNIT
    index = min(int(place), len(table) - 2)
    return float(table[index] + (place - index) * (table[index + 1] - table[index]))


@njit(cache=True)
def _normal(tables: Any, u: float) -> float:
    if u < 0.5:
        return -_quantile(tables[HALF_NORMAL], 1.0 - 2.0 * u)
    return _quantile(tables[HALF_NORMAL], 2.0 * u - 1.0)


@njit(cache=True)
def _shown(lead: int, at: float, rules: Any, keys: Any, tables: Any, sights: Any) -> float:
    """Return what the models show of a lead at an instant."""
    z = _normal(tables, uniform(keys[LEAD], lead, 0))
    blur = _normal(tables, uniform(keys[SIGHT], lead, 0))
    seen = rules.rho * z + math.sqrt(1.0 - rules.rho * rules.rho) * blur
    if rules.moves in (FADING, USELESS):
        known = 0.0 if rules.moves == USELESS else max(0.0, 1.0 - at / rules.day_s)
        noise = _normal(tables, uniform(keys[SIGHT], lead, 1))
        seen = known * seen + math.sqrt(1.0 - known * known) * noise
    place = min(max((seen - _GRID_START) / _GRID_STEP, 0.0), _GRID_END - 1e-9)
    index = int(place)
    p = sights[index] + (place - index) * (sights[index + 1] - sights[index])
    if rules.moves == DRIFTING:
        logit = math.log(p / (1.0 - p)) + 0.8 * math.cos(2.0 * math.pi * at / rules.day_s)
        p = 1.0 / (1.0 + math.exp(-logit))
    return float(p)


@njit(cache=True)
def look_ahead(state: Any, rules: Any, keys: Any, tables: Any, sights: Any, p_next: Any) -> None:
    """Fill in what the models show of the next leads."""
    for index in range(len(p_next)):
        p_next[index] = _shown(state[0].dialled + index, state[0].at, rules[0], keys, tables, sights)


# ---- sums and words


@njit(cache=True)
def _advance(s: Any, at: float, day_s: float) -> None:
    """Move the clock, and take the time since the last event into the sums; they end with the day."""
    span = min(at, day_s) - s.summed_to
    if span > 0.0:
        s.logged_in_s += span * s.logged_in
        s.talk_s += span * s.talking
        s.wrap_s += span * s.wrapping
        s.line_s += span * (s.ringing + s.queue + s.talking)
        s.summed_to += span
    s.at = at


@njit(cache=True)
def _tell(s: Any, events: Any, word: int, value: float, shown: float) -> None:
    event = events[s.events]
    event.word = word
    event.value = value
    event.shown = shown
    s.events += 1


@njit(cache=True)
def _count(s: Any, minutes: Any, row: int) -> None:
    minutes[row, min(int(s.at / 60.0), minutes.shape[1] - 1)] += 1


# ---- agents and callers


@njit(cache=True)
def _first_free(agents: Any) -> int:
    """Return the agent who has waited longest, or -1."""
    first = -1
    for index in range(len(agents)):
        if agents[index].state == FREE and (first < 0 or agents[index].since < agents[first].since):
            first = index
    return first


@njit(cache=True)
def _connect(
    index: int, waiter_since: float, stretch: int, machine: int, s: Any, agents: Any, events: Any,
    keys: Any, tables: Any, lists: Any, waits: Any, minutes: Any,
) -> None:  # fmt: skip
    agent = agents[index]
    idle_s = s.at - agent.since
    waits[min(int(idle_s / WAIT_STEP_S), len(waits) - 1)] += 1
    s.wait_s += idle_s
    s.waits += 1
    luck_talk, luck_wrap = uniform(keys[TALK], s.connected, 0), uniform(keys[WRAP], s.connected, 0)
    if machine:
        talk_s, wrap_s = _quantile(tables[MACHINE_TALK], luck_talk), _quantile(tables[MACHINE_WRAP], luck_wrap)
    else:
        talk_s = _quantile(tables[PERSON_TALK], luck_talk) * lists[stretch, TALK_FACTOR]
        wrap_s = _quantile(tables[PERSON_WRAP], luck_wrap)
    agent.state = TALKING
    agent.since = s.at
    agent.until = s.at + talk_s
    agent.wrap_s = wrap_s
    s.free -= 1
    s.talking += 1
    s.connected += 1
    _tell(s, events, CONNECTED, s.at - waiter_since, 0.0)
    _count(s, minutes, 0)


@njit(cache=True)
def _go(agent: Any, s: Any, events: Any) -> None:
    agent.state = AWAY
    agent.leaving = 0
    s.logged_in -= 1
    _tell(s, events, STAFFED, s.logged_in, 0.0)


@njit(cache=True)
def _be_free(
    index: int, s: Any, queue: Any, agents: Any, events: Any, keys: Any, tables: Any, lists: Any, waits: Any,
    minutes: Any,
) -> None:  # fmt: skip
    agent = agents[index]
    if agent.leaving:
        _go(agent, s, events)
        return
    agent.state = FREE
    agent.since = s.at
    agent.until = math.inf
    s.free += 1
    if s.queue:
        since, stretch, machine = queue[0].since, queue[0].stretch, queue[0].machine
        _leave_queue(s, queue)
        _connect(index, since, stretch, machine, s, agents, events, keys, tables, lists, waits, minutes)


@njit(cache=True)
def _leave_queue(s: Any, queue: Any) -> None:
    for index in range(1, s.queue):
        queue[index - 1].since = queue[index].since
        queue[index - 1].stretch = queue[index].stretch
        queue[index - 1].machine = queue[index].machine
    s.queue -= 1


@njit(cache=True)
def _change_staff(
    change: int, s: Any, queue: Any, agents: Any, events: Any, keys: Any, tables: Any, lists: Any, waits: Any,
    minutes: Any,
) -> None:  # fmt: skip
    """Let agents in, first those still on their way out; or send the last ones out, after their call and wrap-up."""
    for index in range(len(agents)):
        if change > 0 and agents[index].leaving:
            agents[index].leaving = 0
            change -= 1
    for index in range(len(agents)):
        if change > 0 and agents[index].state == AWAY:
            change -= 1
            s.logged_in += 1
            _tell(s, events, STAFFED, s.logged_in, 0.0)
            _be_free(index, s, queue, agents, events, keys, tables, lists, waits, minutes)
    for index in range(len(agents) - 1, -1, -1):
        agent = agents[index]
        if change < 0 and agent.state != AWAY and not agent.leaving:
            change += 1
            if agent.state == FREE:
                s.free -= 1
                _go(agent, s, events)
            else:
                agent.leaving = 1


# ---- calls


@njit(cache=True)
def _place(
    dials: int, s: Any, rules: Any, calls: Any, keys: Any, tables: Any, lists: Any, odds: Any, sights: Any,
    outages: Any,
) -> None:  # fmt: skip
    """Dial; what becomes of a call is settled now, and comes to light later."""
    now = odds[min(s.ticks, len(odds) - 1)]
    stretch = int(now[STRETCH])
    for _ in range(dials):
        lead = s.dialled
        s.dialled += 1
        call = calls[s.calls]
        s.calls += 1
        call.dialled_at = s.at
        call.stretch = stretch
        call.machine = 0
        call.shown = 0.0
        p = now[P_PERSON]
        if rules.foretells:
            z = _normal(tables, uniform(keys[LEAD], lead, 0))
            p = 1.0 / (1.0 + math.exp(-(now[MU] + rules.sigma * z)))
            call.shown = _shown(lead, s.at, rules, keys, tables, sights)
        luck_ring, luck_rest = uniform(keys[RING], lead, 0), uniform(keys[REST], lead, 0)
        answered_s, kind = math.inf, FAILED
        if uniform(keys[ANSWER], lead, 0) < p:
            kind, answered_s = LIVE, _quantile(tables[PERSON_RING], luck_ring)
        elif luck_rest < lists[stretch, TO_MACHINE]:
            kind, answered_s = MACHINE, _quantile(tables[MACHINE_RING], luck_ring)
        elif luck_rest < lists[stretch, TO_BUSY]:
            kind, ends_s = BUSY, 1.0 + 2.0 * luck_ring
        elif luck_rest < lists[stretch, TO_NO_ANSWER]:
            kind, ends_s = NO_ANSWER, rules.ring_out_s
        else:
            ends_s = rules.invalid_s
        if answered_s < math.inf:
            ends_s = answered_s + rules.detection_s
        if kind == MACHINE and not rules.detects:
            kind = LIVE
            call.machine = 1
        call.ends_at = s.at + ends_s
        for index in range(len(outages)):
            if outages[index, 0] <= s.at < outages[index, 1]:
                s.dialled_into_outage += 1
                kind, answered_s = FAILED, math.inf
                call.ends_at = s.at + 0.2 + 0.4 * luck_ring
            elif s.at < outages[index, 0] < s.at + min(answered_s, ends_s):
                kind, answered_s = FAILED, math.inf
                call.ends_at = outages[index, 0]
        call.answered_at = s.at + answered_s
        call.kind = kind
    s.ringing += dials
    s.lines_most = max(s.lines_most, s.ringing + s.queue + s.talking)


@njit(cache=True)
def _due(to: float, s: Any, calls: Any, due: Any) -> int:
    """Collect the calls that end by an instant, in time order."""
    n_due = 0
    for index in range(s.calls):
        if calls[index].ends_at <= to:
            place = n_due
            while place and calls[due[place - 1]].ends_at > calls[index].ends_at:
                due[place] = due[place - 1]
                place -= 1
            due[place] = index
            n_due += 1
    return n_due


@njit(cache=True)
def _forget(to: float, s: Any, calls: Any) -> None:
    """Drop the calls that ended, the rest in the order in which they were dialled."""
    kept = 0
    for index in range(s.calls):
        if calls[index].ends_at > to:
            if kept != index:
                calls[kept] = calls[index]
            kept += 1
    s.calls = kept


@njit(cache=True)
def step(
    dials: int, to: float, state: Any, ruled: Any, calls: Any, due: Any, queue: Any, agents: Any, events: Any,
    keys: Any, tables: Any, lists: Any, odds: Any, sights: Any, outages: Any, staff: Any, waits: Any, minutes: Any,
) -> None:  # fmt: skip
    """Dial now, and let everything happen that happens up to and including `to`."""
    s, rules = state[0], ruled[0]
    s.events = 0
    _place(dials, s, rules, calls, keys, tables, lists, odds, sights, outages)
    n_due = _due(to, s, calls, due)
    done = 0
    while True:
        next_agent = -1
        at = math.inf
        for index in range(len(agents)):
            if agents[index].state >= TALKING and agents[index].until < at:
                next_agent, at = index, agents[index].until
        next_call_at = calls[due[done]].ends_at if done < n_due else math.inf
        hangs_up_at = queue[0].since + rules.patience_s if s.queue else math.inf
        staff_at = staff[s.staffed, 0] if s.staffed < len(staff) else math.inf
        first = min(at, next_call_at, hangs_up_at, staff_at)
        if first > to:
            break
        _advance(s, first, rules.day_s)
        if staff_at == first:
            s.staffed += 1
            change = int(staff[s.staffed - 1, 1])
            _change_staff(change, s, queue, agents, events, keys, tables, lists, waits, minutes)
        elif at == first:
            agent = agents[next_agent]
            if agent.state == TALKING:
                _tell(s, events, TALKED, first - agent.since, 0.0)
                agent.state = WRAPPING
                agent.since = first
                agent.until = first + agent.wrap_s
                s.talking -= 1
                s.wrapping += 1
            else:
                _tell(s, events, WRAPPED, first - agent.since, 0.0)
                s.wrapping -= 1
                _be_free(next_agent, s, queue, agents, events, keys, tables, lists, waits, minutes)
        elif next_call_at == first:
            call = calls[due[done]]
            done += 1
            s.ringing -= 1
            outcome_at = call.answered_at if call.answered_at < math.inf else first
            _tell(s, events, call.kind, outcome_at - call.dialled_at, call.shown)
            if call.kind == LIVE:
                s.outcomes_live += 1
                free = _first_free(agents) if s.free else -1
                if free >= 0:
                    _connect(
                        free, first, call.stretch, call.machine, s, agents, events, keys, tables, lists, waits, minutes
                    )
                else:
                    waiter = queue[s.queue]
                    s.queue += 1
                    waiter.since = first
                    waiter.stretch = call.stretch
                    waiter.machine = call.machine
        else:
            _leave_queue(s, queue)
            s.abandoned += 1
            _tell(s, events, ABANDONED, 0.0, 0.0)
            _count(s, minutes, 1)
    _advance(s, to, rules.day_s)
    _forget(to, s, calls)
    s.ticks += 1


@njit(cache=True)
def look(
    state: Any, calls: Any, agents: Any, ringing_s: Any, shown: Any, detecting_s: Any, talking_s: Any, wrapping_s: Any
) -> tuple[int, int]:
    """Fill in elapsed times; return how many calls ring and how many are in detection."""
    at = state[0].at
    ringing = detecting = talking = wrapping = 0
    for index in range(state[0].calls):
        call = calls[index]
        if call.answered_at > at:
            ringing_s[ringing] = at - call.dialled_at
            shown[ringing] = call.shown
            ringing += 1
        else:
            detecting_s[detecting] = at - call.answered_at
            detecting += 1
    for index in range(len(agents)):
        agent = agents[index]
        if agent.state == TALKING:
            talking_s[talking] = at - agent.since
            talking += 1
        elif agent.state == WRAPPING:
            wrapping_s[wrapping] = at - agent.since
            wrapping += 1
    return ringing, detecting
