"""Mappings and sequences of arrays: taken apart, matched with each other, and put together."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Named = tuple[str, NDArray[Any]]


def take_apart(name: str, container: Any) -> dict[Any, Any]:
    """The members by their keys, or by their indices if it is a sequence.

    Parameters
    ----------
    name : str
        What errors call it.
    container : mapping or sequence
        Neither an array, which would be taken for its rows, nor a string.

    Examples
    --------
    >>> from secateur.containers import take_apart
    >>> take_apart("arrays", [10, 20])
    {0: 10, 1: 20}
    """
    if isinstance(container, Mapping):
        return dict(container)
    if not isinstance(container, Sequence) or isinstance(container, (str, bytes)):
        _refuse(name, "a mapping or a sequence of arrays", type(container).__name__, TypeError)
    return dict(enumerate(container))


def label(name: str, key: Any) -> str:
    """What errors call a member.

    Examples
    --------
    >>> from secateur.containers import label
    >>> label("arrays", "fc.weight")
    "arrays['fc.weight']"
    """
    return f"{name}[{key!r}]"


def match(name: str, container: Any, arrays: Any) -> list[Any]:
    """The members of a container, in the order of those of `arrays`, whose keys it has.

    Examples
    --------
    >>> from secateur.containers import match
    >>> match("out", {"b": 2, "a": 1}, {"a": 10, "b": 20})
    [1, 2]
    """
    found, wanted = take_apart(name, container), take_apart("arrays", arrays)
    keyed = isinstance(arrays, Mapping)
    if keyed != isinstance(container, Mapping):
        kind = "mapping" if keyed else "sequence"
        _refuse(name, f"a {kind}, as arrays is", type(container).__name__, TypeError)
    if found.keys() != wanted.keys():
        if not keyed:
            _refuse(name, f"of {len(wanted)} members, as arrays is", f"{len(found)}")
        missing = [key for key in wanted if key not in found]
        others = [key for key in found if key not in wanted]
        _refuse(
            name, "of the keys of arrays", f"none of {missing}" if missing else f"also {others}"
        )
    return [found[key] for key in wanted]


def put_together(arrays: Any, members: Sequence[Any]) -> Any:
    """Other members in a container such as `arrays` is: a dict, list or tuple of the same kind.

    Another mapping becomes a dict, and another sequence a list.

    Examples
    --------
    >>> from secateur.containers import put_together
    >>> put_together({"a": 1, "b": 2}, [10, 20])
    {'a': 10, 'b': 20}
    >>> put_together((1, 2), [10, 20])
    (10, 20)
    """
    if isinstance(arrays, Mapping):
        # A copy is of the same type whatever its constructor takes.
        result = copy.copy(arrays) if isinstance(arrays, dict) else dict(arrays)
        result.update(zip(arrays, members, strict=True))
        return result
    if isinstance(arrays, tuple):
        make = getattr(arrays, "_make", tuple)  # a named tuple's
        return make(members)
    return list(members)


def require_apart(outs: Sequence[Named], inputs: Sequence[Named]) -> None:
    """Refuse an output that shares memory with another one, or with an input not its own.

    Parameters
    ----------
    outs, inputs : sequences of (name, ndarray)
        The first inputs are the own ones of the outputs, in the same order.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur.containers import require_apart
    >>> w = np.zeros(8)
    >>> require_apart([("out[0]", w[:4]), ("out[1]", w[4:])], [("arrays[0]", w[:4])])
    """
    named = [*outs, *inputs]
    for i, j in _near_pairs([array for _, array in named]):
        own = j == i + len(outs)
        if i < len(outs) and not own and _share_memory(named[i][1], named[j][1]):
            _refuse(
                named[i][0], f"an array that shares no memory with {named[j][0]}", "one that does"
            )


def _near_pairs(arrays: Sequence[NDArray[Any]]) -> Iterator[tuple[int, int]]:
    """Pairs that may share memory; taken in the order of their addresses, few of all pairs do."""
    extents = {i: _extent(array) for i, array in enumerate(arrays) if array.size}
    before: list[int] = []
    for i in sorted(extents, key=lambda i: extents[i]):
        begin, _ = extents[i]
        before = [j for j in before if extents[j][1] > begin]
        yield from ((min(i, j), max(i, j)) for j in before)
        before.append(i)


def _extent(array: NDArray[Any]) -> tuple[int, int]:
    """The addresses of the first byte of an array and of the one past its last."""
    spans = [(n - 1) * step for n, step in zip(array.shape, array.strides, strict=True)]
    begin = array.__array_interface__["data"][0]
    return (
        begin + sum(span for span in spans if span < 0),
        begin + sum(span for span in spans if span > 0) + array.itemsize,
    )


def _share_memory(a: NDArray[Any], b: NDArray[Any]) -> bool:
    try:
        return np.shares_memory(a, b, max_work=1_000_000)  # type: ignore[arg-type] # any int
    except np.exceptions.TooHardError:  # strides may interleave; the answer is the cautious one
        return True


def _refuse(name: str, allowed: str, came: str, error: type[Exception] = ValueError) -> NoReturn:
    msg = f"{name} must be {allowed}, got {came}"
    raise error(msg)
