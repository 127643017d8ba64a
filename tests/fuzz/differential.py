"""Differential fuzzer: compare random calls bit for bit with secateur.reference.

python tests/fuzz/differential.py --seconds 120 [--cases N] [--seed N] [--case N] [--only FUNCTION]

A case depends only on the seed and on its number. If the package and the reference differ, or the
process crashes or hangs, the fuzzer prints a script that reproduces the case, and exits with 1.
"""

from __future__ import annotations

import argparse
import inspect
import math
import multiprocessing as mp
import os
import random
import re
import struct
import sys
import time
import traceback
import warnings
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
from generators import FUNCTIONS, INFINITIES, Draw, array, brackets, laid_out, values

import secateur as sc
from secateur import _core, reference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.sharedctypes import Synchronized
    from multiprocessing.synchronize import Lock

# --- cases ------------------------------------------------------------------------------------


class Case:
    """Statements that create the arguments, the call, its ISA and its number of threads."""

    def __init__(self, seed: int, number: int, only: str | None) -> None:
        draw = Draw(seed, number)
        self.seed, self.number, self.only = seed, number, only
        self.function = only or draw.one_of(FUNCTIONS)
        FUNCTIONS[self.function](draw)
        if draw.one_in(8):
            draw.spoil()
        self.statements = draw.statements
        self.call = draw.call(self.function)
        if self.function == "sketch":
            self.call = self.call.replace("lib.sketch(", "brackets(lib, ")
        self.out = draw.named.pop("out", "")
        quantized = draw.named.pop("quantized", "")
        # An output that is not an input may be partly written when an error is raised.
        inputs = " ".join([*draw.positional.values(), *draw.named.values(), *draw.members])
        self.write_only = {*re.findall(r"\w+", f"{self.out} {quantized}")} - {
            *re.findall(r"\w+", inputs)
        }
        # If several arguments are wrong, the two libraries may report different ones.
        self.errors_may_differ = draw.wrong > 1 or draw.wrong_in_several_ways
        self.isa = draw.one_of(sc.isas())
        self.threads = draw.rng.randrange(1, 4)

    def script(self, why: str) -> str:
        """Return a standalone script that reproduces the case."""
        helpers = [values, laid_out, array, *([brackets] if self.function == "sketch" else [])]
        sources = "\n\n".join(inspect.getsource(helper) for helper in helpers)
        statements = "\n    ".join(self.statements)
        only = f" --only {self.only}" if self.only else ""
        return f"""\
# {why}
# Case {self.number} of seed {self.seed}; or:
# python tests/fuzz/differential.py --seed {self.seed} --case {self.number}{only}
from __future__ import annotations
import math
import warnings
from typing import Any
import ml_dtypes
import numpy as np
import secateur as sc
from secateur import _core, reference

INFINITIES = {INFINITIES}

{sources}
_core.set_isa({self.isa!r})
sc.set_num_threads({self.threads})
for lib in (reference, sc):
    warnings.simplefilter("ignore" if lib is reference else "error")
    {statements}
    try:
        print(lib.__name__, {self.call})
    except Exception as error:
        print(lib.__name__, repr(error))
"""


# --- comparing --------------------------------------------------------------------------------


class Different(Exception):
    """The package and its reference differ."""


def bits_of(array: np.ndarray) -> bytes:
    return np.ascontiguousarray(array).tobytes()


