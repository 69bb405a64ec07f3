"""The cases of tests/rules/*.jsonl: contacts with what the law says of each, worked out by hand."""

from pathlib import Path
from typing import Any

import msgspec

RULES = Path(__file__).parents[2] / "rules"


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
