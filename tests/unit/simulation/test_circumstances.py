"""What a month's document may say, what it comes to on each day, and what is said of one that cannot be."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from console.simulating import START, plan_of, with_month
from domain.errors import BadInput
from domain.settings import CampaignSettings, FloorSettings
from simulation.chance import Chance
from simulation.circumstances import Change, Incident, Swings, swung, today
from simulation.month import Arm, Month, Plan
from simulation.phrases import brought
from simulation.roster import roster
from simulation.tape import Tape

ROOT = Path(__file__).parents[3]
MONDAY = date(2027, 2, 1)
FLOOR = FloorSettings(campaigns=(CampaignSettings(name="a"),))
PLAN = Plan(world="default", debtors=100, start="2027-02-01", days=5, roster=replace(roster(3), absence=0.1))


def planned(tmp_path: Path, text: str, days: int = 5) -> Plan:
    path = tmp_path / "month.toml"
    path.write_text(text)
    return with_month(replace(PLAN, days=days), path)


def test_the_document_that_ships_fits_the_month_that_is_simulated_unless_told_otherwise(tmp_path: Path) -> None:
    shipped = ROOT / "config" / "month.toml"
    found = plan_of("default", 100, START, 30, "10", "", shipped, tmp_path)
    assert len(found.incidents) == 2
    assert len(found.changes) == 4
    assert found.roster.holidays == ("2027-02-15",)
    assert found.exchange.lines == 200
    told = brought(found)
    # In the order of time, and what is true of all days at the end.
    assert told[0] == "2027-02-01 to 2027-03-02, gradually: people pick up 0.9 times as often"
    assert told[2] == "2027-02-09 11:30, 45 minutes: no trunk takes a call"
    assert told[3] == "2027-02-15: holiday"
    assert "2027-02-17 to 2027-02-17: from 9 to 12 o'clock people pick up 0.5 times as often" in told
    assert told[-2:] == (
        "all days: people pick up more or less often from hour to hour (deviation 0.1, persistence 0.6)",
        "all days, trunks and detection: lines 200",
    )
    # What it says of agents is what they do anyhow: it is an example of how to say it.
    assert found.temper == PLAN.temper
    assert brought(PLAN) == ()


def test_a_document_comes_on_top_of_the_roster(tmp_path: Path) -> None:
    path = tmp_path / "shifts.toml"
    path.write_text((ROOT / "config" / "shifts.toml").read_text().replace("holidays = []", 'holidays = ["2027-02-03"]'))
    month = tmp_path / "month.toml"
    month.write_text('holidays = ["2027-02-02", "2027-02-03"]\n[agents]\nwrap_debtor_s = [30, 0.5]\nlate_s = 0\n')
    found = plan_of("default", 100, START, 5, str(path), "", month, tmp_path)
    assert found.roster.holidays == ("2027-02-03", "2027-02-02")
    assert (found.temper.late_s, found.temper.wrap_debtor_s) == (0.0, (30.0, 0.5))
    assert brought(found)[-1] == "all days, agents: late_s 0, wrap_debtor_s 30, 0.5"


def test_what_it_leaves_out_of_agents_stays_as_the_roster_has_it(tmp_path: Path) -> None:
    shifts = tmp_path / "shifts.toml"
    shifts.write_text("[temper]\nwrap_debtor_s = [25.0, 0.5]\nlate_s = 0.0\n[[shift]]\nagents = 3\n")
    month = tmp_path / "month.toml"
    month.write_text("[agents]\nlate_s = 60.0\np_forget = 0.1\n")
    plan = plan_of("default", 100, START, 5, str(shifts), "", month, tmp_path)
    run = Month(Arm(name="a", floor=FLOOR), plan, 1, Tape())
    # 60 s is what is assumed where nothing is said; here it is said.
    temper = run.staff.temper
    assert (temper.wrap_debtor_s, temper.late_s, temper.p_forget) == ((25.0, 0.5), 60.0, 0.1)
    month.write_text("holidays = []\n")
    plan = plan_of("default", 100, START, 5, str(shifts), "", month, tmp_path)
    run = Month(Arm(name="a", floor=FLOOR), plan, 1, Tape())
    assert (run.staff.temper.wrap_debtor_s, run.staff.temper.late_s) == ((25.0, 0.5), 0.0)


def test_changes_that_meet_multiply_and_a_drift_grows_day_by_day() -> None:
    changes = (
        Change(first="2027-02-02", last="2027-02-03", answer_rate=0.5, absence=0.3),
        Change(first="2027-02-03", answer_rate=0.8, handling_time=1.25, absence=0.2),
        Change(answer_rate=0.9, gradual=True),
    )
    rates, times, absences = [], [], []
    for n in range(5):
        found = today(changes, MONDAY + timedelta(days=n), MONDAY, 5, 0.1)
        assert len(found.answer_rate) == 24
        assert len(set(found.answer_rate)) == 1
        rates.append(found.answer_rate[0])
        times.append(found.handling_time)
        absences.append(found.absence)
    drift = [0.98, 0.96, 0.94, 0.92, 0.90]
    assert rates == pytest.approx([a * b for a, b in zip(drift, [1, 0.5, 0.4, 0.8, 0.8], strict=True)])
    assert times == [1, 1, 1.25, 1.25, 1.25]
    assert absences == [0.1, 0.3, 0.3, 0.2, 0.2]
    # One that grows begins at the roster's.
    growing = [today((Change(absence=0.6, gradual=True),), MONDAY + timedelta(days=n), MONDAY, 5, 0.1) for n in (0, 4)]
    assert [one.absence for one in growing] == pytest.approx([0.2, 0.6])


def test_a_change_of_some_hours_leaves_the_others_as_they_are() -> None:
    changes = (Change(first="2027-02-02", last="2027-02-02", hours=(9, 12), answer_rate=0.5), Change(answer_rate=0.8))
    usual, bad = (today(changes, MONDAY + timedelta(days=n), MONDAY, 5, 0.0).answer_rate for n in (0, 1))
    assert usual == (0.8,) * 24
    assert bad == (0.8,) * 9 + (0.4,) * 3 + (0.8,) * 12


def test_swings_keep_the_mean_and_last_from_hour_to_hour() -> None:
    chance, rates = Chance(5), [0.8] * 24
    days = [MONDAY + timedelta(days=n) for n in range(2000)]
    found = np.array([swung(Swings(deviation=0.3, persistence=0.7), rates, day, chance) for day in days])
    assert found.mean() == pytest.approx(0.8, rel=0.02)
    logs = np.log(found)
    assert logs.std() == pytest.approx(0.3, rel=0.03)
    assert np.corrcoef(logs[:, :-1].ravel(), logs[:, 1:].ravel())[0, 1] == pytest.approx(0.7, abs=0.02)
    assert abs(np.corrcoef(logs[:-1, -1], logs[1:, 0])[0, 1]) < 0.07
    assert swung(Swings(), rates, MONDAY, chance) == rates


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[incident", "month.toml: is not TOML"),
        ("holiday = ['2027-02-02']", "month.toml: holiday is no setting; did you mean holidays"),
        ("holidays = ['02/02/2027']", "month.toml: holidays: '02/02/2027' is no day; write it as 2026-12-25"),
        ("holidays = ['20270202']", "is no day"),
        ("holidays = [2027-02-02]", "month.toml: holidays.0 must be text in quotes"),
        (
            "holidays = ['2027-02-01', '2027-02-02', '2027-02-03', '2027-02-04', '2027-02-05']",
            "month.toml: simulation: no agent ever logs in",
        ),
        ("[[incident]]\nday = '2027-02-02'\nat = '11:30'\nminutes = 5", "incident.0.kind is missing"),
        (
            "[[incident]]\nday = '2027-02-02'\nat = '11:30'\nminutes = 5\nkind = 'flood'",
            "kind must be one of link_down",
        ),
        ("[[incident]]\nday = '2027-02-02'\nat = '11:30'\nminutes = -5\nkind = 'no_lines'", "minutes must be in"),
        ("[[incident]]\nday = '2027-02-02'\nat = '11.30'\nminutes = 5\nkind = 'no_lines'", "at must be a time of day"),
        ("[[incident]]\nday = '2027-02-31'\nat = '11:30'\nminutes = 5\nkind = 'no_lines'", "is no day"),
        (
            "[[incident]]\nday = '2027-02-06'\nat = '11:30'\nminutes = 5\nkind = 'no_lines'",
            "month.toml: incident on 2027-02-06 at 11:30: would never happen, the month is 2027-02-01 to 2027-02-05",
        ),
        (
            "[[incident]]\nday = '2027-02-02'\nat = '11:30'\nminutes = 45\nkind = 'no_lines'\n"
            "[[incident]]\nday = '2027-02-02'\nat = '12:00'\nminutes = 5\nkind = 'no_lines'",
            "incident on 2027-02-02 at 12:00: begins before the no_lines of 2027-02-02 at 11:30 is over",
        ),
        (
            "[[incident]]\nday = '2027-02-02'\nat = '11:30'\nminutes = 5\nkind = 'switch_restart'\n"
            "[[incident]]\nday = '2027-02-02'\nat = '11:20'\nminutes = 15\nkind = 'link_down'",
            "incident on 2027-02-02 at 11:30: begins before the link_down of 2027-02-02 at 11:20 is over",
        ),
        ("[[change]]\nhours = [12, 9]\nanswer_rate = 0.5", "hours must be two of 0 to 24, the later one last"),
        ("[[change]]\nhours = [9, 12]\nabsence = 0.5", "hours are for answer_rate alone"),
        ("[swings]\ndeviation = -0.1", "swings: deviation must be in [0, 1], was -0.1"),
        ("[[change]]\nanswer_rate = 'low'", "change.0.answer_rate must be a number"),
        ("[[change]]\nanswer_rate = -0.5", "answer_rate must be in [0.1, 10]"),
        ("[[change]]\nanswer_rate = nan", "change.0.answer_rate is nan, which is no finite number"),
        ("[[change]]\nhandling_time = 0", "handling_time must be in [0.1, 10]"),
        ("[[change]]\nabsence = 1.0", "for more, make it a holiday"),
        ("[[change]]\nfrom = '2027-02-02'", "changes nothing"),
        ("[[change]]\nfrom = '2027-02-03'\nto = '2027-02-02'\nabsence = 0.5", "ends before it begins"),
        ("[[change]]\nfrom = '2027-03-02'\nabsence = 0.5", "would never happen"),
        ("[network]\nlines = 0", "network.lines must be a whole number >= 1"),
        ("[network]\np_unsure = 0.9\np_machine_as_person = 0.2", "p_unsure and p_machine_as_person together exceed 1"),
        ("[agents]\nlate_s = -60", "agents.late_s must be a number >= 0"),
        ("[agents]\np_forget = 1.5", "agents.p_forget must be a number <= 1"),
        ("[agents]\nwrap_debtor_s = [0, 0.5]", "agents.wrap_debtor_s.0 must be a number > 0"),
        ("[agents]\nlate_s = nan", "late_s"),
    ],
)
def test_what_a_month_may_not_say(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadInput) as found:
        planned(tmp_path, text)
    assert says in str(found.value)


def test_a_document_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file; `cadencia simulate example month` prints one"):
        with_month(PLAN, tmp_path / "nowhere.toml")


def test_an_incident_has_its_instant() -> None:
    assert (
        Incident(day="2027-02-02", at="11:30", minutes=5, kind="no_lines").begins.isoformat() == "2027-02-02T11:30:00"
    )