def base_of(array: np.ndarray) -> np.ndarray:
    """Return the array that owns the memory of a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def require_same(actual: Any, expected: Any, where: str) -> None:
    """Raise Different unless the two have the same types, recursively, and the same bits."""
    if isinstance(actual, sc.BitmaskArray) and isinstance(expected, reference.BitmaskArray):
        for name in ("shape", "bitmask", "values", "row_offsets"):
            require_same(getattr(actual, name), getattr(expected, name), f"{where}.{name}")
        require_same(actual.decode(), expected.decode(), f"{where} decoded")
        return
    if isinstance(actual, sc.CompressedTensor) and isinstance(expected, reference.CompressedTensor):
        for name in ("shape", "dtype", "encoding", "count", "packed", "bitmask", "gaps"):
            require_same(getattr(actual, name), getattr(expected, name), f"{where}.{name}")
        require_same(actual.integers(), expected.integers(), f"integers of {where}")
        return
    if type(actual) is not type(expected):
        raise Different(f"{where} is {type(actual)}, not {type(expected)}")
    if isinstance(actual, (np.ndarray, np.generic)):
        if (actual.dtype, actual.shape) != (expected.dtype, expected.shape):
            raise Different(
                f"{where} is of {actual.dtype} {actual.shape}, not {expected.dtype} {expected.shape}"
            )
        if bits_of(actual) != bits_of(expected):
            raise Different(f"{where} differs: {first_difference(actual, expected)}")
    elif isinstance(actual, dict):
        require_same([*actual], [*expected], f"keys of {where}")
        require_same([*actual.values()], [*expected.values()], where)
    elif isinstance(actual, (list, tuple)):
        if len(actual) != len(expected):
            raise Different(f"{where} has {len(actual)} members, not {len(expected)}")
        for i, (a, b) in enumerate(zip(actual, expected, strict=True)):
            require_same(a, b, f"{where}[{i}]")
    elif isinstance(actual, float):
        if struct.pack("d", actual) != struct.pack("d", expected):
            raise Different(f"{where} is {actual!r}, not {expected!r}")
    elif isinstance(actual, (sc.FixedPoint, sc.Affine)):
        affine = ("scale", "zero_point", "qmin", "qmax")
        fields = affine if isinstance(actual, sc.Affine) else ("frac_bits",)
        for name in ("bits", "signed", "axis", "group_size", *fields):
            require_same(getattr(actual, name), getattr(expected, name), f"{where}.{name}")
    elif actual != expected:
        raise Different(f"{where} is {actual!r}, not {expected!r}")


def first_difference(actual: np.ndarray, expected: np.ndarray) -> str:
    raw = f"u{actual.itemsize}"
    a = np.frombuffer(bits_of(actual), raw)
    b = np.frombuffer(bits_of(expected), raw)
    wrong = np.flatnonzero(a != b)
    return (
        f"{wrong.size} of {a.size} elements, at {wrong[0]} {a[wrong[0]]:#x}, not {b[wrong[0]]:#x}"
    )


class Run:
    """The call with one of the libraries, on its own copies of the arrays."""

    def __init__(self, case: Case, lib: Any) -> None:
        self.scope: dict[str, Any] = {
            "np": np, "ml_dtypes": ml_dtypes, "sc": sc, "array": array, "lib": lib,
            "brackets": brackets,
        }  # fmt: skip
        exec("\n".join(case.statements), self.scope)  # noqa: S102
        self.before = {name: bits_of(a) for name, a in self.arrays()}
        self.result: Any = None
        self.error: Exception | None = None
        try:
            self.result = eval(case.call, self.scope)
        except Exception as error:  # noqa: BLE001
            self.error = error
        self.out = self.scope.get(case.out)

    def arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        return ((name, a) for name, a in self.scope.items() if isinstance(a, np.ndarray))


def check(case: Case) -> None:
    _core.set_isa(case.isa)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = Run(case, reference)
    with warnings.catch_warnings(), sc.threads(case.threads):
        warnings.simplefilter("error")
        actual = Run(case, sc)
    both_refuse = case.errors_may_differ and all(
        isinstance(run.error, (TypeError, ValueError, OverflowError)) for run in (actual, expected)
    )
    if type(actual.error) is not type(expected.error) and not both_refuse:
        raise Different(f"the error is {actual.error!r}, not {expected.error!r}")
    inputs = dict(actual.arrays())
    if actual.error is not None:
        for name, a in inputs.items():
            if name not in case.write_only and bits_of(a) != actual.before[name]:
                raise Different(f"{name} is modified though {actual.error!r} was raised")
        return
    require_same(actual.result, expected.result, "the result")
    for name, a in inputs.items():
        require_same(base_of(a), base_of(expected.scope[name]), f"the memory of {name}")
    if actual.out is not None and actual.result is not actual.out:
        raise Different("the result is not the array that was given as out")


# --- running ----------------------------------------------------------------------------------

HANG_SECONDS = 120  # a case that takes longer is a failure


def attempt(case: Case) -> str | None:
    """Return what is wrong with a case, or None."""
    try:
        check(case)
    except Different as different:
        return str(different)
    except Exception:  # noqa: BLE001
        return "the fuzzer failed:\n# " + traceback.format_exc().replace("\n", "\n# ")
    return None


def work(
    current: Synchronized[int],
    reported: Lock,
    cases: range,
    seed: int,
    only: str | None,
) -> None:
    for number in cases:
        current.value = number
        case = Case(seed, number, only)
        why = attempt(case)
        if why is not None:
            reported.acquire()  # never released, so that only the first failure is reported
            print(case.script(why), flush=True)
            os._exit(1)


def fuzz(seconds: float, cases: int, seed: int, only: str | None, processes: int) -> int:
    """Run n processes, each of which takes every n-th case. Return the exit status."""
    context = mp.get_context("spawn")
    current = [context.Value("q", -1) for _ in range(processes)]
    reported = context.Lock()
    workers = [
        context.Process(
            target=work,
            args=(current[i], reported, range(i, cases, processes), seed, only),
            daemon=True,
        )
        for i in range(processes)
    ]
    for worker in workers:
        worker.start()
    end = time.monotonic() + seconds
    seen = [(-1, time.monotonic())] * processes
    status = 0
    while status == 0 and time.monotonic() < end and any(worker.is_alive() for worker in workers):
        time.sleep(min(0.2, max(end - time.monotonic(), 0)))
        for i, worker in enumerate(workers):
            number = current[i].value
            if number != seen[i][0]:
                seen[i] = number, time.monotonic()
            hangs = time.monotonic() - seen[i][1] > HANG_SECONDS
            if worker.exitcode == 0 or (worker.exitcode is None and not hangs):
                continue
            status = 1
            if worker.exitcode != 1:  # a worker that exits with 1 has printed the script itself
                why = "it hangs" if hangs else f"it crashes: exit code {worker.exitcode}"
                print(Case(seed, number, only).script(why), flush=True)
    for worker in workers:
        worker.kill()
        worker.join()
    tried = sum(value.value // processes + 1 for value in current)
    print(f"{tried} cases of seed {seed}, {'a failure' if status else 'no failures'}")
    return status


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, help="by default 120, without --cases")
    parser.add_argument("--cases", type=int, help="stop after as many")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--case", type=int, help="this one alone")
    parser.add_argument("--only", choices=FUNCTIONS, help="calls of this function alone")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    if options.case is not None:
        case = Case(options.seed, options.case, options.only)
        why = attempt(case)
        print(case.script(why or "no difference"))
        return int(why is not None)
    print(f"seed {options.seed}", flush=True)
    seconds, cases = options.seconds, options.cases
    if seconds is None:
        seconds = 120 if cases is None else math.inf
    if cases is None:
        cases = sys.maxsize
    return fuzz(seconds, cases, options.seed, options.only, options.processes)


if __name__ == "__main__":
    sys.exit(main())
