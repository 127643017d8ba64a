"""The demonstration: prune and quantize every weight of a model, and report what it costs.

For each weight matrix the format with the most fractional bits that saturates nothing is chosen,
the matrix is pruned and quantized in one call, and the integers are compared with the original
weights and with those of `secateur.reference`. This needs the extra ``secateur[cli]``.
"""

from __future__ import annotations

import json
import math
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
from secateur.bench import Contest, Entrant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    Float32s = NDArray[np.float32]

# What is stored under each of safetensors' names; bfloat16 is the upper half of a float32.
STORED = {"F32": "<f4", "F64": "<f8", "F16": "<f2", "BF16": "<u2"}
CHUNK = 1 << 20  # elements that are widened to float64 at a time


# --- the tensors ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Tensor:
    """A tensor that is loaded when its turn comes."""

    name: str
    dtype: str  # as safetensors names it
    shape: tuple[int, ...]
    load: Callable[[], Float32s]

    @property
    def size(self) -> int:
        return math.prod(self.shape)


def read_safetensors(path: Path) -> list[Tensor]:
    """The tensors of a file, in its order; their data stays on disk.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is truncated, or not a safetensors file.
    """
    with path.open("rb") as file:
        try:
            with safe_open(path, framework="numpy"):  # checks the header and the file's length
                pass
        except SafetensorError as error:
            msg = f"{path} is truncated or not a safetensors file: {error}"
            raise ValueError(msg) from None
        # Safetensors' own reader lacks bfloat16 for NumPy, so the data is read by its offsets.
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    tensors = []
    for name, entry in header.items():
        dtype, shape = entry["dtype"], tuple(entry["shape"])
        offset = 8 + length + entry["data_offsets"][0]
        tensors.append(Tensor(name, dtype, shape, partial(_load, path, dtype, shape, offset)))
    return tensors


def _load(path: Path, dtype: str, shape: tuple[int, ...], offset: int) -> Float32s:
    stored = np.fromfile(path, STORED[dtype], math.prod(shape), offset=offset).reshape(shape)
    if dtype == "BF16":
        return (stored.astype(np.uint32) << 16).view(np.float32)
    with np.errstate(over="ignore"):  # a float64 beyond float32's range becomes infinite
        return stored.astype(np.float32, copy=False)


