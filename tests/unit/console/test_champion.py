"""What stays of a champion's trial when an arm takes its place, however the document writes it."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from console import champion
from console.champion import written
from domain.errors import BadInput
from ledger.experiments import Registered
from strategy.checking import read
from strategy.documents import Trial

HEAD = 'name = "own"\nrank_by = ["balance"]  # largest first\n'
BODY = """
[[segments]]
name = "all"
when = "true"
treatment = "call"
[treatments.call]
[[treatments.call.steps]]
channel = "call"
"""
ARMS = '{name = "champion", share = 0.5}, {name = "mine", share = 0.5, strategy = "mine"}'
TABLES = """[[trial.arms]]
name = "champion"
share = 0.5
[[trial.arms]]
name = "mine"
share = 0.5
strategy = "mine"
"""
INLINE = (
    'trial = {unit = "pool_day", holdout = 0.05, lot = "two", guardrails = {stops = 9, abandonment = 0.03}, '
    f"ends_after_days = 14, arms = [{ARMS}]}}  # stays\n"
)
DOTTED = f"""trial.holdout = 0.05  # stays
trial.unit = 'pool_day'
trial.lot = "two"
trial.guardrails.stops = 9
trial.guardrails.abandonment = 0.03
trial.ends_after_days = 14
trial.arms = [{ARMS}]
"""
PLAIN = """[trial]
# stays
unit = "pool_day"
holdout = 0.05
lot = "two"
ends_after_days = 14
"""
GUARDS = "guardrails = {stops = 9, abandonment = 0.03}\n"
GUARDS_TABLE = "[trial.guardrails]\nstops = 9\nabandonment = 0.03\n"
LIMITS = "[limits]\ncalls_per_day = 1\n"
FORMS = {
    "inline": HEAD + INLINE + BODY,
    "dotted": HEAD + DOTTED + BODY,
    "first": HEAD + PLAIN + GUARDS + TABLES + LIMITS + BODY,
    "out of order": HEAD + PLAIN + GUARDS + LIMITS + BODY + TABLES,
    "in three parts": HEAD + PLAIN + LIMITS + GUARDS_TABLE + BODY + TABLES,
    "last": HEAD + BODY + PLAIN + GUARDS + TABLES,
}
STAYS = Trial(holdout=0.05, unit="pool_day", lot="two", guardrails={"stops": 9.0, "abandonment": 0.03})


def trial(home: Path, text: str) -> tuple[Path, Registered]:
    """Write both documents; return the champion's file and its trial as it is on record."""
    path = home / "own.toml"
    path.write_text(text, encoding="utf-8")
    # Of its own it says another holdout, which is not the campaign's.
    mine = HEAD.replace("own", "mine").replace("balance", "days_past_due") + BODY + "[trial]\nholdout = 0.5\n"
    (home / "mine.toml").write_text(mine, encoding="utf-8")
    strategy = read(path)
    fixed: dict[str, Any] = {"unit": "debtor", "metric": "net_recovery", "alpha": 0.05, "look_days": (7,), "mde": None}
    who = {"asked_by": "Ana", "approved_by": "Luis"}
    when = {"started_us": 0, "registered_us": 0}
    document = msgspec.json.encode(strategy).decode()
    return path, Registered(name="t", campaign="c", strategy=strategy.word, document=document, **fixed, **who, **when)


@pytest.mark.parametrize("arm", ["champion", "mine"])
@pytest.mark.parametrize("form", FORMS)
def test_the_holdout_stays_however_it_is_written(tmp_path: Path, form: str, arm: str) -> None:
    path, one = trial(tmp_path, FORMS[form])
    word, earlier = written(path, one, arm)
    new = read(path)
    assert new.word == word
    assert new.document.trial == STAYS
    assert new.document.rank_by == (("days_past_due",) if arm == "mine" else ("balance",))
    assert new.document.limits == one.read.of_arm(arm).limits
    after = path.read_text(encoding="utf-8")
    assert "# largest first" in after
    assert "# stays" in after
    assert earlier.read_text(encoding="utf-8") == FORMS[form]


def test_without_anything_that_stays_no_trial_is_left(tmp_path: Path) -> None:
    path, one = trial(tmp_path, HEAD + BODY + TABLES)
    written(path, one, "mine")
    assert "trial" not in tomllib.loads(path.read_text(encoding="utf-8"))


def test_what_would_not_say_what_is_meant_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, one = trial(tmp_path, FORMS["last"])
    right = champion._text
    monkeypatch.setattr(champion, "_text", lambda *given: right(*given).replace("holdout = 0.05", "holdout = 0.0"))
    with pytest.raises(BadInput, match=r"own\.toml: trial would be .*'lot': 'two'.* has to be .*'holdout': 0\.05.*"):
        written(path, one, "mine")
    assert path.read_text(encoding="utf-8") == FORMS["last"]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["mine.toml", "own.toml"]
