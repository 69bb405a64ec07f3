"""A world fitted to a floor's own record: what the record tells, with cases and intervals; the rest from a base world.

Shares that are seen as such (dead numbers, outcomes of conversations, times) are counted. What is seen only through
something else (how often whoever is at hand picks up, when people are at hand, how tired a number gets) is found by
dialling: the recorded attempts are dialled again, number by number and hour by hour, to simulated debtors, and the laws
are moved until these answer as often as the recorded ones did. So the estimate is by the very model that will use it,
people's spread and the order in which they were called included.

Both sides count a person until somebody answers for him: who is called after that was chosen by what was said. Who was
called at all was chosen too, by whoever made the lists, and nobody else is told of here.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from domain.calls import Cause
from domain.errors import BadInput
from domain.instants import SECOND, iso
from domain.people import Dossier
from ledger.experience import Try
from simulation.aftermath import After, aftermath
from simulation.chance import Chance
from simulation.counted import LEAST, OFF_S, Case, Record, counted, hazards, met, observed, promise_days, who
from simulation.estimates import Estimate, between, poisson, shrunk_ratios
from simulation.exchange import WorldSettings
from simulation.population import Debtors, Laws, load

#: Rounds of dialling again, and seeds of each.
ROUNDS: Final = 5
SEEDS: Final = (11, 12, 13, 14, 15, 16)
_DAYS = ("weekday", "saturday", "sunday")


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """What a record tells of its world."""

    base: str
    #: Known from elsewhere.
    given: dict[str, Any]
    stream: str
    from_us: int
    to_us: int
    attempts: int
    people: int
    estimates: list[Estimate]
    #: Places of the document that the base world fills, with the reason.
    missing: dict[str, str]
    #: What is on record and is no law of a world: payments after contact, agents' pace and wrap-up.
    observed: dict[str, str]

    def over(self) -> dict[str, Any]:
        """Return what differs from the base, as `population.load` takes it."""
        stated = _copied(self.given)
        for one in self.estimates:
            *tables, key = one.at.split(".")
            table = stated
            for name in tables:
                table = table.setdefault(name, {})
            table[key] = list(one.value) if isinstance(one.value, tuple) else one.value
        return stated

    def laws(self) -> Laws:
        return load(self.base, self.over())

    def document(self, zone: str = "UTC") -> str:
        """Return the world's document, each number with its cases and interval beside it."""
        lines = [
            f"# Fitted to the record of floor {self.stream!r}, {iso(self.from_us, zone)[:10]} to "
            f"{iso(self.to_us - 1, zone)[:10]}: {self.attempts:,} attempts on {self.people:,} people.",
            "# Those who were called are no random sample of the portfolio: whoever made the lists chose them, and the",
            "# retry rules chose whom to call again. Believe it for lists made as these were; `cadencia simulate",
            "# fidelity --day D --world THIS` says how far.",
            "# Thin cells are drawn to the pooled rate: empirical Bayes, gamma on Poisson, by the method of moments.",
            "",
            f'base = "{self.base}"',
            f'about = "Fitted to {iso(self.from_us, zone)[:10]} to {iso(self.to_us - 1, zone)[:10]} '
            f'of floor {self.stream}, over {self.base}"',
        ]
        tables: defaultdict[str, list[tuple[str, str, Any]]] = defaultdict(list)
        found = {one.at for one in self.estimates}
        for place, value in _leaves(self.given):
            if place not in found:
                name, _, key = place.rpartition(".")
                tables[name].append(("known from elsewhere", key, value))
        for one in self.estimates:
            name, _, key = one.at.rpartition(".")
            tables[name].append((one.rests_on, key, one.value))
        for name in sorted(tables):
            lines += ["", f"[{name}]"] if name else [""]
            for why, key, value in tables[name]:
                lines += [f"# {why}", f"{key} = {_toml(value)}"]
        lines += ["", f"# Not told by the record, and left to {self.base}:"]
        lines += [f"#   {place}: {why}" for place, why in sorted(self.missing.items())]
        lines += ["", "# On record, and no law of a world:"]
        lines += [f"#   {name}: {text}" for name, text in sorted(self.observed.items())]
        return "\n".join(lines) + "\n"


def _copied(tables: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copied(value) if isinstance(value, Mapping) else value for key, value in tables.items()}


