"""The elements that the sampler of a selection reads, and values (decoys) that mislead it."""

import numpy as np

from support.arrays import from_bits, generator

SEED = 0x5ECA7E0A
FACTORS = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9
ATTEMPTS = 3
IN_CACHE, SAMPLE = 1 << 16, 256  # up to IN_CACHE elements, a sample has SAMPLE single elements
WORD, RUN = 64, 16  # larger samples are runs of RUN, about 2 * n**(2/3) in whole words


def sampled(n: int, attempts: int = ATTEMPTS) -> np.ndarray:
    """Return the indices that the sampler reads in an array of n elements, in all attempts."""
    if n <= IN_CACHE:
        runs, run = SAMPLE, 1
    else:
        runs, run = sample_size(n) // RUN, RUN
    places = [starts(n, runs, run, attempt) for attempt in range(attempts)]
    return np.unique(np.concatenate(places)[:, None] + np.arange(run))


def sample_size(n: int) -> int:
    return int(2 * n ** (2 / 3)) // WORD * WORD + WORD


def starts(n: int, runs: int, run: int, attempt: int) -> np.ndarray:
    """Return the begins of the runs, like `Runs` in csrc/select/sample.hpp."""
    stride = n // runs
    h = (np.arange(runs, dtype=np.uint64) + np.uint64(SEED + attempt * runs)) * np.uint64(
        FACTORS[0]
    )
    h = (h ^ (h >> np.uint64(30))) * np.uint64(FACTORS[1])
    within = ((h >> np.uint64(32)) * np.uint64(stride - run + 1)) >> np.uint64(32)
    return np.arange(runs) * stride + within.astype(np.int64)


def distinct(count: int, first: int) -> np.ndarray:
    """Return magnitudes with consecutive bits from `first`, shuffled."""
    return from_bits(first + generator(count).permutation(count).astype(np.uint32))


ONE, TWO, FOUR = 0x3F800000, 0x40000000, 0x40800000


def decoys_above(count: int) -> np.ndarray:
    return distinct(count, FOUR)


def decoys_below(count: int) -> np.ndarray:
    return distinct(count, ONE)


def decoys_equal(count: int) -> np.ndarray:
    return np.full(count, 8, np.float32)


def decoys_apart(count: int) -> np.ndarray:
    """Return decoys of which half are below all other elements, and half above."""
    decoys = distinct(count, FOUR)
    decoys[::2] = distinct(decoys[::2].size, ONE)
    return decoys
