"""The host: instruction sets, number of threads, and the location of the C API."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from secateur import _core

if TYPE_CHECKING:
    from collections.abc import Iterator


def isa() -> str:
    """Return the instruction set that the kernels use.

    By default this is the best one that the CPU and the operating system support. The environment
    variable ``SECATEUR_ISA`` selects another when the package is imported. If this CPU or
    this build lacks the named one, the import raises an ImportError.

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
    """Return the instruction sets that both this CPU and this build support.

    Returns
    -------
    tuple of str
        Their names, the best last.

    Examples
    --------
    >>> import secateur as sc
    >>> sc.isas()[0]
    'scalar'
    """
    return _core.isas()


def get_num_threads() -> int:
    """Return the number of threads that a call from this thread may use.

    The number includes the calling thread. Small arrays are processed on the calling thread alone.
    Results never depend on the number of threads.

    Returns
    -------
    int
        The number that :func:`threads` sets in this context, else the number that
        :func:`set_num_threads` sets, else the environment variable ``SECATEUR_NUM_THREADS``, else
        the number of CPUs that this process may run on.

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
        The number of threads, 1 to 1024.

    Raises
    ------
    TypeError
        If `n` is not an integer.
    ValueError
        If `n` is out of range.

    Examples
    --------
    >>> import secateur as sc
    >>> sc.set_num_threads(sc.get_num_threads())
    """
    _core.set_num_threads(n)


class _BlockNumber(int):
    """The number of threads that one ``with`` block sets; identity tells equal numbers apart."""


@contextlib.contextmanager
def threads(n: int) -> Iterator[None]:
    """Set the number of threads for the calls made within a ``with`` block.

    The number belongs to the current context (:mod:`contextvars`). Other threads and other asyncio
    tasks do not see it. A task that is started within the block inherits it, and so does a call of
    :func:`asyncio.to_thread`. A thread that is started within the block does not inherit it, unless
    Python lets threads inherit the context (``sys.flags.thread_inherit_context``). As a decorator,
    `threads` applies to each call of the function.

    Parameters
    ----------
    n : int
        The number of threads, 1 to 1024.

    Returns
    -------
    context manager
        It sets the number when it is entered, and removes it when it is left.

    Raises
    ------
    TypeError
        If `n` is not an integer.
    ValueError
        If `n` is out of range.

    Examples
    --------
    >>> import secateur as sc
    >>> with sc.threads(1):
    ...     sc.get_num_threads()
    1
    """
    # Blocks of one context need not end in reverse order, because generators interleave. So each
    # block removes its own number instead of restoring the previous tuple.
    number = _BlockNumber(_core.to_num_threads(n))
    numbers = _core.num_threads_var
    try:
        numbers.set((*numbers.get(()), number))
        yield
    finally:
        numbers.set(tuple(other for other in numbers.get(()) if other is not number))


def get_include() -> str:
    """Return the directory of the C and C++ headers, for a compiler's ``-I``.

    Returns
    -------
    str
        The path of the directory.

    Examples
    --------
    >>> import pathlib
    >>> import secateur as sc
    >>> (pathlib.Path(sc.get_include()) / "secateur" / "secateur.h").exists()
    True
    """
    return _installed("include")


def get_cmake_dir() -> str:
    """Return the directory of the CMake package, for ``find_package(secateur)``.

    Returns
    -------
    str
        The path of the directory.

    Examples
    --------
    >>> import pathlib
    >>> import secateur as sc
    >>> (pathlib.Path(sc.get_cmake_dir()) / "secateurConfig.cmake").exists()
    True
    """
    return _installed("lib", "cmake", "secateur")


def _installed(*parts: str) -> str:
    # Next to the extension module. In an editable install, this file is in another directory.
    return os.path.join(os.path.dirname(_core.__file__), *parts)  # noqa: PTH118, PTH120
