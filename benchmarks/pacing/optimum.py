"""The best that any pacing can do in a Markov model, exactly: a linear programme over the occupation measure.

Ringing, and talk with wrap-up, are exponential; a call that is answered while all agents are busy is abandoned at once;
a ringing call is never cancelled. The state is (busy agents, ringing calls), and placing a call is an impulse from
(b, r) to (b, r + 1). Manne (1960), "Linear programming and sequential decisions".

`python -m benchmarks.pacing.optimum` solves all and writes `optimum.json`.
"""

from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import optimize, sparse

FILE: Final = Path(__file__).with_name("optimum.json")
TEAMS: Final = (1, 2, 3, 5, 10, 20)
LIMITS: Final = (0.0, 0.01, 0.03, 0.05)

F8 = NDArray[np.float64]


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """The laws, all but the chance of an answer by their means."""

    ring_s: float = 12.0
    service_s: float = 95.0
    p_live: float = 0.25


class Optimum(msgspec.Struct, frozen=True, kw_only=True):
    """The most occupancy under a limit."""

    agents: int
    #: Abandoned per answered, at most.
    limit: float
    occupancy: float


def occupancy(agents: int, limit: float, model: Model) -> float:
    """Return the greatest share of time agents can be busy while abandoned / answered is at most the limit.

    Parameters
    ----------
    agents : int
    limit : float in [0, 1)
    model : Model
    """
    # Ringing calls enough that the limit forbids more: at twelve for each agent nearly all answers are lost.
    most = 12 * agents + 20
    end, answer = 1.0 / model.service_s, model.p_live / model.ring_s
    miss = (1.0 - model.p_live) / model.ring_s
    n_states = (agents + 1) * (most + 1)
    busy, ringing = np.divmod(np.arange(n_states), most + 1)
    time = np.concatenate((np.ones(n_states), np.zeros(n_states)))
    lost = np.concatenate((ringing * ((busy == agents) - limit), np.zeros(n_states)))
    # A call placed where no more are counted would leave the states.
    bounds = [(0.0, None)] * n_states + [(0.0, 0.0 if r == most else None) for r in ringing]
    solved = optimize.linprog(  # type: ignore[attr-defined, no-untyped-call]
        -np.concatenate((busy / agents, np.zeros(n_states))),
        A_ub=lost[None, :],
        b_ub=[0.0],
        A_eq=_flows(busy, ringing, agents, end, answer, miss, time),
        b_eq=np.append(np.zeros(n_states), 1.0),
        bounds=bounds,
        method="highs",
    )
    if not solved.success:
        raise ArithmeticError(f"optimum of {agents} agents under {limit}: {solved.message}")
    return float(-solved.fun)


def _flows(
    busy: NDArray[np.int64], ringing: NDArray[np.int64], agents: int, end: float, answer: float, miss: float, time: F8
) -> Any:
    """Return what flows into each state less what flows out, and as the last row the time in all.

    Columns are the times in the states, then the rates of calls placed in them.
    """
    n_states = busy.size
    width = n_states // (agents + 1)
    state = np.arange(n_states)
    met = np.where(busy < agents, state + width - 1, state - 1)
    moves = [
        (state - width, busy * end, busy > 0),
        (met, ringing * answer, ringing > 0),
        (state - 1, ringing * miss, ringing > 0),
    ]
    rows, columns, values = [np.full(time.size, n_states)], [np.arange(time.size)], [time]
    for to, rate, possible in moves:
        rows += [to[possible], state[possible]]
        columns += [state[possible], state[possible]]
        values += [rate[possible], -rate[possible]]
    places = ringing < width - 1
    rows += [state[places] + 1, state[places]]
    columns += [n_states + state[places]] * 2
    values += [np.ones(places.sum()), -np.ones(places.sum())]
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csr_array(entries, shape=(n_states + 1, time.size))  # type: ignore[no-untyped-call]


def solved() -> list[Optimum]:
    """Return the optima checked in."""
    return msgspec.json.decode(FILE.read_bytes(), type=list[Optimum])


def main() -> None:
    """Solve all and write the file."""
    found = [
        Optimum(agents=agents, limit=limit, occupancy=round(occupancy(agents, limit, Model()), 5))
        for agents in TEAMS
        for limit in LIMITS
    ]
    FILE.write_bytes(b"[\n" + b",\n".join(msgspec.json.encode(optimum) for optimum in found) + b"\n]\n")
    for optimum in found:
        print(f"{optimum.agents:3d} agents, at most {optimum.limit:4.0%}: {optimum.occupancy:.1%}")


if __name__ == "__main__":
    main()
