"""Months whose truth is known: an export of what a floor's ledger would hold, and beside it each call's true chance.

`make` simulates with the whole engine; `make_at_random` calls at instants and on numbers that nothing chose.
"""

from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow
import pyarrow.parquet

from benchmarks.oracle import Line, Oracle, Try
from domain.calls import Mode
from domain.instants import DAY, HOUR, SECOND, from_datetime, parse, to_datetime
from domain.settings import CampaignSettings, FloorSettings
from ledger.parquet_own import HistoryFile, write_people
from models.history import History
from models.reach import Attempts
from simulation.books import export_month
from simulation.callees import (
    BUSY,
    CONGESTION,
    NETWORK_FAIL,
    NO_ANSWER,
    NOT_IN_SERVICE,
    REJECTED,
    Callees,
    Meeting,
)
from simulation.chance import Chance
from simulation.month import Arm, Plan
from simulation.population import Debtors, load, portfolio
from simulation.population.traits import stage_of, zone_of
from simulation.roster import Roster, Shift

pa: Any = pyarrow
pq: Any = pyarrow.parquet

START = "2026-11-02"
#: Local hours of the slots of a day.
HOURS = range(9, 21)


class Watched:
    """Callees whose true chances are written down before each call."""

    def __init__(self, callees: Callees) -> None:
        assert isinstance(callees, Debtors)
        self._callees = callees
        self.rows: list[tuple[int, int, float, dict[int, float]]] = []

    def dial(self, phone: int, at_us: int) -> Meeting:
        self.rows.append((phone, at_us, *self._callees.chance_now(phone, at_us)))
        return self._callees.dial(phone, at_us)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._callees, name)


