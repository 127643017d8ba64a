"""prune_global: the largest magnitudes of several arrays together."""

from collections import ChainMap, OrderedDict, UserDict, UserList, defaultdict, deque, namedtuple
from collections.abc import Sequence
from itertools import cycle, pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.arrays import DTYPES, LANES, from_bits, normal, of_type
from support.global_pruning import Arrays, check_global
from support.grids import subset
from support.isas import LIBRARIES, library
from support.oracles import (
    Ranking,
    assert_same_arrays,
    assert_same_bits,
    is_nan,
    masked,
    product,
    wide_keys,
)
from support.raw_bits import POLICIES, floats
from support.refusals import FLOAT_NAMES, assert_refuses

HARD = ["normal", "coarse grid", "90 % zeros", "raw bits", "30 % NaN", "constant"]

By = dict[str, np.ndarray]
"""The scores or the factors that rank an array, by that name; empty for magnitudes."""


def importance_of(w: np.ndarray, by: By, nan: str) -> np.ndarray:
    """Return keys that are comparable between all dtypes."""
    if "scores" in by:
        return wide_keys(by["scores"], nan, by_value=True)
    return wide_keys(product(w, by["factors"]) if by else w, nan, by_value=False)


def expected_masks(
    arrays: Arrays, k: int, nan: str = "raise", by: Sequence[By] | None = None
) -> Arrays:
    by = [{}] * len(arrays) if by is None else by
    keys = [importance_of(w, x, nan).ravel() for w, x in zip(arrays, by, strict=True)]
    together = np.concatenate(keys)
    mask = Ranking(np.zeros(together.size), keys=together).mask(k)
    ends = np.cumsum([0, *(w.size for w in arrays)])
    return [mask[a:b].reshape(w.shape) for (a, b), w in zip(pairwise(ends), arrays, strict=True)]


def expected(arrays: Arrays, k: int, nan: str = "raise", by: Sequence[By] | None = None) -> Arrays:
    masks = expected_masks(arrays, k, nan, by)
    return [masked(w, mask) for w, mask in zip(arrays, masks, strict=True)]


def arguments(by: Sequence[By] | None) -> dict[str, Any]:
    """Return the arguments scores= and factors= for these members."""
    given = {x for each in by or () for x in each}
    return {name: [each.get(name) for each in by or ()] for name in given}


def check(
    lib: Any, arrays: Arrays, k: int, nan: str = "raise", by: Sequence[By] | None = None
) -> None:
    masks = expected_masks(arrays, k, nan, by)
    check_global(lib, arrays, masks, k=k, nan=nan, **arguments(by))


def several(values: str, sizes: list[int], dtypes: list[str]) -> Arrays:
    return [of_type(values, n, dtype) for n, dtype in zip(sizes, cycle(dtypes))]


MIXTURES = [
    *([dtype] for dtype in DTYPES),
    ["float32", "float16"],
    ["bfloat16", "float16"],
    ["float64", "float32"],
    ["float32", "bfloat16", "float64", "float16"],
]
SIZES = [
    [0],
    [1],
    [0, 1, 0],
    [5, 0, 3, 8],
    [17, 64, 65, 1],
    [1025, 3, 700],
    [16_385, 100, 16_383, 5000],
    [65_537, 70_001, 9],
]


