"""The law, case by case, and whether the cases would notice a change of it."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from compliance.casefile import ask, judge
from compliance.caseform import read
from compliance.gate import Gate
from compliance.numbers import Numbers
from compliance.packs import SHIPPED, Packs
from compliance.rows import CHANNELS, ENFORCED, Cap, Cooldown, Registry, Row, Stop, Window
from domain.instants import parse
from tests.unit.compliance.conformance import CASES, Conformance, Expected

#: Arrays whose rows may deny a contact.
DENYING = ("windows", "caps", "cooldowns", "stops", "registries")


@lru_cache(maxsize=1)
def rules() -> tuple[Gate, Numbers]:
    return Gate.load(SHIPPED), Numbers.load(SHIPPED)


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.case["id"])
def test_the_law(one: Conformance) -> None:
    found = judge(*rules(), msgspec.json.encode(one.case))
    assert "error" not in found, found
    assert (found["allowed"], found["rule"]) == (one.expect.allowed, one.expect.rule), (one.why, found)
    wanted = one.expect.next_allowed_at
    if wanted is not msgspec.UNSET:
        instants = [None if text is None else parse(text) for text in (found["next_allowed_at"], wanted)]
        assert instants[0] == instants[1], (one.why, found)


def test_every_case_is_one_and_says_why() -> None:
    names = [one.case["id"] for one in CASES]
    assert len(names) == len(set(names)) >= 170
    assert [one.case["id"] for one in CASES if not (one.why.strip() and one.citation.strip())] == []
    assert [one.case["id"] for one in CASES if one.expect.allowed != (one.expect.rule is None)] == []


def denying() -> dict[str, tuple[str, str]]:
    """Return table and array of each row that may deny, by its id."""
    return {
        row.id: (code, array)
        for code, place in rules()[0].packs.jurisdictions.items()
        for array in DENYING
        for row in getattr(place, array)
        if row.status in ENFORCED
    }


def test_no_row_that_may_deny_is_left_untried() -> None:
    tried = {one.expect.rule for one in CASES} | {row for one in CASES for row in one.covers}
    packs = rules()[0].packs
    assert sorted(denying().keys() - tried) == []
    known = packs.rows.keys() | {f"{code}.holidays" for code in packs.jurisdictions}
    assert sorted(tried - known - {None}) == []  # type: ignore[type-var]


# ---- a suite is as good as the changes that it notices

#: Changes that no verdict of the strict reading shows: another row says the same of the same contacts.
UNSEEN = {
    "FL.ftsa_8pm opens a minute early",  # FL.hours
}


@pytest.mark.parametrize("rule", sorted(denying()))
def test_a_change_of_the_law_is_noticed(rule: str) -> None:
    code, array = denying()[rule]
    packs = rules()[0].packs
    place = packs.jurisdictions[code]
    country = None if place.overlay_for else code[:2]
    cases = [
        (asked(one), one.expect)
        for one in CASES
        if one.case.get("strict", True) and country in (None, one.case["debtor"]["country"])
    ]
    for what, row in changes(packs.rows[rule]):
        others = tuple(row if one.id == rule else one for one in getattr(place, array))
        tables = packs.jurisdictions | {code: replace(place, **{array: others})}
        changed = replace(packs, jurisdictions=tables, rows=packs.rows | {rule: row})
        assert passes(changed, cases) is (f"{rule} {what}" in UNSEEN), f"{rule} {what}"


def asked(one: Conformance) -> dict[str, Any]:
    question = ask(read(msgspec.json.encode(one.case)), rules()[1])
    fields = ("dossier", "at_us", "channel", "phone", "debts", "actor", "purpose", "live_agent_guaranteed")
    return {name: getattr(question, name) for name in fields}


def passes(packs: Packs, cases: list[tuple[dict[str, Any], Expected]]) -> bool:
    gate = Gate(packs)
    for question, expected in cases:
        found = gate.judge(**question)
        if (found.allowed, found.rule) != (expected.allowed, expected.rule):
            return False
        wanted = expected.next_allowed_at
        if wanted is not msgspec.UNSET and found.next_allowed_at_us != (None if wanted is None else parse(wanted)):
            return False
    return True


def changes(row: Row) -> Iterator[tuple[str, Row]]:
    """Yield what might be changed of a row, and the row so changed."""
    yield "is not in force", replace(row, status="proposed")
    if row.actors != ("first_party",):
        yield "binds the creditor alone", replace(row, actors=("first_party",))
    if isinstance(row, Window):
        for day in ("wed", "sat"):
            for opens, closes in getattr(row.days, day):
                for what, pair in (
                    ("opens a minute early", (a_minute_before(opens), closes)),
                    ("closes a minute early", (opens, a_minute_before(closes))),
                    ("closes a minute late", (opens, f"{closes[:3]}01")),
                ):
                    yield what, replace(row, days=replace(row.days, **{day: (pair,)}))
    if isinstance(row, Window | Cap):
        for channel in row.channels:
            yield f"forgets {channel}", replace(row, channels=without(row.channels, channel))
    if isinstance(row, Cap):
        for limit in {row.limit + 1, max(row.limit - 1, 1)} - {row.limit}:
            yield f"allows {limit}", replace(row, limit=limit)
        if row.window.type == "rolling_days":
            for n in (row.window.n - 1, row.window.n + 1):
                yield f"counts over {n} days", replace(row, window=replace(row.window, n=n))
    if isinstance(row, Cooldown):
        unit = "hours" if row.duration.hours is not None else "calendar_days"
        length = getattr(row.duration, unit)
        for n in (length - 1, length + 1):
            yield f"lasts {n} {unit}", replace(row, duration=replace(row.duration, **{unit: n}))
        for channel in row.blocks_channels:
            yield f"forgets {channel}", replace(row, blocks_channels=without(row.blocks_channels, channel))
    if isinstance(row, Cap | Cooldown):
        for scope in sorted({"debt", "creditor", "phone", "household"}.intersection(row.scope)):
            yield f"counts no {scope} apart", replace(row, scope=without(row.scope, scope))
        if row.unless is not None:
            yield "is not lifted", replace(row, unless=None)
    if isinstance(row, Stop):
        for purpose in row.exceptions:
            yield f"stops {purpose}", replace(row, exceptions=without(row.exceptions, purpose))
        if row.channels != CHANNELS:
            yield "stops every channel", replace(row, channels=CHANNELS)
    if isinstance(row, Registry):
        yield "is asked of another list", replace(row, register=f"not {row.register}")
        yield "binds every purpose", replace(row, purposes=None)
        yield "is not lifted", replace(row, unless=None)
    if isinstance(row, Cap | Stop) and row.needs_consent:
        yield "needs no consent", replace(row, needs_consent=())


def without(words: tuple[Any, ...], word: str) -> tuple[Any, ...]:
    return tuple(one for one in words if one != word)


def a_minute_before(clock: str) -> str:
    minute = int(clock[:2]) * 60 + int(clock[3:]) - 1
    return f"{minute // 60:02}:{minute % 60:02}"
