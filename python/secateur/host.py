"""The host: instruction sets, threads, and where embedders find the C API."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from secateur import _core

if TYPE_CHECKING:
    from collections.abc import Iterator


def isa() -> str:
    """The instruction set that the kernels use.

    The best that this CPU and its operating system support, unless ``SECATEUR_ISA`` names another
    when the package is imported. A name that this CPU has not is an ImportError.

    Returns
    -------
    str
        ``"scalar"``, ``"avx2"`` or ``"avx512"``.

    Examples
    --------
    >>> import secateur as sc
    >>> sc.isa() in sc.isas()
    True
    """
    return _core.isa()


def isas() -> tuple[str, ...]:
    """The instruction sets that this CPU and this build have, the best last.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> import secateur as sc
    >>> sc.isas()[0]
    'scalar'
    """
    return _core.isas()


def get_num_threads() -> int:
    """The number of threads that a call from this thread may use, its own included.

    Small arrays stay on the calling thread whatever this says, and results never depend on it.

    Returns
    -------
    int
        What :class:`threads` set on this thread, else what :func:`set_num_threads` set, else
        ``SECATEUR_NUM_THREADS``, else the number of CPUs that this process may run on.

    Examples
    --------
    >>> import secateur as sc
    >>> sc.get_num_threads() >= 1
    True
    """
    return _core.get_num_threads()


def set_num_threads(n: int) -> None:
    """Set the number of threads that a call may use, for the whole process.

    Parameters
    ----------
    n : int
        1 to 1024.

    Raises
    ------
    TypeError
        If `n` is not an integer.
    ValueError
        If it is out of range.

    Examples
    --------
    >>> import secateur as sc
    >>> sc.set_num_threads(sc.get_num_threads())
    """
    _core.set_num_threads(n)


@contextlib.contextmanager
def threads(n: int) -> Iterator[None]:
    """Set the number of threads for the calls made within a ``with`` block by this thread.

    Parameters
    ----------
    n : int
        1 to 1024.

    Raises
    ------
    TypeError
        If `n` is not an integer.
    ValueError
        If it is out of range.

    Examples
    --------
    >>> import secateur as sc
    >>> with sc.threads(1):
    ...     sc.get_num_threads()
    1
    """
    previous = _core.set_thread_num_threads(n, 1)
    try:
        yield
    finally:
        _core.set_thread_num_threads(previous, 0)


def get_include() -> str:
    """The directory of the C and C++ headers, for a compiler's ``-I``.

    Returns
    -------
    str

    Examples
    --------
    >>> import pathlib
    >>> import secateur as sc
    >>> (pathlib.Path(sc.get_include()) / "secateur" / "secateur.h").exists()
    True
    """
    return _installed("include")


def get_cmake_dir() -> str:
    """The directory of the CMake package, for ``find_package(secateur)``.

    Returns
    -------
    str

    Examples
    --------
    >>> import pathlib
    >>> import secateur as sc
    >>> (pathlib.Path(sc.get_cmake_dir()) / "secateurConfig.cmake").exists()
    True
    """
    return _installed("lib", "cmake", "secateur")


def _installed(*parts: str) -> str:
    # Beside the extension module: in an editable install, that is not where this file is.
    return os.path.join(os.path.dirname(_core.__file__), *parts)  # noqa: PTH118, PTH120
