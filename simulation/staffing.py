"""The agents of a floor as its record shows them: who works when, how fast each talks and writes; as a roster's file.

A floor simulated with it has its fast and slow agents, its hours, its pauses and its wrap-up. Times of a day are the
medians of when an agent came and went; whoever came on fewer than half of a weekday's days at work has no shift on it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from statistics import median
from typing import Final

import msgspec

from domain.calls import AnswerClass, Disposition
from domain.instants import MINUTE, SECOND, iso, midnight_us, to_datetime
from ledger.attendance import Span
from ledger.experience import Try
from simulation.agents import OF_THE_ENGINE
from simulation.counted import paces_of, who
from simulation.estimates import Estimate, lognormal, p
from simulation.roster import WEEKDAYS

#: Fewer cases than these and what is assumed stands.
_LEAST: Final = 20
#: Times of a day are told to so many minutes.
_STEP: Final = 5
#: A pause that takes longer is no break.
_LONGEST_US: Final = 120 * MINUTE


class Shifts(msgspec.Struct, frozen=True, kw_only=True):
    """When one agent works: weekdays, and from when to when, minutes of the day."""

    days: tuple[str, ...]
    begin: int
    end: int
    #: Days that it rests on.
    n: int


class Staffing(msgspec.Struct, frozen=True, kw_only=True):
    """What a record tells of its agents."""

    stream: str
    from_us: int
    to_us: int
    shifts: dict[str, Shifts]
    #: By agent, against the floor: wrap-ups, conversations.
    wraps: dict[str, Estimate]
    talks: dict[str, Estimate]
    #: Of the floor: keys of the roster, and of its table `temper`.
    floor: list[Estimate]
    #: What is assumed, with the reason.
    missing: dict[str, str]

    def document(self, zone: str) -> str:
        """Return the roster's file, each number with its cases and interval beside it."""
        first, last = iso(self.from_us, zone)[:10], iso(self.to_us - 1, zone)[:10]
        lines = [
            f"# The agents of floor {self.stream!r} as {first} to {last} show them: for `simulate run --agents` and",
            "# `simulate fidelity --agents`. Paces: times as long as the floor's, whoever was talked with;",
            "# few cases are drawn to 1 (normal law of logarithms, two levels).",
            "",
            "# Every agent is known: none is drawn.",
            "pace_spread = 0.0",
        ]
        known = {one.at: one for one in self.floor}
        if (absence := known.pop("absence", None)) is not None:
            lines += _stated("absence", absence)
        lines += ["", "[temper]", "# The times below are those at which they came.", "late_s = 0.0"]
        for at, one in known.items():
            lines += _stated(at, one)
        lines += [f"# {at} is assumed: {why}" for at, why in sorted(self.missing.items())]
        for agent, worked in self.shifts.items():
            lines += ["", "[[shift]]", f"# {worked.n} day{'s' * (worked.n > 1)}", f"agents = [{_quoted(agent)}]"]
            lines.append("days = [" + ", ".join(f'"{day}"' for day in worked.days) + "]")
            lines += [f'from = "{_clock(worked.begin)}"', f'to = "{_clock(worked.end)}"']
            for key, of in (("pace", self.wraps), ("talk_pace", self.talks)):
                if agent in of:
                    lines += _stated(key, of[agent])
        return "\n".join(lines) + "\n"


def _stated(key: str, one: Estimate) -> list[str]:
    value = one.value
    return [f"# {one.rests_on}", f"{key} = {list(value) if isinstance(value, tuple) else value!r}"]


def _quoted(name: str) -> str:
    return msgspec.json.encode(name).decode()


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def staffing(
    tries: Iterable[Try], spans: Iterable[Span], *, stream: str, from_us: int, to_us: int, zone: str
) -> Staffing:
    """Estimate a floor's agents.

    Parameters
    ----------
    spans : iterable of Span
        Agents' states of the same stretch, as `ledger.attendance.agent_spans` gives them.
    """
    cases = list(tries)
    floor: list[Estimate] = []
    missing: dict[str, str] = {}
    shifts = _shifts(spans, zone, floor, missing)
    _temper(cases, floor, missing)
    wraps, talks = paces_of(cases)
    return Staffing(
        stream=stream, from_us=from_us, to_us=to_us, shifts=shifts, wraps=wraps, talks=talks, floor=floor,
        missing=missing,
    )  # fmt: skip


