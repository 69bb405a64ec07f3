"""The command line: quick to ask for help, one clear message for each error, JSON where asked for."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from console.main import app
from domain.errors import BadInput

#: What takes a second or more to import; no help may wait for it.
HEAVY = ("numpy", "numba", "pyarrow", "sqlalchemy", "simpy", "phonenumbers", "holidays", "asterisk", "structlog",
         "lightgbm", "sklearn")  # fmt: skip


def commands(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if hasattr(command, "commands"):
        return [found for name, inner in command.commands.items() for found in commands(inner, (*path, name))]
    return [path]


ALL = commands(typer.main.get_command(app))


def cadencia(*words: str, folder: Path | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "console.main", *words], capture_output=True, text=True, cwd=folder, check=False
    )


def test_no_help_imports_what_is_slow() -> None:
    probe = (
        "import sys, contextlib, io\n"
        "from console.main import app\n"
        f"for words in {[*ALL, ()]!r}:\n"
        "    with contextlib.redirect_stdout(io.StringIO()) as out:\n"
        "        try: app([*words, '--help'])\n"
        "        except SystemExit as end: assert end.code == 0, words\n"
        "    assert 'Usage' in out.getvalue(), words\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_answers_in_json_where_asked(words: tuple[str, ...]) -> None:
    command: Any = typer.main.get_command(app)
    for word in words:
        command = command.commands[word]
    assert "--json" in [option for parameter in command.params for option in parameter.opts]
    assert command.help


def test_bad_input_is_one_message_and_status_2(tmp_path: Path) -> None:
    done = cadencia("run", "es", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("cadencia: ")
    assert "there is no such file" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_error_is_json_where_asked(tmp_path: Path) -> None:
    done = cadencia("status", "--json", folder=tmp_path)
    assert done.returncode == 2
    told = json.loads(done.stderr)
    assert told["error"] == "BadInput"
    assert "cadencia run" in told["message"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("run es --rehearsal --speed nan", "--speed must be above 0 and at most 1000, was nan"),
        ("run es --rehearsal --speed 0", "--speed must be above 0"),
        ("run es --rehearsal --speed -1", "--speed must be above 0"),
        ("run es --rehearsal --agents -3", "--agents must be 1 or more"),
        ("run es --hours -1", "--hours must be above 0"),
        ("run es --hours nan", "--hours must be above 0, was nan"),
        ("import file.csv --max-rejects 2", "--max-rejects must be 0 or more and at most 1, was 2"),
        ("demo d --debtors 0", "--debtors must be 1 or more"),
        ("lab start --agents 0", "--agents must be 1 or more"),
        ("why --pacing 2026-11-18T16:05:00Z --within nan", "--within must be 0 or more"),
        ("stop --within -1", "--within must be 0 or more"),
        ("limit es nan", "SHARE must be 0 or more"),
        ("init /proc/x", "name a folder that you may write"),
    ],
)
def test_numbers_out_of_range_are_refused_by_their_option(words: str, says: str) -> None:
    done = CliRunner().invoke(app, words.split())
    assert isinstance(done.exception, BadInput)
    assert says in str(done.exception)


def test_a_file_is_no_folder_to_make(tmp_path: Path) -> None:
    (tmp_path / "cadencia.toml").touch()
    done = CliRunner().invoke(app, ["init", str(tmp_path / "cadencia.toml")])
    assert isinstance(done.exception, BadInput)
    assert "cadencia.toml cannot be made" in str(done.exception)


def test_help_calls_the_command_by_its_name() -> None:
    assert "Usage: cadencia " in cadencia("--help").stdout
