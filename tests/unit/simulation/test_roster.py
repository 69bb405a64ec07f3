"""Who comes on which day, how quickly they work, and what a roster may not say."""

from datetime import date
from pathlib import Path
from statistics import fmean

import pytest

from domain.errors import BadInput
from domain.instants import iso
from simulation.chance import Chance
from simulation.roster import Roster, Shift, roster

MONDAY, SATURDAY = date(2026, 11, 16), date(2026, 11, 21)
ZONE = "Europe/Madrid"

FILE = """
holidays = ["2026-11-17"]
absence = 0.0
pace_spread = 0.0
first_day = 1.5
learning_days = 5

[[shift]]
agents = ["ana", "eva"]
from = "08:30"
to = "14:00"
campaigns = ["spring"]
groups = ["seniors", "plans"]

[[shift]]
agents = ["ana"]
days = ["sat"]

[[shift]]
agents = 3
pace = 0.8
"""


def test_a_file_says_who_comes_when(tmp_path: Path) -> None:
    (tmp_path / "roster.toml").write_text(FILE)
    found = roster(tmp_path / "roster.toml")
    worked: dict[str, int] = {}
    monday = found.chairs(MONDAY, ZONE, Chance(1), worked)
    assert [chair.agent for chair in monday] == ["ana", "eva", "a0001", "a0002", "a0003"]
    assert iso(monday[0].starts_us, ZONE) == "2026-11-16T08:30:00.000+01:00"
    assert monday[0].ends_us is not None
    assert iso(monday[0].ends_us, ZONE) == "2026-11-16T14:00:00.000+01:00"
    assert monday[0].campaigns == ("spring",)
    assert [chair.groups for chair in monday] == [("seniors", "plans")] * 2 + [()] * 3
    # The first day takes half as long again, the sixth no longer.
    assert [round(chair.pace, 3) for chair in monday] == [1.5, 1.5, 1.2, 1.2, 1.2]
    assert found.chairs(date(2026, 11, 17), ZONE, Chance(1), worked) == []
    assert [chair.agent for chair in found.chairs(SATURDAY, ZONE, Chance(1), worked)] == ["ana"]
    for day in range(18, 21):
        found.chairs(date(2026, 11, day), ZONE, Chance(1), worked)
    assert worked == {"ana": 5, "eva": 4, "a0001": 4, "a0002": 4, "a0003": 4}
    later = {chair.agent: chair.pace for chair in found.chairs(date(2026, 11, 23), ZONE, Chance(1), worked)}
    assert later["ana"] == 1.0
    assert later["eva"] == pytest.approx(1.1)
    assert found.hours_a_week() == 2 * 5 * 5.5 + 8 + 3 * 5 * 8


def test_a_file_says_how_fast_agents_talk_and_how_the_floor_works(tmp_path: Path) -> None:
    file = tmp_path / "roster.toml"
    shifts = '[[shift]]\nagents = ["ana"]\npace = 1.2\ntalk_pace = 0.8\n[[shift]]\nagents = 2\n'
    file.write_text("pace_spread = 0.0\nabsence = 0.0\n[temper]\nlate_s = 0.0\nwrap_debtor_s = [25.0, 0.5]\n" + shifts)
    found = roster(file)
    assert found.temper is not None
    assert (found.temper.wrap_debtor_s, found.temper.late_s) == ((25.0, 0.5), 0.0)
    assert found.paces() == {"ana": (1.2, 0.8)}
    chairs = {chair.agent: chair for chair in found.chairs(MONDAY, ZONE, Chance(1), {})}
    assert (chairs["ana"].pace, chairs["ana"].talk_pace) == (1.2, 0.8)
    assert chairs["a0001"].talk_pace == 1.0


@pytest.mark.parametrize(
    ("temper", "words"),
    [
        ("wrap_debtor_s = [-1.0, 0.5]", r"temper.wrap_debtor_s\[0\] must be a number > 0.0, was -1.0"),
        ("p_forget = 1.5", "temper.p_forget must be a number <= 1.0, was 1.5"),
        ("late_s = -3.0", "temper.late_s must be a number >= 0.0, was -3.0"),
        ("wrap_debtor = [1.0, 2.0]", "temper takes no key `wrap_debtor`"),
    ],
)
def test_a_temper_that_nobody_has_is_refused(tmp_path: Path, temper: str, words: str) -> None:
    file = tmp_path / "roster.toml"
    file.write_text(f"[temper]\n{temper}\n[[shift]]\nagents = 2\n")
    with pytest.raises(BadInput, match=words):
        roster(file)


def test_absence_and_skill_are_each_agents_own() -> None:
    found = Roster(shift=(Shift(agents=400),), absence=0.1, pace_spread=0.2)
    chance = Chance(3)
    days = [found.chairs(MONDAY, ZONE, chance, {}), found.chairs(date(2026, 11, 18), ZONE, chance, {})]
    for chairs in days:
        # Four deviations of a binomial count of 400.
        assert abs(len(chairs) - 360) < 24
    assert {chair.agent for chair in days[0]} != {chair.agent for chair in days[1]}
    paces = [{chair.agent: chair.pace for chair in chairs} for chairs in days]
    both = paces[0].keys() & paces[1].keys()
    assert all(paces[0][agent] == paces[1][agent] for agent in both)
    assert abs(fmean(paces[0].values()) - 1.02) < 0.05


def test_a_number_of_agents_is_a_roster() -> None:
    assert len(roster(12).names()) == 12
    assert roster("12", begin="10:00", end="16:00").hours_a_week() == 12 * 5 * 6


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[shift]]\nagents = 0", "nobody would ever log in"),
        ("[[shift]]\nagents = []", "nobody would ever log in"),
        ("shift = []", "holds no shift"),
        ("[[shift]]\nagents = 3\ndays = ['lunes']", "days must be of mon, tue"),
        ("[[shift]]\nagents = 3\nfrom = '17:00'\nto = '09:00'", "split a shift over midnight"),
        ("[[shift]]\nagents = 3\nfrom = '9 am'", "is no time of day"),
        ("[[shift]]\nagents = ['ana']\n[[shift]]\nagents = ['ana']\ndays = ['fri']", "two shifts on fri"),
        ("absence = 1.5\n[[shift]]\nagents = 3", "absence must be in"),
        ("holidays = ['25/12/2026']\n[[shift]]\nagents = 3", "is no day"),
        # Nobody would have stayed at home on it.
        ("holidays = ['20261225']\n[[shift]]\nagents = 3", "is no day"),
        ("[[shift]]\nagents = 3\nfrom = '09:00+02:00'", "shift 1: '09:00[+]02:00' is no time of day"),
        ("[[shift]]\nagents = 3\nlunch = 1", "lunch"),
        ("[[shift]]\nagents = 3\ngroups = ['the best']", "shift 1: agent group 'the best' is no name"),
        ("[[shift]\n", "is no TOML"),
    ],
)
def test_what_a_roster_may_not_say(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "roster.toml").write_text(text)
    with pytest.raises(BadInput, match=says):
        roster(tmp_path / "roster.toml")


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(BadInput, match="name a file, or a number of agents"):
        roster("nowhere.toml")