def builtin_model(layers: int = 6, width: int = 512, vocabulary: int = 16384) -> list[Tensor]:
    """A seeded set of tensors with the shapes and scales of a small transformer, 27 M elements."""
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
    """Normal weights of the usual scale; a few columns and a few single elements stand out."""
    rng = np.random.default_rng(seed)
    w = rng.standard_normal(shape, dtype=np.float32)
    w *= np.float32(shape[-1] ** -0.5)
    columns = rng.choice(shape[-1], 4, replace=False)
    w[..., columns] *= np.float32(4)
    single = rng.integers(0, w.size, w.size // 50_000 + 1)
    w.reshape(-1)[single] *= np.float32(10)
    return w


# --- one tensor -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """What became of one tensor; if there is a reason why nothing did, only that."""

    tensor: Tensor
    note: str = ""
    refused: bool = False
    k: int = 0
    threshold: float | None = None
    frac_bits: int | None = None
    signal: float = 0.0  # sum of squares of the weights
    noise: float = 0.0  # and of the error
    seconds: float = 0.0
    numpy_seconds: float = 0.0


def choose_frac_bits(largest: float, bits: int) -> int:
    """The most fractional bits with which no magnitude up to `largest` saturates.

    Examples
    --------
    >>> from secateur.demo import choose_frac_bits
    >>> choose_frac_bits(0.9, bits=8), choose_frac_bits(0.999, bits=8)
    (7, 6)
    """
    if largest == 0:
        return bits - 1
    exponent = math.frexp(largest)[1]  # largest is in [2**(exponent - 1), 2**exponent)
    frac_bits = bits - 1 - exponent
    rounds_up = round(math.ldexp(largest, frac_bits)) == 1 << (bits - 1)
    return frac_bits - rounds_up


def process(tensor: Tensor, sparsity: float, bits: int) -> Report:
    """Prune and quantize one tensor, and time it against NumPy."""
    if tensor.dtype not in STORED:
        return Report(tensor, f"skipped: {tensor.dtype} is not taken")
    if tensor.size == 0:
        return Report(tensor, "skipped: empty")
    w = tensor.load()
    try:
        largest = float(sc.kth_magnitude(w, 1))
    except ValueError as error:  # NaN
        return Report(tensor, f"refused: {error}", refused=True)
    if math.isinf(largest):
        return Report(tensor, "refused: it holds an infinity in float32", refused=True)
    return _processed(tensor, w, sparsity, sc.FixedPoint(bits, choose_frac_bits(largest, bits)))


def _processed(tensor: Tensor, w: Float32s, sparsity: float, fmt: sc.FixedPoint) -> Report:
    k = w.size - round(sparsity * w.size)
    q = np.empty(w.shape, fmt.dtype)
    ours = partial(sc.prune_quantize, w, fmt, k=k, out=q)
    numpy = partial(reference.prune_quantize, w, fmt, k=k, out=np.empty_like(q))
    contest = Contest(Entrant(ours), Entrant(numpy, every=3))
    if not contest.identical():
        return Report(tensor, "refused: the result differs from NumPy's", refused=True)
    seconds = contest.medians(rounds=7)
    signal, noise = _energies(w, sc.dequantize(q, fmt))
    return Report(
        tensor,
        note="" if tensor.dtype == "F32" else f"converted from {tensor.dtype}",
        k=k,
        threshold=float(sc.kth_magnitude(w, k)) if k else None,
        frac_bits=int(fmt.frac_bits),
        signal=signal,
        noise=noise,
        seconds=seconds["ours"],
        numpy_seconds=seconds["numpy"],
    )


def _energies(w: Float32s, values: Float32s) -> tuple[float, float]:
    """Sums of squares, in float64, of the weights and of what the values miss of them."""
    signal = noise = 0.0
    for start in range(0, w.size, CHUNK):
        exact = w.reshape(-1)[start : start + CHUNK].astype(np.float64)
        error = exact - values.reshape(-1)[start : start + CHUNK]
        signal += float(exact @ exact)
        noise += float(error @ error)
    return signal, noise


# --- the table ------------------------------------------------------------------------------


def table(reports: list[Report], title: str) -> Table:
    """All reports and their totals."""
    result = Table(
        title=Text(title),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 0, 0, 1),
        show_footer=True,
    )
    done = [report for report in reports if report.frac_bits is not None]
    size = sum(report.tensor.size for report in done)
    signal, noise = sum(r.signal for r in done), sum(r.noise for r in done)
    seconds, numpy = sum(r.seconds for r in done), sum(r.numpy_seconds for r in done)

    def number(header: str, total: str = "") -> None:
        result.add_column(header, total, justify="right", no_wrap=True)

    result.add_column("tensor", f"total of {len(done)}", overflow="fold", min_width=12)
    number("shape", f"{size:,}")
    number("k kept", f"{sum(report.k for report in done):,}")
    number("threshold")
    number("frac\nbits")
    number("SQNR\ndB", _decibels(signal, noise))
    number("ns per\nelement", _ratio(seconds * 1e9, size, "{:.3f}"))
    number("times\nNumPy", _ratio(numpy, seconds, "{:.1f}"))
    if any(report.note for report in reports):
        result.add_column("note", overflow="fold", min_width=24)
    for report in reports:
        result.add_row(*_cells(report))
    return result


def _cells(report: Report) -> Iterable[Any]:
    tensor = report.tensor
    name = Text(tensor.name)  # which unlike a str is not taken for markup
    shape = "x".join(map(str, tensor.shape)) or "scalar"
    if report.frac_bits is None:
        return [name, shape, *["-"] * 6, Text(report.note)]
    return [
        name,
        shape,
        f"{report.k:,}",
        "-" if report.threshold is None else f"{report.threshold:.4g}",
        str(report.frac_bits),
        _decibels(report.signal, report.noise),
        _ratio(report.seconds * 1e9, tensor.size, "{:.3f}"),
        _ratio(report.numpy_seconds, report.seconds, "{:.1f}"),
        *([Text(report.note)] if report.note else []),
    ]


def _decibels(signal: float, noise: float) -> str:
    """The ratio of signal to noise; infinite without noise, undefined without either."""
    if noise:
        return f"{10 * math.log10(signal / noise):.2f}"
    return "inf" if signal else "-"


def _ratio(a: float, b: float, form: str) -> str:
    return form.format(a / b) if b else "-"
