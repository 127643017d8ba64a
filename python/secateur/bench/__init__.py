"""The benchmark cases, which ``secateur bench`` and ``benchmarks/`` run.

Absolute times on a shared machine are unreliable; ratios of times taken alternately in one run are
reliable. So each case alternates between the call of this package, a yardstick (mostly the memory
limit: reading or copying the same array), and the same call of `secateur.reference`. If PyTorch or
ONNX Runtime is installed, its equivalent operation is measured too, on one thread. The results are
ratios of medians, next to the targets of the project.

Examples
--------
>>> from secateur import bench
>>> case = bench.cases(main=1 << 10)[0]
>>> result = bench.measure(case, rounds=1)
>>> result.operation, result.identical
('kth_magnitude', True)
"""

from secateur.bench.case import Case, Result, measure, size
from secateur.bench.case_list import FULL, QUICK, cases
from secateur.bench.timing import Comparison, Contender

__all__ = [
    "FULL",
    "QUICK",
    "Case",
    "Comparison",
    "Contender",
    "Result",
    "cases",
    "measure",
    "size",
]
