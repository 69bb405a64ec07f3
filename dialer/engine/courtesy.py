"""What a strategy's treatment asks beside the law: hours of the debtor's day, and calls in a day and a week."""

from domain.instants import DAY, MINUTE, SECOND, parse
from domain.people import Dossier, Verdict
from domain.settings import CallTreatment


def rest(treatment: CallTreatment, dossier: Dossier, verdict: Verdict, at_us: int) -> tuple[int, str] | None:
    """Return until when and why a person rests whom law allows to be called now; None: call.

    Local time is that of the verdict's strictest zone. Where its clock changes meanwhile, the lead is asked again at
    the instant returned.
    """
    local_s = parse(verdict.local_time[:19] + "+00:00") // SECOND % 86_400
    midnight_us = at_us - at_us % SECOND - local_s * SECOND
    if treatment.calls_per_day is not None or treatment.calls_per_week is not None:
        dialled = [line.at_us for line in dossier.history if line.channel == "call" and not line.inbound]
        day = sum(when >= midnight_us for when in dialled)
        if treatment.calls_per_day is not None and day >= treatment.calls_per_day:
            return midnight_us + DAY, "calls_per_day"
        week = [when for when in dialled if when > at_us - 7 * DAY]
        if treatment.calls_per_week is not None and len(week) >= treatment.calls_per_week:
            return week[len(week) - treatment.calls_per_week] + 7 * DAY, "calls_per_week"
    minute = local_s // 60
    if not treatment.hours or any(begin <= minute < end for begin, end in treatment.hours):
        return None
    begins = min((begin - minute) % 1440 or 1440 for begin, _ in treatment.hours)
    return at_us - at_us % MINUTE + begins * MINUTE, "day_part"
