"""A lock that remains usable in the child of a fork, whoever held it in the parent."""

from __future__ import annotations

import os
import threading
import weakref


class ForkSafeLock:
    """A reentrant lock that no fork leaves locked forever.

    A child of a fork has only the thread that forked. A lock that another thread of the parent held
    would never be released there. Right after the fork, the child therefore replaces such a lock, and
    `orphaned` becomes True. A lock that the forking thread itself held stays held, because that
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
    >>> with lock.current():
    ...     lock.orphaned
    False
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._process = os.getpid()
        self.orphaned = False
        _locks.add(self)

    def current(self) -> threading.RLock:
        """Return the lock that this process uses, to be held by a ``with`` statement.

        This class has no ``__enter__``. A signal handler could raise between the acquisition in such
        a Python function and the ``with`` block, and the lock would stay held.
        """
        if self._process != os.getpid():  # another hook uses the lock before the one below has run
            self._adopt()
        return self._lock

    def _adopt(self) -> None:
        """Make the lock one of this process. Only the forking thread does so.

        Any other thread may have the identity of one that is gone, and would then seem to hold what
        that one held.
        """
        if self._lock.acquire(blocking=False):  # free, or held by this thread
            self._lock.release()
        else:
            self._lock = threading.RLock()
            self.orphaned = True
        self._process = os.getpid()


_locks: weakref.WeakSet[ForkSafeLock] = weakref.WeakSet()


def _adopt_all() -> None:
    for lock in list(_locks):
        lock._adopt()


os.register_at_fork(after_in_child=_adopt_all)
