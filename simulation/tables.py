"""The outcomes of an experiment as Parquet tables for analysts: one row for each count's place, arm and seed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from simulation.experiment import Ran
from simulation.outcome import FLOW, Accounts, Contacts, Money, Outcome, Promised, Work

#: pyarrow is typed in part only.
_ARROW: Any = pyarrow
#: Tables whose rows are records of an outcome as they are.
_RECORDS: dict[str, tuple[str, type[Any]]] = {
    "work": ("work", Work),
    "money": ("money", Money),
    "promised": ("promised", Promised),
    "accounts": ("accounts", Accounts),
    "contacts": ("contacts", Contacts),
}


def write_tables(folder: Path, ran: Ran) -> list[Path]:
    """Write the tables, replacing those that exist, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    cells = [
        (setting.words, outcome)
        for setting, arms in zip(ran.settings, ran.outcomes, strict=True)
        for some in arms
        for outcome in some
    ]
    tables = {name: _records(cells, name) for name in _RECORDS}
    tables["flows"] = _flows(cells)
    tables["replications"] = _ARROW.Table.from_pylist([_whole(setting, outcome) for setting, outcome in cells])
    written = []
    for name, table in sorted(tables.items()):
        path = folder / f"{name}.parquet"
        _ARROW.parquet.write_table(table, path)
        written.append(path)
    return written


def _whole(setting: str, outcome: Outcome) -> dict[str, Any]:
    return {
        "setting": setting,
        "arm": outcome.arm,
        "seed": outcome.seed,
        "complaints": outcome.complaints,
        "stops": sum(outcome.stops.values()),
        "breaches": len(outcome.breaches),
        "rows": outcome.rows,
    }


def _flows(cells: list[tuple[str, Outcome]]) -> Any:
    columns: dict[str, list[Any]] = {
        name: [] for name in ("setting", "arm", "seed", "day", "hour", "segment", "campaign", *FLOW)
    }
    for setting, outcome in cells:
        for flow in outcome.flows:
            _add(columns, setting, outcome, flow.day)
            columns["hour"].append(flow.hour)
            columns["segment"].append(outcome.segments[flow.segment])
            columns["campaign"].append(outcome.campaigns[flow.campaign])
            for name, count in zip(FLOW, flow.counts, strict=True):
                columns[name].append(count)
    return _ARROW.table(columns)


def _records(cells: list[tuple[str, Outcome]], name: str) -> Any:
    field, kind = _RECORDS[name]
    names = [one for one in kind.__struct_fields__ if one != "day"]
    columns: dict[str, list[Any]] = {one: [] for one in ("setting", "arm", "seed")}
    if "day" in kind.__struct_fields__:
        columns["day"] = []
    columns |= {one: [] for one in names}
    for setting, outcome in cells:
        for record in _rows(outcome, field):
            _add(columns, setting, outcome, getattr(record, "day", None))
            for one in names:
                value = getattr(record, one)
                columns[one].append(outcome.segments[value] if one == "segment" else value)
    return _ARROW.table(columns)


def _rows(outcome: Outcome, field: str) -> Iterator[Any]:
    yield from getattr(outcome, field)


def _add(columns: dict[str, list[Any]], setting: str, outcome: Outcome, day: int | None) -> None:
    columns["setting"].append(setting)
    columns["arm"].append(outcome.arm)
    columns["seed"].append(outcome.seed)
    if day is not None:
        columns["day"].append(outcome.days[day])
