"""The demonstration: prune and quantize the weight matrices of a model.

It reports the errors and the times. For each matrix, `choose_format` chooses the most fraction bits
with which no element saturates, and one call prunes and quantizes the matrix. The integers must
equal those of `secateur.reference`, and `compare` measures their error. This needs the extra
``secateur[cli]``.
"""

from __future__ import annotations

import json
import math
import stat
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from rich import box
from rich.table import Table
from rich.text import Text
from safetensors import SafetensorError, safe_open

import secateur as sc
from secateur import reference
from secateur.bench import Comparison, Contender
from secateur.terminal import escaped, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    Float32s = NDArray[np.float32]

# The NumPy dtype of each supported safetensors dtype. A bfloat16 is the upper half of a float32.
STORED = {"F32": "<f4", "F64": "<f8", "F16": "<f2", "BF16": "<u2"}
MAX_AXES = 8  # shapes of more axes are not shown in full


# --- the tensors ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Tensor:
    """A tensor whose data are loaded on demand."""

    name: str
    dtype: str  # the name that safetensors uses
    shape: tuple[int, ...]
    load: Callable[[], Float32s]  # returns the elements in C order, in any shape

    @property
    def size(self) -> int:
        return math.prod(self.shape)


def read_safetensors(path: Path) -> list[Tensor]:
    """Return the tensors of a file, in its order, without loading their data.

    Raises
    ------
    OSError
        If the file cannot be read, or is not a regular file.
    ValueError
        If the file is truncated or not a safetensors file.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # opening a FIFO would wait for its writer
        msg = "it is not a regular file"
        raise OSError(msg)
    with path.open("rb") as file:
        try:
            with safe_open(path, framework="numpy"):  # checks the header and the file's length
                pass
            # The NumPy reader of safetensors lacks bfloat16, so the data are read by their offsets.
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
            header.pop("__metadata__", None)
            entries = {name: _entry(entry) for name, entry in header.items()}
        except (SafetensorError, ValueError) as error:
            msg = f"{path} is truncated or not a safetensors file: {printable(str(error))}"
            raise ValueError(msg) from None
    tensors = []
    for name, (dtype, shape, begin) in entries.items():
        load = partial(_load, path, dtype, math.prod(shape), 8 + length + begin)
        tensors.append(Tensor(name, dtype, shape, load))
    return tensors


def _entry(entry: Any) -> tuple[str, tuple[int, ...], int]:
    """Dtype, shape and first byte of a tensor; the safetensors library also accepts other forms."""
    match entry:
        case {"dtype": str(dtype), "shape": [*shape], "data_offsets": [int(begin), int(_)]}:
            if all(type(length) is int for length in shape):
                return dtype, tuple(shape), begin
    msg = f"its header describes a tensor as {json.dumps(entry)}"
    raise ValueError(msg)


def _load(path: Path, dtype: str, size: int, offset: int) -> Float32s:
    stored = np.fromfile(path, STORED[dtype], size, offset=offset)
    if stored.size < size:
        msg = "the file has become shorter since its header was read"
        raise OSError(msg)
    if dtype == "BF16":
        return (stored.astype(np.uint32) << 16).view(np.float32)
    try:
        with np.errstate(all="ignore", over="raise"):
            return stored.astype(np.float32, copy=False)
    except FloatingPointError:
        msg = "it holds values beyond float32's range"
        raise ValueError(msg) from None


def builtin_model(layers: int = 6, width: int = 512, vocabulary: int = 16384) -> list[Tensor]:
    """Return seeded tensors with the shapes and scales of a small transformer, 27 M elements."""
    shapes: dict[str, tuple[int, ...]] = {"embedding.weight": (vocabulary, width)}
    for layer in range(layers):
        block = f"layers.{layer}"
        shapes[f"{block}.attention.qkv.weight"] = (3 * width, width)
        shapes[f"{block}.attention.out.weight"] = (width, width)
        shapes[f"{block}.mlp.up.weight"] = (4 * width, width)
        shapes[f"{block}.mlp.down.weight"] = (width, 4 * width)
        shapes[f"{block}.norm.weight"] = (width,)
    return [
        Tensor(name, "F32", shape, partial(_seeded, seed, shape))
        for seed, (name, shape) in enumerate(shapes.items())
    ]


def _seeded(seed: int, shape: tuple[int, ...]) -> Float32s:
    """Return normal weights of the usual scale, with a few larger columns and larger elements."""
    rng = np.random.default_rng(seed)
    w = rng.standard_normal(shape, dtype=np.float32)
    w *= np.float32(shape[-1] ** -0.5)
    columns = rng.choice(shape[-1], 4, replace=False)
    w[..., columns] *= np.float32(4)
    outliers = rng.integers(0, w.size, w.size // 50_000 + 1)
    w = w.reshape(-1)
    w[outliers] *= np.float32(10)
    return w


# --- one tensor -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """The results for one tensor; if it was skipped or refused, only a note with the reason."""

    tensor: Tensor
    note: str = ""
    refused: bool = False
    k: int = 0
    threshold: float | None = None
    frac_bits: int | None = None
    signal: float = 0.0  # sum of squares of the weights
    noise: float = 0.0  # sum of squares of the errors
    seconds: float = 0.0
    numpy_seconds: float = 0.0


def process(tensor: Tensor, sparsity: float, bits: int) -> Report:
    """Prune and quantize one tensor and compare the time with NumPy, or report why not."""
    if tensor.dtype not in STORED:
        return Report(tensor, f"skipped: {tensor.dtype} is not supported")
    if tensor.size == 0:
        return Report(tensor, "skipped: empty")
    try:
        w = tensor.load()
        return _processed(tensor, w, sparsity, sc.choose_format(w, bits))
    except (MemoryError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Report(tensor, f"refused: {reason}", refused=True)


def _processed(tensor: Tensor, w: Float32s, sparsity: float, fmt: sc.FixedPoint) -> Report:
    k = w.size - round(sparsity * w.size)
    q = np.empty(w.shape, fmt.dtype)
    ours = partial(sc.prune_quantize, w, fmt, k=k, out=q)
    numpy = partial(reference.prune_quantize, w, fmt, k=k, out=np.empty_like(q))
    comparison = Comparison(Contender(ours), Contender(numpy, every=3))
    if not comparison.identical():
        return Report(tensor, "refused: the result differs from NumPy's", refused=True)
    seconds = comparison.medians(rounds=7)
    # float64, because the largest float32 may round up to a power of two beyond float32's range.
    values = sc.dequantize(q, fmt, dtype=np.float64)
    return Report(
        tensor,
        note="" if tensor.dtype == "F32" else f"converted from {tensor.dtype}",
        k=k,
        threshold=float(sc.kth_magnitude(w, k)) if k else None,
        frac_bits=int(fmt.frac_bits),
        signal=sc.compare(w, np.zeros_like(w)).mse * w.size,
        noise=sc.compare(w, values).mse * w.size,
        seconds=seconds["ours"],
        numpy_seconds=seconds["numpy"],
    )


# --- the table ------------------------------------------------------------------------------


def table(reports: list[Report], title: str) -> Table:
    """Return the table of all reports and their totals."""
    result = Table(
        title=Text(escaped(title)),  # Rich parses a str as markup, but not a Text
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 0, 0, 1),
        show_footer=True,
    )
    processed = [report for report in reports if report.frac_bits is not None]
    size = sum(report.tensor.size for report in processed)
    signal, noise = sum(r.signal for r in processed), sum(r.noise for r in processed)
    seconds = sum(r.seconds for r in processed)
    numpy_seconds = sum(r.numpy_seconds for r in processed)

    def number(header: str, total: str = "") -> None:
        result.add_column(header, total, justify="right", no_wrap=True)

    result.add_column("tensor", f"total of {len(processed)}", overflow="fold", min_width=12)
    number("shape", f"{size:,}")
    number("k kept", f"{sum(report.k for report in processed):,}")
    number("threshold")
    number("frac\nbits")
    number("SQNR\ndB", _decibels(signal, noise))
    number("ns per\nelement", _ratio(seconds * 1e9, size, "{:.3f}"))
    number("speedup\nover\nNumPy", _ratio(numpy_seconds, seconds, "{:.1f}"))
    if any(report.note for report in reports):
        result.add_column("note", overflow="fold", min_width=28)
    for report in reports:
        result.add_row(*_cells(report))
    return result


def _cells(report: Report) -> Iterable[Any]:
    tensor = report.tensor
    name, note = Text(printable(tensor.name)), Text(printable(report.note))
    shape = _shape(tensor.shape)
    if report.frac_bits is None:
        return [name, shape, *["-"] * 6, note]
    return [
        name,
        shape,
        f"{report.k:,}",
        "-" if report.threshold is None else f"{report.threshold:.4g}",
        str(report.frac_bits),
        _decibels(report.signal, report.noise),
        _ratio(report.seconds * 1e9, tensor.size, "{:.3f}"),
        _ratio(report.numpy_seconds, report.seconds, "{:.1f}"),
        *([note] if report.note else []),
    ]


def _shape(shape: tuple[int, ...]) -> str:
    if len(shape) > MAX_AXES:
        return f"{len(shape)} axes"
    return "x".join(map(str, shape)) or "scalar"


def _decibels(signal: float, noise: float) -> str:
    """Format the ratio of signal to noise; "inf" without noise, and "-" if both are 0."""
    if noise:
        return f"{10 * math.log10(signal / noise):.2f}"
    return "inf" if signal else "-"


def _ratio(a: float, b: float, form: str) -> str:
    return form.format(a / b) if b else "-"
