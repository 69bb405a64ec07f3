"""Every rule's answer to one question, for whoever asks why."""

from collections.abc import Iterator, Mapping

import msgspec

from compliance.cases import Case, consent_until
from compliance.counting import FOREVER, Counter
from compliance.rows import NO_RULES, Row
from compliance.zones import local_day, local_text, offset_at

#: One text for each kind of answer; words and figures are filled in.
TEXTS = {
    "stop": "stopped: {words} on record, {until}",
    "no stop": "nothing on record of {words}",
    "registered": "the number is on the register {words}, {until}",
    "not registered": "the number is not on the register {words}",
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

#: Rule, whether it passes, which text and what is filled in.
Said = tuple[str, bool, str, dict[str, str]]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule says of a contact."""

    rule: str
    passed: bool
    detail: str
    #: Of the rule's row; empty where it has none.
    citation: str = ""
    confidence: str = ""


def explain(case: Case, at_us: int, rows: Mapping[str, Row], only: str | None = None) -> list[Answer]:
    """Return what each rule says, once: stops, registers, consents, windows, then caps and cool-downs.

    Parameters
    ----------
    rows : by id
        Where citation and confidence are looked up.
    only : str or None
        Id of the one rule to answer for; None: all.
    """
    ends: dict[str, int] = {}
    for start, end, rule in case.blocks:
        if start <= at_us < end:
            ends[rule] = max(end, ends.get(rule, 0))
    found: dict[str, Answer] = {}
    for rule, passed, kind, text in (
        *_stops(case, ends, only),
        *_registers(case, ends, only),
        *_needs(case, ends, only),
        *_windows(case, at_us, only),
        *_counters(case, ends, at_us, only),
    ):
        # A row may say several things (a consent and a count): it passes when all of them do.
        if rule not in found or not passed:
            row = rows.get(rule)
            found[rule] = Answer(
                rule=rule,
                passed=passed,
                detail=TEXTS[kind].format(**text),
                citation="" if row is None else row.citation,
                confidence="" if row is None else row.confidence,
            )
    return list(found.values())


def _stops(case: Case, ends: dict[str, int], only: str | None) -> Iterator[Said]:
    triggers: dict[str, list[str]] = {}
    for word, rows in case.plan.stops.items():
        for row in rows:
            if only in (None, row.id):
                triggers.setdefault(row.id, []).append(word)
    needed = {row.id for row in case.plan.needs}
    for rule, words in triggers.items():
        text = {"words": ", ".join(words), "until": _until(case, ends.get(rule))}
        if rule in ends and rule not in needed:
            yield rule, False, "stop", text
        elif rule not in ends and words != [NO_RULES]:
            yield rule, True, "no stop", text


def _registers(case: Case, ends: dict[str, int], only: str | None) -> Iterator[Said]:
    for name, rows in case.plan.registers.items():
        for row in rows:
            if only not in (None, row.id):
                continue
            text = {"words": name, "until": _until(case, ends.get(row.id))}
            if row.id in ends:
                yield row.id, False, "registered", text
            elif name not in case.subject.registers:
                yield row.id, True, "not registered", text
            elif row.unless is not None:
                until = consent_until(case.subject, (row.unless,))
                yield row.id, True, "consent", {"words": row.unless, "until": _until(case, until)}


def _needs(case: Case, ends: dict[str, int], only: str | None) -> Iterator[Said]:
    for row in case.plan.needs:
        if only not in (None, row.id):
            continue
        text = {"words": ", ".join(row.needs_consent)}
        if row.id in ends:
            yield row.id, False, "need", text
        else:
            until = consent_until(case.subject, row.needs_consent)
            yield row.id, True, "consent", text | {"until": _until(case, until)}


def _windows(case: Case, at_us: int, only: str | None) -> Iterator[Said]:
    hours = case.hours(at_us)
    binding = {row.rule for row in hours.rows}
    for row in case.plan.hours.rows:
        if only not in (None, row.rule):
            continue
        if row.rule not in binding:
            yield row.rule, True, "lifted hours", {"until": _until(case, case.lifted_until)}
            continue
        zone = row.closed_in(case.zones, at_us)
        if zone is None:
            local = local_text(at_us, case.zones.latest_offset(at_us))
            yield row.rule, True, "open", {"local": local}
        else:
            holiday = row.closed is not None and row.closed.on(local_day(zone, at_us))
            text = {"local": local_text(at_us, offset_at(zone, at_us)), "zone": zone}
            yield row.rule, False, "holiday" if holiday else "closed", text


def _counters(case: Case, ends: dict[str, int], at_us: int, only: str | None) -> Iterator[Said]:
    for counter in case.plan.counters.all:
        if only not in (None, counter.rule):
            continue
        counted = _counted(case, counter, at_us)
        text = {
            "counted": str(counted),
            "limit": str(counter.limit),
            "counts": counter.counts.replace("_", " "),
            "until": _until(case, ends.get(counter.rule)),
        }
        if counter.rule in ends and counted >= counter.limit:
            yield counter.rule, False, "full" if counter.kind == "cap" else "cooling", text
        elif counted >= counter.limit and not counter.distinct:
            yield counter.rule, True, "lifted", text
        else:
            yield counter.rule, True, counter.kind, text


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
