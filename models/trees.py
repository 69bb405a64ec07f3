"""The trees of a LightGBM model as arrays over whole numbers, and their sum.

A threshold of a model is one of few, so a value matters only by the place between them: its *code*. Codes fit a byte,
comparing them is exact, and many debtors share them. Sums are of doubles, as LightGBM's are.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from domain.errors import BadInput

F8 = NDArray[np.float64]
I4 = NDArray[np.int32]
U2 = NDArray[np.uint16]

#: Code of an empty value that goes right, above every threshold; of one that goes left it is 0.
_EMPTY: Final = 65_535
_ROWS: Final = 64


class Node(NamedTuple):
    """A split, or a leaf where `column` is -1."""

    column: int
    #: Values up to it go left; of a category: those in `words`.
    threshold: float
    words: frozenset[int] | None
    empty_left: bool
    #: Empty values have a side of their own; otherwise they are 0.
    knows_empty: bool
    left: int
    right: int
    value: float


Tree = tuple[Node, ...]


class Model(NamedTuple):
    names: tuple[str, ...]
    trees: tuple[Tree, ...]
    #: P = 1 / (1 + exp(-sigmoid × sum)).
    sigmoid: float


def parse_model(text: str) -> Model:
    """Return the trees of `Booster.model_to_string()`.

    Raises
    ------
    BadInput
        When it is no binary model of ordinary trees.
    """
    head, *blocks = text.split("\nTree=")
    told = dict(line.partition("=")[::2] for line in head.splitlines())
    objective = told.get("objective", "").split()
    if not objective or objective[0] != "binary" or told.get("num_class") != "1" or "average_output" in head.split():
        raise BadInput(f"model: slots need a binary LightGBM model, found objective {told.get('objective')!r}; fit one")
    sigmoid = next((float(word[8:]) for word in objective if word.startswith("sigmoid:")), 1.0)
    trees = tuple(_tree(block.partition("\n\n")[0]) for block in blocks)
    return Model(tuple(told["feature_names"].split()), trees, sigmoid)


def _tree(block: str) -> Tree:
    told = dict(line.partition("=")[::2] for line in block.splitlines())
    values = [float(word) for word in told["leaf_value"].split()]
    if told.get("is_linear", "0") != "0":
        raise BadInput("model: slots need trees with constant leaves, found linear ones; fit without linear_tree")
    if int(told["num_leaves"]) == 1:
        return (_leaf(values[0]),)
    column, kind, left, right = (
        [int(word) for word in told[name].split()]
        for name in ("split_feature", "decision_type", "left_child", "right_child")
    )
    thresholds = [float(word) for word in told["threshold"].split()]
    bounds = [int(word) for word in told.get("cat_boundaries", "").split()]
    bits = [int(word) for word in told.get("cat_threshold", "").split()]
    nodes = []
    for nth, of in enumerate(column):
        words = None
        if kind[nth] & 1:
            first, last = bounds[int(thresholds[nth]) : int(thresholds[nth]) + 2]
            words = frozenset(
                32 * k + bit for k, mask in enumerate(bits[first:last]) for bit in range(32) if mask >> bit & 1
            )
        missing = kind[nth] >> 2 & 3
        if missing == 1:
            raise BadInput("model: slots know no zero_as_missing; fit without it")
        places = [child if child >= 0 else len(column) - 1 - child for child in (left[nth], right[nth])]
        nodes.append(Node(of, thresholds[nth], words, bool(kind[nth] & 2), missing == 2, places[0], places[1], 0.0))
    return (*nodes, *map(_leaf, values))


def _leaf(value: float) -> Node:
    return Node(-1, 0.0, None, False, False, 0, 0, value)


def share_out(tree: Tree, share: Callable[[frozenset[int]], int], n: int) -> list[Tree | None]:
    """Return `n` trees whose sum is the tree: each has the leaves whose path's columns `share` gives it, 0 elsewhere.

    A split below which a tree has nothing but 0 is gone from it, so none asks for a column of another's leaves, if
    only one's paths have that column. None: it has nothing at all.
    """
    found: list[Tree | None] = []
    for wanted in range(n):
        nodes: list[Node] = []

        def copy(place: int, path: frozenset[int], nodes: list[Node] = nodes, wanted: int = wanted) -> int:
            """Add what stands below a node and return its place; -1: nothing but 0."""
            node = tree[place]
            if node.column < 0:
                if share(path) != wanted or node.value == 0.0:
                    return -1
                nodes.append(node)
                return len(nodes) - 1
            here = len(nodes)
            nodes.append(node)
            below = [copy(child, path | {node.column}) for child in (node.left, node.right)]
            if below == [-1, -1]:
                nodes.pop()
                return -1
            for side, child in enumerate(below):
                if child < 0:
                    nodes.append(_leaf(0.0))
                    below[side] = len(nodes) - 1
            nodes[here] = node._replace(left=below[0], right=below[1])
            return here

        found.append(tuple(nodes) if copy(0, frozenset()) >= 0 else None)
    return found


# ---- codes


class Coded(NamedTuple):
    """What a column is coded by: its thresholds and the side of empty values, or the set of words that goes left."""

    column: int
    thresholds: F8
    words: frozenset[int] | None
    #: Empty values have a side of their own, and it is the left one.
    knows_empty: bool
    empty_left: bool

    @property
    def n(self) -> int:
        """Return how many codes values have; of one that has places 0 … n - 1, the code is one more."""
        return len(self.thresholds) + 1

    @property
    def empty(self) -> int:
        """Return the code of an empty value, where it has one of its own."""
        return 0 if self.empty_left else _EMPTY

    def codes(self, values: Any) -> U2:
        """Return the code of each value."""
        values = np.asarray(values, np.float64)
        empty = np.isnan(values)
        if self.words is not None:
            table = np.ones(max(self.words, default=0) + 2, np.uint16)
            table[list(self.words)] = 0
            inside = ~empty & (values >= 0) & (values < len(table))
            return np.where(inside, table[np.where(inside, values, 0).astype(np.int64)], 1).astype(np.uint16)
        found = np.empty(values.shape, np.uint16)
        _code(np.where(empty, 0.0, values).ravel(), self.thresholds, found.ravel())
        if self.knows_empty:
            found[empty] = self.empty
        return found


class Forest(NamedTuple):
    """Trees over codes, flat. A leaf leads to itself."""

    coded: tuple[Coded, ...]
    #: By tree, its root and its depth.
    root: I4
    depth: I4
    #: By node, place of its column in `coded` × 65536 + the highest code that goes left.
    split: I4
    #: By node, where it leads to the right, to the left.
    child: I4
    value: F8

    def sums(self, codes: U2) -> F8:
        """Return the sum over the trees of each row of codes, (rows, len(coded)) uint16."""
        out = np.zeros(len(codes))
        if len(self.root):
            _sum(np.ascontiguousarray(codes), self.root, self.depth, self.split, self.child, self.value, out)
        return out


def forest(trees: Iterable[Tree]) -> Forest:
    """Return trees as arrays, with the codes that they need.

    Raises
    ------
    BadInput
        When their splits need more columns than fit.
    """
    kept = list(trees)
    thresholds: dict[int, set[float]] = {}
    keys: dict[tuple[int, Any], int] = {}
    for node in (node for tree in kept for node in tree if node.column >= 0):
        if node.words is None:
            thresholds.setdefault(node.column, set()).add(node.threshold)
        keys.setdefault(_key(node), len(keys))
    if len(keys) > 32_000:
        raise BadInput(f"model: its categories are split in {len(keys)} ways; fit them as numbers, or with fewer trees")
    ordered = {column: np.array(sorted(values)) for column, values in thresholds.items()}
    coded = [
        Coded(column, np.empty(0), told, False, False)
        if isinstance(told, frozenset)
        else Coded(column, ordered[column], None, *told)
        for column, told in keys
    ]
    rank = {column: {value: nth for nth, value in enumerate(of.tolist())} for column, of in ordered.items()}
    roots, depths = [], []
    flat: list[tuple[int, int, int, float]] = []
    for tree in kept:
        first = len(flat)
        roots.append(first)
        depths.append(_depth(tree, 0))
        for nth, node in enumerate(tree):
            if node.column < 0:
                flat.append((0, first + nth, first + nth, node.value))
                continue
            # Codes of values begin at 1, those of words at 0.
            limit = 0 if node.words is not None else rank[node.column][node.threshold] + 1
            flat.append((keys[_key(node)] << 16 | limit, first + node.right, first + node.left, 0.0))
    return Forest(
        tuple(coded),
        np.array(roots, np.int32),
        np.array(depths, np.int32),
        np.array([split for split, *_ in flat], np.int32),
        np.array([child for _, *children, _ in flat for child in children], np.int32),
        np.array([value for *_, value in flat], np.float64),
    )


def _key(node: Node) -> tuple[int, Any]:
    """Return what tells codes of one column apart: the words that go left, or the side of empty values."""
    return node.column, node.words if node.words is not None else (
        node.knows_empty,
        node.knows_empty and node.empty_left,
    )


def codes_of(coded: Sequence[Coded], column: Callable[[int], Any], n: int) -> U2:
    """Return codes, (n, len(coded)); `column` gives the values of a column of the model, (n,)."""
    found = np.empty((n, len(coded)), np.uint16)
    for nth, one in enumerate(coded):
        found[:, nth] = one.codes(column(one.column))
    return found


def _depth(tree: Tree, place: int) -> int:
    node = tree[place]
    return 0 if node.column < 0 else 1 + max(_depth(tree, node.left), _depth(tree, node.right))


@njit(cache=True, nogil=True)
def code_of(value: float, thresholds: F8) -> int:
    """Return how many thresholds lie below a value."""
    low, high = 0, len(thresholds)
    while low < high:
        middle = (low + high) // 2
        if thresholds[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def _code(values: F8, thresholds: F8, out: U2) -> None:
    for r in range(len(values)):
        out[r] = code_of(values[r], thresholds) + 1


@njit(cache=True, nogil=True)
def _sum(codes: U2, root: I4, depth: I4, split: I4, child: I4, value: F8, out: F8) -> None:
    # Rows in blocks: a block's codes stay near while all trees pass over them, and no row waits for another.
    at = np.empty(_ROWS, np.int32)
    for first in range(0, len(codes), _ROWS):
        n = min(_ROWS, len(codes) - first)
        for t in range(len(root)):
            at[:n] = root[t]
            for _ in range(depth[t]):
                for r in range(n):
                    k = at[r]
                    told = split[k]
                    at[r] = child[2 * k + (codes[first + r, told >> 16] <= (told & 65535))]
            for r in range(n):
                out[first + r] += value[at[r]]
