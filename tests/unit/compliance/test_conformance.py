"""The law, case by case: tests/rules/*.jsonl hold contacts with what the law says of each, worked out by hand."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from compliance.casefile import judge
from compliance.gate import Gate
from compliance.numbers import Numbers
from compliance.packs import SHIPPED
from compliance.rows import ENFORCED
from domain.instants import parse

RULES = Path(__file__).parents[2] / "rules"
#: Arrays whose rows may deny a contact.
DENYING = ("windows", "caps", "cooldowns", "stops")


class Expected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    allowed: bool
    rule: str | None
    #: An instant; None: not until something changes; missing: not asked.
    next_allowed_at: str | msgspec.UnsetType | None = msgspec.UNSET


class Conformance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of a file."""

    #: As the case file has it.
    case: dict[str, Any]
    expect: Expected
    #: What the case is about, in one sentence.
    why: str
    citation: str
    #: Rows that it tries beside the one that denies.
    covers: tuple[str, ...] = ()


CASES = [
    msgspec.json.decode(line, type=Conformance)
    for path in sorted(RULES.glob("*.jsonl"))
    for line in path.read_bytes().splitlines()
]


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


def test_no_row_that_may_deny_is_left_untried() -> None:
    tried = {one.expect.rule for one in CASES} | {row for one in CASES for row in one.covers}
    packs = rules()[0].packs
    denying = {
        row.id
        for place in packs.jurisdictions.values()
        for array in DENYING
        for row in getattr(place, array)
        if row.status in ENFORCED
    }
    assert sorted(denying - tried) == []
    known = packs.rows.keys() | {f"{code}.holidays" for code in packs.jurisdictions}
    assert sorted(tried - known - {None}) == []  # type: ignore[type-var]
