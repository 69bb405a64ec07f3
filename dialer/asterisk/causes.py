"""Q.850 causes, as Asterisk gives them on Hangup, in the engine's words."""

from domain.calls import Cause

#: ITU-T Q.850, 2.2.7; what stands in no list is a fault of the network.
_WORDS: dict[int, Cause] = {
    1: Cause.not_in_service,  # unallocated number
    22: Cause.not_in_service,  # number changed
    28: Cause.not_in_service,  # invalid number format
    16: Cause.normal,
    26: Cause.normal,  # answered elsewhere
    31: Cause.normal,  # normal, unspecified
    17: Cause.busy,
    18: Cause.no_answer,  # no user responding
    19: Cause.no_answer,  # user alerting, no answer
    20: Cause.no_answer,  # subscriber absent
    21: Cause.rejected,
    34: Cause.congestion,  # no circuit available
    42: Cause.congestion,  # switching equipment congestion
    44: Cause.congestion,  # requested circuit not available
    47: Cause.congestion,  # resource unavailable
}

#: `Reason` of an OriginateResponse after the ring timeout.
RING_TIMEOUT = 3


def cause_of(q850: int | None, *, answered: bool, reason: int | None) -> Cause:
    """Return the engine's word for the end of a channel.

    Parameters
    ----------
    q850
        `Cause` of the Hangup; None when no channel ever came.
    reason
        `Reason` of the OriginateResponse, if it came. Asterisk 16 ends a channel that rang out with cause 0.
    """
    if answered:
        return Cause.normal  # 0 where the debtor hung up; who left and when is what counts
    if reason == RING_TIMEOUT:
        return Cause.no_answer
    if not q850:
        return Cause.switch_fail  # nobody on the network said why: there was no channel, or Asterisk stopped
    return _WORDS.get(q850, Cause.network_fail)
