"""What a model may know of a contact before it is made: each feature with its unit, meaning and direction; and what it
may not know.

`docs/features.md` is written from this list. Directions are those in which a chance may only move as the feature grows,
for models that keep them (monotone constraints): `reach` that a person answers, `pay` that something is paid; 0 leaves
it to the data.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from domain.errors import BadInput


class Feature(NamedTuple):
    name: str
    unit: str
    about: str
    #: `moment`, `own`, `rhythm`, `number`, `person`, `words`, `money` or `day`.
    group: str
    reach: int = 0
    pay: int = 0
    #: Values are places in a fixed list of words, which `features` gives.
    category: bool = False


GROUPS: Final = {
    "moment": "The moment of the contact, by the clock of the debtor's address, or of the number",
    "own": "What the record says of this very hour",
    "rhythm": "When this person has been met before; together with the moment they tell the best time",
    "number": "The number's own record",
    "person": "Calls to this person on all numbers",
    "words": "Messages, call-backs, promises",
    "money": "What is owed and was paid",
    "day": "The day of the month",
}

_F = Feature
FEATURES: Final[tuple[Feature, ...]] = (
    _F("hour", "local hour, 0–23", "hour of the contact", "moment"),
    _F("weekday", "0 Monday … 6 Sunday", "day of the week of the contact", "moment"),
    _F("hour_tries", "calls, at most 15", "earlier calls of this number at this local hour", "own", reach=-1),
    _F("hour_lift", "log ratio", "answers at about this hour against those expected (shrunk)", "own", reach=1),
    _F("lift_morning", "log ratio", "answers until 11 h on weekdays against those expected (shrunk)", "rhythm"),
    _F("lift_midday", "log ratio", "the same from 11 to 14 h", "rhythm"),
    _F("lift_afternoon", "log ratio", "the same from 14 to 17 h", "rhythm"),
    _F("lift_evening", "log ratio", "the same from 17 h on", "rhythm"),
    _F("lift_weekend", "log ratio", "the same on Saturdays and Sundays", "rhythm"),
    _F("line_type", "kind", "kind of number", "rhythm", category=True),
    _F("mobile", "0 or 1", "the number may be a mobile", "number"),
    _F("number_rank", "place, from 0", "order of trial among the person's numbers, as the files give it", "number"),
    _F("number_tries", "calls", "ended calls of this number", "number"),
    _F("number_answers", "calls", "of those, answered by a person", "number"),
    _F("number_rights", "calls", "of those, by the debtor", "number"),
    _F("number_lift", "log ratio", "answers of this number against those expected (shrunk)", "number", reach=1),
    _F("number_right_share", "share", "debtors among who answered (shrunk to the kind of number)", "number"),
    _F("number_machines", "calls", "calls that a machine answered", "number"),
    _F("number_unanswered", "calls", "calls that rang out", "number"),
    _F("number_busy", "calls", "calls that met a busy line", "number"),
    _F("number_rejected", "calls", "calls that were declined", "number"),
    _F("number_failed", "calls", "calls that the network could not carry", "number"),
    _F("number_bad", "0 or 1", "known to be dead, or somebody else's", "number", reach=-1),
    _F("number_streak", "calls", "calls of this number since a person last answered", "number", reach=-1),
    _F("number_today", "calls", "calls of this number on the local day of the contact", "number", reach=-1),
    _F("number_days_call", "days", "since the last call of this number; empty: none", "number"),
    _F("number_days_answer", "days", "since a person last answered it; empty: never", "number"),
    _F("numbers", "numbers", "numbers on record", "person"),
    _F("numbers_tried", "numbers", "of those, ever called", "person"),
    _F("tries", "calls", "ended calls", "person"),
    _F("answers", "calls", "of those, answered by a person", "person"),
    _F("rights", "calls", "conversations with the debtor", "person"),
    _F("person_lift", "log ratio", "answers on all numbers against those expected (shrunk)", "person", reach=1),
    _F("calls_1d", "calls", "calls begun in the last 24 hours", "person", reach=-1),
    _F("calls_7d", "calls", "in the last 7 days", "person", reach=-1),
    _F("calls_30d", "calls", "in the last 30 days", "person"),
    _F("calls_today", "calls", "on the local day of the contact", "person", reach=-1),
    _F("calls_since_right", "calls", "since the last conversation with the debtor", "person", reach=-1),
    _F("days_call", "days", "since the last call; empty: none", "person"),
    _F("days_answer", "days", "since a person last answered; empty: never", "person"),
    _F("days_right", "days", "since the last conversation with the debtor; empty: none", "person"),
    _F("last_end", "kind", "how the last call ended", "person", category=True),
    _F("abandoned_30d", "calls", "answered with no agent there, in the last 30 days", "person"),
    _F("disputes", "stops", "disputes on record", "person"),
    _F("messages_30d", "messages", "messages sent in the last 30 days", "words"),
    _F("days_message", "days", "since the last message; empty: none", "words"),
    _F("inbound", "contacts", "contacts that came from the debtor", "words"),
    _F("days_inbound", "days", "since the last of those; empty: none", "words"),
    _F("days_call_back", "days", "since a call-back was asked for; empty: never", "words"),
    _F("promises", "promises", "promises made", "words"),
    _F("promises_open", "promises", "of those, not fallen due", "words"),
    _F("promises_kept", "promises", "of those fallen due, kept as far as is known", "words", pay=1),
    _F("promises_broken", "promises", "of those fallen due, the rest", "words", pay=-1),
    _F("kept_share", "share", "promises kept of those fallen due (shrunk to a half)", "words", pay=1),
    _F("plans", "plans", "plans agreed", "words"),
    _F("days_promise", "days", "since the last promise or plan; empty: none", "words"),
    _F("days_promise_due", "days", "until the last promise falls due, negative after; empty: none", "words"),
    _F("promised_share", "share", "last promise ÷ what was owed and paid since", "words"),
    _F("payments", "payments", "payments", "money"),
    _F("days_payment", "days", "since the last; empty: none", "money"),
    _F("days_payday", "days, 0–31", "since the day of the month on which this person pays; empty: never paid", "money"),
    _F("paid_30d", "share", "paid in the last 30 days ÷ (that and what is owed)", "money"),
    _F("paid_90d", "share", "the same in the last 90 days", "money"),
    _F("paid_share", "share", "the same since the debts came", "money"),
    _F("debts_open", "debts", "debts that are owed", "money"),
    _F("balance", "log2 ratio", "what is owed ÷ the usual debt of its currency; empty: nothing", "money"),
    _F("balance_change", "log2 ratio", "what is owed ÷ what was owed when the debts came; empty: nothing", "money"),
    _F("days_due", "days", "since the oldest open debt is owed; empty: not told", "money", pay=-1),
    _F("days_assigned", "days", "since the first debt came; empty: not told", "money"),
    _F("month_day", "1–31", "local day of the month of the contact", "day"),
)

NAMES: Final = tuple(one.name for one in FEATURES)
INDEX: Final = {name: n for n, name in enumerate(NAMES)}

#: Columns of the export that are known only after the contact, or tell how it went: never a feature of it.
AFTER: Final = frozenset(
    {
        "phase", "originated_at", "ringing_at", "answered_at", "talking_at", "ended_at", "agent", "answer_class",
        "class_why", "wait_us", "disposition", "event", "detail", "ring_us", "talk_us", "wrap_us", "q850", "sip",
        "state", "promise", "amount_minor", "due_on", "kept", "received_minor", "paid", "answered", "right_party",
    }
)  # fmt: skip
#: What tells people apart in ways that no decision may rest on, or stands for it: kept apart, for the audit alone.
PROTECTED: Final = frozenset(
    {
        "name", "language", "sex", "gender", "age", "birth_date", "birth_year", "nationality", "ethnicity", "race",
        "religion", "disability", "health", "vulnerable", "marital_status", "orientation", "pregnancy", "union",
        "city", "postal_code", "street", "region", "country",
    }
)  # fmt: skip


def check_features(names: Iterable[str], where: str) -> None:
    """Refuse columns that no model of a contact may learn from.

    Raises
    ------
    BadInput
        When one is known only after the contact, or protected.
    """
    for name in names:
        if name in AFTER:
            raise BadInput(f"{where}: {name} is known only after the contact; take it out of the features")
        if name in PROTECTED:
            raise BadInput(f"{where}: {name} is protected and kept for the audit alone; take it out of the features")


def page() -> str:
    """Return docs/features.md."""
    parts = [_HEAD]
    for group, about in GROUPS.items():
        parts.append(f"## {about}\n\n| feature | unit | what it is | reach | pay |\n|---|---|---|---|---|")
        for one in (one for one in FEATURES if one.group == group):
            signs = " | ".join({1: "up", -1: "down", 0: ""}[sign] for sign in (one.reach, one.pay))
            parts.append(f"| `{one.name}` | {one.unit} | {one.about} | {signs} |")
        parts.append("")
    parts.append(_TAIL.format(after=_listed(AFTER), protected=_listed(PROTECTED)))
    return "\n".join(parts)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


_HEAD = """# Features: what a model knows before a contact

