"""AMI events per second: the caged client, handler in the loop, against the library as shipped, in the same run.

    python -m benchmarks.ami [--events N] [--rounds N]

A second process sends the same recorded events to both over loopback, first as fast as each takes them (per round and
as the median: events per second, microseconds of processor time per event, the ratio), then at the 5,000 a second of a
very large floor. The library hands events to a listener in its own thread; the cage carries them into the asyncio loop.
"""

import argparse
import asyncio
import os
import socket
import statistics
import threading
import time
from multiprocessing import get_context

from asterisk.ami import AMIClient

from dialer.asterisk.client import AmiServer, Message
from dialer.asterisk.connection import Connection

# As Asterisk 22 sends them through the filters of config/asterisk; ids and numbers changed.
_CHANNEL = """Privilege: call,all\r
Timestamp: 1795291859.346291\r
Channel: PJSIP/trunk-0000001a\r
ChannelState: 6\r
ChannelStateDesc: Up\r
CallerIDNum: 600000000\r
CallerIDName: <unknown>\r
ConnectedLineNum: 910000000\r
ConnectedLineName: <unknown>\r
Language: es\r
AccountCode: \r
Context: cadencia-answered\r
Exten: s\r
Priority: 4\r
Uniqueid: floor-5811\r
Linkedid: floor-5811\r
"""
_EVENTS = (
    f"Event: DialState\r\n{_CHANNEL}DestUniqueid: floor-5811\r\nDialStatus: RINGING\r\n\r\n",
    f"Event: UserEvent\r\n{_CHANNEL}UserEvent: CadenciaDetected\r\nCallID: floor-5811\r\nStatus: HUMAN\r\n\r\n",
    "Event: BridgeEnter\r\nPrivilege: call,all\r\nBridgeUniqueid: 2b1d\r\nBridgeType: basic\r\nBridgeNumChannels: 2\r\n"
    f"{_CHANNEL.partition(chr(10))[2]}\r\n",
    f"Event: Hangup\r\n{_CHANNEL}Cause: 16\r\nCause-txt: Normal Clearing\r\nTechCause: 200\r\n\r\n",
)
_LAST = "Event: Shutdown\r\nRestart: False\r\n\r\n"


def send(listener: socket.socket, n_events: int, rate: float) -> None:
    """Serve one client: greet, accept its log-in, send the events, wait until it goes.

    Parameters
    ----------
    rate : events/s
        0 sends blocks of 1000 as fast as they are taken; otherwise each event travels alone, at its time.
    """
    block = "".join(_EVENTS[i % len(_EVENTS)] for i in range(1000)).encode()
    peer, _ = listener.accept()
    with peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.sendall(b"Asterisk Call Manager/11.0.0\r\n")
        action_id = peer.recv(4096).decode().partition("ActionID: ")[2].partition("\r\n")[0]
        peer.sendall(
            f"Response: Success\r\nActionID: {action_id}\r\n\r\nEvent: FullyBooted\r\nUptime: 1\r\n\r\n".encode()
        )
        start = time.perf_counter()
        for number in range(n_events if rate else 0):
            time.sleep(max(0.0, start + number / rate - time.perf_counter()))
            peer.sendall(_EVENTS[number % len(_EVENTS)].encode())
        for _ in range(0 if rate else n_events // 1000):
            peer.sendall(block)
        peer.sendall(_LAST.encode())
        peer.recv(4096)


def shipped(port: int) -> int:
    """Receive everything with the library as it comes; return how many events were heard."""
    heard = 0
    done = threading.Event()

    def on_event(event: object, **_: object) -> None:
        nonlocal heard
        heard += 1
        if event.name == "Shutdown":  # type: ignore[attr-defined]
            done.set()

    client = AMIClient(address="127.0.0.1", port=port, timeout=None)  # type: ignore[no-untyped-call]
    client.add_event_listener(on_event)  # type: ignore[no-untyped-call]
    client.login("dialer", "secret")  # type: ignore[no-untyped-call]
    done.wait()
    assert client._socket is not None
    assert client._thread is not None
    client._socket.shutdown(socket.SHUT_RDWR)
    client._thread.join()
    return heard


def caged(port: int) -> int:
    """Receive everything with the cage, in the loop; return how many events were heard."""

    async def receive() -> int:
        heard = 0
        done = asyncio.Event()

        def on_event(event: Message) -> None:
            nonlocal heard
            heard += 1
            if event.name == "Shutdown":
                done.set()

        server = AmiServer(node="main", host="127.0.0.1", port=port, user="dialer", secret_variable="BENCHMARK_SECRET")
        # The sender never waits, so the backlog's limit is set aside: the figure is what can be carried.
        connection = Connection(server, on_event, most_backlog=1_000_000_000)
        await connection.open()
        await done.wait()
        connection.drop("benchmark over")
        return heard

    return asyncio.run(receive())


def measure(client: str, n_events: int, rate: float = 0.0) -> tuple[float, float]:
    """Return events per second and processor microseconds per event of one client."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = get_context("fork").Process(target=send, args=(listener, n_events, rate))
        sender.start()
        wall, used = time.perf_counter(), time.process_time()
        heard = {"caged": caged, "shipped": shipped}[client](listener.getsockname()[1])
        wall, used = time.perf_counter() - wall, time.process_time() - used
        sender.join()
    if heard != n_events + 2:
        raise SystemExit(f"{client}: heard {heard} of {n_events + 2} events")
    return n_events / wall, used / n_events * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.environ["BENCHMARK_SECRET"] = "secret"
    rates: dict[str, list[float]] = {"shipped": [], "caged": []}
    costs: dict[str, list[float]] = {"shipped": [], "caged": []}
    for _ in range(options.rounds):
        for client in ("shipped", "caged"):
            rate, cost = measure(client, options.events)
            rates[client].append(rate)
            costs[client].append(cost)
            print(f"{client:8} {rate:10,.0f} events/s {cost:6.1f} µs/event", flush=True)
    middle = {client: statistics.median(rates[client]) for client in rates}
    cost = statistics.median(costs["caged"])
    print(
        f"median: caged {middle['caged']:,.0f} events/s ({cost:.1f} µs of processor time each), "
        f"shipped {middle['shipped']:,.0f} events/s, ratio {middle['caged'] / middle['shipped']:.2f}"
    )
    for client in ("shipped", "caged"):
        rate, cost = measure(client, 15_000, rate=5_000.0)
        print(f"{client:8} at {rate:,.0f} events/s, one to a packet: {rate * cost / 1e4:.1f} % of a core")


if __name__ == "__main__":
    main()
