"""The lab: a real Asterisk with SIPp as telephone network and agents, all on loopback addresses of its own.

Each lab takes a /24 of 127.0.0.0/8 for itself (Asterisk at .1, the telephone network at .2, the agents' phones at .3),
so that several run side by side on their usual ports. What a dialled number does is in its last six digits
(`lab_numbers`). Nothing outlives the lab: `supervise` sees to that.
"""

import os
import random
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import numpy as np

from dialer.asterisk import packages, supervise
from dialer.asterisk.render import AgentPlan, AsteriskPlan, QueuePlan, TrunkPlan, fill, render
from domain.errors import BadInput

AMI_PORT = 5038
SIP_PORT = 5060
START_PATIENCE_S = 30.0
STOP_PATIENCE_S = 5.0
FIRST_AGENT = 1001
#: Files without which Asterisk complains or leaves a module out, though their defaults suit the lab.
BARE = dict.fromkeys(("amd", "ccss", "cel", "features", "stasis", "udptl"), "[general]\n")
BARE |= {"acl": "", "pjproject": "", "cdr": "[general]\nenable = no\n", "http": "[general]\nenabled = no\n"}
#: Longest path of a Unix socket, less the ending zero.
SOCKET_PATH = 107


class LabState(msgspec.Struct, frozen=True, kw_only=True):
    """What another process must know of a running lab; the lab's folder holds it as `lab.json`."""

    directory: Path
    version: int
    asterisk_version: str
    #: Asterisk's address; the telephone network and the phones are its neighbours.
    address: str
    ami_port: int
    ami_user: str
    ami_secret: str
    agents: tuple[str, ...]
    campaigns: tuple[str, ...]
    trunks: tuple[str, ...]
    #: Process id of the supervisor and when the kernel started it: an id alone may be somebody else's by now.
    pid: int
    started: str


