"""The cage of `asterisk-ami`: the only file that knows the library.

The library is a blocking client with a reader thread. What is kept of it: the client object, its listeners, the
banner and the actions. What is replaced, because it was seen to fail: reading, splitting, sending, ending.

The law of this file:

- One thread owns the socket for reading, writing and TLS. It hands over batches of messages and calls nothing else.
- A peer that does not read never stalls the caller, and one that never stops does not fill the memory.
- A line ends with CR LF and with nothing else, so no caller-ID name can forge a header.
- Nothing that holds a line break, a NUL or another control character leaves.
- A client is used once; after an end another is built.
"""

import contextlib
import os
import re
import select
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import structlog
from asterisk.ami.action import Action
from asterisk.ami.client import AMIClient

from domain.errors import BadInput, Broken, CadenciaError, SwitchLost

log = structlog.get_logger()

#: Bytes asked of the kernel at once.
_CHUNK = 1 << 16
#: After a batch of few bytes, what follows gathers for so long (an order to send ends it): a batch wakes two threads.
_SMALL = 1 << 12
_GATHER_MS = 1
#: One message larger than this is not AMI (a Command answer of 100,000 lines is 8 MB).
_LARGEST_MESSAGE = 1 << 25
#: Actions that a peer has not taken yet; beyond this it does not read.
_LARGEST_UNSENT = 1 << 20

# Asterisk 22 passed a line of 1013 bytes and 128 lines, and refused 1027 and 132.
_LONGEST_LINE = 1000
_MOST_LINES = 120

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# CR and LF start another header or another action; the rest are line breaks to some reader of the same events.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]")
# Asterisk splits a Variable header at commas and reads quotes and backslashes in it.
_FORBIDDEN_IN_VARIABLE = re.compile(r'[,"\\]')


