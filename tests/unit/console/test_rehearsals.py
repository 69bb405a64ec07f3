"""When rehearsals start, and what their copy leaves behind."""

import pytest

from console import rehearsals
from domain.instants import iso, parse
from ledger.schema import metadata


@pytest.mark.parametrize(
    ("now", "start"),
    [
        ("2026-11-21T10:00:00+00:00", "2026-11-25T15:30:00.000+00:00"),
        ("2026-11-25T15:29:59+00:00", "2026-11-25T15:30:00.000+00:00"),
        ("2026-11-25T15:30:00+00:00", "2026-12-02T15:30:00.000+00:00"),
        ("2026-12-31T23:59:59+00:00", "2027-01-06T15:30:00.000+00:00"),
    ],
)
def test_a_rehearsal_starts_on_the_coming_wednesday(now: str, start: str) -> None:
    assert iso(rehearsals.start_us(parse(now))) == start


def test_every_table_is_either_of_people_or_of_engines() -> None:
    tables = {table.name for table in metadata.sorted_tables}
    of_engines = {name for name in tables if "stream" in metadata.tables[name].c and name != "change"} | {
        "outcome",
        "plan",
        "plan_chunk",
    }
    assert of_engines == rehearsals._LEFT_BEHIND
