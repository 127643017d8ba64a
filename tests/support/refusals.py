"""Check that a call fails with the right error and words, and that no array changes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from secateur.reference.order import INFINITIES

# The dtypes that messages list. The package and the reference have separate lists.
FLOAT_NAMES = " or ".join(INFINITIES)


def assert_refuses(
    error: type[Exception],
    words: Sequence[object],
    call: Callable[..., Any],
    *given: Any,
    **how: Any,
) -> None:
    """Check the type of the error, the words of its message, and that no array changes."""
    arrays = [value for value in (*given, *how.values()) if isinstance(value, np.ndarray)]
    before = [array.tobytes() for array in arrays]
    with pytest.raises(error) as refused:
        call(*given, **how)
    for word in words:
        assert str(word) in str(refused.value)
    assert [array.tobytes() for array in arrays] == before
