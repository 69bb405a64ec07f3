"""What an analyst says of a table: target, order in time, group, categories, what may never be a feature.

A schema is one TOML file. It also says how to learn and how to judge, each with a default, so that one file makes the
model again.
"""

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import msgspec

from domain.errors import BadInput

#: A value in a cell of a table.
Cell = str | int | float | bool
LEARNERS = ("lightgbm", "logistic")
CALIBRATIONS = ("auto", "none", "platt", "recent", "isotonic")
#: Parameters of LightGBM that a schema may set; the others are the house's (objective, determinism, threads, seeds).
TUNABLE = {
    "bagging_fraction", "bagging_freq", "cat_l2", "cat_smooth", "extra_trees", "feature_fraction",
    "feature_fraction_bynode", "interaction_constraints", "lambda_l1", "lambda_l2", "learning_rate", "linear_tree",
    "max_bin", "max_bin_by_feature", "max_cat_threshold", "max_depth", "min_data_in_leaf", "min_data_per_group",
    "min_gain_to_split", "min_sum_hessian_in_leaf", "monotone_constraints_method", "monotone_penalty", "num_leaves",
    "path_smooth",
}  # fmt: skip


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to learn. The defaults are plain; `benchmarks/bank.py` shows how better ones are chosen on earlier rows."""

    learner: Literal["lightgbm", "logistic"] = "lightgbm"
    #: Trees.
    rounds: int = 200
    #: Further parameters of LightGBM, by its own names; for the logistic regression, `C` alone.
    params: dict[str, Any] = {}
    #: Models with seeds of their own whose probabilities are averaged.
    bags: int = 1
    seed: int = 1
    #: Learn from so many of the last rows alone; 0: from all.
    window_rows: int = 0
    #: Threads of one model. Other bytes may come of another number.
    threads: int = 1
    calibration: Literal["auto", "none", "platt", "recent", "isotonic"] = "auto"

    def __post_init__(self) -> None:
        for name, least in (("rounds", 1), ("bags", 1), ("window_rows", 0), ("threads", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise BadInput(f"recipe.{name} must be {least} or more, was {getattr(self, name)}; correct it")
        allowed = TUNABLE if self.learner == "lightgbm" else {"C"}
        for name in self.params:
            if name not in allowed:
                raise BadInput(
                    f"recipe.params.{name} cannot be set for {self.learner}{_meant(name, allowed)}; "
                    f"these can: {', '.join(sorted(allowed))}"
                )
        if self.learner == "logistic":
            strength = self.params.get("C", 1.0)
            if isinstance(strength, bool) or not isinstance(strength, int | float) or not strength > 0.0:
                raise BadInput(f"recipe.params.C must be a number above 0, was {strength!r}; correct it")


class Windows(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a model is judged: it learns from what was known, scores what came next, and so forth through the blocks."""

    #: Blocks scored, equal in rows; figures are told of each.
    blocks: int = 5
    #: Rows scored in all, the last of the table; 0: all but the first of blocks + 1 equal parts.
    last_rows: int = 0
    #: Learn anew after so many rows; 0: at each block.
    refit_rows: int = 0
    #: Rows before those, scored in the same way but not judged: by their answers the first are calibrated.
    run_up_rows: int = 0

    def __post_init__(self) -> None:
        for name, least in (("blocks", 1), ("last_rows", 0), ("refit_rows", 0), ("run_up_rows", 0)):
            if getattr(self, name) < least:
                raise BadInput(f"windows.{name} must be {least} or more, was {getattr(self, name)}; correct it")


