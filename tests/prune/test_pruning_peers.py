"""Compare with other packages that are installed. Results agree on data without ties."""

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.arrays import normal
from support.oracles import assert_same_bits

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of the other packages


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.fixture
def keras(monkeypatch: pytest.MonkeyPatch) -> Any:
    pytest.importorskip("torch")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras")


def weights(*shape: int) -> np.ndarray:
    """Return elements of distinct magnitudes."""
    w = normal(*shape)
    assert len(np.unique(np.abs(w))) == w.size
    return w


def linear(torch: Any, w: np.ndarray) -> Any:
    layer = torch.nn.Linear(w.shape[1], w.shape[0], bias=False)
    layer.weight.data = torch.from_numpy(w.copy())
    return layer


def pruned(layer: Any) -> np.ndarray:
    return layer.weight.detach().numpy()


@pytest.mark.parametrize("n", [1, 2, 5, 10, 11, 99, 250])
def test_torch_counts_alike(lib: Any, torch: Any, n: int) -> None:
    """Both round the number of removed elements half to even."""
    from torch.nn.utils import prune  # noqa: PLC0415

    w = weights(n, 1)
    for amount in {*np.linspace(0, 1, 11).tolist(), 0.5 / n, 1.5 / n, 0.25, 0.75} - {0.0}:
        layer = linear(torch, w)
        prune.l1_unstructured(layer, "weight", amount=min(amount, 1.0))
        ours = lib.prune(w, sparsity=min(amount, 1.0))
        assert np.count_nonzero(pruned(layer)) == np.count_nonzero(ours)


@pytest.mark.parametrize("amount", [0.1, 0.5, 0.9, 7])
def test_torch_l1_unstructured(lib: Any, torch: Any, amount: float) -> None:
    from torch.nn.utils import prune  # noqa: PLC0415

    w = weights(40, 30)
    layer = linear(torch, w)
    prune.l1_unstructured(layer, "weight", amount=amount)
    how = {"k": w.size - amount} if isinstance(amount, int) else {"sparsity": amount}
    assert np.array_equal(layer.weight_mask.numpy(), lib.prune_mask(w, **how))
    assert np.array_equal(pruned(layer), lib.prune(w, **how))


@pytest.mark.parametrize("amount", [0.1, 0.5, 0.9])
def test_torch_global_unstructured(lib: Any, torch: Any, amount: float) -> None:
    from torch.nn.utils import prune  # noqa: PLC0415

    both = weights(90, 20)
    ws = {"first": both[:30], "second": both[30:] * np.float32(0.5)}
    layers = {name: linear(torch, w) for name, w in ws.items()}
    prune.global_unstructured(
        [(layer, "weight") for layer in layers.values()],
        pruning_method=prune.L1Unstructured,
        amount=amount,
    )
    ours = lib.prune_global(ws, sparsity=amount)
    for name, layer in layers.items():
        assert np.array_equal(pruned(layer), ours[name])


