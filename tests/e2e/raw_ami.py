"""A bare AMI session for tests of the files: what goes over the wire and nothing else."""

import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from dialer.asterisk.lab import LabState

Message = dict[str, str]


class RawAmi:
    """One logged-in session; every event since the login is in `events`, in order of arrival."""

    def __init__(self, lab: LabState, user: str = "cadencia") -> None:
        self._link = socket.create_connection((lab.address, lab.ami_port), timeout=10)
        self._link.settimeout(None)
        self._changed = threading.Condition()
        self._responses: dict[str, Message] = {}
        self._counter = 0
        self.events: list[Message] = []
        #: Octets received since the login.
        self.octets = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        answer = self.action("Login", Username=user, Secret=lab.ami_secret)
        assert answer["Response"] == "Success", answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link.shutdown(socket.SHUT_RDWR)
        self._reader.join()
        self._link.close()

    def _read(self) -> None:
        buffer = b""
        while True:
            try:
                more = self._link.recv(65536)
            except OSError:
                return
            if not more:
                return
            buffer += more
            while b"\r\n\r\n" in buffer:
                text, _, buffer = buffer.partition(b"\r\n\r\n")
                fields: Message = {}
                for line in text.decode().split("\r\n"):
                    key, _, value = line.partition(":")
                    fields[key] = f"{fields[key]}\n{value.strip()}" if key in fields else value.strip()
                with self._changed:
                    self.octets += len(text) + 4
                    # OriginateResponse is an event that also has a Response.
                    if "Event" in fields:
                        self.events.append(fields)
                    else:
                        self._responses[fields.get("ActionID", "")] = fields
                    self._changed.notify_all()

    def action(self, name: str, **fields: str) -> Message:
        """Send an action and return its response."""
        self._counter += 1
        label = fields.pop("ActionID", f"raw-{self._counter}")
        lines = [f"Action: {name}", f"ActionID: {label}"]
        for key, value in fields.items():
            lines += [f"{key}: {part}" for part in value.split("\n")]
        self._link.sendall("\r\n".join([*lines, "", ""]).encode())
        with self._changed:
            assert self._changed.wait_for(lambda: label in self._responses, 10), f"no answer to {name}"
            return self._responses.pop(label)

    def listing(self, name: str, end: str, **fields: str) -> list[Message]:
        """Send an action that answers with a list of events; return them without the ending one."""
        self._counter += 1
        label = f"list-{self._counter}"
        answer = self.action(name, ActionID=label, **fields)
        if answer["Response"] == "Error":
            return []
        self.wait(lambda e: e["Event"] == end and e.get("ActionID") == label, f"end of {name}")
        return [e for e in self.events if e.get("ActionID") == label and e["Event"] != end]

    def wait(self, match: Callable[[Message], bool], what: str, timeout_s: float = 20) -> Message:
        """Return the first event, past or to come, that matches."""
        seen = 0
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for event in self.events[seen:]:
                    if match(event):
                        return event
                seen = len(self.events)
                if not self._changed.wait(deadline - time.monotonic()):
                    raise AssertionError(f"{what} did not come in {timeout_s} s; last: {self.events[-8:]}")

    def of(self, call: str) -> list[Message]:
        """Return the events that name a call."""
        return [e for e in self.events if call in (e.get("Uniqueid"), e.get("DestUniqueid"), e.get("Linkedid"))]

    def originate(self, call: str, number: str, **variables: str) -> Message:
        """Place a call as the engine does."""
        settings = {
            "CALLID": call, "QNAME": "campaign", "DETECT": "0", "RECORD": "0", "GRACE_MS": "300",
            "LIMIT_MS": "1700", "ABANDON": "message", "LANGUAGE": "es",
        } | variables  # fmt: skip
        timeout = settings.pop("TIMEOUT", "20000")
        return self.action(
            "Originate", ActionID=call, ChannelId=call, Channel=f"PJSIP/{number}@trunk", Context="cadencia-answered",
            Exten="s", Priority="1", Async="true", Timeout=timeout, CallerID='"Cadencia" <+34910000000>',
            Variable="\n".join(f"{key}={value}" for key, value in settings.items()),
        )  # fmt: skip

    def connect(self, call: str, agent: str) -> Message:
        return self.action("Redirect", Channel=call, Context="cadencia-connect", Exten=agent, Priority="1")

    def log_in(self, agent: str) -> None:
        """Call an agent's phone and wait until he can take calls."""
        self.action(
            "Originate", ActionID=f"login-{agent}", Channel=f"PJSIP/agent{agent}", Context="cadencia-login",
            Exten=agent, Priority="1", Async="true", Timeout="10000",
        )  # fmt: skip
        self.wait(lambda e: e["Event"] == "AgentLogin" and e["Agent"] == agent, f"login of {agent}")
