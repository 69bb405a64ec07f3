"""A hand-over killed while it records: nothing is lost, nobody is handed out twice, and one goes on at a time."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner

from console import settings
from console.main import app
from domain.errors import BadInput
from ledger.schema import handed
from ledger.store import open_ledger
from tests.integration.portfolio_files import row, write
from tests.unit.console.test_due import AT, DOCUMENT, answer, cadencia

N = 1_500


def test_killed_while_it_records(tmp_path: Path) -> None:
    home = tmp_path / "floor"
    assert CliRunner().invoke(app, ["init", str(home), "--campaign", "es"]).exit_code == 0
    path = home / "campaigns" / "es.toml"
    path.write_text(path.read_text("utf-8").replace('# strategy = ""', 'strategy = "texts"'), "utf-8")
    (home / "strategies" / "texts.toml").write_text(DOCUMENT.replace("sms = 2", f"sms = {N}"), encoding="utf-8")
    rows = [row(f"A{k}", phone=f"60012{k:04d}", balance=f"{N + 9 - k}.00") for k in range(N)]
    assert cadencia(home, "import", str(write(tmp_path / "p.csv", rows)), *AT).exit_code == 0
    first, second, third = (tmp_path / f"{name}.csv" for name in ("first", "second", "third"))
    words = ("due", "--channel", "sms", "--csv", str(first), "--folder", str(home), *AT)
    child = subprocess.Popen([sys.executable, "-P", "-m", "console.main", *words], env=dict(os.environ))
    with open_ledger(settings.load(home).ledger_url) as ledger:
        give_up = time.monotonic() + 60
        recorded = 0
        while recorded < 200:
            assert child.poll() is None
            assert time.monotonic() < give_up
            with ledger.reading() as connection:
                recorded = connection.execute(select(func.count()).select_from(handed)).scalar_one()
        # One at a time, also while the first one lives; it is held, so that it lives for as long as this takes.
        child.send_signal(signal.SIGSTOP)
        refused = cadencia(home, "due", "--channel", "sms", "--csv", str(second), *AT)
        child.send_signal(signal.SIGKILL)
        child.wait(20)
        with ledger.reading() as connection:
            recorded = connection.execute(select(func.count()).select_from(handed)).scalar_one()
    assert isinstance(refused.exception, BadInput)
    assert "is being written now" in str(refused.exception)
    if recorded == N:
        pytest.fail("the child had recorded everybody before it was killed: make N larger")
    assert not first.exists()
    assert not second.exists()
    assert answer(home, "--channel", "sms", "--csv", str(second), "--again", *AT)["lines"] == recorded
    assert answer(home, "--channel", "sms", "--csv", str(third), *AT)["lines"] == N - recorded
    told = []
    for file in (second, third):
        with file.open(encoding="utf-8", newline="") as lines:
            told += list(csv.DictReader(lines))
    assert sorted(one["account"] for one in told) == sorted(one["account"] for one in rows)
    assert len({one["reference"] for one in told}) == N
