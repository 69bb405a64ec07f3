"""The folder of one experiment: inputs, versions, seeds, outcomes, answer. From it alone anyone can repeat it exactly.

experiment.json   what was tried, with prices, versions and the hash of every outcome
inputs/           rule packs and worlds that do not ship, as they were
result.json       the answer and all figures
report.html       the same as a page
outcomes/         tables of all replications, Parquet
"""

import os
import shutil
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import tomlkit
from msgspec.structs import replace

from domain.errors import BadInput, Broken
from simulation.comparison import Result
from simulation.experiment import Experiment, Ran
from simulation.measures import Costs
from simulation.month import Arm
from simulation.ownlist import people_hash
from simulation.report import Made, page
from simulation.store import plan_laws, rules_version

EXPERIMENT = "experiment.json"
RESULT = "result.json"
REPORT = "report.html"
OUTCOMES = "outcomes"
_INPUTS = "inputs"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """`experiment.json`: paths of its own inputs are relative to the folder."""

    command: str
    experiment: Experiment
    costs: Costs
    versions: dict[str, str]
    #: Replications that were counted, and SHA-256 of each outcome by setting, arm and replication; empty until then.
    replications: int = 0
    outcomes: tuple[tuple[tuple[str, ...], ...], ...] = ()


def freeze(folder: Path, kept: Kept) -> Kept:
    """Make the folder with its inputs and return the same experiment, which reads them from there.

    Raises
    ------
    BadInput
        When the folder cannot be made, or holds another experiment.
    """
    path = folder / EXPERIMENT
    if path.exists() and not same(read(folder), kept):
        raise BadInput(f"{folder}: holds another experiment; name another folder with --out, or remove this one")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        experiment = kept.experiment
        arms = tuple(_with_rules(folder, arm) for arm in experiment.arms)
        packs = tuple(_rules(folder, one) for one in experiment.packs)
        plan = experiment.plan
        plan = replace(plan, world=_world(folder, plan.world), people=_people(folder, plan.people))
        frozen = replace(experiment, arms=arms, packs=packs, plan=plan)
        _write(path, msgspec.json.encode(replace(kept, experiment=frozen), order="deterministic"))
    except OSError as error:
        raise BadInput(
            f"{error.filename or folder}: cannot be written ({error.strerror}); name another folder with --out"
        ) from None
    return replace(kept, experiment=_in_place(folder, frozen))


def read(folder: Path) -> Kept:
    """Return what a folder says of its experiment.

    Raises
    ------
    BadInput
        When it is no folder of an experiment.
    """
    path = folder / EXPERIMENT
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=Kept)
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read ({error.strerror}); name a folder made by `cadencia simulate`"
        ) from None
    except msgspec.DecodeError as error:
        raise BadInput(f"{path}: is no experiment ({error}); restore it from a copy") from None
    except BadInput as error:
        raise BadInput(f"{path}: {error}, or restore the file from a copy") from None
    return replace(kept, experiment=_in_place(folder, kept.experiment))


def same(one: Kept, other: Kept) -> bool:
    """Return whether two experiments are one, wherever their inputs lie and however many replications they ask for."""
    return name_of(one.experiment, one.versions) == name_of(other.experiment, other.versions)


def name_of(experiment: Experiment, versions: Mapping[str, str]) -> str:
    """Return a short name that the same experiment always has."""
    plain = replace(
        experiment,
        arms=tuple(replace(arm, rules=rules_version(arm.rules)) for arm in experiment.arms),
        packs=tuple(rules_version(folder) for folder in experiment.packs),
        plan=replace(
            experiment.plan, world=plan_laws(experiment.plan.world), people=people_hash(experiment.plan.people)
        ),
        replications=1,
    )
    return sha256(msgspec.json.encode((plain, dict(versions)), order="deterministic")).hexdigest()[:12]