class AmiServer(msgspec.Struct, frozen=True, kw_only=True):
    """Where one Asterisk listens and who we are there."""

    #: Name of the switch node in settings and records.
    node: str
    host: str
    port: int
    user: str
    #: Name of the environment variable that holds the secret; the secret itself is in no file.
    secret_variable: str = "AMI_SECRET"
    tls: bool = False
    #: PEM file of the authority to trust; None trusts those of the system.
    ca_file: str | None = None
    #: False accepts any certificate: encrypted, yet anyone may sit in between.
    tls_verify: bool = True
    #: Longest wait for the connection, and for each step of the log-in.
    connect_timeout_s: float = 5.0

    @property
    def where(self) -> str:
        """Return host and port as people write them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def read_secret(self) -> str:
        """Return the secret.

        Raises
        ------
        BadInput
            When the environment does not hold it.
        """
        secret = os.environ.get(self.secret_variable)
        if not secret:
            raise BadInput(
                f"environment variable {self.secret_variable} is not set: "
                f"it must hold the secret of AMI user {self.user!r} at {self.where}"
            )
        return secret


class Message(msgspec.Struct, frozen=True, gc=False):
    """One event or response. A header that came more than once is a list, in order."""

    #: Name of the event, or "Success", "Error"… of the response.
    name: str
    is_event: bool
    headers: dict[str, str | list[str]]

    def get(self, key: str, default: str = "") -> str:
        """Return the first value of a header: Asterisk writes its own before those of users."""
        value = self.headers.get(key, default)
        return value if isinstance(value, str) else value[0]

    def all(self, key: str) -> list[str]:
        """Return every value of a header, in order."""
        value = self.headers.get(key, [])
        return [value] if isinstance(value, str) else value

    @property
    def refused(self) -> bool:
        """Tell whether this is the response of an action that Asterisk did not carry out."""
        return not self.is_event and self.name == "Error"


def parse(pack: str) -> Message:
    """Return the message of a pack: lines between CR LF, without the empty line that ends them. Accepts any text."""
    lines = pack.split("\r\n")
    try:
        headers: dict[str, Any] = dict([line.split(": ", 1) for line in lines])
    except ValueError:  # a line without ": "
        headers = {}
    if len(headers) != len(lines):
        headers = {}
        for line in lines:
            key, _, value = line.partition(":")
            value = value.removeprefix(" ")
            known = headers.get(key)
            if known is None:
                headers[key] = value
            elif isinstance(known, list):
                known.append(value)
            else:
                headers[key] = [known, value]
    first = lines[0]
    is_event = first.startswith("Event:")
    if not is_event and not first.startswith("Response:"):
        return Message("", False, headers)
    name = headers["Event" if is_event else "Response"]
    return Message(name if isinstance(name, str) else name[0], is_event, headers)


def build_action(name: str, headers: Mapping[str, str | int], variables: Mapping[str, str | int]) -> Action:
    """Return the action to send, after checking that it is one action and that Asterisk will read all of it.

    Raises
    ------
    BadInput
        When a key or a value could end its line, a variable could become two, or a limit of Asterisk is exceeded.
    """
    where = f"AMI action {name}"
    fields = [("Action", name, name)]
    for key, value in headers.items():
        if not _KEY.fullmatch(key):
            raise BadInput(f"{where}: header name must be letters, digits, '-' or '_', was {key!r}")
        fields.append((key, str(value), "a secret" if key == "Secret" else repr(value)))
    for key, value in variables.items():
        if not _VARIABLE.fullmatch(key):
            raise BadInput(f"{where}: variable name must be letters, digits or '_', was {key!r}")
        if _FORBIDDEN_IN_VARIABLE.search(str(value)):
            raise BadInput(f"{where}: variable {key} may not hold a comma, a quote or a backslash, was {value!r}")
        fields.append((key, str(value), repr(value)))
    for key, text, shown in fields:
        if _FORBIDDEN.search(text):
            raise BadInput(f"{where}: {key} may not hold a line break or control character, was {shown}; remove it")
        if len(key) + len(text.encode()) + len("Variable: =") > _LONGEST_LINE:
            raise BadInput(f"{where}: {key} must be under {_LONGEST_LINE} bytes, had {len(text.encode())}")
    if len(fields) > _MOST_LINES:
        raise BadInput(f"{where}: may have {_MOST_LINES} headers and variables, had {len(fields)}")
    return Action(name, dict(headers), dict(variables))  # type: ignore[no-untyped-call]


class CagedClient(AMIClient):
    """The library's client with its reading, sending and ending replaced.

    Its listeners are called in its thread: `on_connect` after the greeting, `on_disconnect` with what ended it.

    Parameters
    ----------
    on_messages
        Takes each batch, in the thread. It may raise `SwitchLost` to end the connection.
    """

    def __init__(self, server: AmiServer, on_messages: Callable[[list[Message]], None]):
        super().__init__(address=server.host, port=server.port)  # type: ignore[no-untyped-call]
        self.finished: threading.Event = threading.Event()
        self._server = server
        self._stream: socket.socket | ssl.SSLSocket | None = None
        self._on_messages = on_messages
        self._outgoing: deque[bytes] = deque()
        #: Bytes that came; a peer that sends them, however slowly, is alive.
        self.octets = 0
        # A pipe to the thread: what is written into one end makes its `select` return.
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)

    def connect(self) -> None:
        """Start the thread, which connects, reads and writes until the end."""
        self._thread = threading.Thread(target=self.listen, name=f"ami-{self._server.node}", daemon=True)
        self._thread.start()

    def disconnect(self) -> None:
        """Ask the thread to end, after one try to send what waits."""
        self.finished.set()
        self._wake()

    def send(self, pack: Action) -> None:
        """Hand an action to the thread."""
        self._outgoing.append(f"{pack}\r\n".encode(self.encoding))
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # the pipe is full (it is awake) or closed (it has ended)
            self._wake_in.send(b"\0")

    def listen(self) -> None:
        """Be the thread: whatever happens ends in `on_disconnect`, once."""
        error: Exception = SwitchLost(f"{self._server.where}: closed by this side")
        try:
            self._stream = self._open_stream()
            for text in self._texts(self._stream):
                self._on_messages([parse(pack) for pack in text.split("\r\n\r\n") if pack])
        except CadenciaError as known:
            error = known
        except OSError as fault:
            error = SwitchLost(f"{self._server.where}: {fault.strerror or fault}")
        except Exception as fault:
            log.exception("ami_reader_failed", node=self._server.node)
            error = Broken(f"AMI reader of {self._server.where}: {fault!r}")
        finally:
            self.finished.set()
            self._close_sockets()
            self._fire_on_disconnect(error=error.with_traceback(None))  # type: ignore[no-untyped-call]

    def _open_stream(self) -> socket.socket:
        server = self._server
        plain = socket.create_connection((server.host, server.port), timeout=server.connect_timeout_s)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
                if hasattr(socket, name):  # not on every platform
                    plain.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
            stream = self._wrap(plain) if server.tls else plain
            stream.setblocking(False)
        except BaseException:
            plain.close()
            raise
        return stream

    def _wrap(self, plain: socket.socket) -> ssl.SSLSocket:
        server = self._server
        try:
            context = ssl.create_default_context(cafile=server.ca_file)
        except OSError as fault:
            raise BadInput(f"ca_file of switch node {server.node}: {server.ca_file} cannot be used: {fault}") from fault
        if not server.tls_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        try:
            return context.wrap_socket(plain, server_hostname=server.host)
        except ssl.SSLCertVerificationError as fault:
            raise BadInput(
                f"{server.where}: the certificate of the switch is not trusted: {fault.verify_message}; "
                f"give its authority as ca_file of switch node {server.node}, or the switch a certificate for that name"
            ) from fault

    def _texts(self, stream: socket.socket) -> Iterator[str]:
        """Yield the text of what is complete, as it comes: one message or many with empty lines between."""
        pending = bytearray()
        greeted = False
        for data in self._exchange(stream):
            # A message ends in four bytes: look for them from three bytes before what is new, and never twice.
            new_from = max(0, len(pending) - 3)
            pending += data
            if not greeted:
                line, found, rest = bytes(pending).partition(b"\r\n")
                if not found and len(line) < 200:
                    continue
                self._read_greeting(line)
                greeted, new_from, pending = True, 0, bytearray(rest)
            end = pending.rfind(b"\r\n\r\n", new_from)
            if end >= 0:
                # Cut at ASCII bytes, so that no character is decoded in halves.
                text = pending[:end].decode(self.encoding, self.encoding_errors)
                del pending[: end + 4]
                yield text
            elif len(pending) > _LARGEST_MESSAGE:
                raise SwitchLost(f"{self._server.where}: a message of over {_LARGEST_MESSAGE} bytes")

    def _read_greeting(self, line: bytes) -> None:
        if not self.asterisk_start_regex.match(line.decode("ascii", "replace")):
            server = self._server
            raise BadInput(
                f"{server.where}: no Asterisk manager listens here: it greets with {line[:60]!r}; "
                f"give switch node {server.node} the host and port of manager.conf"
            )
        self._fire_on_connect()  # type: ignore[no-untyped-call]

    def _exchange(self, stream: socket.socket) -> Iterator[bytes]:
        """Write what waits and yield what comes, until either side ends."""
        wake = self._wake_out
        either, order = select.poll(), select.poll()
        for poll in (either, order):
            poll.register(wake, select.POLLIN)
        either.register(stream, select.POLLIN)
        unsent = bytearray()
        while True:
            while self._outgoing:
                unsent += self._outgoing.popleft()
            if unsent:
                self._write(stream, unsent)
            if self.finished.is_set():
                return
            either.modify(stream, select.POLLIN | (select.POLLOUT if unsent else 0))
            for descriptor, events in either.poll():
                if descriptor == wake.fileno():
                    wake.recv(4096)
                elif events & ~select.POLLOUT:
                    data = self._read(stream)
                    yield data
                    if len(data) < _SMALL:
                        order.poll(_GATHER_MS)

    def _write(self, stream: socket.socket, unsent: bytearray) -> None:
        try:
            del unsent[: stream.send(unsent)]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if len(unsent) > _LARGEST_UNSENT:
                message = f"{self._server.where}: the switch does not read; {len(unsent)} bytes wait for it"
                raise SwitchLost(message) from None
        except OSError:
            unsent.clear()  # the peer is gone; reading tells so, after the last words that it said

    def _read(self, stream: socket.socket) -> bytes:
        try:
            data = stream.recv(_CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return b""
        if not data:
            raise SwitchLost(f"{self._server.where}: closed by the switch")
        if isinstance(stream, ssl.SSLSocket) and (held := stream.pending()):
            data += stream.recv(held)  # decrypted already, so poll would not tell
        self.octets += len(data)
        return data

    def _close_sockets(self) -> None:
        if self._stream is not None:
            if isinstance(self._stream, ssl.SSLSocket):
                with contextlib.suppress(OSError, ValueError):  # a peer that is gone hears no farewell
                    self._stream.unwrap()
            self._stream.close()
        self._wake_in.close()
        self._wake_out.close()
