"""A lock that remains usable in the child of a fork, whoever held it in the parent."""

from __future__ import annotations

import os
import threading


class ForkSafeLock:
    """A reentrant lock that no fork leaves locked forever.

    A child of a fork has only the thread that forked. A lock that another thread of the parent held
    would never be released there. The child therefore replaces such a lock when it first uses it,
    and `orphaned` becomes True. A lock that the forking thread itself held stays held, because that
    thread goes on in the child and releases it.

    The fork itself takes no lock and waits for nothing. It may thus happen at any time, also in a
    signal handler or finalizer.

    Attributes
    ----------
    orphaned : bool
        Whether another thread held the lock when this process, or an ancestor of it, was forked.
        Valid while the lock is held.

    Examples
    --------
    >>> from secateur.locks import ForkSafeLock
    >>> lock = ForkSafeLock()
    >>> with lock.here():
    ...     lock.orphaned
    False
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._process = _this_process()
        self.orphaned = False

    def here(self) -> threading.RLock:
        """Return the lock that this process uses, to be held by a ``with`` statement.

        The lock has no ``__enter__`` of its own: an exception of a signal handler that is raised at
        the end of a function in Python would leave the lock held.
        """
        process = _this_process()
        if self._process != process:
            self._adopt(process)
        return self._lock

    def _adopt(self, process: tuple[int, int]) -> None:
        """Make the lock one of this process. One thread at a time does so."""
        # setdefault is atomic, so that all threads of the process get the same lock.
        with _adopting.setdefault(process, threading.RLock()):
            if self._process == process:
                return
            if self._lock.acquire(blocking=False):  # free, or held by this thread
                self._lock.release()
            else:
                self._lock = threading.RLock()
                self.orphaned = True
            self._process = process


# By process, the lock that serializes adoption.
_adopting: dict[tuple[int, int], threading.RLock] = {}
_generation = 0  # distinguishes a process from an ancestor that had the same process id


def _this_process() -> tuple[int, int]:
    # The process id already tells the processes apart while the hook below has not run yet.
    return os.getpid(), _generation


def _count_generation() -> None:
    global _generation  # noqa: PLW0603
    _generation += 1


os.register_at_fork(after_in_child=_count_generation)