def _leaves(tables: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tables.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _toml(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else repr(value)


Cells = dict[Any, float]
#: What an attempt met, who spoke, and the seconds of ringing.
Met = tuple[str, str, float]


class Strata:
    """Counts by stratum: what attempts met, and how many there were."""

    def __init__(self) -> None:
        self.hits: defaultdict[Any, defaultdict[Any, float]] = defaultdict(lambda: defaultdict(float))
        self.tries: defaultdict[Any, float] = defaultdict(float)


def tell(cases: Sequence[Case], meets: Callable[[Case], Met], into: Strata, *, like_the_record: bool = False) -> None:
    """Count what attempts met, until somebody answers for a person.

    Parameters
    ----------
    like_the_record : bool
        A person is left as soon as an attempt meets otherwise than the recorded one did: when and on which number he
        was called next followed from that.
    """
    over: set[int] = set()
    for case in cases:
        if case.one.person in over:
            continue
        what, spoke, ring_s = meets(case)
        stratum = case.slot, min(case.nth, 3), case.stage, case.mobile
        into.tries[stratum] += 1
        hits = into.hits[stratum]
        if what == "person":
            for key in (("stage", case.stage), ("slot", case.slot), ("nth", min(case.nth, 12))):
                hits[key] += 1
            hits["who", case.further, spoke == "wrong_party"] += bool(spoke)
        elif what == "machine":
            hits["machine", case.mobile] += 1
            hits["off", case.mobile] += ring_s < OFF_S
        elif what == "rejected":
            hits["rejected", case.mobile] += 1
        if what == "person" or (like_the_record and what != met(case.one)):
            over.add(case.one.person)


def seen(record: Record) -> Strata:
    """Count the record; people whom detection took for machines are put back where they were."""

    def meets(case: Case) -> Met:
        one = case.one
        rang_us = one.answered_us - one.ringing_us if one.answered_us and one.ringing_us else 0
        return met(one), who(one), rang_us / SECOND

    found = Strata()
    tell(record.cases, meets, found)
    if record.detected:
        missed = 1.0 / (1.0 - WorldSettings().p_person_as_machine)
        for hits in found.hits.values():
            for key in hits:
                if key[0] in ("stage", "slot", "nth"):
                    hits[key] *= missed
    return found


def expected(record: Record, laws: Laws, seeds: Sequence[int] = SEEDS) -> Strata:
    """Dial the recorded attempts again to debtors of these laws."""
    found = Strata()
    for seed in seeds:
        debtors = Debtors(laws, Chance(seed), start_us=record.start_us)
        debtors.meet(record.people)

        def meets(case: Case, debtors: Debtors = debtors) -> Met:
            meeting = debtors.dial(case.one.phone, case.one.dialled_us)
            ring_s = meeting.ring_us / SECOND
            if meeting.fate is not None:
                return _WORDS.get(meeting.fate.cause, ""), "", ring_s
            if meeting.setup_us / SECOND + ring_s > record.timeout_s:
                return "", "", ring_s
            return ("machine" if meeting.who == "machine" else "person"), meeting.who, ring_s

        tell(record.cases, meets, found, like_the_record=True)
    return found


def against(now: Strata, then: Strata) -> tuple[Cells, Cells]:
    """Return what was seen and what was to be expected of the same attempts, over the strata that both have."""
    seen_cells: defaultdict[Any, float] = defaultdict(float)
    expected_cells: defaultdict[Any, float] = defaultdict(float)
    for stratum, tries in now.tries.items():
        dialled = then.tries.get(stratum, 0.0)
        if not dialled:
            continue
        for key, count in now.hits[stratum].items():
            seen_cells[key] += count
        for key, count in then.hits[stratum].items():
            expected_cells[key] += count * tries / dialled
    return seen_cells, expected_cells


_WORDS: Final = {
    Cause.not_in_service: "dead",
    Cause.rejected: "rejected",
    Cause.busy: "busy",
    Cause.congestion: "busy",
    Cause.network_fail: "busy",
}


def fit(
    tries: Iterable[Try],
    people: Sequence[Dossier],
    *,
    stream: str,
    from_us: int,
    to_us: int,
    base: str = "default",
    over: Mapping[str, Any] | None = None,
    after: After | None = None,
    commit_s: float = 0.005,
    done: Callable[[], None] = lambda: None,
) -> Fitted:
    """Estimate a world.

    Parameters
    ----------
    base : str
        World that fills what the record does not tell.
    over : mapping, optional
        What is known from elsewhere, as a document would state it.
    after : After, optional
        What followed the calls: promises, payments, stops, messages.
    commit_s : float
        How long the floor's commits took: what the record calls post-dial delay begins with one.
    done : callable
        Called after each of `ROUNDS` rounds.

    Raises
    ------
    BadInput
        When nothing was called, or the base is no world.
    """
    laws = load(base, over)
    record = Record(tries, people, laws, from_us)
    if not record.cases:
        raise BadInput(f"fit: floor {stream!r} has no finished attempt in this time; name days on which it called")
    found, missing = counted(record, laws, commit_s)
    after = after or After()
    promise_days(after.promised, found, missing)
    stated = Fitted(
        base=base,
        given=dict(over or {}),
        stream=stream,
        from_us=from_us,
        to_us=to_us,
        attempts=len(record.cases),
        people=len(people),
        estimates=found,
        missing=missing,
        observed=observed(record),
    )
    stated = msgspec.structs.replace(stated, estimates=[*found, *_dialled(record, stated, missing, done)])
    stated = msgspec.structs.replace(
        stated, estimates=[*stated.estimates, *hazards(record, stated.laws(), after.paid, to_us, missing)]
    )
    found = aftermath(record, stated.laws(), after, to_us, missing, stated.observed)
    return msgspec.structs.replace(stated, estimates=[*stated.estimates, *found])


# ---- what is found by dialling again


def _dialled(record: Record, stated: Fitted, missing: dict[str, str], done: Callable[[], None]) -> list[Estimate]:
    record_seen = seen(record)
    now, _ = against(record_seen, record_seen)
    over = stated.over()
    laws = load(stated.base, over)
    people = sum(count for key, count in now.items() if key[0] == "stage")
    if people < 2 * LEAST:
        missing["answering.p_pick_up, presence"] = f"{people:.0f} people answered, {2 * LEAST} wanted"
        return []
    for _ in range(ROUNDS):
        over = _moved(over, laws, *against(record_seen, expected(record, laws)))
        laws = load(stated.base, over)
        done()
    answering, numbers, presence = laws.answering, laws.numbers, laws.presence
    counts = [now.get(("stage", stage), 0.0) for stage in range(len(answering.p_pick_up))]
    how = "people answered by stage " + ", ".join(f"{count:.0f}" for count in counts)
    spans = [poisson(max(1.0, count)) for count in counts]
    how += "; 95 % each " + ", ".join(
        f"[{rate * low:.3g}, {rate * high:.3g}]" for rate, (low, high) in zip(answering.p_pick_up, spans, strict=True)
    )
    found = [Estimate(at="answering.p_pick_up", value=answering.p_pick_up, n=round(people), how=how)]
    found.append(
        Estimate(
            at="answering.fatigue", value=answering.fatigue, n=round(people),
            how="by how many-th attempt on the number; one step for all",
        )
    )  # fmt: skip
    for kind, day in enumerate(_DAYS):
        of_day = {slot[1]: n for key, n in now.items() if key[0] == "slot" for slot in [key[1]] if slot[0] == kind}
        if sum(of_day.values()) >= LEAST:
            how = "the shape of the hours called: " + ", ".join(
                f"{hour} h {n:.0f}" for hour, n in sorted(of_day.items())
            )
            found.append(
                Estimate(at=f"presence.{day}", value=getattr(presence, day), n=round(sum(of_day.values())), how=how)
            )
        else:
            missing[f"presence.{day}"] = f"{sum(of_day.values()):.0f} people answered, {LEAST} wanted"
    for at, value, key in (
        ("answering.p_decline", answering.p_decline, ("rejected", True)),
        ("answering.p_off", answering.p_off, ("off", True)),
        ("numbers.p_voicemail_mobile", numbers.p_voicemail_mobile, ("machine", True)),
        ("numbers.p_voicemail_fixed", numbers.p_voicemail_fixed, ("machine", False)),
    ):
        count = now.get(key, 0.0)
        if count >= LEAST:
            low, high = poisson(count)
            found.append(Estimate(at=at, value=value, n=round(count), low=value * low, high=min(1.0, value * high)))
        else:
            missing[at] = f"{count:.0f} cases, {LEAST} wanted"
    strangers = [now.get(("who", further, True), 0.0) for further in (False, True)]
    spoke = sum(now.get(("who", further, wrong), 0.0) for further in (False, True) for wrong in (False, True))
    how = f"strangers on first numbers {strangers[0]:.0f}, on further ones {strangers[1]:.0f}"
    found.append(Estimate(at="numbers.p_stranger", value=numbers.p_stranger, n=round(spoke), how=how))
    return found


def _moved(over: Mapping[str, Any], laws: Laws, now: Cells, then: Cells) -> dict[str, Any]:
    """Return what differs from the base after one step towards what was seen."""
    moved = _copied(over)
    answering, numbers, presence = laws.answering, laws.numbers, laws.presence

    def of(kind: str, cells: Cells) -> dict[object, float]:
        return {key[1]: count for key, count in cells.items() if key[0] == kind}

    stages = shrunk_ratios(of("stage", now), of("stage", then))
    table = moved.setdefault("answering", {})
    table["p_pick_up"] = [
        between(rate * stages.get(stage, 1.0), 0.001, 1.0) for stage, rate in enumerate(answering.p_pick_up)
    ]
    table["fatigue"] = [1.0, between(answering.fatigue[1] * _step(of("nth", now), of("nth", then)), 0.5, 1.0)]
    for key, cell in (("p_decline", ("rejected", True)), ("p_off", ("off", True))):
        table[key] = between(getattr(answering, key) * _ratio(now, then, cell), 0.001, 0.95)
    hours = shrunk_ratios(of("slot", now), of("slot", then))
    both = [slot for slot, count in of("slot", then).items() if count > 0.0]
    level = sum(now.get(("slot", slot), 0.0) for slot in both) / max(1e-9, sum(then["slot", slot] for slot in both))
    table = moved.setdefault("presence", {})
    for kind, day in enumerate(_DAYS):
        curve = list(getattr(presence, day))
        for hour in range(24):
            curve[hour] = _at_home(curve[hour], hours.get((kind, hour), level) / level, presence.mobile_at_hand)
        table[day] = curve
    table = moved.setdefault("numbers", {})
    for key, cell in (("p_voicemail_mobile", ("machine", True)), ("p_voicemail_fixed", ("machine", False))):
        table[key] = between(getattr(numbers, key) * _ratio(now, then, cell), 0.001, 0.99)
    strangers = []
    for further in (False, True):
        share = [
            (cells.get(("who", further, True), 0.0) + 2.0 * numbers.p_stranger[further])
            / (cells.get(("who", further, True), 0.0) + cells.get(("who", further, False), 0.0) + 2.0)
            for cells in (now, then)
        ]
        strangers.append(between(numbers.p_stranger[further] * share[0] / max(share[1], 1e-6), 0.001, 0.9))
    table["p_stranger"] = strangers
    return moved


def _at_home(share: float, ratio: float, mobile_at_hand: float) -> float:
    """Return the share at home by which people are at hand `ratio` times as often, on a mobile."""
    at_hand = (share + (1.0 - share) * mobile_at_hand) * ratio
    return between((at_hand - mobile_at_hand) / max(1e-6, 1.0 - mobile_at_hand), 0.02, 0.98)


def _step(now: Mapping[Any, float], then: Mapping[Any, float]) -> float:
    """Return by what factor each further attempt is answered more often than expected, drawn to 1 by its own error."""
    cells = [(nth, now.get(nth, 0.0), count) for nth, count in sorted(then.items()) if count > 1.0]
    if len(cells) < 2:
        return 1.0
    weights = [count for _, _, count in cells]
    total = sum(weights)
    x = [float(nth) for nth, _, _ in cells]
    y = [math.log((seen + 0.5) / (count + 0.5)) for _, seen, count in cells]
    mean_x, mean_y = (sum(w * v for w, v in zip(weights, values, strict=True)) / total for values in (x, y))
    sxx = sum(w * (v - mean_x) ** 2 for w, v in zip(weights, x, strict=True))
    if sxx <= 0.0:
        return 1.0
    slope = sum(w * (a - mean_x) * (b - mean_y) for w, a, b in zip(weights, x, y, strict=True)) / sxx
    # Of Poisson counts; the steps of floors lie within a twentieth of one another (assumed).
    return math.exp(slope * 0.05**2 / (0.05**2 + 1.0 / sxx))


def _ratio(now: Cells, then: Cells, cell: Any) -> float:
    return (now.get(cell, 0.0) + 1.0) / (then.get(cell, 0.0) + 1.0)