Written by `python -m models.feature_list`; a test holds it against the code. One function makes them for training and
for serving (`models.features.features`), from the history alone and from what was *known* before an instant: a payment
made on Monday and told on Thursday is no feature of Wednesday's call. Each number of a person has a row of its own.

*Empty* values stay empty: the learner has its own branch for them. *Reach* and *pay* say in which direction the chance
of being reached, of paying, may only move as the feature grows.

**Shrunk log ratios.** `log((answers + 1) / (expected + 1))`. *Expected* is the sum, over the same calls, of the share
of calls answered by people in general: on this kind of number, at that local hour, on weekdays or at weekends, as far
as it was known on the day (UTC) before which the row stands. That share leans on the hour alone where the kind of
number has few calls, and the hour on all calls. Who was never called has 0. `hour_lift` weighs calls one hour away by
.6, two hours by .3, and by half of that where one fell on a weekday and the other on a weekend. Calls that reached a
stranger, or a number out of service, say nothing of the person and count for the number alone.
"""
_TAIL = """## Never features

Known only after the contact: {after}.

Protected, or standing for what is: {protected}. They are kept apart, for the audit of fairness; a condition that the
law protects is never told as the end of a call either (`last_end` says *other*).

## Limits

- Kinds and zones of numbers, their order, and the days since when debts are owed are taken as the ledger has them now;
  they come from files and not from what calling brought. A creditor who puts the number that answered first tells the
  future.
- What is owed is the last balance told less the payments told since.
- Instalments of plans are not followed.
"""


if __name__ == "__main__":
    print(page(), end="")
