"""The command line: quick to ask for help, one clear message for each error, JSON where asked for."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from console.main import app

#: What takes a second or more to import; no help may wait for it.
HEAVY = ("numpy", "numba", "pyarrow", "sqlalchemy", "simpy", "phonenumbers", "holidays", "asterisk", "structlog")


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