def _temper(cases: Sequence[Try], floor: list[Estimate], missing: dict[str, str]) -> None:
    talked = [one for one in cases if one.agent and one.answer_class == AnswerClass.connected]
    recorded = [one for one in talked if one.disposition != Disposition.unrecorded]
    for key, debtor in (("wrap_debtor_s", True), ("wrap_other_s", False)):
        seconds = [one.wrap_us / SECOND for one in recorded if one.wrap_us and (who(one) == "debtor") is debtor]
        _put(lognormal(key, seconds, "median and spread"), key, floor, missing)
    early = sum(not one.wrap_us for one in recorded)
    _put(p("p_early", early, len(recorded), "recorded before the end of the talk"), "p_early", floor, missing)
    _put(p("p_forget", len(talked) - len(recorded), len(talked), "never recorded"), "p_forget", floor, missing)


def _put(one: Estimate | None, key: str, floor: list[Estimate], missing: dict[str, str]) -> None:
    if one is not None and one.n >= _LEAST:
        floor.append(one)
    else:
        missing[key] = f"{0 if one is None else one.n} cases, {_LEAST} wanted"


def _shifts(spans: Iterable[Span], zone: str, floor: list[Estimate], missing: dict[str, str]) -> dict[str, Shifts]:
    """Return who works when; states how often nobody came, and how agents rest."""
    days: defaultdict[str, dict[date, tuple[int, int]]] = defaultdict(dict)
    rests: list[float] = []
    worked_us = 0
    for span in spans:
        on = to_datetime(span.from_us, zone).date()
        low, high = days[span.agent].get(on, (span.from_us, span.to_us))
        days[span.agent][on] = min(low, span.from_us), max(high, span.to_us)
        taken_us = span.to_us - span.from_us
        if span.state != "paused":
            worked_us += taken_us
        elif span.reason not in OF_THE_ENGINE and taken_us <= _LONGEST_US:
            rests.append(taken_us / SECOND)
    _put(lognormal("break_s", rests, "median and spread"), "break_s", floor, missing)
    if len(rests) >= _LEAST:
        after_s = worked_us / SECOND / len(rests)
        floor.append(Estimate(at="break_after_s", value=float(f"{after_s:.4g}"), n=len(rests), how="mean work between"))
    else:
        missing["break_after_s"] = f"{len(rests)} cases, {_LEAST} wanted"
    at_work = {on for of in days.values() for on in of}
    found: dict[str, Shifts] = {}
    due = came = 0
    for agent, of in sorted(days.items()):
        usual = []
        first, last = min(of), max(of)
        for weekday in range(7):
            # Days on which the floor worked while this agent was one of its own.
            whole = [on for on in at_work if on.weekday() == weekday and first <= on <= last]
            here = sum(on.weekday() == weekday for on in of)
            if here and 2 * here >= len(whole):
                usual.append(WEEKDAYS[weekday])
                due += len(whole)
                came += here
        begin = _of_day([low for low, _ in of.values()], of, zone)
        end = _of_day([high for _, high in of.values()], of, zone)
        if usual and begin < end:
            found[agent] = Shifts(days=tuple(usual), begin=begin, end=min(end, 24 * 60 - 1), n=len(of))
        else:
            missing[f"shift of agent {agent}"] = "no two days alike, or hours over midnight"
    _put(p("absence", due - came, due, "of the days on which an agent works"), "absence", floor, missing)
    return found


def _of_day(instants: Sequence[int], days: Mapping[date, tuple[int, int]], zone: str) -> int:
    """Return the median minute of the day of one instant a day."""
    minutes = [(at_us - midnight_us(on, zone)) / MINUTE for at_us, on in zip(instants, days, strict=True)]
    return _STEP * round(median(minutes) / _STEP)