@pytest.mark.parametrize("amount", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(("n", "norm"), [(1, "l1"), (2, "l2"), (float("inf"), "max")])
def test_torch_ln_structured(lib: Any, torch: Any, n: float, norm: str, amount: float) -> None:
    """Prune whole rows, and whole columns."""
    from torch.nn.utils import prune  # noqa: PLC0415

    w = weights(40, 30)
    for dim, block in ((0, (1, 30)), (1, (40, 1))):
        layer = linear(torch, w)
        prune.ln_structured(layer, "weight", amount=amount, n=n, dim=dim)
        ours = lib.prune(w, sparsity=amount, block=block, norm=norm)
        assert np.array_equal(pruned(layer), ours)


@pytest.mark.parametrize("threshold", [0.0, 0.3, 1.0, 9.0])
def test_torch_shrinks(lib: Any, torch: Any, threshold: float) -> None:
    w = np.concatenate([weights(1000), np.float32([0, -0.0, 1, -1, np.inf, -np.inf])])
    tensor = torch.from_numpy(w)
    hard = torch.nn.functional.hardshrink(tensor, threshold).numpy()
    assert np.array_equal(lib.prune(w, threshold=threshold), hard)
    soft = torch.nn.functional.softshrink(tensor, threshold).numpy()
    assert np.array_equal(lib.soft_threshold(w, threshold), soft)


def test_torch_topk(lib: Any, torch: Any) -> None:
    w = weights(20, 50)
    for axis in (0, 1):
        indices = torch.from_numpy(np.abs(w)).topk(7, dim=axis).indices.numpy()
        assert np.array_equal(lib.topk(w, 7, axis=axis, sorted=True).indices, indices)


# The models below are pruned by the code of the user guide.
PAGE = Path(__file__).parents[2] / "docs" / "guide.md"


def block_of_guide(first_line: str) -> str:
    """Return the block of Python of the user guide that begins with this line."""
    (code,) = re.findall(
        rf"^```python\n({first_line}\n.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return str(code)


def run_after_model(code: str, lib: Any, model: Any) -> None:
    """Run a block with another model than the one that it creates, and with `lib`."""
    tree = ast.parse(code)
    tree.body = [
        statement
        for statement in tree.body
        if not (isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "model")
    ]
    exec(compile(tree, str(PAGE), "exec"), {"np": np, "sc": lib, "model": model})  # noqa: S102


def assert_half_is_pruned(before: list[np.ndarray], after: list[np.ndarray]) -> None:
    kept = np.concatenate([w.ravel() for w in after]) != 0
    sizes = np.abs(np.concatenate([w.ravel() for w in before]).astype(np.float64))
    assert np.count_nonzero(kept) == sizes.size - round(0.5 * sizes.size)
    assert sizes[kept].min() >= sizes[~kept].max()
    for old, new in zip(before, after, strict=True):
        assert_same_bits(new[new != 0], old[new != 0])


def test_a_keras_model(lib: Any, keras: Any) -> None:
    """The guide prunes kernels and embeddings, and no bias, statistic or scale."""
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            keras.layers.Conv2D(8, 3),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(4),
        ]
    )
    before = model.get_weights()
    run_after_model(block_of_guide("import keras"), lib, model)
    after = model.get_weights()
    kernels = [i for i, w in enumerate(before) if w.ndim > 1]
    assert len(kernels) == 3
    assert_half_is_pruned([before[i] for i in kernels], [after[i] for i in kernels])
    for i in set(range(len(before))) - set(kernels):
        assert_same_bits(after[i], before[i])
    assert np.isfinite(np.asarray(model.predict(normal(2, 6, 6, 3), verbose=0))).all()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_torch_model(lib: Any, torch: Any, dtype: str) -> None:
    """The guide prunes tied weights once, and no bias, norm or buffer of integers."""

    class Model(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = torch.nn.Embedding(50, 16)
            self.norm = torch.nn.BatchNorm1d(16)
            self.inner = torch.nn.Linear(16, 16)
            self.head = torch.nn.Linear(16, 50, bias=False)
            self.head.weight = self.embedding.weight
            self.register_buffer("positions", torch.arange(32).reshape(2, 16))

    def arrays(tensors: Any) -> list[np.ndarray]:
        return [tensor.detach().float().numpy().copy() for tensor in tensors]

    model = Model().to(getattr(torch, dtype))
    matrices = [model.embedding.weight, model.inner.weight]
    others = [model.inner.bias, *model.norm.parameters(), *model.buffers()]
    before, others_before = arrays(matrices), arrays(others)
    run_after_model(block_of_guide("import ml_dtypes"), lib, model)
    assert_half_is_pruned(before, arrays(matrices))
    for old, new in zip(others_before, arrays(others), strict=True):
        assert_same_bits(new, old)
    assert model.head.weight is model.embedding.weight
