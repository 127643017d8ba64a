"""Mappings and sequences of arrays: list their members, match and rebuild them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from secateur.messages import shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Named = tuple[str, NDArray[Any]]


def members_of(name: str, container: Any) -> dict[Any, Any]:
    """Return the members of a container by their keys or, of a sequence, by their indices.

    Parameters
    ----------
    name : str
        The name of the container in error messages.
    container : mapping or sequence
        Neither an array, whose rows would be its members, nor a string.

    Raises
    ------
    TypeError
        If `container` is neither a mapping nor a sequence.

    Examples
    --------
    >>> from secateur.containers import members_of
    >>> members_of("arrays", [10, 20])
    {0: 10, 1: 20}
    """
    if isinstance(container, Mapping):
        return dict(container)
    if not isinstance(container, Sequence) or isinstance(container, (str, bytes)):
        _refuse(name, "a mapping or a sequence of arrays", type(container).__name__, TypeError)
    return dict(enumerate(container))


def label(name: str, key: Any) -> str:
    """Return the name of a member in error messages.

    Examples
    --------
    >>> from secateur.containers import label
    >>> label("arrays", "fc.weight")
    "arrays['fc.weight']"
    """
    text = shown(key).encode("utf-8", "backslashreplace").decode()  # the core takes labels in UTF-8
    return f"{name}[{text}]".replace("\0", "\\0")


def match(name: str, container: Any, arrays: Any) -> list[Any]:
    """Return the members of a container in the order of the members of `arrays`.

    Raises
    ------
    TypeError
        If one of the two is a mapping and the other is a sequence.
    ValueError
        If their keys or lengths differ.

    Examples
    --------
    >>> from secateur.containers import match
    >>> match("out", {"b": 2, "a": 1}, {"a": 10, "b": 20})
    [1, 2]
    """
    found, wanted = members_of(name, container), members_of("arrays", arrays)
    keyed = isinstance(arrays, Mapping)
    if keyed != isinstance(container, Mapping):
        kind = "mapping" if keyed else "sequence"
        _refuse(name, f"a {kind}, as arrays is", type(container).__name__, TypeError)
    if found.keys() != wanted.keys():
        if not keyed:
            msg = f"{name} must have {len(wanted)} members, like arrays, got {len(found)}"
            raise ValueError(msg)
        missing = [key for key in wanted if key not in found]
        others = [key for key in found if key not in wanted]
        got = f"no {shown(missing)}" if missing else f"also {shown(others)}"
        msg = f"{name} must have the same keys as arrays, got {got}"
        raise ValueError(msg)
    return [found[key] for key in wanted]


def rebuild(arrays: Any, members: Sequence[Any]) -> Any:
    """Return a container like `arrays` with other members.

    A dict or a tuple, or a type derived from one of them, keeps its type. Any other mapping becomes
    a dict, and any other sequence a list.

    Examples
    --------
    >>> from secateur.containers import rebuild
    >>> rebuild({"a": 1, "b": 2}, [10, 20])
    {'a': 10, 'b': 20}
    >>> rebuild((1, 2), [10, 20])
    (10, 20)
    """
    if isinstance(arrays, Mapping):
        # A copy has the same type, whatever arguments the constructor of that type takes.
        result = copy.copy(arrays) if isinstance(arrays, dict) else dict(arrays)
        result.update(zip(arrays, members, strict=True))
        return result
    if isinstance(arrays, tuple):
        make = getattr(arrays, "_make", tuple)  # named tuples have _make
        return make(members)
    return list(members)


def require_apart(outs: Sequence[Named], inputs: Sequence[Named]) -> None:
    """Raise an error if an output shares memory with another output, or with another's input.

    Parameters
    ----------
    outs, inputs : sequences of (name, ndarray)
        ``inputs[i]`` is the input of ``outs[i]``; the two may share memory. Further inputs may
        follow.

    Raises
    ------
    ValueError
        If an output shares memory with any array but its own input.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur.containers import require_apart
    >>> w = np.zeros(8)
    >>> require_apart([("out[0]", w[:4]), ("out[1]", w[4:])], [("arrays[0]", w[:4])])
    """
    named = [(name, np.asarray(array)) for name, array in (*outs, *inputs)]
    in_place = {len(outs) + i for i, (_, w) in enumerate(inputs[: len(outs)]) if w is outs[i][1]}
    extents = {
        i: _extent(array)
        for i, (_, array) in enumerate(named)
        if array.size and i not in in_place  # its output has the same memory
    }
    for i, j in _overlapping_ranges(extents):
        is_own_input = j == i + len(outs)
        if i < len(outs) and not is_own_input and _share_memory(named[i][1], named[j][1]):
            _refuse(
                named[i][0], f"an array that shares no memory with {named[j][0]}", "one that does"
            )


def _overlapping_ranges(extents: Mapping[int, tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of arrays whose address ranges overlap.

    The arrays are visited in the order of their addresses, so that few pairs are compared.
    """
    active: list[int] = []
    for begin, i in sorted((begin, i) for i, (begin, _) in extents.items()):
        if active:
            active = [j for j in active if extents[j][1] > begin]
            yield from ((min(i, j), max(i, j)) for j in active)
        active.append(i)


def _extent(array: NDArray[Any]) -> tuple[int, int]:
    """Return the addresses of the first byte of an array and of the byte after its last."""
    begin = array.__array_interface__["data"][0]
    if array.flags.c_contiguous:
        return begin, begin + array.nbytes
    spans = [(n - 1) * step for n, step in zip(array.shape, array.strides, strict=True)]
    return (
        begin + sum(span for span in spans if span < 0),
        begin + sum(span for span in spans if span > 0) + array.itemsize,
    )


def _share_memory(a: NDArray[Any], b: NDArray[Any]) -> bool:
    try:
        return np.shares_memory(a, b, max_work=1_000_000)  # type: ignore[arg-type] # any int
    except np.exceptions.TooHardError:  # interleaved strides: assume that they overlap
        return True


def _refuse(name: str, allowed: str, got: str, error: type[Exception] = ValueError) -> NoReturn:
    msg = f"{name} must be {allowed}, got {got}"
    raise error(msg)