class Gate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model must show before it may be champion."""

    #: Expected calibration error at most so much more than chance alone would show.
    ece: float = 0.02
    #: The mean score may differ from the rate by this share of it.
    mean: float = 0.15
    #: Log-loss may be this much worse than the incumbent's: nothing lost that matters.
    worse: float = 0.001


class Schema(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table in the analyst's words. Columns named nowhere are features."""

    #: Of the model; versions are kept under it.
    name: str
    target: str
    #: The target's value that counts as yes; without it the target must be true/false or 1/0.
    positive: Cell | None = None
    #: Column of time: dates, instants or numbers. Rows are put in its order.
    time: str = ""
    #: "rows" says that the rows stand in order of time, where no column tells it.
    order: Literal["", "rows"] = ""
    #: The answer is known so long after the time of the row: days for dates and instants, the column's own units for
    #: numbers, rows where they are the order. Rows whose answer was not yet known are kept out of learning.
    horizon: float = 0.0
    #: Column that tells which rows belong together (a debtor); intervals count groups, not rows.
    group: str = ""
    #: Columns of names, not numbers.
    categories: tuple[str, ...] = ()
    #: Never features: known only after the contact, or of no use.
    barred: tuple[str, ...] = ()
    #: Never features, kept for the fairness audit alone.
    protected: tuple[str, ...] = ()
    #: Features by whose values calibration is told, and mended where it differs.
    segments: tuple[str, ...] = ()
    #: Column of how much a row counts.
    weight: str = ""
    #: Sign of the effect by feature: 1 never falls with it, -1 never rises.
    monotone: dict[str, Literal[1, -1]] = {}
    #: Values that mean "not known", by column.
    missing: dict[str, tuple[Cell, ...]] = {}
    #: Features that alone predict very well and yet are known before the contact.
    trusted: tuple[str, ...] = ()
    #: Of a CSV file; found out where it is not said.
    delimiter: str = ""
    recipe: Recipe = Recipe()
    windows: Windows = Windows()
    gate: Gate = Gate()

    def __post_init__(self) -> None:
        if not self.name or not all(c.isalnum() or c in "-_" for c in self.name):
            raise BadInput(f"name must be of letters, digits, - and _, was {self.name!r}; correct it")
        if bool(self.time) == bool(self.order):
            both = "both are set" if self.time else "neither is set"
            raise BadInput(
                f'time names the column of time, or order = "rows" says that rows stand in its order; {both}: '
                "a model is judged on what came later, so say one of them"
            )
        if not self.horizon >= 0.0:
            raise BadInput(f"horizon must be 0 or more, was {self.horizon:g}; correct it")
        if len(self.delimiter) > 1 or not self.delimiter.isascii():
            raise BadInput(f"delimiter must be one character, was {self.delimiter!r}; correct it, or leave it out")
        roles = [("target", self.target), ("time", self.time), ("group", self.group), ("weight", self.weight)]
        roles += [("barred", name) for name in self.barred] + [("protected", name) for name in self.protected]
        taken: dict[str, str] = {}
        for role, name in roles:
            if name and taken.setdefault(name, role) != role:
                raise BadInput(f"{role}: column {name} is also named as {taken[name]}; leave it in one of them")
        used = [("categories", n) for n in self.categories] + [("segments", n) for n in self.segments]
        used += [("monotone", name) for name in self.monotone] + [("trusted", name) for name in self.trusted]
        for role, name in used:
            if name in taken:
                raise BadInput(f"{role}: column {name} is named as {taken[name]}, so it is no feature; leave out one")
        for name in self.monotone:
            if name in self.categories:
                raise BadInput(f"monotone: column {name} is a category and has no up or down; leave out one")


def read_schema(path: Path) -> Schema:
    """Return the schema of a TOML file.

    Raises
    ------
    BadInput
        Saying which file and key, what was found and what to do.
    """
    try:
        stated = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"schema {path}: cannot be read ({error.strerror}); name a schema file") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"schema {path}: is no TOML ({error}); correct it") from None
    for section, kind in (("", Schema), ("recipe", Recipe), ("windows", Windows), ("gate", Gate)):
        found = stated.get(section, {}) if section else stated
        for key in found if isinstance(found, dict) else ():
            if key not in kind.__struct_fields__:
                where = f"{section}.{key}" if section else key
                known = ", ".join(kind.__struct_fields__)
                raise BadInput(
                    f"schema {path}: there is no key {where}{_meant(key, kind.__struct_fields__)}; the keys: {known}"
                )
    try:
        return msgspec.convert(stated, Schema)
    except msgspec.ValidationError as error:
        raise BadInput(f"schema {path}: {error}; correct it") from None
    except BadInput as error:
        raise BadInput(f"schema {path}: {error}") from None


def _meant(name: str, known: Any) -> str:
    """Return a guess at what was meant, to stand in a complaint."""
    close = get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def missing_column(name: str, role: str, known: list[str], where: str) -> BadInput:
    """Return the complaint about a column that a table lacks."""
    return BadInput(
        f"{where}: there is no column {name}, which the schema names as {role}{_meant(name, known)}; "
        f"its columns: {', '.join(known[:40])}{' …' if len(known) > 40 else ''}"
    )