class Lab:
    """A lab in a folder of its own.

    Parameters
    ----------
    agents
        How many; they are numbered from 1001.
    version
        Major version of Asterisk, 22 or 16.
    campaigns
        Queues to have; default settings suffice for most trials.
    trunks
        Names of ways to the one telephone network.
    phones
        What some agents' phones do instead of answering and staying: `silent`, `busy` or `leaves-TTT` (hangs up
        TTT × 100 ms after the answer), by agent.
    """

    def __init__(
        self,
        directory: Path,
        *,
        agents: int = 50,
        version: int = 22,
        campaigns: tuple[QueuePlan, ...] = (QueuePlan(name="campaign"),),
        trunks: tuple[str, ...] = ("trunk",),
        phones: Mapping[str, str] | None = None,
        cache: Path | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.directory = directory.absolute()
        self.version = version
        self.agents = tuple(str(FIRST_AGENT + number) for number in range(agents))
        self.campaigns = campaigns
        self.trunks = trunks
        self.phones = dict(phones or {})
        self.cache = cache
        self.say = say
        self.state: LabState | None = None
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._dialling: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, *, detached: bool = False) -> LabState:
        """Run Asterisk, the telephone network and the phones; return when all of them are ready.

        Parameters
        ----------
        detached
            Let it live on when this process ends, until `stop(directory)`.

        Raises
        ------
        BadInput
            When a lab runs in this folder already, or the programs cannot be put in place or do not start.
        """
        if find(self.directory) is not None:
            raise BadInput(f"lab: one runs in {self.directory} already; stop it first (`cadencia lab stop`)")
        unpacked = packages.fetch(self.version, self.cache, self.say)
        network = _free_network()
        secret = secrets.token_hex(16)
        self._write(unpacked, network, secret)
        self.say(f"starting {unpacked.asterisk_version.split('~')[0]} at {network}1 with {len(self.agents)} agents")
        specification = self._specification(unpacked, network, attached=not detached)
        command = [sys.executable, "-I", supervise.__file__, str(specification)]
        with (self.directory / "supervisor.log").open("ab") as log:
            self._supervisor = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL if detached else subprocess.PIPE,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.state = LabState(
            directory=self.directory,
            version=unpacked.major,
            asterisk_version=unpacked.asterisk_version,
            address=f"{network}1",
            ami_port=AMI_PORT,
            ami_user="cadencia",
            ami_secret=secret,
            agents=self.agents,
            campaigns=tuple(campaign.name for campaign in self.campaigns),
            trunks=self.trunks,
            pid=self._supervisor.pid,
            started=_started(self._supervisor.pid) or "",
        )
        _write_private(self.directory / "lab.json", msgspec.json.encode(self.state, enc_hook=str))
        try:
            self._await_ready(network)
        except BaseException:
            self.stop()
            raise
        return self.state

    def stop(self) -> None:
        """End every process of the lab; its files stay for reading."""
        stop(self.directory)
        for process in self._dialling:
            process.terminate()
            process.wait()
        self._dialling.clear()
        if self._supervisor is not None:
            if self._supervisor.stdin is not None:
                self._supervisor.stdin.close()
            self._supervisor.wait()
            self._supervisor = None

    def cli(self, command: str) -> str:
        """Return what Asterisk's own console answers to a command."""
        asterisk = packages.fetch(self.version, self.cache).asterisk
        done = subprocess.run(
            [asterisk, "-C", self.directory / "etc" / "asterisk.conf", "-rx", command],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr

    def dial_in(self, agent: str, code: str = "*7") -> None:
        """Let an agent begin his shift by dialling the feature code; his phone stays off-hook until it is hung up."""
        assert self.state is not None
        host = f"{self.state.address.rpartition('.')[0]}.3"
        command: list[object] = [
            packages.fetch(self.version, self.cache).sipp, f"{self.state.address}:{SIP_PORT}",
            "-sf", self.directory / "sipp" / "dials.xml", "-i", host, "-mi", host, "-m", "1", "-nostdin",
            "-s", f"{code}{agent}", "-set", "phone", f"agent{agent}",
        ]  # fmt: skip
        self._dialling.append(
            subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                preexec_fn=supervise.die_with_parent,  # noqa: PLW1509 - only prctl between fork and exec
            )
        )  # fmt: skip

    def restart(self) -> None:
        """Restart Asterisk at once, as an operator would; returns before it is back (see `await_booted`)."""
        self.cli("core restart now")

    def await_booted(self) -> None:
        """Return when Asterisk takes orders (again)."""
        self._await(lambda: _booted(self.directory), "Asterisk does not answer")

    def pids(self) -> dict[str, int]:
        """Return the process ids of `asterisk`, `pstn` and `agents`."""
        return msgspec.json.decode((self.directory / "pids.json").read_bytes(), type=dict[str, int])

    @property
    def log(self) -> str:
        return (self.directory / "var" / "log" / "full").read_text(encoding="utf-8", errors="replace")

    def called(self) -> list[str]:
        """Return the numbers that the telephone network was asked to call, in that order: what really left."""
        try:
            text = (self.directory / "sipp" / "pstn.calls").read_text(encoding="ascii")
        except FileNotFoundError:
            return []
        return re.findall(r"sip:([+0-9]+)", text)

    def plan(self, network: str) -> AsteriskPlan:
        """Return what the lab's files are rendered from."""
        return AsteriskPlan(
            version=self.version,
            campaigns=self.campaigns,
            trunks=tuple(
                # Callers are told apart by address, so only one endpoint can own it.
                TrunkPlan(
                    name=name,
                    contact=f"sip:{network}2:{SIP_PORT}",
                    match=(f"{network}2",) if name == self.trunks[0] else (),
                    codecs=("ulaw",),
                )
                for name in self.trunks
            ),
            agents=tuple(
                AgentPlan(agent=agent, contact=f"sip:{self._phone_user(agent)}@{network}3:{SIP_PORT}")
                for agent in self.agents
            ),
            ami_permit=("127.0.0.0/8",),
            transport="lab",
            silence=str(self.directory / "var" / "silence"),
        )

    def _phone_user(self, agent: str) -> str:
        kind = self.phones.get(agent)
        return f"agent{agent}-{kind}" if kind else f"agent{agent}"

    def _write(self, unpacked: packages.Unpacked, network: str, secret: str) -> None:
        run = self.directory
        if len(str(run / "var/run/asterisk.ctl")) > SOCKET_PATH:
            raise BadInput(f"lab: folder {run} has too long a name for a socket below it; choose a shorter one")
        if not re.fullmatch(r"[A-Za-z0-9_./-]+", str(run)):
            raise BadInput(f"lab: folder {run} has signs that Asterisk's files cannot hold; choose a plainer one")
        for folder in ("etc", "var/lib", "var/spool", "var/run", "var/log", "var/agi-bin", "var/silence", "sipp"):
            (run / folder).mkdir(parents=True, exist_ok=True)
        for stale in ("var/run/asterisk.ctl", "var/run/asterisk.pid", "pids.json"):
            (run / stale).unlink(missing_ok=True)
        render(self.plan(network), run / "etc", {"AMI_SECRET": secret})
        values = {
            "RUN": str(run),
            "NAME": f"lab-{network}1",
            "MODULES": str(unpacked.modules),
            "DATA": str(unpacked.data),
            "SBIN": str(unpacked.sbin),
            "ADDRESS": f"{network}1",
            "AMI_PORT": str(AMI_PORT),
            "AMI_SECRET": secret,
            "PERSON": str(run / "sipp" / "person.ulaw"),
            "MACHINE": str(run / "sipp" / "machine.ulaw"),
        }
        for template in (files("config") / "asterisk" / "lab").iterdir():
            folder = "etc" if template.name.endswith(".conf") else "sipp"
            text = fill(template.read_text(encoding="utf-8"), values, f"lab/{template.name}")
            _write_private(run / folder / template.name, text.encode())
        for name, text in BARE.items():
            (run / "etc" / f"{name}.conf").write_text(text, encoding="utf-8")
        (run / "var" / "silence" / "silence.ulaw").write_bytes(b"\xff" * 8000 * 60)
        for name, voice in _voices().items():
            (run / "sipp" / name).write_bytes(voice)

    def _specification(self, unpacked: packages.Unpacked, network: str, *, attached: bool) -> Path:
        run = self.directory
        processes: list[dict[str, object]] = [
            {
                "name": "asterisk",
                "command": [unpacked.asterisk, "-C", run / "etc" / "asterisk.conf", "-f"],
                "folder": run, "log": run / "asterisk.log", "again": True,
            }
        ]  # fmt: skip
        for name, host in (("pstn", "2"), ("agents", "3")):
            command = [
                unpacked.sipp, "-sf", run / "sipp" / f"{name}.xml", "-i", network + host, "-p", SIP_PORT,
                "-mi", network + host, "-mp", 30000, "-nostdin", "-skip_rlimit",
                "-trace_err", "-error_file", run / "sipp" / f"{name}.errors",
                "-trace_logs", "-log_file", run / "sipp" / f"{name}.calls", "-log_overwrite", "false",
            ]  # fmt: skip
            processes.append(
                {"name": name, "command": command, "folder": run / "sipp", "log": "/dev/null", "again": True}
            )
        path = run / "processes.json"
        path.write_bytes(msgspec.json.encode({"attached": attached, "processes": processes}, enc_hook=str))
        return path

    def _await_ready(self, network: str) -> None:
        self.await_booted()
        self._await(lambda: _taken(f"{network}2"), "SIPp (pstn) does not listen")
        self._await(lambda: _taken(f"{network}3"), "SIPp (agents) does not listen")

    def _await(self, ready: Callable[[], bool], complaint: str) -> None:
        deadline = time.monotonic() + START_PATIENCE_S
        while not ready():
            ended = self._supervisor is not None and self._supervisor.poll() is not None
            if ended or time.monotonic() > deadline:
                raise BadInput(
                    f"lab: {complaint}; read asterisk.log, var/log/full and sipp/*.errors in {self.directory}:\n"
                    + "\n".join(_last_words(self.directory))
                )
            time.sleep(0.02)


