"""Mappings and sequences of arrays."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.reference.arguments import refuse, shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Named = tuple[str, NDArray[Any]]


def members_of(name: str, container: Any) -> dict[Any, Any]:
    """Return the members of a container by their keys or, of a sequence, by their indices."""
    if isinstance(container, Mapping):
        return dict(container)
    if not isinstance(container, Sequence) or isinstance(container, (str, bytes)):
        refuse(name, "a mapping or a sequence of arrays", type(container).__name__, TypeError)
    return dict(enumerate(container))


def match(name: str, container: Any, arrays: Any) -> list[Any]:
    """Return the members of a container in the order of the members of `arrays`."""
    members, wanted = members_of(name, container), members_of("arrays", arrays)
    if isinstance(container, Mapping) != isinstance(arrays, Mapping):
        kind = "mapping" if isinstance(arrays, Mapping) else "sequence"
        refuse(name, f"a {kind}, as arrays is", type(container).__name__, TypeError)
    if members.keys() != wanted.keys():
        if not isinstance(arrays, Mapping):
            msg = f"{name} must have {len(wanted)} members, like arrays, got {len(members)}"
            raise ValueError(msg)
        missing = [key for key in wanted if key not in members]
        others = [key for key in members if key not in wanted]
        got = f"no {shown(missing)}" if missing else f"also {shown(others)}"
        msg = f"{name} must have the same keys as arrays, got {got}"
        raise ValueError(msg)
    return [members[key] for key in wanted]


def rebuild(container: Any, members: Sequence[Any]) -> Any:
    """Return a new container like `container` with other members.

    A dict or a tuple, or a type derived from one of them, keeps its type. Any other mapping becomes
    a dict, and any other sequence a list.
    """
    if isinstance(container, Mapping):
        new = copy.copy(container) if isinstance(container, dict) else dict(container)
        new.update(zip(container, members, strict=True))
        return new
    if isinstance(container, tuple):
        return container._make(members) if hasattr(container, "_make") else tuple(members)
    return list(members)


def require_apart(outs: Sequence[Named], inputs: Sequence[Named]) -> None:
    """Refuse an output that shares memory with another output, or with another's input.

    ``inputs[i]`` is the input of ``outs[i]``.
    """
    for (i, (name, out)), (j, (other_name, other)) in product(
        enumerate(outs), enumerate([*inputs, *outs])
    ):
        if j not in (i, i + len(inputs)) and np.shares_memory(out, other):
            allowed = f"an array that shares no memory with {other_name}"
            refuse(name, allowed, "one that does")