def finish(folder: Path, kept: Kept, ran: Ran, result: Result) -> Made:
    """Write outcomes, answer and page."""
    from simulation.tables import write_tables

    done = replace(kept, replications=ran.replications, outcomes=ran.digests)
    experiment = kept.experiment
    made = Made(
        again=f"cadencia simulate run --again {folder}",
        command=kept.command,
        versions=dict(kept.versions),
        rules={arm.name: rules_version(arm.rules) for arm in experiment.arms},
        world=plan_laws(experiment.plan.world),
        first_seed=experiment.seed,
        outcomes=sha256(msgspec.json.encode(ran.digests)).hexdigest(),
    )
    try:
        write_tables(folder / OUTCOMES, ran)
        _write(folder / RESULT, msgspec.json.encode(result))
        _write(folder / REPORT, page(result, made).encode())
        relative = replace(done, experiment=_out_of_place(folder, experiment))
        _write(folder / EXPERIMENT, msgspec.json.encode(relative, order="deterministic"))
    except OSError as error:
        raise BadInput(
            f"{error.filename or folder}: cannot be written ({error.strerror}); free space or name another folder; "
            "what was computed is kept"
        ) from None
    return made


# ---- inputs


def _with_rules(folder: Path, arm: Arm) -> Arm:
    return replace(arm, rules=_rules(folder, arm.rules)) if arm.rules else arm


def _rules(folder: Path, rules: str) -> str:
    """Keep a copy of rule packs and return where, relative to the folder."""
    relative = f"{_INPUTS}/rules-{rules_version(rules)[:12].replace(':', '-')}"
    target = folder / relative
    if not target.exists():
        target.mkdir(parents=True)
        for pack in sorted(Path(rules).glob("*.toml")):
            shutil.copyfile(pack, target / pack.name)
    return relative


def _world(folder: Path, world: str) -> str:
    """Keep the laws of a world that does not ship and return where, relative to the folder."""
    from simulation.population import PRESETS, load

    if all(part in PRESETS for part in world.split("+")):
        return world
    relative = f"{_INPUTS}/world-{plan_laws(world)[:12]}.toml"
    target = folder / relative
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(tomlkit.dumps(_plain(msgspec.to_builtins(load(world)))), encoding="utf-8")
        if plan_laws(str(target)) != plan_laws(world):
            target.unlink()
            raise Broken(f"world {world}: its laws, written and read again, are not the same")
    return relative


def _people(folder: Path, people: str) -> str:
    """Keep a copy of a real ledger's people and return where, relative to the folder."""
    if not people:
        return ""
    relative = f"{_INPUTS}/people-{people_hash(people)[:12]}.msgpack"
    target = folder / relative
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(people, target)
    return relative


def _plain(told: Any) -> Any:
    """Leave out what is None: TOML has no word for it, and absent means the same."""
    if isinstance(told, dict):
        return {key: _plain(value) for key, value in told.items() if value is not None}
    return [_plain(one) for one in told] if isinstance(told, list | tuple) else told


def _in_place(folder: Path, experiment: Experiment) -> Experiment:
    """Return the experiment with its inputs' paths from here."""

    def here(path: str) -> str:
        return str(folder / path) if path.startswith(f"{_INPUTS}/") else path

    return _moved(experiment, here)


def _out_of_place(folder: Path, experiment: Experiment) -> Experiment:
    def relative(path: str) -> str:
        return path.removeprefix(f"{folder}{os.sep}") if path.startswith(f"{folder}{os.sep}{_INPUTS}/") else path

    return _moved(experiment, relative)


def _moved(experiment: Experiment, there: Callable[[str], str]) -> Experiment:
    return replace(
        experiment,
        arms=tuple(replace(arm, rules=there(arm.rules)) for arm in experiment.arms),
        packs=tuple(there(one) for one in experiment.packs),
        plan=replace(experiment.plan, world=there(experiment.plan.world), people=there(experiment.plan.people)),
    )


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_bytes(content)
    draft.replace(path)
