"""Whatever the bytes, whatever the packets: messages stay whole; whatever the text: one action stays one action."""

import itertools
import socket
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dialer.asterisk.client import AmiServer, CagedClient, Message, build_action, parse
from domain.errors import BadInput

SERVER = AmiServer(node="main", host="127.0.0.1", port=5038, user="dialer")

#: Any text that AMI can carry in a value: all but CR LF.
values = st.text(max_size=40).map(lambda text: text.replace("\r\n", "\n"))
keys = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,10}", fullmatch=True).filter(
    lambda key: key not in ("Event", "Response")
)
packs = st.lists(st.tuples(keys, values), max_size=8)


class Replayed(CagedClient):
    """A cage whose socket is a list of chunks."""

    def __init__(self, chunks: list[bytes]):
        self.messages: list[Message] = []
        super().__init__(SERVER, self.messages.extend)
        self._chunks = chunks

    def _exchange(self, stream: socket.socket) -> Iterator[bytes]:
        yield from self._chunks

    def _open_stream(self) -> socket.socket:
        return socket.socket()


def replay(chunks: list[bytes]) -> list[Message]:
    client = Replayed(chunks)
    client.listen()
    return client.messages


@given(st.lists(packs, max_size=4), st.lists(st.integers(0, 2000), max_size=12))
@example([[("Name", "Ñ☎")], [("Cause", "16")]], list(range(200)))
def test_packets_may_end_anywhere(events: list[list[tuple[str, str]]], cuts: list[int]) -> None:
    wire = b"Asterisk Call Manager/11.0.0\r\n" + b"".join(
        "".join(["Event: Some\r\n", *(f"{key}: {value}\r\n" for key, value in pack), "\r\n"]).encode("utf-8", "replace")
        for pack in events
    )
    edges = sorted({0, len(wire), *(cut for cut in cuts if cut < len(wire))})
    whole = replay([wire])
    assert replay([wire[start:end] for start, end in itertools.pairwise(edges)]) == whole
    assert len(whole) == len(events)
    for pack, message in zip(events, whole, strict=True):
        assert message.is_event
        for key in {key for key, _ in pack}:
            sent = [value.encode("utf-8", "replace").decode() for name, value in pack if name == key]
            assert message.all(key) == sent


@given(st.text())
def test_any_text_parses(text: str) -> None:
    message = parse(text)
    assert message.is_event == text.startswith("Event:")


@given(st.binary())
def test_any_bytes_are_survived(junk: bytes) -> None:
    for message in replay([b"Asterisk Call Manager/11.0.0\r\n" + junk + b"\r\n\r\n"]):
        assert isinstance(message.name, str)


anything = st.text(st.characters(codec="utf-8"), max_size=1200) | st.sampled_from(
    ["a\r\nAction: Command", "a\nb", "a\rb", "\0", "a\u2028b", "A=1,B=2", '"', "\\", "x" * 1200, "ñ" * 600]
)


@given(anything, anything, st.lists(st.tuples(anything, anything), max_size=140))
def test_one_action_stays_one_action(key: str, value: str, variables: list[tuple[str, str]]) -> None:
    try:
        action = build_action("Originate", {"ActionID": "floor-1", key: value}, dict(variables))
    except BadInput:
        return
    text = f"{action}\r\n"
    lines = text.splitlines()  # by the most generous reader
    assert lines[-1] == ""
    assert lines[:2] == ["Action: Originate", "ActionID: floor-1"]
    assert len(lines) == 3 + len({key, "ActionID"} - {"ActionID"}) + len(dict(variables))
    assert len(lines) <= 121
    assert max(len(line.encode()) for line in lines) <= 1013


@pytest.mark.parametrize(
    ("headers", "variables", "told"),
    [
        ({"Channel": "PJSIP/1\r\n\r\nAction: Command"}, {}, "Channel may not hold a line break"),
        ({"Chan\nnel": "1"}, {}, "header name must be letters"),
        ({}, {"A": "1,B=2"}, "variable A may not hold a comma"),
        ({}, {"A=": "1"}, "variable name must be letters"),
        ({"Channel": "x" * 1001}, {}, "Channel must be under 1000 bytes, had 1001"),
        ({f"H{n}": "1" for n in range(121)}, {}, "may have 120 headers and variables, had 122"),
    ],
)
def test_refusals_say_what_and_where(headers: dict[str, str], variables: dict[str, str], told: str) -> None:
    with pytest.raises(BadInput, match=f"^AMI action Originate: .*{told}"):
        build_action("Originate", headers, variables)


def test_refusals_hide_secrets() -> None:
    with pytest.raises(BadInput) as refusal:
        build_action("Login", {"Secret": "top\nsecret"}, {})
    assert "top" not in str(refusal.value)
