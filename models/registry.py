"""Models as versioned folders, and the pointer that says which one serves.

<name>/0007-1f0c9a52b3d4/   one version; it appears whole or not at all, and is never changed
    model.txt        what was learned
    serving.json     encoding and calibrator: all that a score needs besides
    manifest.json    schema, data and its cut-off, versions of code and libraries, SHA-256 of every file
    judged.json      evaluation, verdict, suspects, fairness
    profile.json     what later rows are compared with
    worth.json       of `payment` alone: what contacts add, channel by channel
    unseen.parquet   scores of rows that the model had not seen, with what came
    card.md, card.html, *.svg
<name>/stages.json   candidate, champion, and every change of them

No file holds code: reading a model runs nothing of it.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.errors import BadInput
from models.calibration import Calibrator
from models.learner import Fitted, loads
from models.schema import Recipe, Schema
from models.table import Encoding, Words
from models.timing import Timing

F8 = NDArray[np.float64]
Stage = Literal["candidate", "champion"]
T = TypeVar("T")

MODEL, SERVING, MANIFEST, JUDGED, PROFILE = "model.txt", "serving.json", "manifest.json", "judged.json", "profile.json"
UNSEEN, STAGES, WORTH = "unseen.parquet", "stages.json", "worth.json"
CARD_TEXT, CARD_PAGE = "card.md", "card.html"


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """The table that a model learned from."""

    #: The file's name, or what made the table.
    source: str
    rows: int
    groups: int
    rate: float
    first: str
    #: The last time in it: nothing later was known to the model.
    cut_off: str
    #: The same in the units of the table's time.
    cut_off_at: float
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a version is and what it was made of."""

    name: str
    version: str
    #: Of the command that made it, as given.
    made_at: str
    schema: Schema
    schema_hash: str
    recipe: Recipe
    data: Data
    #: Code, libraries, interpreter, processor.
    versions: dict[str, str]
    #: The champion that it was judged against; empty if there was none.
    incumbent: str
    #: SHA-256 by file.
    files: dict[str, str]


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """What a score needs besides the learner."""

    encoding: Encoding
    calibrator: Calibrator
    #: Of a head of calls at an hour: what is borne out of hours. Its segments are mended after it.
    timing: Timing | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a stage."""

    at: str
    by: str
    stage: Stage
    version: str
    why: str


class Stages(msgspec.Struct, frozen=True, kw_only=True):
    """Which version stands where."""

    candidate: str = ""
    champion: str = ""
    changes: tuple[Change, ...] = ()


class Model:
    """A version that can score."""

    def __init__(self, manifest: Manifest, serving: Serving, fitted: Fitted) -> None:
        self.manifest = manifest
        self.encoding = serving.encoding
        self.calibrator = serving.calibrator
        self.timing = serving.timing
        self.fitted = fitted

    @property
    def version(self) -> str:
        """Name and version, as every score carries it."""
        return f"{self.manifest.name}/{self.manifest.version}"

    def predict(self, x: F8, mean: F8 | None = None) -> F8:
        """Return (n,) probabilities of (n, d) features in the order of `encoding`.

        Parameters
        ----------
        mean : (n,)
            Of a head of calls at an hour, as `models.best_times.means` gives it: then hours count as far as they are
            borne out, as they do in scores of the week. Without it they count as the trees have it.
        """
        raw = self.fitted.predict(x)
        if self.timing is None or mean is None:
            return self.calibrator(raw, self._segments(x))
        return self.calibrator.chances(self.timing.held(self.calibrator.log_odds(raw), mean), self._segments(x))

    def interval(self, x: F8) -> tuple[F8, F8]:
        """Return (n,) least and (n,) greatest probability, by Venn-Abers."""
        return self.calibrator.interval(self.fitted.predict(x), self._segments(x))

    def _segments(self, x: F8) -> dict[str, Words]:
        return {name: self.encoding.words(name, x) for name in self.calibrator.segments}


class Registry:
    """The versions of all models in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        return sorted(path.parent.name for path in self.folder.glob(f"*/{STAGES}"))

    def versions(self, name: str) -> list[str]:
        """Return the versions of a model, the oldest first.

        Raises
        ------
        BadInput
            When there is no such model.
        """
        found = sorted(path.parent.name for path in (self.folder / name).glob(f"*/{MANIFEST}"))
        if not found:
            known = ", ".join(self.names()) or "none"
            raise BadInput(
                f"{self.folder}: there is no model {name!r} (there are: {known}); make one with `cadencia models fit`"
            )
        return found

    def stages(self, name: str) -> Stages:
        try:
            return msgspec.json.decode((self.folder / name / STAGES).read_bytes(), type=Stages)
        except FileNotFoundError:
            return Stages()
        except (OSError, msgspec.DecodeError) as error:
            raise BadInput(
                f"{self.folder / name / STAGES}: cannot be read ({error}); restore it from a copy, or remove it and "
                "promote a version"
            ) from None

    def resolve(self, name: str, version: str = "") -> str:
        """Return the version that a word means: a version, the beginning of one, a stage; empty: the champion.

        Raises
        ------
        BadInput
            When none or more than one is meant.
        """
        known = self.versions(name)
        stages = self.stages(name)
        if version in ("", "champion"):
            if not stages.champion:
                raise BadInput(
                    f"model {name} has no champion yet; promote one: cadencia models promote {name}, or name a "
                    f"version: {', '.join(known[-5:])}"
                )
            return stages.champion
        if version == "candidate":
            if not stages.candidate:
                raise BadInput(f"model {name} has no candidate; fit one: cadencia models fit")
            return stages.candidate
        found = [one for one in known if one == version or one.startswith(version) or one[5:].startswith(version)]
        if len(found) != 1:
            what = "means none" if not found else f"may mean {', '.join(found)}"
            raise BadInput(f"model {name}: version {version!r} {what}; its versions: {', '.join(known[-10:])}")
        return found[0]

    def path(self, name: str, version: str) -> Path:
        return self.folder / name / version

    def manifest(self, name: str, version: str) -> Manifest:
        return _read(self.path(name, version) / MANIFEST, Manifest)

    def read(self, name: str, version: str, file: str, kind: type[T]) -> T:
        """Return a file of a version, whole and unchanged."""
        return msgspec.json.decode(self.content(name, version, file), type=kind)

    def content(self, name: str, version: str, file: str) -> bytes:
        """Return the bytes of a version's file as published."""
        return self._checked(self.manifest(name, version), file)

    def load(self, name: str, version: str = "") -> Model:
        """Return a version ready to score.

        Raises
        ------
        BadInput
            When it is not there, or its files are not those that were published.
        """
        manifest = self.manifest(name, self.resolve(name, version))
        serving = msgspec.json.decode(self._checked(manifest, SERVING), type=Serving)
        if serving.encoding.hash != manifest.schema_hash:
            raise BadInput(
                f"{self.path(name, manifest.version)}: serving.json is of another schema; restore the folder"
            )
        text = self._checked(manifest, MODEL).decode()
        return Model(manifest, serving, loads(text, manifest.recipe.learner))

    def publish(
        self, manifest: Manifest, files: Mapping[str, bytes], told: Callable[[Manifest], Mapping[str, bytes]]
    ) -> Manifest:
        """Keep a version and make it the candidate.

        The same content is kept once, unless it has now been judged against another champion: then that judgement is
        kept too, in a version of its own.

        Parameters
        ----------
        manifest
            Its `version` and `files` are filled in here.
        told
            Makes the files that name the version, its card.
        """
        content = sha256()
        for file in (MODEL, SERVING, *(one for one in (WORTH,) if one in files)):
            content.update(sha256(files[file]).digest())
        content.update(manifest.schema_hash.encode() + manifest.data.sha256.encode())
        # Gate and windows too: what a version must show is part of it.
        content.update(msgspec.json.encode(manifest.schema, order="deterministic"))
        digest = content.hexdigest()[:12]
        home = self.folder / manifest.name
        try:
            home.mkdir(parents=True, exist_ok=True)
            with self._locked(manifest.name):
                known = sorted(path.parent.name for path in home.glob(f"*/{MANIFEST}"))
                champion = manifest.incumbent
                same = next(
                    (
                        one
                        for one in reversed(known)
                        if one[5:] == digest
                        and (one == champion or self.manifest(manifest.name, one).incumbent == champion)
                    ),
                    None,
                )
                if same is not None:
                    self._change(manifest.name, "candidate", same, manifest.made_at, "", "fitted again")
                    return self.manifest(manifest.name, same)
                version = f"{int(known[-1][:4]) + 1 if known else 1:04d}-{digest}"
                kept = msgspec.structs.replace(manifest, version=version)
                whole = {**files, **told(kept)}
                hashes = {file: sha256(text).hexdigest() for file, text in sorted(whole.items())}
                kept = msgspec.structs.replace(kept, files=hashes)
                draft = home / f".draft-{os.getpid()}"
                shutil.rmtree(draft, ignore_errors=True)
                draft.mkdir()
                for file, text in whole.items():
                    (draft / file).write_bytes(text)
                (draft / MANIFEST).write_bytes(_pretty(kept))
                draft.rename(home / version)
                self._change(manifest.name, "candidate", version, manifest.made_at, "", "fitted")
                return kept
        except OSError as error:
            raise _unwritten(error, home) from None

    def promote(self, name: str, version: str, *, at: str, by: str, why: str) -> None:
        """Make a version the champion."""
        with self._locked(name):
            self._change(name, "champion", version, at, by, why)

    def rollback(self, name: str, *, at: str, by: str) -> tuple[str, str]:
        """Make the champion before this one champion again and return (now, before).

        Raises
        ------
        BadInput
            When there was none before.
        """
        with self._locked(name):
            now = self.stages(name)
            line: list[str] = []
            for one in now.changes:
                if one.stage != "champion":
                    continue
                # A rollback takes its step back out of the line: rolling back twice goes back two champions. A reason
                # in somebody's own words may begin like one.
                if one.why.startswith(_ROLLED_BACK) and line[-2:-1] == [one.version]:
                    line.pop()
                elif not line or line[-1] != one.version:
                    line.append(one.version)
            if len(line) < 2:
                raise BadInput(
                    f"model {name}: there was no champion before {now.champion or 'now'}; nothing to roll back to"
                )
            self._change(name, "champion", line[-2], at, by, f"{_ROLLED_BACK} from {line[-1]}")
            return line[-2], line[-1]

    def _change(self, name: str, stage: Stage, version: str, at: str, by: str, why: str) -> None:
        now = self.stages(name)
        changed = Change(at=at, by=by, stage=stage, version=version, why=why)
        stages = msgspec.structs.replace(now, changes=(*now.changes, changed), **{stage: version})
        path = self.folder / name / STAGES
        draft = path.with_suffix(f".{os.getpid()}")
        try:
            draft.write_bytes(_pretty(stages))
            # Whoever reads sees the pointer before or after, never between.
            draft.replace(path)
        except OSError as error:
            raise _unwritten(error, path) from None

    def _checked(self, manifest: Manifest, file: str) -> bytes:
        path = self.path(manifest.name, manifest.version) / file
        try:
            content = path.read_bytes()
        except OSError as error:
            raise BadInput(f"{path}: cannot be read ({error.strerror}); restore it, or roll back") from None
        if sha256(content).hexdigest() != manifest.files.get(file):
            raise BadInput(f"{path}: is not what was published (SHA-256 differs); restore it from a copy, or roll back")
        return content

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """Let one process at a time change a model's stages."""
        path = self.folder / name / ".lock"
        try:
            file = path.open("w")
        except OSError as error:
            raise _unwritten(error, path) from None
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


_ROLLED_BACK = "rolled back"


def _read(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); name a version that is there") from None
    except msgspec.DecodeError as error:
        raise BadInput(f"{path}: is no manifest of this version of Cadencia ({error}); fit the model again") from None


def _unwritten(error: OSError, path: Path) -> BadInput:
    where = error.filename or path
    return BadInput(f"{where}: cannot be written ({error.strerror}); free space or name another folder")


def _pretty(record: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(record, order="sorted"), indent=2)