def find(directory: Path) -> LabState | None:
    """Return the lab that runs in a folder, or None."""
    try:
        text = (directory.absolute() / "lab.json").read_bytes()
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise BadInput(f"lab: {error}; the lab there belongs to another user, who alone may use and stop it") from None
    state = msgspec.json.decode(text, type=LabState, dec_hook=lambda kind, value: kind(value))
    return state if state.started and _started(state.pid) == state.started else None


def stop(directory: Path) -> bool:
    """End the lab that runs in a folder, whoever started it; return whether there was one."""
    state = find(directory)
    if state is None:
        return False
    deadline = time.monotonic() + STOP_PATIENCE_S
    os.kill(state.pid, signal.SIGTERM)
    while _started(state.pid) == state.started:
        if time.monotonic() > deadline:
            os.kill(state.pid, signal.SIGKILL)  # and the kernel kills its children
        time.sleep(0.02)
    (directory / "lab.json").unlink(missing_ok=True)
    return True


def _started(pid: int) -> str | None:
    """Return when the kernel started a process, in its own ticks; None for one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except FileNotFoundError:
        return None
    return None if fields[0] == "Z" else fields[19]


def _free_network() -> str:
    """Return the first three parts of a loopback /24 that nobody listens on."""
    for _ in range(100):
        network = f"127.{random.randint(64, 250)}.{random.randint(0, 250)}."
        if not any(_taken(network + host) for host in "123"):
            return network
    raise BadInput("lab: no loopback address could be bound; this machine keeps 127.0.0.0/8 from its programs")


def _taken(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, SIP_PORT))
        except OSError:
            return True
    return False


def _booted(directory: Path) -> bool:
    state = find(directory)
    if state is None:
        return False
    login = f"Action: Login\r\nUsername: observer\r\nSecret: {state.ami_secret}\r\n\r\n"
    try:
        with socket.create_connection((state.address, state.ami_port), timeout=1) as link:
            link.sendall(login.encode())
            heard = b""
            while b"FullyBooted" not in heard:
                more = link.recv(65536)
                if not more:
                    return False
                heard += more
    except OSError:
        return False
    return True


def _write_private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _last_words(directory: Path) -> Iterable[str]:
    for name in ("supervisor.log", "asterisk.log", "sipp/pstn.errors", "sipp/agents.errors"):
        path = directory / name
        if path.exists():
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]:
                yield f"  {name}: {line}"


def _voices() -> dict[str, bytes]:
    """Return a person's hello and a machine's greeting as G.711 µ-law at 8 kHz, which machine detection tells apart."""
    noise = np.random.default_rng(1)

    def tone(length_s: float) -> np.ndarray:
        at = np.arange(int(8000 * length_s)) / 8000
        wave = 8000 * (0.5 + 0.5 * np.sin(2 * np.pi * 4 * at)) * np.sin(2 * np.pi * 220 * at)
        return wave + noise.integers(-1500, 1501, at.size)

    def silence(length_s: float) -> np.ndarray:
        return np.zeros(int(8000 * length_s))

    words = [part for _ in range(16) for part in (tone(0.4), silence(0.12))]
    person = np.concatenate([silence(0.3), tone(0.6), silence(20)])
    machine = np.concatenate([silence(0.2), *words, silence(1)])
    return {"person.ulaw": _ulaw(person), "machine.ulaw": _ulaw(machine)}


def _ulaw(samples: np.ndarray) -> bytes:
    """Return 16-bit samples as µ-law (ITU-T G.711, 2.2)."""
    magnitude = np.minimum(np.abs(samples).astype(np.int64), 32635) + 132
    exponent = np.floor(np.log2(magnitude)).astype(np.int64) - 7
    mantissa = (magnitude >> (exponent + 3)) & 15
    sign = np.where(samples < 0, 128, 0)
    return bytes((255 - (sign | (exponent << 4) | mantissa)).astype(np.uint8))