def make(folder: Path, world: str, debtors: int, days: int, agents: int) -> None:
    """Simulate a month, and write its export and the truth of its calls beside."""
    campaign = CampaignSettings(
        name="a", mode=Mode.predictive, detect_machines=True, clock_starts="greeting_end",
        caller_ids={"*": ("+34910000000",)},
    )  # fmt: skip
    floor = FloorSettings(campaigns=(campaign,), max_lines=10 * agents)
    shifts = (
        Shift(agents=agents // 2, begin="08:00", end="15:00"),
        Shift(agents=agents // 2, begin="14:00", end="21:00"),
    )
    plan = Plan(world=world, debtors=debtors, start=START, days=days, roster=Roster(shift=shifts, absence=0.0))
    seen: list[Watched] = []

    def watch(callees: Callees, _: Chance) -> Callees:
        seen.append(Watched(callees))
        return seen[0]

    folder.mkdir(parents=True, exist_ok=True)
    export_month(Arm(name="a", floor=floor), plan, 1, folder, meets=watch)
    _keep_truth(folder, seen[0].rows)


def _keep_truth(folder: Path, rows: list[tuple[int, int, float, dict[int, float]]]) -> None:
    told = {
        "phone": [row[0] for row in rows],
        "at_us": [row[1] for row in rows],
        "p_answered": [row[2] for row in rows],
        "p_right": [list(row[3].items()) for row in rows],
    }
    kinds = {
        "phone": pa.int64(),
        "at_us": pa.int64(),
        "p_answered": pa.float64(),
        "p_right": pa.map_(pa.int64(), pa.float64()),
    }
    pq.write_table(pa.table(told, schema=pa.schema(kinds)), folder / "truth.parquet")


#: What a line of the history says of a call that nobody took.
_MISSED = {
    NO_ANSWER: ("no_answer", "no_answer"), BUSY: ("busy", "busy"), REJECTED: ("no_answer", "rejected"),
    CONGESTION: ("network_fail", "network_fail"), NETWORK_FAIL: ("network_fail", "network_fail"),
    NOT_IN_SERVICE: ("not_in_service", "not_in_service"),
}  # fmt: skip
_TAKEN = {
    "debtor": ("right_party_contact", "no_promise"), "third_party": ("third_party", "third_party"),
    "wrong_party": ("wrong_party", "wrong_party"), "machine": ("amd_machine", "machine"),
}  # fmt: skip


def make_at_random(folder: Path, world: str, debtors: int, days: int, calls: int) -> None:
    """Call everybody so many times, at instants that nothing chose, on numbers that nothing chose."""
    laws, start_us = load(world), parse(f"{START}T00:00:00Z")
    people = list(portfolio(laws, debtors, 1, start_us))
    watched = Watched(Debtors(laws, Chance(1), start_us=start_us))
    watched.meet(people)
    folder.mkdir(parents=True, exist_ok=True)
    write_people(people, folder, start_us)
    rng = np.random.default_rng(1)
    who = np.repeat(np.arange(debtors), calls)
    # From 8 to 21 h where they live.
    ahead = [to_datetime(start_us, zone_of(one)).utcoffset() or timedelta() for one in people]
    offset_us = np.array([one // timedelta(microseconds=1) for one in ahead])
    local_us = start_us + rng.integers(0, days, len(who)) * DAY + rng.integers(8 * HOUR, 21 * HOUR, len(who))
    at_us = local_us - offset_us[who]
    order = np.argsort(at_us, kind="stable")
    file = HistoryFile(folder)
    for nth, (row, now_us) in enumerate(zip(who[order].tolist(), at_us[order].tolist(), strict=True)):
        one = people[row]
        phone = one.phones[0 if rng.random() < 0.7 else rng.integers(0, len(one.phones))].phone
        meeting = watched.dial(phone, now_us)
        event, detail = _TAKEN[meeting.who] if meeting.fate is None else _MISSED[meeting.fate]
        if event == "right_party_contact" and meeting.person != one.person:
            event, detail = "third_party", "third_party"
        line = {
            "event_us": now_us, "known_us": now_us, "person": one.person, "phone": phone, "campaign": "a",
            "channel": "call", "event": "dialed", "attempt": f"floor-{nth}", "detail": "",
        }  # fmt: skip
        ended_us = now_us + 40 * SECOND
        file.add([line, line | {"event_us": ended_us, "known_us": ended_us, "event": event, "detail": detail}])
    file.close(whole=True)
    _keep_truth(folder, watched.rows)


def truth_of(folder: Path, phone: Any, person: Any, decided_us: Any) -> Any:
    """Return the true chances of calls that a person answers, that the debtor does, (calls, 2)."""
    table = pq.read_table(folder / "truth.parquet").to_pydict()
    by_phone: dict[int, list[int]] = {}
    for row, one in enumerate(table["phone"]):
        by_phone.setdefault(one, []).append(row)
    at = np.array(table["at_us"])
    found = np.empty((len(phone), 2))
    for nth, (one, of, decided) in enumerate(zip(phone.tolist(), person.tolist(), decided_us.tolist(), strict=True)):
        rows = by_phone[one]
        # The call left just after it was decided.
        row = rows[int(np.searchsorted(at[rows], decided))]
        assert 0 <= at[row] - decided < 5_000_000
        found[nth] = table["p_answered"][row], dict(table["p_right"][row]).get(of, 0.0)
    return found


def oracle_of(folder: Path, world: str, history: History, attempts: Attempts) -> Any:
    """Return what the oracle says of calls: that a person answers, that the debtor does, (calls, 2)."""
    laws = load(world)
    table = pq.read_table(folder / "history.parquet").to_pylist()
    ends = {one["attempt"]: one for one in table if one["channel"] == "call" and one["event"] != "dialed"}
    skipped = {one["attempt"] for one in table if one["event"] == "not_dialled"}
    began = min(one["known_at"] for one in table).date()
    due: dict[int, date] = {}
    for one in pq.read_table(folder / "debts.parquet").to_pylist():
        due[one["person"]] = min(due.get(one["person"], date.max), one["due_on"] or began)
    stage = {person: stage_of(laws, (began - day).days) for person, day in due.items()}
    numbers = pq.read_table(folder / "numbers.parquet").to_pylist()
    residents = Counter(one["phone"] for one in numbers)
    further: dict[int, bool] = {}
    for one in numbers:  # whoever is met first has it first
        further.setdefault(one["phone"], one["rank"] > 0)
    lines = {
        one["phone"]: Line(
            one["line_type"] in ("mobile", "fixed_or_mobile"), further[one["phone"]], residents[one["phone"]]
        )
        for one in numbers
    }
    tries, keys = [], []
    for one in table:
        if one["event"] != "dialed" or one["attempt"] in skipped:
            continue
        zone = history.zones[history.clock[history.rows_of(np.array([one["person"]]))[0]]]
        local = one["known_at"].astimezone(ZoneInfo(zone))
        end = ends.get(one["attempt"], {"event": "dialed", "detail": "unknown"})
        when = local.hour, local.weekday(), local.toordinal()
        tries.append(Try(one["person"], one["phone"], *when, end["event"], end["detail"]))
        keys.append((one["phone"], from_datetime(one["known_at"])))
    said = dict(zip(keys, Oracle(laws, stage, lines).predict(tries), strict=True))
    calls = zip(attempts.phone.tolist(), attempts.decided_us.tolist(), strict=True)
    return np.array([said[key] for key in calls])


def week_of_truth(folder: Path, world: str, debtors: int, phones: Any, until_us: int) -> Any:
    """Return the true chances that a person answers in the week after an instant, (numbers, 7 days x HOURS).

    The calls until then are made again, for what they have worn; what was said in them is not.
    """
    laws, start_us = load(world), parse(f"{START}T00:00:00Z")
    people = list(portfolio(laws, debtors, 1, start_us))
    callees = Debtors(laws, Chance(1), start_us=start_us)
    callees.meet(people)
    calls = pq.read_table(folder / "truth.parquet", columns=["phone", "at_us"])
    for phone, at_us in zip(*(column.to_pylist() for column in calls.columns), strict=True):
        if at_us < until_us:
            callees.dial(phone, at_us)
    zones = {one.phone: zone_of(person) for person in people for one in person.phones}
    # The first Monday after.
    monday_us = start_us + (-(-(until_us + DAY - start_us) // (7 * DAY))) * 7 * DAY
    found = np.empty((len(phones), 7 * len(HOURS)))
    for nth, phone in enumerate(phones.tolist()):
        ahead = to_datetime(monday_us, zones[phone]).utcoffset() or timedelta()
        local_us = monday_us - ahead // timedelta(microseconds=1)
        slots = [local_us + day * DAY + hour * HOUR for day in range(7) for hour in HOURS]
        found[nth] = [callees.chance_now(phone, at_us)[0] for at_us in slots]
    return found
