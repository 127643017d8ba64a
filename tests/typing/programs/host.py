"""A user's program: the host, threads, and the same functions from `secateur.reference`."""

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import secateur as sc
from secateur import reference

if sys.version_info >= (3, 11):
    from typing import assert_type
else:
    from typing_extensions import assert_type

w = np.array([3, -4, 0.5, 1], np.float32)


@sc.threads(1)
def pruned(sparsity: float) -> NDArray[Any]:
    return sc.prune(w, sparsity=sparsity)


def host() -> None:
    assert_type(sc.__version__, str)
    assert_type(sc.isa(), str)
    assert_type(sc.isas(), tuple[str, ...])
    assert_type(sc.get_num_threads(), int)
    sc.set_num_threads(sc.get_num_threads())
    with sc.threads(2) as nothing:
        assert_type(nothing, None)
    assert_type(pruned(0.5), NDArray[Any])
    assert_type(sc.get_include(), str)
    assert_type(sc.get_cmake_dir(), str)


def in_numpy() -> None:
    assert_type(reference.prune(w, k=2), NDArray[Any])
    assert_type(sc.reference.soft_threshold(w, 0.5), NDArray[Any])


if TYPE_CHECKING:  # both type checkers report these errors
    sc.no_such_function()  # type: ignore[attr-defined]
    sc.threads("2")  # type: ignore[arg-type]

if __name__ == "__main__":
    host()
    in_numpy()
