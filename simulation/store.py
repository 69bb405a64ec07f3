"""Outcomes of replications, each kept under the hash of all that it follows from.

A cell is one arm with one seed. Its key names the arm, the plan, the seed, the contents of its rule packs and of its
world, and the versions of code and libraries; so a cell found is the cell that would be computed, and an interrupted
run goes on where it stopped. Whatever cannot be read back is computed again.
"""

import os
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from domain.errors import BadInput
from simulation.outcome import Outcome
from simulation.ownlist import people_hash

if TYPE_CHECKING:
    from simulation.month import Arm, Plan

#: Whose code and data a simulated outcome follows from.
ROOMS: Final = (
    "domain", "compliance", "strategy", "dialer/engine", "dialer/pacing", "ledger", "simulation", "config/rules",
    "config/worlds",
)  # fmt: skip


def key(arm: "Arm", plan: "Plan", seed: int, versions: Mapping[str, str]) -> str:
    """Return the name of a cell: 64 hexadecimal digits."""
    contents = (rules_version(arm.rules), plan_laws(plan.world), people_hash(plan.people))
    places_aside = (replace(arm, rules=""), replace(plan, world="", people=""))
    encoded = msgspec.json.encode((*places_aside, *contents, seed, dict(versions)), order="deterministic")
    return sha256(encoded).hexdigest()


@lru_cache(maxsize=64)
def rules_version(folder: str) -> str:
    """Return what names the contents of a folder of rule packs; of those shipped for an empty name."""
    from compliance.gate import Gate
    from compliance.packs import SHIPPED

    return Gate.load(Path(folder) if folder else SHIPPED).version


@lru_cache(maxsize=64)
def plan_laws(world: str) -> str:
    """Return a hash of a world's laws, whatever its document is called."""
    from simulation.population import load

    return sha256(msgspec.json.encode(load(world), order="deterministic")).hexdigest()


def encode(outcome: Outcome) -> bytes:
    """Return an outcome as bytes; equal outcomes give equal bytes."""
    return msgspec.msgpack.encode(outcome, order="deterministic")


def digest(told: bytes) -> str:
    return sha256(told).hexdigest()


class Store:
    """A folder of cells."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"{folder}: cannot be made ({error.strerror}); name a folder that you may write") from None

    def get(self, name: str) -> bytes | None:
        """Return a cell's bytes if they are whole."""
        try:
            told = self._path(name).read_bytes()
        except FileNotFoundError:
            return None
        # The hash stands before the content, so that a file cut short by a crash is never taken for a result.
        content = told[32:]
        return content if sha256(content).digest() == told[:32] else None

    def put(self, name: str, content: bytes) -> None:
        """Keep a cell; it appears whole or not at all."""
        path = self._path(name)
        path.parent.mkdir(exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        try:
            draft.write_bytes(sha256(content).digest() + content)
            draft.replace(path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise BadInput(f"{path}: cannot be written ({error.strerror}); free space or name another folder") from None

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def _path(self, name: str) -> Path:
        return self.folder / name[:2] / f"{name}.cell"
