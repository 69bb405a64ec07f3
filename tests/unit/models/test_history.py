"""Histories from files and tables: whose, when by which clock, and what cannot be read."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domain.errors import BadInput
from domain.instants import HOUR, from_datetime, parse
from models.features import features
from models.history import clocks_of, history_of, read_history
from models.history_kernel import offset_of
from models.reach import attempts_of, read_attempts
from tests.histories import call, line, tables

AS_OF_US = parse("2026-11-25T18:30:00Z")
LINES = [
    *call("2026-11-16T10:00:00", "no_answer"),
    *call("2026-11-17T18:00:00", "right_party_contact", detail="promise"),
    *call("2026-11-18T18:00:00", "answered", phone=20, person=2),
    line("2026-11-19T18:00:00", "assigned", person=2, debts=[200], amount_minor=5000),
]
WHO: dict[str, Any] = {
    "numbers": [(1, 10, "mobile"), (2, 20, "fixed")],
    "zones": {1: ["Europe/Madrid"], 2: ["America/Bogota"]},
    "debts": [(100, 1, "EUR", "2026-09-01"), (200, 2, "COP", None)],
}


def write(folder: Path, told: dict[str, Any], parts: int = 1) -> None:
    for name, table in told.items():
        if name == "history" and parts > 1:
            (folder / name).mkdir()
            step = -(-table.num_rows // parts)
            for part in range(parts):
                pq.write_table(table.slice(part * step, step), folder / name / f"part-{part}.parquet")
        else:
            pq.write_table(table, folder / f"{name}.parquet")


@pytest.mark.parametrize("parts", [1, 3])
def test_files_parts_and_addresses_tell_what_tables_tell(tmp_path: Path, parts: int) -> None:
    write(tmp_path, tables(LINES, **WHO), parts)
    wanted = features(history_of(**tables(LINES, **WHO)), AS_OF_US).values
    for source in (tmp_path, str(tmp_path), f"file://{tmp_path}"):
        history = read_history(source)
        assert history.n_strangers == 0
        assert np.array_equal(features(history, AS_OF_US).values, wanted, equal_nan=True)
    assert read_attempts(tmp_path).answered.tolist() == [0, 1, 1]


def test_some_people_alone(tmp_path: Path) -> None:
    write(tmp_path, tables(LINES, **WHO))
    some = read_history(tmp_path, persons=(2, 9))
    assert (some.person.tolist(), some.zones, len(some.lines.kind)) == ([2], ("America/Bogota", "UTC"), 3)


def test_lines_stand_in_the_order_in_which_they_were_learned() -> None:
    shuffled = [LINES[at] for at in (6, 3, 0, 5, 2, 4, 1)]
    one, other = (history_of(**tables(lines, **WHO)) for lines in (LINES, shuffled))
    for first, second in zip(one.lines, other.lines, strict=True):
        assert np.array_equal(first, second, equal_nan=first.dtype.kind == "f")


def test_lines_about_nobody_on_record_are_counted() -> None:
    history = history_of(**tables([*LINES, line("2026-11-20T00:00:00", "stop", person=3)], **WHO))
    assert (history.n_strangers, len(history.lines.kind)) == (1, len(LINES))


@pytest.mark.parametrize("zone", ["Europe/Madrid", "America/Bogota", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"])
def test_clocks_are_those_of_the_tz_database(zone: str) -> None:
    clocks = clocks_of(("Asia/Kolkata", zone))
    moment = datetime(2025, 12, 28, tzinfo=ZoneInfo("UTC"))
    for hours in range(24 * 400):
        at = moment + timedelta(hours=hours)
        offset = at.astimezone(ZoneInfo(zone)).utcoffset()
        assert offset_of(clocks, 1, from_datetime(at)) == (offset or timedelta()) // timedelta(microseconds=1)
    assert offset_of(clocks, 0, 0) == 5.5 * HOUR


def test_calls_are_learned_from_as_they_were_decided() -> None:
    lines = [
        *call("2026-11-18T10:00:00", "no_answer", detail="no_answer"),
        *call("2026-11-16T10:00:00", "right_party_contact", detail="promise"),
        *call("2026-11-17T10:00:00", "third_party", phone=11, detail="third_party"),
        *call("2026-11-19T10:00:00", "abandoned", detail="abandoned"),
        *call("2026-11-19T11:00:00", "abandoned", detail="cut"),
        *call("2026-11-19T12:00:00", "abandoned", detail="lost"),
        *call("2026-11-19T13:00:00", "no_answer", detail="cancelled"),
        *call("2026-11-19T14:00:00", "not_dialled", detail="not_sent"),
        *call("2026-11-19T15:00:00", "right_party_contact", detail="unrecorded"),
        call("2026-11-19T16:00:00", "no_answer")[0],  # under way
        line("2026-11-19T17:00:00", "no_answer", phone=10, channel="call"),  # imported
    ]
    found = attempts_of(tables(lines)["history"])
    assert found.answered.tolist() == [1, 1, 0, 1, 1, 1]
    assert found.right_party.tolist() == [1, 0, 0, -1, -1, -1]
    # Two of the five who answered are known: they stand for all five.
    assert found.weight().tolist() == [2.5, 2.5, 1.0, 0.0, 0.0, 0.0]
    assert found.phone.tolist() == [10, 11, 10, 10, 10, 10]
    assert found.decided_us[0] == parse("2026-11-16T10:00:00Z")
    history = history_of(**tables(lines))
    # The call itself is not known of before it.
    assert features(history, found.asked(history)).column("calls_30d").tolist() == [0, 1, 2, 3, 4, 7]
    assert len(attempts_of(tables([])["history"]).weight()) == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda told: told.pop("numbers"), "there is no numbers.parquet"),
        (lambda told: told.update(history=told["history"].drop_columns(["known_at"])), "column known_at is missing"),
        (
            lambda told: told.update(debts=told["debts"].set_column(0, "debt", pa.array(["a", "b"]))),
            "debt must be whole",
        ),
        (lambda told: told.update(debtors=pa.concat_tables([told["debtors"]] * 2)), "person 1 is there twice"),
        (lambda told: told.update(debtors=told["debtors"].slice(0, 0)), "nobody is there"),
        (
            lambda told: told.update(
                debtors=told["debtors"].set_column(1, "zones", pa.array([["Mars/Olympus"], ["UTC"]]))
            ),
            "'Mars/Olympus' is not in the tz database",
        ),
        (
            lambda told: told.update(
                history=told["history"].set_column(1, "known_at", pa.nulls(len(LINES), pa.timestamp("us", tz="UTC")))
            ),
            "known_at is empty in a line",
        ),
    ],
)
def test_an_export_that_cannot_be_read(tmp_path: Path, change: Any, says: str) -> None:
    told = tables(LINES, **WHO)
    change(told)
    write(tmp_path, told)
    with pytest.raises(BadInput, match=says):
        read_history(tmp_path)


def test_no_parquet_and_no_such_address(tmp_path: Path) -> None:
    write(tmp_path, tables(LINES, **WHO))
    (tmp_path / "numbers.parquet").write_text("person,phone\n")
    with pytest.raises(BadInput, match="cannot be read as Parquet"):
        read_history(tmp_path)
    with pytest.raises(BadInput, match=r"fsspec|no such kind of address"):
        read_history("nowhere://bucket/export")
