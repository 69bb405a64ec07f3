"""Agents who begin their shift at the phone: the switch knows no groups, so the record's are told with a sign-in."""

from collections.abc import Iterator, Mapping

from dialer.engine.state import State
from domain.calls import AgentState
from domain.events import AnyEvent, PhoneUp, Resynced, SignedIn


def begun(event: AnyEvent, state: State, groups: Mapping[str, tuple[str, ...]]) -> Iterator[SignedIn]:
    """Yield the sign-ins that come before what a switch tells.

    Parameters
    ----------
    groups : mapping
        By agent, as on record; who is in none needs no sign-in.
    """
    if not groups or not isinstance(event, PhoneUp | Resynced):
        return
    for name in (event.agent,) if isinstance(event, PhoneUp) else event.agents:
        known, own = state.agents.get(name), groups.get(name, ())
        if own and (known is None or known.state is AgentState.offline):
            yield SignedIn(
                at_us=event.at_us,
                agent=name,
                campaigns=() if known is None else known.campaigns,
                call_me=False,
                node=event.node,
                groups=own,
            )
