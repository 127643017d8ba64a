"""A pytest plugin that records the running test, and ends the process if a test takes too long.

So the test is known even after a crash, and an endless loop in native code is ended. The memory of
the process is limited, because a mutant may allocate an array of a wrong size.
"""

import os
import resource
import signal
from pathlib import Path

from hypothesis import Phase, settings

MAX_BYTES = 8 << 30

resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

# The same examples in each run, without shrinking of failing examples.
phases = [Phase.explicit, Phase.generate]
settings.register_profile("mutation", deadline=None, derandomize=True, phases=phases)


def limit_time() -> None:
    signal.alarm(int(os.environ["SECONDS_OF_TEST"]))  # SIGALRM ends the process by default


limit_time()  # the import of the package or of a test may hang too


def pytest_runtest_logstart(nodeid: str) -> None:
    Path(os.environ["LAST_TEST"]).write_text(nodeid)
    limit_time()
