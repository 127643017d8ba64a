"""What an error must be: of its type, with what it names in its message, and nothing written."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from secateur.reference.order import INFINITIES

# The dtypes that messages list: the reference has a list of its own.
FLOAT_NAMES = " or ".join(INFINITIES)


def assert_refuses(
    error: type[Exception],
    words: Sequence[object],
    call: Callable[..., Any],
    *given: Any,
    **how: Any,
) -> None:
    """The words are all in the message, and the arrays that were given are left as they were."""
    arrays = [value for value in (*given, *how.values()) if isinstance(value, np.ndarray)]
    before = [array.tobytes() for array in arrays]
    with pytest.raises(error) as refused:
        call(*given, **how)
    for word in words:
        assert str(word) in str(refused.value)
    assert [array.tobytes() for array in arrays] == before
