"""What an error must be: of its type, and with what it names in its message."""

from collections.abc import Callable

import numpy as np
import pytest

from oracles import assert_same_bits


def assert_refuses(
    error: type[Exception], words: list[object], call: Callable[[], object], *kept: np.ndarray
) -> None:
    """The words are all in the message, and the arrays are left as they were."""
    before = [array.copy() for array in kept]
    with pytest.raises(error) as refused:
        call()
    for word in words:
        assert str(word) in str(refused.value)
    for array, copy in zip(kept, before, strict=True):
        assert_same_bits(array, copy)
