"""Runs the lab's processes, starts again those that should live, and lets none outlive it.

A program of its own (`python -I supervise.py FILE`), standard library only. FILE is JSON: `attached` and `processes`,
each with `name`, `command`, `folder`, `log` and `again` (start it again when it ends). It stops at SIGTERM and, where
attached, when its standard input closes, that is when the process that started it is gone, however it went. Should
this program itself be killed, the kernel kills the children.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
#: A process that lived shorter than this is started again only after as long a pause.
SHORT_LIFE_S = 1.0
#: After so many short lives in a row the whole lab ends.
SHORT_LIVES = 5
#: Asterisk's own end takes 2 s, in which it saves nothing that a lab needs.
GRACE_S = 0.3

libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(spec: dict[str, object]) -> "subprocess.Popen[bytes]":
    with Path(str(spec["log"])).open("ab") as log:
        return subprocess.Popen(
            [str(part) for part in spec["command"]],  # type: ignore[attr-defined]
            cwd=str(spec["folder"]),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - this program has one thread
        )


def main(path: Path) -> int:
    plan = json.loads(path.read_text(encoding="utf-8"))
    stopping = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    running = {spec["name"]: start(spec) for spec in plan["processes"]}
    begun = dict.fromkeys(running, time.monotonic())
    short = dict.fromkeys(running, 0)
    tell(path, running)
    status = 0
    while not stopping:
        try:
            readable, _, _ = select.select([sys.stdin] if plan["attached"] else [], [], [], 0.05)
        except InterruptedError:
            continue
        if readable and not os.read(0, 1024):
            break
        for spec in plan["processes"]:
            name = spec["name"]
            if running[name].poll() is None:
                continue
            age_s = time.monotonic() - begun[name]
            short[name] = short[name] + 1 if age_s < SHORT_LIFE_S else 0
            if not spec["again"] or short[name] >= SHORT_LIVES:
                stopping, status = True, 1
                break
            if short[name]:
                time.sleep(SHORT_LIFE_S - age_s)
            running[name], begun[name] = start(spec), time.monotonic()
            tell(path, running)
    end(list(running.values()))
    return status


def tell(path: Path, running: dict[str, "subprocess.Popen[bytes]"]) -> None:
    """Write the process ids where the lab reads them, whole or not at all."""
    part = path.with_name("pids.part")
    part.write_text(json.dumps({name: process.pid for name, process in running.items()}), encoding="utf-8")
    part.rename(path.with_name("pids.json"))


def end(processes: list["subprocess.Popen[bytes]"]) -> None:
    deadline = time.monotonic() + GRACE_S
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            try:
                os.killpg(process.pid, number)
            except ProcessLookupError:
                continue
        for process in processes:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