@pytest.mark.parametrize("values", HARD)
@pytest.mark.parametrize("dtypes", MIXTURES, ids="+".join)
def test_types_and_sizes(lib: Any, dtypes: list[str], values: str) -> None:
    for sizes in SIZES:
        arrays, n = several(values, sizes, dtypes), sum(sizes)
        for k, nan in subset([(n // 3, "keep"), (n - n // 10, "prune"), (min(n, 2), "keep")], 1):
            check(lib, arrays, k, nan)


def test_many_small_arrays(lib: Any) -> None:
    arrays = several("coarse grid", LANES, ["float32"])
    n = sum(LANES)
    for k in (0, 1, n // 10, n // 2, n - 1, n):
        check(lib, arrays, k)


@pytest.mark.parametrize("values", ["normal", "coarse grid"])
def test_large_arrays(lib_on_threads: Any, values: str) -> None:
    arrays = several(values, [300_000, 7, 524_289, 1000], ["float32"])
    for k in subset((1000, 400_000), 1):
        check(lib_on_threads, arrays, k)


@given(data=st.data())
def test_any_bits(data: st.DataObject) -> None:
    dtypes = data.draw(st.lists(st.sampled_from([*DTYPES]), min_size=1, max_size=4))
    arrays = [data.draw(floats(dtype, st.integers(0, 30))) for dtype in dtypes]
    k = data.draw(st.integers(0, sum(w.size for w in arrays)))
    nan = data.draw(st.sampled_from(POLICIES))
    for name in LIBRARIES:
        with library(name) as lib:
            check(lib, arrays, k, nan)


def test_one_array_is_as_prune(lib: Any) -> None:
    w = normal(40, 50)
    for how in ({"k": 700}, {"sparsity": 0.9}, {"k": 700, "scores": normal(40, 50) + 1},
                {"k": 700, "factors": normal(50)}):  # fmt: skip
        together = how | {name: [how[name]] for name in ("scores", "factors") if name in how}
        assert_same_bits(lib.prune_global([w], **together)[0], lib.prune(w, **how))
        assert_same_bits(lib.prune_mask_global([w], **together)[0], lib.prune_mask(w, **how))


def test_ties_go_by_the_order_of_the_arrays(lib: Any) -> None:
    half, one = np.ones(4, np.float16), np.ones(3, np.float32)
    for arrays in ([half, one], [one, half]):
        for k in range(8):
            kept = np.concatenate(lib.prune_global(arrays, k=k)).astype(np.float64)
            assert kept.tolist() == [1] * k + [0] * (7 - k)
    swapped = lib.prune_global({"b": one, "a": half}, k=3)
    assert np.count_nonzero(swapped["b"]) == 3


def test_magnitudes_compare_as_values(lib: Any) -> None:
    """Arrays of different dtypes compare by exact value."""
    arrays = [
        np.array([0.1, -3e38, 2.0**-149]),
        np.float32([0.1, 3e38]),
        np.array([0.1, 2.0**-24], np.float16),
        np.array([0.1, -3e38], DTYPES["bfloat16"]),
    ]
    flat = [abs(float(value)) for w in arrays for value in w]
    falling = sorted(range(len(flat)), key=lambda i: -flat[i])
    for k in range(len(flat) + 1):
        kept = np.concatenate([w != 0 for w in lib.prune_global(arrays, k=k)])
        assert np.flatnonzero(kept).tolist() == sorted(falling[:k])


def test_payloads_of_nan_compare_as_widened(lib: Any) -> None:
    """NaN of different dtypes compare by their payloads, aligned at the highest bit."""
    arrays = [
        from_bits([0x7F800001, 0xFFC00000, 0x7FFFFFFF]),
        np.array([0x7C01, 0xFE00, 0x7FFF], np.uint16).view(np.float16),
        np.array([0x7F81, 0xFFC0, 0x7FFF], np.uint16).view(DTYPES["bfloat16"]),
        np.array([0x7FF0000000000001, 0x7FFFFFFFFFFFFFFF], np.uint64).view(np.float64),
    ]
    for nan in POLICIES:
        for k in range(12):
            check(lib, arrays, k, nan)


@pytest.mark.parametrize("sparsity", [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1, 1 / 3])
def test_sparsity_counts_all_elements(lib: Any, sparsity: float) -> None:
    arrays = [normal(10), normal(7, 3), normal(99)]
    removed = round(sparsity * 130)  # half to even
    pruned = lib.prune_global(arrays, sparsity=sparsity)
    assert sum(map(np.count_nonzero, pruned)) == 130 - removed
    assert_same_arrays(pruned, lib.prune_global(arrays, k=130 - removed))


def test_pruning_further_keeps_zeros_pruned(lib: Any) -> None:
    before = [normal(300), -normal(20, 30), normal(1, 100)]
    for sparsity in (0.2, 0.5, 0.5, 0.9, 1):
        after = lib.prune_global(before, sparsity=sparsity)
        assert sum(map(np.count_nonzero, after)) == 1000 - round(sparsity * 1000)
        for old, new in zip(before, after, strict=True):
            assert not new[old == 0].any()
        before = after


# --- scores ----------------------------------------------------------------------------------


@pytest.mark.parametrize("scored", ["float32", "float64", "bfloat16"])
def test_scores(lib: Any, scored: str) -> None:
    arrays = [normal(30, 40), of_type("raw bits", 500, "float16"), normal(7, 90)]
    values = [of_type("30 % NaN", w.size, scored).reshape(w.shape) for w in arrays]
    for nan in POLICIES:
        for k in (100, 1500):
            check(lib, arrays, k, nan, [{"scores": x} for x in values])
    finite = [arrays[0], of_type("coarse grid", 500, "float16"), arrays[2]]
    rows = [{"factors": of_type("normal", w.shape[-1], scored)} for w in finite]
    numbers = [of_type("normal", w.size, scored).reshape(w.shape) for w in finite]
    factors, scores = ([{name: x} for x in numbers] for name in ("factors", "scores"))
    for k in (100, 1500):
        check(lib, finite, k, "raise", factors)
        check(lib, finite, k, "raise", [rows[0], {}, rows[2]])
        check(lib, finite, k, "raise", [scores[0], {}, factors[2]])
        check(lib, finite, k, "raise", [factors[0], scores[1], {}])


def test_scores_by_name(lib: Any) -> None:
    arrays = {"a": np.float32([1, 2]), "b": np.float32([3, 4])}
    scores = {"b": np.float32([-1, 0]), "a": np.float32([-2, 5])}
    pruned = lib.prune_global(arrays, k=2, scores=scores)
    assert_same_arrays(pruned.values(), [np.float32([0, 2]), np.float32([0, 4])])


def test_nan_among_importances_of_several_kinds(lib: Any) -> None:
    """NaN ranks above all other importances, or below all."""
    arrays = [np.float32([1, np.nan, 2]), normal(4), np.float32([5, -0.0])]
    scores = np.float32([-np.inf, np.nan, -3, np.inf])
    how = {"scores": [None, scores, None], "factors": [None, None, np.float32([1, np.nan])]}
    nan_at = [np.array([False, True, False]), is_nan(scores), np.array([False, True])]
    pruned = lib.prune_global(arrays, k=3, **how, nan="keep")
    assert_same_arrays(pruned, [masked(w, m) for w, m in zip(arrays, nan_at, strict=True)])
    pruned = lib.prune_global(arrays, k=6, **how, nan="prune")
    assert_same_arrays(pruned, [masked(w, ~m) for w, m in zip(arrays, nan_at, strict=True)])


@pytest.mark.parametrize("nan", ["keep", "prune"])
def test_payloads_of_nan_among_importances_of_several_kinds(lib: Any, nan: str) -> None:
    """NaN rank by payload, whether magnitudes, scores or products rank the elements."""
    rng = np.random.default_rng(3)
    for _ in range(20):
        arrays, by = [], []
        for dtype, scored in rng.choice(list(DTYPES), (4, 2)):
            arrays.append(of_type("30 % NaN", int(rng.integers(1, 6)), dtype))
            values = of_type("30 % NaN", arrays[-1].size, scored)
            by.append([{}, {"scores": values}, {"factors": values}][rng.integers(3)])
        n = sum(w.size for w in arrays)
        for k in range(n + 1):
            check(lib, arrays, k, nan, by)


# --- containers ------------------------------------------------------------------------------

Pair = namedtuple("Pair", ["first", "second"])


class Named(OrderedDict):
    """A subclass of a dict, like a state dict."""


KINDS = {
    "dict": (dict, dict),
    "OrderedDict": (OrderedDict, OrderedDict),
    "of OrderedDict": (Named, Named),
    "defaultdict": (lambda pairs: defaultdict(list, pairs), defaultdict),
    "UserDict": (UserDict, dict),
    "ChainMap": (lambda pairs: ChainMap(dict(pairs)), dict),
    "mapping proxy": (lambda pairs: MappingProxyType(dict(pairs)), dict),
    "list": (lambda pairs: [w for _, w in pairs], list),
    "tuple": (lambda pairs: tuple(w for _, w in pairs), tuple),
    "namedtuple": (lambda pairs: Pair(*(w for _, w in pairs)), Pair),
    "UserList": (lambda pairs: UserList(w for _, w in pairs), list),
    "deque": (lambda pairs: deque(w for _, w in pairs), list),
}


@pytest.mark.parametrize("kind", KINDS)
def test_containers(lib: Any, kind: str) -> None:
    make, returned = KINDS[kind]
    pairs = [("fc.weight", normal(6, 7)), (3, -normal(5))]
    arrays = make(pairs)
    pruned = lib.prune_global(arrays, k=9)
    assert type(pruned) is returned
    if hasattr(pruned, "keys"):
        assert list(pruned) == ["fc.weight", 3]
    members = list(pruned.values() if hasattr(pruned, "values") else pruned)
    assert_same_arrays(members, expected([w for _, w in pairs], 9))
    for member, (_, w) in zip(members, pairs, strict=True):
        assert not np.shares_memory(member, w)
    out = make([(key, np.empty_like(w)) for key, w in pairs])
    assert lib.prune_global(arrays, k=9, out=out) is out
    assert_same_arrays(list(out.values() if hasattr(out, "values") else out), members)
    assert lib.prune_global(arrays, k=9, out=arrays) is arrays
    assert_same_arrays([w for _, w in pairs], members)


def test_sequences_serve_for_each_other(lib: Any) -> None:
    arrays = [normal(5), normal(6)]
    out = tuple(np.empty_like(w) for w in arrays)
    assert lib.prune_global(arrays, k=4, out=out) is out
    assert_same_arrays(out, expected(arrays, 4))
    by_name = {"a": arrays[0], "b": arrays[1]}
    turned = OrderedDict(b=np.empty_like(arrays[1]), a=np.empty_like(arrays[0]))
    assert lib.prune_global(by_name, k=4, out=turned) is turned
    assert_same_arrays([turned["a"], turned["b"]], expected(arrays, 4))


def test_a_defaultdict_still_is_one(lib: Any) -> None:
    arrays = defaultdict(list, a=normal(3))
    pruned = lib.prune_global(arrays, k=1)
    assert pruned["none"] == []
    assert "none" not in arrays


class Key:
    """A key whose repr() does not identify it."""

    def __repr__(self) -> str:
        return "key"


def test_keys_that_look_alike(lib: Any) -> None:
    arrays = {Key(): normal(5), Key(): normal(6), Key(): normal(7)}
    pruned = lib.prune_global(arrays, k=9)
    assert_same_arrays([*pruned.values()], expected([*arrays.values()], 9))
    out = {key: w.copy() for key, w in arrays.items()}
    lib.prune_global(arrays, k=9, out=out)
    assert_same_arrays([*out.values()], [*pruned.values()])


def test_members_of_any_layout(lib: Any) -> None:
    arrays = [
        normal(1).reshape(()),
        np.asfortranarray(normal(9, 11)),
        normal(20, 30)[::2, ::-3],
        normal(40).astype(">f4" if np.little_endian else "<f4"),
        [np.float32(1), np.float32(-2)],
        np.broadcast_to(normal(5), (4, 5)),
        normal(3, 0),
    ]
    plain = [np.array(w, np.float32, order="C") for w in arrays]
    pruned = lib.prune_global(arrays, k=60)
    assert_same_arrays(pruned, expected(plain, 60))
    for member in pruned:
        assert type(member) is np.ndarray
        assert member.flags.c_contiguous
    out = [np.zeros((*(2 * n for n in w.shape), 2), np.float32)[(*[slice(None, None, 2)] * w.ndim, ..., 0)]
           for w in plain]  # fmt: skip
    lib.prune_global(arrays, k=60, out=out)
    assert_same_arrays(out, expected(plain, 60))
    for target, w in zip(out, plain, strict=True):
        target[...] = w
    lib.prune_global(out, k=60, out=out)
    assert_same_arrays(out, expected(plain, 60))


def test_inputs_may_share_memory(lib: Any) -> None:
    w = normal(50)
    assert_same_arrays(lib.prune_global([w, w, w[:7]], k=30), expected([w, w, w[:7]], 30))


# --- what is refused -------------------------------------------------------------------------


def refuses(lib: Any, error: type[Exception], words: list[Any], arrays: Any, **how: Any) -> None:
    """Check the error, and that no member of a container changes."""
    containers = [
        c
        for c in (arrays, *(how.get(name) for name in ("out", "scores", "factors")))
        if isinstance(c, (dict, list))
    ]
    members = [m for c in containers for m in (c.values() if isinstance(c, dict) else c)]
    before = [m.tobytes() for m in members if isinstance(m, np.ndarray)]
    assert_refuses(error, words, lib.prune_global, arrays, **how)
    assert [m.tobytes() for m in members if isinstance(m, np.ndarray)] == before


@pytest.mark.parametrize(
    "arrays", [normal(3, 4), "abc", b"abc", None, 3, {1, 2}, np.float32(1), iter([1]), {}.values()],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_no_container(lib: Any, arrays: Any) -> None:
    came = type(arrays).__name__
    refuses(lib, TypeError, ["arrays must be ", "mapping", "sequence", came], arrays, k=1)
    for name in ("out", "scores", "factors"):
        if arrays is not None:
            words = [f"{name} must be ", came]
            refuses(lib, TypeError, words, [normal(3)], k=1, **{name: arrays})


def test_empty_containers(lib: Any) -> None:
    for arrays in ([], {}, ()):
        refuses(lib, ValueError, ["arrays must "], arrays, k=0)


@pytest.mark.parametrize("name", ["out", "scores", "factors"])
def test_containers_that_do_not_match(lib: Any, name: str) -> None:
    by_name, listed = {"a": normal(3), "b": normal(4)}, [normal(3), normal(4)]
    refuses(lib, TypeError, [f"{name} must "], by_name, k=1, **{name: [normal(3), normal(4)]})
    refuses(lib, TypeError, [f"{name} must "], listed, k=1, **{name: {0: normal(3), 1: normal(4)}})
    for others in ({"a": normal(3)}, {"a": normal(3), "c": normal(4)}, {},
                   {"a": normal(3), "b": normal(4), "c": normal(5)}):  # fmt: skip
        refuses(lib, ValueError, [f"{name} must "], by_name, k=1, **{name: others})
    for others in ([], [normal(3)], [normal(3), normal(4), normal(5)]):
        refuses(lib, ValueError, [f"{name} must ", "2", len(others)], listed, k=1, **{name: others})


def test_members_that_are_refused(lib: Any) -> None:
    arrays = {"fc.weight": normal(3), "b": normal(4)}
    wrong = arrays | {"b": np.arange(4)}
    refuses(lib, TypeError, ["arrays['b'] must be ", FLOAT_NAMES, "int64"], wrong, k=1)
    wrong = [normal(3), normal(3), [1, 2]]
    refuses(lib, TypeError, ["arrays[2] must be ", FLOAT_NAMES, "int64"], wrong, k=1)
    wrong = [normal(3), np.ma.masked_array(normal(3))]
    refuses(lib, TypeError, ["arrays[1] must be ", "masked"], wrong, k=1)
    scores = arrays | {"fc.weight": normal(2)}
    refuses(lib, ValueError, ["scores['fc.weight'] ", "(3,)", "(2,)"], arrays, k=1, scores=scores)
    scores = arrays | {"b": np.arange(4)}
    refuses(lib, TypeError, ["scores['b']", FLOAT_NAMES, "int64"], arrays, k=1, scores=scores)
    refuses(lib, TypeError, ["factors['b']", FLOAT_NAMES, "int64"], arrays, k=1, factors=scores)
    factors = {"fc.weight": None, "b": normal(3)}
    refuses(lib, ValueError, ["factors['b'] ", "(3,)", "(4,)"], arrays, k=1, factors=factors)


@pytest.mark.parametrize(
    ("member", "error", "words"),
    [
        (np.ones(5, np.float32), ValueError, ["(4,)", "(5,)"]),
        (np.ones(4), TypeError, ["float32", "float64"]),
        (np.ones(4, ">f4" if np.little_endian else "<f4"), TypeError, ["native byte order"]),
        ([1.0] * 4, TypeError, ["list"]),
        (None, TypeError, ["NoneType"]),
        (np.broadcast_to(np.float32(1), 4), ValueError, ["writeable"]),
        (np.ma.masked_array(np.ones(4, np.float32)), TypeError, ["masked"]),
    ],
    ids=str,
)
def test_outs_that_do_not_fit(
    lib: Any, member: Any, error: type[Exception], words: list[str]
) -> None:
    words = ["out[1] must ", *words]
    refuses(lib, error, words, [normal(3), normal(4)], k=1, out=[normal(3), member])


def test_outs_that_share_memory(lib: Any) -> None:
    buffer, apart = normal(100), normal(20)
    a, b = buffer[:20], buffer[20:40]
    for out in ([buffer[50:70], buffer[60:80]],  # the outputs overlap each other
                [b, a],  # each output is the input of the other
                [apart, buffer[15:35]],  # an output overlaps both inputs
                [buffer[1:21], apart],  # an output overlaps a part of its own input
                [a, a]):  # fmt: skip
        refuses(lib, ValueError, ["out[", "share", "memory"], [a, b], k=3, out=out)
    tied = {"encoder": a, "decoder": a}
    refuses(lib, ValueError, ["out['", "share", "memory"], tied, k=3, out=tied)
    for name in ("scores", "factors"):
        how = {"out": [b], name: [buffer[25:45]]}
        refuses(lib, ValueError, ["out[", "share", "memory"], [a], k=3, **how)
    lib.prune_global([a, b], k=3, out=[a, b])
    lib.prune_global([a[::2]], k=3, out=[a[1::2]])


def test_refused_nan_names_the_member(lib: Any) -> None:
    for n in (100, 70_000):
        arrays = {"a": normal(n), "x": normal(n), "y": normal(n)}
        arrays["x"][[7, 9, n - 1]] = np.nan
        arrays["y"][3] = np.nan
        words = ["arrays['x'] has 3 NaN, the first at flat index 7; "]
        for how in ({"k": 3}, {"sparsity": 0.0}, {"sparsity": 1.0}):
            refuses(lib, ValueError, words, arrays, **how)
            refuses(lib, ValueError, words, arrays, **how, out=arrays)
        numbers = [normal(n), normal(n)]
        words = ["scores[1] has 3 NaN, the first at flat index 7; "]
        scores = [None, arrays["x"]]
        refuses(lib, ValueError, words, numbers, k=3, scores=scores, out=numbers)
        words = ["arrays[1] * factors[1] has 3 NaN, the first at flat index 7; "]
        factors = [None, arrays["x"]]
        refuses(lib, ValueError, words, numbers, k=3, factors=factors, out=numbers)


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ({}, ValueError, ["exactly one of k, sparsity must be given, got none"]),
        (
            {"k": 1, "sparsity": 0.5},
            ValueError,
            ["exactly one of k, sparsity", "k=1, sparsity=0.5"],
        ),
        ({"k": 8}, ValueError, ["k must be an integer from 0 to 7, got 8"]),
        ({"k": -1}, ValueError, ["k must be an integer from 0 to 7, got -1"]),
        ({"k": 1.0}, TypeError, ["k must be an integer, got 1.0"]),
        ({"sparsity": 1.5}, ValueError, ["sparsity must be a number from 0 to 1, got 1.5"]),
        ({"sparsity": "0"}, TypeError, ["sparsity must be a number, got '0'"]),
        ({"k": 1, "nan": "zero"}, ValueError, ["nan must be 'raise' or 'keep' or 'prune'"]),
    ],
    ids=str,
)
def test_refused(lib: Any, how: dict[str, Any], error: type[Exception], words: list[str]) -> None:
    refuses(lib, error, words, [normal(3), normal(4)], **how)


def test_keys_whose_repr_is_no_text(lib: Any) -> None:
    """Errors escape a repr() that is not valid text."""

    class Key:
        def __init__(self, shown: str) -> None:
            self.shown = shown

        def __repr__(self) -> str:
            return self.shown

    for shown in ("\ud800", "a\0b"):
        key = Key(shown)
        assert_same_bits(lib.prune_global({key: np.float32([1, 2])}, k=1)[key], np.float32([0, 2]))
        with pytest.raises(ValueError, match=r"arrays\[.*\] has 1 NaN"):
            lib.prune_global({key: np.float32([1, np.nan])}, k=1)
