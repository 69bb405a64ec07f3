"""Every rule's answer to one question, for whoever asks why."""

import msgspec

from compliance.cases import Case, consent_until
from compliance.counting import FOREVER, Counter
from compliance.rows import NO_RULES
from compliance.zones import local_day, local_text, offset_at

#: One text for each kind of answer; words and figures are filled in.
TEXTS = {
    "stop": "stopped: {words} on record, {until}",
    "no stop": "nothing on record of {words}",
    "need": "no consent on record of {words}",
    "consent": "consent on record, {until}",
    "open": "open at {local} in every zone",
    "closed": "closed at {local} in {zone}",
    "holiday": "closed for a holiday at {local} in {zone}",
    "lifted hours": "lifted by a consent to other hours, {until}",
    "cap": "{counted} of {limit} {counts} used",
    "full": "{counted} of {limit} {counts} used, {until}",
    "lifted": "{counted} of {limit} {counts} used, lifted by a consent or an agent guaranteed",
    "cooldown": "no {counts} that still binds",
    "cooling": "cooling down after {counts}, {until}",
}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule says of a contact."""

    rule: str
    passed: bool
    detail: str


def explain(case: Case, at_us: int) -> list[Answer]:
    """Return what each rule says, once: stops, consents, windows, then caps and cool-downs."""
    ends: dict[str, int] = {}
    for start, end, rule in case.blocks:
        if start <= at_us < end:
            ends[rule] = max(end, ends.get(rule, 0))
    found: dict[str, Answer] = {}
    for answer in (*_stops(case, ends), *_needs(case, ends), *_windows(case, at_us), *_counters(case, ends, at_us)):
        # A row may say several things (a consent and a count): it passes when all of them do.
        if answer.rule not in found or not answer.passed:
            found[answer.rule] = answer
    return list(found.values())


def _stops(case: Case, ends: dict[str, int]) -> list[Answer]:
    triggers: dict[str, list[str]] = {}
    for word, rows in case.plan.stops.items():
        for row in rows:
            triggers.setdefault(row.id, []).append(word)
    needed = {row.id for row in case.plan.needs}
    found = []
    for rule, words in triggers.items():
        text = {"words": ", ".join(words), "until": _until(case, ends.get(rule))}
        if rule in ends and rule not in needed:
            found.append(_answer(rule, False, "stop", text))
        elif rule not in ends and words != [NO_RULES]:
            found.append(_answer(rule, True, "no stop", text))
    return found


def _needs(case: Case, ends: dict[str, int]) -> list[Answer]:
    found = []
    for row in case.plan.needs:
        text = {"words": ", ".join(row.needs_consent)}
        if row.id in ends:
            found.append(_answer(row.id, False, "need", text))
        else:
            until = consent_until(case.subject, row.needs_consent)
            found.append(_answer(row.id, True, "consent", text | {"until": _until(case, until)}))
    return found


def _windows(case: Case, at_us: int) -> list[Answer]:
    hours = case.hours(at_us)
    binding = {row.rule for row in hours.rows}
    found = []
    for row in case.plan.hours.rows:
        if row.rule not in binding:
            found.append(_answer(row.rule, True, "lifted hours", {"until": _until(case, case.lifted_until)}))
            continue
        zone = row.closed_in(case.zones, at_us)
        if zone is None:
            local = local_text(at_us, case.zones.latest_offset(at_us))
            found.append(_answer(row.rule, True, "open", {"local": local}))
        else:
            holiday = row.closed is not None and row.closed.on(local_day(zone, at_us))
            text = {"local": local_text(at_us, offset_at(zone, at_us)), "zone": zone}
            found.append(_answer(row.rule, False, "holiday" if holiday else "closed", text))
    return found


def _counters(case: Case, ends: dict[str, int], at_us: int) -> list[Answer]:
    found = []
    for counter in case.plan.counters.all:
        counted = _counted(case, counter, at_us)
        text = {
            "counted": str(counted),
            "limit": str(counter.limit),
            "counts": counter.counts.replace("_", " "),
            "until": _until(case, ends.get(counter.rule)),
        }
        if counter.rule in ends and counted >= counter.limit:
            found.append(_answer(counter.rule, False, "full" if counter.kind == "cap" else "cooling", text))
        elif counted >= counter.limit and not counter.distinct:
            found.append(_answer(counter.rule, True, "lifted", text))
        else:
            found.append(_answer(counter.rule, True, counter.kind, text))
    return found


def _counted(case: Case, counter: Counter, at_us: int) -> int:
    """Return what the counter holds now, the most over the debts or creditors that it counts apart."""
    most = 0
    for (of, _), lines in case.tally.items():
        if of is counter:
            live = [line for line in lines if case.zones.release(counter.span, counter.n, line.at_us) > at_us]
            most = max(most, len({line.channel for line in live}) if counter.distinct else len(live))
    return most


def _until(case: Case, end: int | None) -> str:
    if end is None or end == FOREVER:
        return "until it is lifted"
    return f"until {local_text(end, case.zones.latest_offset(end))}"


def _answer(rule: str, passed: bool, kind: str, text: dict[str, str]) -> Answer:
    return Answer(rule=rule, passed=passed, detail=TEXTS[kind].format(**text))
