"""Situations from public reports about other libraries, with right values that are plain numbers.

README.md in this folder lists the reports.
"""

import math
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from secateur import Affine, FixedPoint
from support.refusals import assert_refuses

INF, NAN = np.inf, np.nan


def quotient(w: float, scale: float) -> float:
    """Return the exact quotient, rounded once to float32. It must be a normal float32."""
    exact = Fraction(w) / Fraction(scale)
    step = Fraction(2) ** (math.frexp(float(exact))[1] - 24)
    return float(round(exact / step) * step)


# --- selection -------------------------------------------------------------------------------


def test_a_tie_at_the_border_takes_the_lower_index(lib: Any) -> None:
    """onnx/onnx#3501: of two equal largest elements, the one with the lower index is found."""
    found = lib.topk(np.float32([0, 1, 2, 2]), 1)
    assert (found.values.tolist(), found.indices.tolist()) == ([2], [2])


def test_a_tie_below_the_largest_takes_the_lower_index(lib: Any) -> None:
    """NervanaSystems/ngraph#2710: the second of the two largest is the first of its equals."""
    w = np.float32([[0.1, 0.3, 0.3, 0.4], [0.2, 0.2, 0.2, 0.2]])
    assert lib.topk(w, 2, axis=1, sorted=True).indices.tolist() == [[3, 1], [0, 1]]


def test_equal_keys_are_always_the_same_choice(lib: Any) -> None:
    """NVIDIA/cccl#9354: which of several equal elements are kept, and their order, is defined."""
    found = lib.topk(np.float32([10, 8, 8, 8]), 3, sorted=True)
    assert (found.values.tolist(), found.indices.tolist()) == ([10, 8, 8], [0, 1, 2])


def test_sorting_is_asked_for(lib: Any) -> None:
    """recommenders-team/recommenders#275: with sorted=True, a larger element comes first."""
    w = np.float32([4.979, 1, 4.981, 4.98, 0, 3])
    assert lib.topk(w, 3, sorted=True).indices.tolist() == [2, 3, 0]


def test_infinity_is_the_largest_magnitude(lib: Any) -> None:
    """numpy/numpy#16006: an infinity ranks above all numbers."""
    found = lib.topk(np.float32([INF, 0, 2]), 2, sorted=True)
    assert (found.values.tolist(), found.indices.tolist()) == ([INF, 2], [0, 2])


def test_where_nan_ranks_is_an_argument(lib: Any) -> None:
    """pytorch/pytorch#16762: NaN among infinities is refused, or ranks first or last as asked."""
    w = np.float32([NAN, INF, INF, 3])
    assert_refuses(ValueError, ["NaN", "nan="], lib.topk, w, 1)
    assert lib.topk(w, 1, nan="keep").indices.tolist() == [0]
    assert lib.topk(w, 1, nan="prune").indices.tolist() == [1]
    assert lib.topk(w, 4, nan="prune", sorted=True).indices.tolist() == [1, 2, 3, 0]


def test_the_sign_of_nan_does_not_matter(lib: Any) -> None:
    """pytorch/pytorch#117617: NaN of both signs rank the same."""
    w = np.float32([NAN, 0.5, NAN, 0.25])
    w[2] = np.copysign(w[2], np.float32(-1))
    assert lib.topk(w, 4, nan="keep", sorted=True).indices.tolist() == [0, 2, 1, 3]
    assert lib.topk(w, 4, nan="prune", sorted=True).indices.tolist() == [1, 3, 0, 2]


def test_slices_of_equal_elements(lib: Any) -> None:
    """torch/cutorch#350: slices along an outer axis that are all zeros have defined indices."""
    found = lib.topk(np.zeros((20, 6, 5), np.float32), 3, axis=1, sorted=True)
    assert found.indices.shape == (20, 3, 5)
    assert (found.indices == np.arange(3).reshape(1, 3, 1)).all()


def test_the_largest_values_instead_of_magnitudes(lib: Any) -> None:
    """numpy/numpy#15128: with scores=w the largest values are found, with -w the smallest."""
    w = np.float32([-5, 1, -3, 2])
    assert lib.topk(w, 2, scores=w, sorted=True).indices.tolist() == [3, 1]
    assert lib.topk(w, 2, scores=-w, sorted=True).indices.tolist() == [0, 2]


def test_none_of_none(lib: Any) -> None:
    """pytorch/pytorch#91878: the 0 largest of an empty array are empty arrays."""
    for w in (np.float32([]), np.float32([1, 2])):
        found = lib.topk(w, 0)
        assert (found.values.shape, found.indices.shape) == ((0,), (0,))
        assert (found.values.dtype, found.indices.dtype) == (np.float32, np.int64)


def test_more_than_there_are(lib: Any) -> None:
    """pytorch/pytorch#130135: k above the length is refused with the range of k."""
    assert_refuses(ValueError, ["k", "from 0 to 0", "got 1"], lib.topk, np.float32([]), 1)
    found = lib.topk(np.zeros((1, 0), np.float32), 1, axis=0)
    assert (found.values.shape, found.indices.shape) == ((1, 0), (1, 0))


def test_the_kth_magnitude_beside_nan(lib: Any) -> None:
    """flagos-ai/FlagGems#4383: NaN do not change which of the numbers is the k-th."""
    w = np.float64([NAN, 3, NAN, -1, 2])
    assert [float(lib.kth_magnitude(w, k, nan="prune")) for k in (1, 2, 3)] == [3, 2, 1]
    assert [float(lib.kth_magnitude(w, k, nan="keep")) for k in (3, 4, 5)] == [3, 2, 1]


def test_the_kth_is_that_of_the_sorted_ones(lib: Any) -> None:
    """pytorch/pytorch#17824: the k-th magnitude and the sorted elements rank NaN alike."""
    w = np.float32([0.75, NAN, -0.25, 1])
    assert lib.topk(w, 4, nan="keep", sorted=True).indices.tolist() == [1, 3, 0, 2]
    assert np.isnan(lib.kth_magnitude(w, 1, nan="keep"))
    assert [float(lib.kth_magnitude(w, k, nan="keep")) for k in (2, 3, 4)] == [1, 0.75, 0.25]


# --- pruning ---------------------------------------------------------------------------------


def test_equal_weights_do_not_change_the_sparsity(lib: Any) -> None:
    """neuralmagic/sparseml#678: exactly the asked number is pruned where magnitudes are equal."""
    w = np.float32([1, -1, 1, 2, -1, 1, 1, 1])
    assert lib.prune_mask(w, sparsity=0.5).tolist() == [True] * 4 + [False] * 4


def test_the_same_sparsity_twice_changes_nothing(lib: Any) -> None:
    """neuralmagic/sparseml#589: all functions round the number of pruned elements in one way."""
    w = np.float32([4, 3, 2, 1, 5, 6, 7])
    # 3.5 of the 7 elements are rounded to 4, and 2.52 to 3.
    for sparsity, right in ((0.5, [0, 0, 0, 0, 5, 6, 7]), (0.36, [4, 0, 0, 0, 5, 6, 7])):
        once = lib.prune(w, sparsity=sparsity)
        assert once.tolist() == right
        assert lib.prune(once, sparsity=sparsity).tolist() == right


def test_a_sparsity_near_one(lib: Any) -> None:
    """tensorflow/model-optimization#215: a sparsity of 0.99 prunes round(0.99 n) elements."""
    assert np.flatnonzero(lib.prune(np.float32(range(1, 41)), sparsity=0.99)).tolist() == []
    assert np.flatnonzero(lib.prune(np.float32(range(1, 201)), sparsity=0.99)).tolist() == [
        198,
        199,
    ]


def test_a_small_sparsity_is_not_raised(lib: Any) -> None:
    """paiml/aprender#2113: sparsity 0.25 prunes a quarter, and two amounts at once are refused."""
    w = np.float32(range(1, 65))
    assert np.flatnonzero(lib.prune(w, sparsity=0.25)).tolist() == list(range(16, 64))
    assert_refuses(ValueError, ["exactly one of"], lib.prune, w, sparsity=0.25, k=32)


def test_magnitudes_have_no_sign(lib: Any) -> None:
    """intel/neural-compressor#592: large negative weights are kept."""
    assert lib.prune(np.float32([-9, 1, 2, -8]), k=2).tolist() == [-9, 0, 0, -8]


def test_signs_do_not_cancel_in_the_norm_of_a_block(lib: Any) -> None:
    """VainF/Torch-Pruning#10: a block of large weights of both signs has a large L1 norm."""
    w = np.float32([[5, -5], [1, 1]])
    assert lib.prune(w, k=1, block=(1, 2), norm="l1").tolist() == [[5, -5], [0, 0]]


def test_a_kept_zero_is_in_the_mask(lib: Any) -> None:
    """neuralmagic/sparseml#751: the mask has the asked sparsity where kept weights are 0."""
    w = np.float32([0, 3, 0, 0])
    assert lib.prune_mask(w, k=2).tolist() == [True, True, False, False]
    assert np.count_nonzero(lib.prune(w, k=2)) == 1


def test_the_mask_removes_what_training_has_moved(lib: Any) -> None:
    """tensorflow/model-optimization#684: applying the mask again leaves no small value behind."""
    mask = lib.prune_mask(np.float32([4, 1, -3, 2]), k=2)
    drifted = np.float32([4, 1e-30, -3, -1e-7])
    assert lib.apply_mask(drifted, mask).tolist() == [4, 0, -3, 0]


def test_two_of_four(lib: Any) -> None:
    """intel/intel-extension-for-transformers#76: each group of four keeps exactly two elements."""
    w = np.float32([1, 2, 3, 4, 0, 0, 0, 9, 5, 5, 5, 5])
    right = [False, False, True, True, True, False, False, True, True, True, False, False]
    assert lib.prune_mask(w, pattern="2:4").tolist() == right


def test_a_pattern_says_how_many_are_kept(lib: Any) -> None:
    """IntelLabs/Model-Compression-Research-Package#11: 1:8 keeps one of each 8, 2:8 two of them."""
    w = np.float32([3, 8, 1, 7, 2, 6, 4, 5])
    assert np.flatnonzero(lib.prune(w, pattern="1:8")).tolist() == [1]
    assert np.flatnonzero(lib.prune(w, pattern="2:8")).tolist() == [1, 3]


def test_a_pattern_along_the_input_channels(lib: Any) -> None:
    """PaddlePaddle/Paddle#36054: with axis=1, each 4 input channels of a kernel keep 2."""
    w = np.arange(1, 17, dtype=np.float32).reshape(1, 4, 2, 2)
    w[0, 0, 0, 0] = 100
    kept = lib.prune_mask(w, pattern="2:4", axis=1)
    assert np.argwhere(~kept[0, :, 0, 0]).ravel().tolist() == [1, 2]
    assert (kept[0, :, 1].sum(axis=0) == 2).all()
    assert kept[0, 2:, 1].all()


def test_blocks_that_do_not_divide_the_matrix(lib: Any) -> None:
    """neuralmagic/sparseml#448: the last block of a row of 6 has two elements, and may be kept."""
    w = np.float32([[1, 1, 1, 1, 5, 5], [2, 2, 2, 2, 1, 1]])
    kept = lib.prune(w, k=2, block=(1, 4), norm="l1")
    assert kept.tolist() == [[0, 0, 0, 0, 5, 5], [2, 2, 2, 2, 0, 0]]


def test_an_axis_that_is_no_multiple_of_the_pattern(lib: Any) -> None:
    """tensorflow/model-optimization#743: such an axis is refused, and padding gives the result."""
    w = np.float32([1, 2, 3, 4, 5, 6])
    assert_refuses(ValueError, ["multiple of", "pad"], lib.prune, w, pattern="2:4")
    padded = lib.prune(np.pad(w, (0, 2)), pattern="2:4")
    assert padded[:6].tolist() == [0, 0, 3, 4, 5, 6]


def test_the_schedule_ends_at_its_last_step(lib: Any) -> None:
    """openvinotoolkit/nncf#549: the final sparsity is reached at the end, not before it."""
    steps = lib.sparsity_schedule([0, 1, 2, 3, 4, 5], begin=0, end=4, final=0.5).tolist()
    # 0.5 - 0.5 * (1 - step / 4) ** 3, in binary fractions
    assert steps == [0, 0.5 - 0.5 * 27 / 64, 0.5 - 0.5 / 8, 0.5 - 0.5 / 64, 0.5, 0.5]


def test_the_schedule_begins_at_the_initial_sparsity(lib: Any) -> None:
    """intel/neural-compressor#89: the first step has the initial sparsity, the last the final."""
    steps = lib.sparsity_schedule([0, 1, 2, 3], begin=0, end=3, initial=0.1, final=0.7, power=1)
    assert (steps[0], steps[3]) == (0.1, 0.7)
    assert steps[1:3].tolist() == pytest.approx([0.3, 0.5], rel=1e-15)


def test_nan_is_not_thresholded(lib: Any) -> None:
    """pytorch/pytorch#138385: NaN stays NaN, and infinities stay infinite."""
    found = lib.soft_threshold(np.float64([NAN, INF, -INF, 2, -0.5]), 1)
    assert np.isnan(found[0])
    assert found[1:].tolist() == [INF, -INF, 1, 0]


def test_nan_in_every_lane(lib: Any) -> None:
    """pytorch/pytorch#81138: all of 17 NaN stay NaN, in full vectors and in the rest."""
    for dtype in (np.float16, np.float32, np.float64):
        assert np.isnan(lib.soft_threshold(np.full(17, NAN, dtype), 0.5)).all()


def test_a_negative_threshold(lib: Any) -> None:
    """tenstorrent/tt-metal#54896: a negative threshold is refused."""
    assert_refuses(ValueError, ["threshold", "-0.5"], lib.soft_threshold, np.float32([1]), -0.5)


def test_a_layer_may_lose_all_its_weights(lib: Any) -> None:
    """GATECH-EIC/Early-Bird-Tickets#1: a layer without survivors does not stop the next ones."""
    layers = [np.float32([5, 6]), np.float32([0.25, 0.5]), np.float32([7, 0.75])]
    pruned = lib.prune_global(layers, k=3)
    assert [w.tolist() for w in pruned] == [[5, 6], [0, 0], [7, 0]]
    pruned = lib.prune_global(layers, k=3, max_sparsity=0.5)
    assert [w.tolist() for w in pruned] == [[0, 6], [0, 0.5], [7, 0]]


def test_pruned_elements_become_the_zero_point(lib: Any) -> None:
    """neuralmagic/sparseml#408: zeros become the zero point, and are zeros again afterwards."""
    fmt = Affine(0.5, 127, signed=False)
    q = lib.prune_quantize(np.float32([-4, 0.5, 6, -0.5]), fmt, k=2)
    assert q.tolist() == [119, 127, 139, 127]
    assert lib.dequantize(q, fmt).tolist() == [-4, 0, 6, 0]


# --- rounding --------------------------------------------------------------------------------


def test_quantize_linear_rounds_half_to_even(lib: Any) -> None:
    """microsoft/onnxruntime#18576: float16 halves go to the even integer."""
    w = np.float16([2.11, 2.5, 2.6, 5.3, 5.5, 5.9, 61.3, 62.5, 80.9])
    assert lib.quantize(w, Affine(1.0)).tolist() == [2, 2, 3, 5, 6, 6, 61, 62, 81]


def test_float16_is_not_truncated(lib: Any) -> None:
    """microsoft/onnxruntime#32452: float16 quotients a little above a half become 1 and -1."""
    x, scale = 0.050018310546875, 0.0999755859375
    assert Fraction(1, 2) < Fraction(x) / Fraction(scale) < 1
    assert lib.quantize(np.float16([x, -x]), Affine(scale)).tolist() == [1, -1]


def test_the_zero_point_comes_after_rounding(lib: Any) -> None:
    """microsoft/onnxruntime#25045: 76.5 becomes 76, and 99 with the zero point 23."""
    fmt = Affine(2.0, 23)
    w = np.float32([153, -153])
    assert lib.quantize(w, fmt).tolist() == [99, -53]
    assert lib.quantize(w, fmt, rounding="nearest_away").tolist() == [100, -54]


def test_a_tie_with_an_odd_zero_point(lib: Any) -> None:
    """pytorch/pytorch#37188: quantize and fake_quantize agree where the zero point is odd."""
    w = np.float32([0.5, 1.5, 2.5, -0.5])
    assert lib.quantize(w, Affine(1.0, 1)).tolist() == [1, 3, 3, 1]
    assert lib.fake_quantize(w, Affine(1.0, 1)).tolist() == [0, 2, 2, 0]


def test_bfloat16_ties(lib: Any) -> None:
    """tenstorrent/tt-metal#56525: ties of bfloat16 go to the even integer for every type."""
    w = np.array([0.5, 1.5, -0.5, -1.5, -2.5], ml_dtypes.bfloat16)
    assert lib.quantize(w, Affine(1.0)).tolist() == [0, 2, 0, -2, -2]
    assert lib.quantize(w, Affine(1.0, 3, signed=False)).tolist() == [3, 5, 3, 1, 1]
    assert lib.quantize(w, Affine(1.0, bits=32)).tolist() == [0, 2, 0, -2, -2]


def test_two_rules_for_halves(lib: Any) -> None:
    """pytorch/executorch#8506: the rule for halves is an argument, the same for both signs."""
    w = np.float32([0.5, 2.5, -0.5, -2.5])
    assert lib.quantize(w, Affine(1.0)).tolist() == [0, 2, 0, -2]
    assert lib.quantize(w, Affine(1.0), rounding="nearest_away").tolist() == [1, 3, -1, -3]


def test_half_is_zero_wherever_it_is(lib: Any) -> None:
    """NVIDIA/TensorRT#3009: 0.5 becomes 0 in every lane and at every length."""
    for n in (1, 9, 17, 100):
        assert lib.quantize(np.full(n, 0.5, np.float32), Affine(1.0)).tolist() == [0] * n


def test_a_quotient_next_to_a_half(lib: Any) -> None:
    """tinygrad/tinygrad#9301: a quotient just inside -127.5 becomes -127, not -128."""
    scale = float(np.float32(5) / np.float32(255))
    assert -127.5 < quotient(-2.5, scale) < -127.49
    assert lib.quantize(np.float32([-2.5]), Affine(scale, bits=16)).tolist() == [-127]


def test_a_sum_that_falls_next_to_a_half(lib: Any) -> None:
    """microsoft/onnxruntime#25512: a sum of dequantized integers at -112.500008 becomes -113."""
    a, b, c = 0.02534690499305725, 0.035809919238090515, 0.0365859717130661
    exact = (Fraction(a) * (-114 + 106) + Fraction(b) * (-122 + 120)) / Fraction(c) - 105
    assert -113 < exact < Fraction(-225, 2)
    left = lib.dequantize(np.int8([-114]), Affine(a, -106))
    right = lib.dequantize(np.int8([-122]), Affine(b, -120))
    assert lib.quantize(left + right, Affine(c, -105)).tolist() == [-113]


def test_one_rounding_of_a_product_of_scales(lib: Any) -> None:
    """tensorflow/tensorflow#102943: an accumulator of 585 at 6.5000005 steps becomes 7 steps."""
    scale, out = 0.05296124517917633 * 0.024093778803944588, 0.11484327912330627
    assert Fraction(13, 2) < 585 * Fraction(scale) / Fraction(out) < 7
    acc = lib.dequantize(np.int32([585]), Affine(scale, bits=32), dtype=np.float64)
    assert lib.quantize(acc, Affine(out, -126)).tolist() == [7 - 126]


def test_integers_are_rescaled_with_one_rounding(lib: Any) -> None:
    """tensorflow/tensorflow#103028: nothing is rounded before the integer of the result."""
    scale, out = 0.05296124517917633 * 0.024093778803944588, 0.11484327912330627
    q = lib.requantize(np.int32([585, -585]), Affine(scale, bits=32), Affine(out, -120))
    assert q.tolist() == [7 - 120, -7 - 120]
    halves = np.int64([2**40 + 2**19, 2**40 + 2**19 - 1])
    assert lib.requantize(halves, FixedPoint(64, 40), FixedPoint(32, 20)).tolist() == [2**20] * 2


def test_trunc_and_floor_differ_below_zero(lib: Any) -> None:
    """francof2a/fxpmath#100: trunc goes towards 0 and floor towards minus infinity."""
    w = np.float64([-2046.3867, 2046.3867])
    fmt = FixedPoint(16, 0)
    assert lib.quantize(w, fmt, rounding="trunc").tolist() == [-2046, 2046]
    assert lib.quantize(w, fmt, rounding="floor").tolist() == [-2047, 2046]


def test_trunc_of_small_negative_numbers(lib: Any) -> None:
    """c9s/bbgo#2621: numbers between -1 and 0 are truncated to 0."""
    w = np.float64([-1.5, -0.5, -123.456, -1e-300, 1.5])
    assert lib.quantize(w, FixedPoint(16, 0), rounding="trunc").tolist() == [-1, 0, -123, 0, 1]


def test_convergent_rounding_of_a_negative_number(lib: Any) -> None:
    """greatscottgadgets/hackrf#1796: -3.25 is rounded to -3, and halves below 0 to even."""
    w = np.float32([-3.25, -3.5, -2.5, -0.75])
    assert lib.quantize(w, FixedPoint(4, 0)).tolist() == [-3, -4, -2, -1]


def test_minus_one_half_is_exact_in_q16_16(lib: Any) -> None:
    """mitsuhiko/libfixmath#13: -0.5 is exact with 16 fraction bits, there and back."""
    q = lib.quantize(np.float32([-0.5]), FixedPoint(32, 16))
    assert q.tolist() == [-(2**15)]
    assert lib.dequantize(q, FixedPoint(32, 16)).tolist() == [-0.5]


def test_floor_of_a_quotient_that_is_nearly_an_integer(lib: Any) -> None:
    """Xilinx/brevitas#73: floor is applied to the quotient after it is rounded to a float."""
    w, scale = float(np.float32(0.3)), float(np.float32(0.1))
    assert Fraction(w) / Fraction(scale) != 3
    assert quotient(w, scale) == 3.0
    assert lib.quantize(np.float32([w]), Affine(scale), rounding="floor").tolist() == [3]


def test_a_power_of_two_is_never_rounded_down(lib: Any) -> None:
    """milankl/StochasticRounding.jl#74: stochastic rounding leaves integers unchanged."""
    w = np.repeat(np.float32([1, 2, 4, -8, 64]), 200)
    q = lib.quantize(w, FixedPoint(8, 0), rounding="stochastic", seed=3)
    assert q.tolist() == np.repeat([1, 2, 4, -8, 64], 200).tolist()


def test_half_is_rounded_up_half_of_the_time(lib: Any) -> None:
    """uxlfoundation/oneDNN#2903: a half goes up as often as down, within five deviations."""
    q = lib.quantize(np.full(4096, 2.5, np.float32), Affine(1.0), rounding="stochastic", seed=11)
    assert set(q.tolist()) == {2, 3}
    assert abs(np.count_nonzero(q == 3) - 2048) < 5 * 32


def test_the_probability_is_the_fraction(lib: Any) -> None:
    """apytypes/apytypes#94: a number one eighth above an integer goes up one time in eight."""
    q = lib.quantize(np.full(8192, 5.125), FixedPoint(8, 0), rounding="stochastic", seed=5)
    assert set(q.tolist()) == {5, 6}
    assert abs(np.count_nonzero(q == 6) - 1024) < 5 * 30  # the deviation is sqrt(8192 * 7 / 64)


# --- ranges ----------------------------------------------------------------------------------


def test_int8_saturates_at_minus_128(lib: Any) -> None:
    """microsoft/onnxruntime#3442: signed integers of 8 bits saturate at -128 and 127."""
    w = np.float32([-129, -128, -127, -126, 126, 127, 128])
    assert lib.quantize(w, Affine(1.0)).tolist() == [-128, -128, -127, -126, 126, 127, 127]


def test_minus_128_in_every_type(lib: Any) -> None:
    """tenstorrent/tt-metal#56526: -127.5 and all below become -128 in 8 and in 32 bits."""
    w = np.float32([-127.5, -128, -300])
    assert lib.quantize(w, Affine(1.0)).tolist() == [-128, -128, -128]
    fmt = Affine(1.0, bits=32, qmin=-128, qmax=127)
    q = lib.quantize(w, fmt)
    assert (q.dtype, q.tolist()) == (np.int32, [-128, -128, -128])


def test_a_bias_that_int32_cannot_hold(lib: Any) -> None:
    """microsoft/onnxruntime#22020: integers of 1e11 saturate, or are an error that counts them."""
    w, fmt = np.float32([5, 0, -4.5]), Affine(3.9215686274509805e-11, bits=32)
    assert lib.quantize(w, fmt).tolist() == [2**31 - 1, 0, -(2**31)]
    assert_refuses(OverflowError, ["2 elements"], lib.quantize, w, fmt, overflow="raise")


def test_a_narrow_range_is_asked_for(lib: Any) -> None:
    """NVIDIA/TensorRT-LLM#832: the range of int8 is -128 to 127 unless a symmetric one is asked."""
    w = np.float32([-500, 500])
    assert lib.quantize(w, Affine(1.0)).tolist() == [-128, 127]
    assert lib.quantize(w, Affine(1.0, qmin=-127)).tolist() == [-127, 127]
    assert lib.quantize(w, Affine(1.0), overflow="saturate_symmetric").tolist() == [-127, 127]


def test_the_largest_integer_does_not_wrap(lib: Any) -> None:
    """ROCm/aiter#4637: 127.6 becomes 127, never -128."""
    assert lib.quantize(np.float32([127.6, -128.6, 127.4]), Affine(1.0)).tolist() == [
        127,
        -128,
        127,
    ]


def test_a_probability_of_one(lib: Any) -> None:
    """microsoft/onnxruntime#29727: 1 in steps of 1/256 from -128 saturates at 127."""
    w = np.float32([1, 0, 0.5])
    assert lib.quantize(w, Affine(1 / 256, -128)).tolist() == [127, -128, 0]


def test_unsigned_integers_of_four_bits(lib: Any) -> None:
    """NVIDIA/cutlass#265: unsigned integers of 4 bits saturate at 0 and 15."""
    w = np.float32([-3, 9, 15, 16])
    assert lib.quantize(w, Affine(1.0, bits=4, signed=False)).tolist() == [0, 9, 15, 15]


def test_uint8_above_127(lib: Any) -> None:
    """alibaba/zvec#215: numbers from 128 to 255 keep their values as unsigned integers."""
    w = np.float32([127, 128, 200, 255])
    assert lib.quantize(w, FixedPoint(8, 0, signed=False)).tolist() == [127, 128, 200, 255]


def test_bytes_that_wrap(lib: Any) -> None:
    """OpenNMT/CTranslate2#666: with wrap, 128 to 255 become -128 to -1 on every CPU."""
    w = np.float32([127, 128, 200, 255])
    assert lib.quantize(w, Affine(1.0), overflow="wrap").tolist() == [127, -128, -56, -1]


def test_wrapping_and_clipping_are_two_arguments(lib: Any) -> None:
    """jax-ml/jax#10005: out of the range of uint8, the caller chooses modulo or clipping."""
    w, fmt = np.float32([-255, -1, 256, 255, 257]), Affine(1.0, signed=False)
    assert lib.quantize(w, fmt, overflow="wrap").tolist() == [1, 255, 0, 255, 1]
    assert lib.quantize(w, fmt).tolist() == [0, 0, 255, 255, 255]


def test_the_largest_int32(lib: Any) -> None:
    """tensorflow/tensorflow#38106: 2**31 saturates at 2**31 - 1, which no float32 is."""
    w = np.float32([2.0**31, 2.0**31 - 128, -(2.0**31), 1e30])
    right = [2**31 - 1, 2**31 - 128, -(2**31), 2**31 - 1]
    assert lib.quantize(w, FixedPoint(32, 0)).tolist() == right
    assert lib.quantize(w, Affine(1.0, bits=32)).tolist() == right


def test_rounding_comes_before_saturation(lib: Any) -> None:
    """enclustra/en_cl_fix#22: 7.75 in two integer bits and one fraction bit becomes 3.5."""
    fmt = FixedPoint(3, 1, signed=False)
    for rounding in ("nearest_up", "nearest_even"):
        assert lib.fake_quantize(np.float32([7.75]), fmt, rounding=rounding).tolist() == [3.5]


def test_wrapping_of_every_overflow(lib: Any) -> None:
    """SEL-FOSS/fixedpoint#11: in 5 bits, 16 to 31 wrap as 32 and -17 do."""
    q = lib.quantize(np.float32([16, 31, 32, -17]), FixedPoint(5, 0), overflow="wrap")
    assert q.tolist() == [-16, -1, 0, 15]


def test_a_number_in_range_does_not_wrap(lib: Any) -> None:
    """francof2a/fxpmath#42: in 4 bits, 2 - 8 stays -6, and 2 + 8 wraps to -6."""
    fmt = FixedPoint(4, 0)
    assert lib.quantize(np.float32([2 + 8, 2 - 8]), fmt, overflow="wrap").tolist() == [-6, -6]


def test_zero_wraps_to_zero(lib: Any) -> None:
    """francof2a/fxpmath#85: zeros of both signs are 0 in 32 bits with wrap."""
    q = lib.quantize(np.float64([0.0, -0.0]), FixedPoint(32, 16), overflow="wrap")
    assert q.tolist() == [0, 0]


def test_zero_must_be_in_the_range(lib: Any) -> None:
    """francof2a/fxpmath#44: a range without 0 is refused; without its bias, the range saturates."""
    assert_refuses(
        ValueError, ["zero_point", "0 to 15", "-16"], Affine, 0.5, -16, bits=4, signed=False
    )
    w, bias = np.float64([20.5, 0, 8.5]), 8
    q = lib.quantize(w - bias, Affine(0.5, bits=4, signed=False))
    assert (0.5 * q + bias).tolist() == [15.5, 8, 8.5]


def test_a_zero_point_out_of_range_is_named() -> None:
    """pytorch/pytorch#89619: a zero point out of the range is refused with the range."""
    assert_refuses(ValueError, ["zero_point", "0 to 127", "128"], Affine, 1.0, 128, qmin=0)


def test_a_zero_point_is_an_integer() -> None:
    """pytorch/pytorch#52038: a fractional zero point is refused, not rounded in one of two ways."""
    assert_refuses(TypeError, ["zero_point", "integer", "1.5"], Affine, 1.0, 1.5)


# --- NaN, infinities and extreme scales ------------------------------------------------------


def test_infinities_saturate_at_their_own_end(lib: Any) -> None:
    """pytorch/pytorch#106780: +inf becomes the largest value; NaN is refused, or becomes 0."""
    w = np.float32([1, INF, NAN, -INF, 26])
    assert_refuses(ValueError, ["1 NaN", "flat index 2"], lib.fake_quantize, w, Affine(0.1))
    step = float(np.float32(0.1))
    right = [np.float32(x * step) for x in (10, 127, 0, -128, 127)]
    assert lib.fake_quantize(w, Affine(0.1), nan="zero").tolist() == right


def test_infinity_with_unit_scale(lib: Any) -> None:
    """pytorch/pytorch#116992: +inf with scale 1 becomes 127."""
    assert lib.fake_quantize(np.float32([INF, -INF]), Affine(1.0)).tolist() == [127, -128]


def test_infinity_with_a_zero_point(lib: Any) -> None:
    """pytorch/pytorch#133557: +inf becomes 255 with the zero point 133."""
    fmt = Affine(1.0, 133, signed=False)
    assert lib.quantize(np.float32([INF, -INF]), fmt).tolist() == [255, 0]


def test_nan_is_the_zero_point_on_every_isa(lib: Any) -> None:
    """pytorch/pytorch#153340: NaN is refused, or becomes the zero point, on every CPU."""
    w = np.full(40, NAN, np.float32)
    assert_refuses(ValueError, ["40 NaN", "flat index 0"], lib.quantize, w, Affine(1.0))
    q = lib.quantize(w, Affine(1.0, 7, signed=False), nan="zero")
    assert q.tolist() == [7] * 40


def test_a_quotient_that_overflows(lib: Any) -> None:
    """pytorch/FBGEMM#107: a large number divided by a small scale saturates."""
    w = np.float32([3e38, -3e38, 0])
    assert lib.quantize(w, Affine(1e-30, 5)).tolist() == [127, -128, 5]


def test_a_scale_of_zero_is_refused(lib: Any) -> None:
    """ModelCloud/GPTQModel#1531: a scale of 0 is refused, so that no 0 / 0 becomes NaN."""
    w = np.zeros((2, 2), np.float32)
    assert_refuses(ValueError, ["scale", "positive"], lib.quantize, w, Affine([1.0, 0.0], axis=0))


def test_a_subnormal_scale_is_refused(lib: Any) -> None:
    """intel/auto-round#622: a scale of 1e-40, whose reciprocal overflows, is refused."""
    assert_refuses(ValueError, ["scale", "subnormal"], lib.quantize, np.float32([0]), Affine(1e-40))
    assert lib.quantize(np.float64([3e-40]), Affine(1e-40)).tolist() == [3]


def test_float16_is_divided_in_float32(lib: Any) -> None:
    """PaddlePaddle/Paddle#43088: float16 over a scale that float16 cannot hold is exact."""
    w = np.float16([2.0**-24, 3 * 2.0**-24, -(2.0**-15)])
    assert lib.quantize(w, Affine(2.0**-25, bits=16)).tolist() == [2, 6, -(2**10)]


def test_more_than_float16_holds(lib: Any) -> None:
    """tensorflow/tensorflow#43719: 1e30 is infinite in float16 and finite in bfloat16."""
    q, fmt = np.int8([1, -1, 0]), Affine(1e30)
    assert lib.dequantize(q, fmt, dtype=np.float16).tolist() == [INF, -INF, 0]
    wide = lib.dequantize(q, fmt, dtype=ml_dtypes.bfloat16).astype(np.float64)
    assert wide.tolist() == pytest.approx([1e30, -1e30, 0], rel=2**-8)


# --- dequantization --------------------------------------------------------------------------


def test_a_difference_that_no_byte_holds(lib: Any) -> None:
    """onnx/onnx#6132: q - zero_point of unsigned bytes may be -255."""
    fmt = Affine(0.5, 255, signed=False)
    assert lib.dequantize(np.uint8([0, 255, 254]), fmt).tolist() == [-127.5, 0, -0.5]
    assert lib.dequantize(np.int8([127]), Affine(1.0, -128)).tolist() == [255]


def test_an_unsigned_difference_is_negative(lib: Any) -> None:
    """tile-ai/tilelang#2947: unsigned 4-bit integers below the zero point are negative numbers."""
    fmt = Affine(0.5, 8, bits=4, signed=False)
    assert lib.dequantize(np.uint8([0x81, 0xF0]), fmt, shape=(4,)).tolist() == [-3.5, 0, -4, 3.5]


def test_unsigned_bytes_above_127(lib: Any) -> None:
    """llvm/torch-mlir#3122: unsigned bytes are not extended by a sign."""
    fmt = Affine(1.0, 100, signed=False)
    assert lib.dequantize(np.uint8([200, 255, 0]), fmt).tolist() == [100, 155, -100]


def test_bfloat16_is_rounded(lib: Any) -> None:
    """stillwater-sc/universal#1133: 0.26914088 becomes 0.26953125 in bfloat16, not 0.26757812."""
    scale = 0.2691408770292272  # in units of 2**-10: 275.600; multiples of 2 are bfloat16
    assert Fraction(275) < Fraction(scale) * 1024 < Fraction(276)
    found = lib.dequantize(np.int8([1, -1]), Affine(scale), dtype=ml_dtypes.bfloat16)
    assert found.astype(np.float64).tolist() == [0.26953125, -0.26953125]


def test_a_zero_point_for_int32(lib: Any) -> None:
    """onnx/onnx#7752: integers of 32 bits may have a zero point."""
    fmt = Affine(0.25, 1000, bits=32)
    assert lib.dequantize(np.int32([0, 1000, 1004]), fmt).tolist() == [-250, 0, 1]


def test_int32_that_float32_cannot_hold(lib: Any) -> None:
    """numpy/numpy#19990: 20170103 is rounded to even in float32, and exact in float64."""
    q, fmt = np.int32([20170103, 20170104]), FixedPoint(32, 0)
    assert lib.dequantize(q, fmt).tolist() == [20170104, 20170104]
    assert lib.dequantize(q, fmt, dtype=np.float64).tolist() == [20170103, 20170104]


def test_words_of_an_adc(lib: Any) -> None:
    """nerdyscout/Arduino_MCP3x6x_Library#7: FFFE2F in a register of 24 bits is -465."""
    q, fmt = np.int32([0xFFFE2F]), FixedPoint(24, 0)
    assert lib.dequantize(q, fmt, sign_extend=True).tolist() == [-465]
    words = ["from -8388608 to 8388607", "got 16776751 at flat index 0", "sign_extend"]
    assert_refuses(ValueError, words, lib.dequantize, q, fmt)


def test_raw_bits_of_a_negative_number(lib: Any) -> None:
    """francof2a/fxpmath#50: the bits E25398FA9F of Q2.38 are -0.4636..., not the largest number."""
    fmt = FixedPoint.parse("Q2.38", sign_counted=True)
    q, to = np.int64([0xE25398FA9F]), FixedPoint(32, 30)
    assert lib.requantize(q, fmt, to, sign_extend=True).tolist() == [-497837829]
    words = ["got 972065143455 at flat index 0", "sign_extend"]
    assert_refuses(ValueError, words, lib.requantize, q, fmt, to)


def test_int4_keeps_its_sign(lib: Any) -> None:
    """jax-ml/jax#17672: negative integers of 4 bits stay negative."""
    q = np.arange(-8, 8).astype(ml_dtypes.int4)
    assert lib.dequantize(q, Affine(1.0, bits=4)).tolist() == list(range(-8, 8))


# --- fixed-point notations -------------------------------------------------------------------


def test_quantized_bits_as_ap_fixed(lib: Any) -> None:
    """fastmachinelearning/hls4ml#336: 8 bits without integer bits are ap_fixed<8,1>."""
    fmt = FixedPoint.parse("ap_fixed<8,1>")
    assert fmt == FixedPoint(8, 7)
    w = np.float32([1, -1, 0.5, -0.0078125])
    assert lib.fake_quantize(w, fmt).tolist() == [127 / 128, -1, 0.5, -1 / 128]


def test_values_are_multiples_of_the_step(lib: Any) -> None:
    """google/qkeras#75: with ap_fixed's defaults, values are multiples of the step, and wrap."""
    fmt = FixedPoint.parse("ap_fixed<6,3>")  # steps of 1/8 from -4 to 3.875
    w = np.float32([0.3, -0.3, 3.99, 4.2, -4.1])
    right = [0.25, -0.375, 3.875, -3.875, 3.875]
    assert lib.fake_quantize(w, fmt, rounding="floor", overflow="wrap").tolist() == right


def test_rounding_modes_in_the_text_are_not_ignored(lib: Any) -> None:
    """fastmachinelearning/hls4ml#640: modes in ap_fixed are refused with their names here."""
    words = ['rounding="nearest_up"', 'overflow="saturate"']
    assert_refuses(ValueError, words, FixedPoint.parse, "ap_fixed<8,3,AP_RND,AP_SAT>")
    how = {"rounding": "nearest_up", "overflow": "saturate"}
    q = lib.quantize(np.float32([1 / 64, -1 / 64, 9]), FixedPoint.parse("ap_fixed<8,3>"), **how)
    assert q.tolist() == [1, 0, 127]


def test_the_sign_bit_in_q_notation() -> None:
    """amaranth-lang/rfcs#41: the caller says whether the integer bits include the sign."""
    assert FixedPoint.parse("Q7.8", sign_counted=False) == FixedPoint(16, 8)
    assert FixedPoint.parse("Q7.8", sign_counted=True) == FixedPoint(15, 8)
    assert FixedPoint.parse("UQ7.8") == FixedPoint(15, 8, signed=False)
    assert_refuses(ValueError, ["sign_counted"], FixedPoint.parse, "Q1.15")


def test_a_negative_number_of_integer_bits(lib: Any) -> None:
    """intel/parameter-framework#406: 16 bits with 17 fraction bits reach from -0.25 to 0.25."""
    fmt = FixedPoint.parse("Q-2.17")
    assert fmt == FixedPoint(16, 17)
    found = lib.dequantize(np.int16([-32768, 32767]), fmt)
    assert found.tolist() == [-0.25, 0.25 - 2.0**-17]


def test_a_binary_point_outside_of_the_bits(lib: Any) -> None:
    """stanford-ppl/spatial-lang#261: the bits 1000 with 8 fraction bits are 0.03125."""
    fmt = FixedPoint(4, 8, signed=False)
    assert lib.quantize(np.float32([0.03125]), fmt).tolist() == [0b1000]
    assert lib.dequantize(np.uint8([0b1000]), fmt).tolist() == [0.03125]


def test_a_number_is_not_its_bits(lib: Any) -> None:
    """SEL-FOSS/fixedpoint#8: 31570 overflows 14 integer bits; as bits, it is 31570 / 2**16."""
    fmt = FixedPoint(30, 16)
    w = np.float64([31570])
    assert_refuses(OverflowError, ["1 element", "index 0"], lib.quantize, w, fmt, overflow="raise")
    found = lib.dequantize(np.int32([0x7B52]), fmt, dtype=np.float64)
    assert found.tolist() == [31570 / 65536]


# --- choosing formats ------------------------------------------------------------------------


def test_the_zero_point_comes_from_the_rounded_scale(lib: Any) -> None:
    """tensorflow/model-optimization#858: between -1 and 1, the zero point is 127 everywhere."""
    w = np.float32([-1, 0, 1])
    scale = float(np.float32(1 / 255 + 1 / 255))
    assert Fraction(253, 2) < 1 / Fraction(scale) < Fraction(255, 2)
    fmt = lib.choose_affine(w, signed=False)
    assert (float(fmt.scale), int(fmt.zero_point)) == (scale, 127)
    assert lib.fake_quantize(w, fmt).tolist()[1] == 0


def test_a_zero_point_halfway(lib: Any) -> None:
    """tensorflow/tensorflow#117965: a zero point of exactly 0.5 is rounded to even."""
    fmt = lib.choose_affine(np.float32([-1, 509]), signed=False)
    assert (float(fmt.scale), int(fmt.zero_point)) == (2, 0)


def test_a_symmetric_format_has_no_zero_point(lib: Any) -> None:
    """microsoft/onnxruntime#10170: a symmetric format has zero point 0 and steps of max / 127."""
    fmt = lib.choose_affine(np.float32([-127, 3, 50]), symmetric=True)
    assert (float(fmt.scale), int(fmt.zero_point)) == (1, 0)
    assert lib.quantize(np.float32([-127, 127]), fmt).tolist() == [-127, 127]


def test_weights_of_one_sign_have_no_zero_point(lib: Any) -> None:
    """pytorch/FBGEMM#584: a symmetric format of weights of any range maps 0 to 0."""
    for w in ([0.25, 0.5], [-0.5, 0.125], [-3, -1]):
        fmt = lib.choose_affine(np.float32(w), symmetric=True)
        assert int(fmt.zero_point) == 0
        assert float(fmt.scale) == float(np.float32(max(map(abs, w)) / 127))
        assert lib.quantize(np.float32([0]), fmt).tolist() == [0]


def test_the_range_includes_zero(lib: Any) -> None:
    """pytorch/pytorch#173075: the range of data from 100 to 102 includes 0, which stays exact."""
    fmt = lib.choose_affine(np.float32([100, 101, 102]), signed=False)
    assert float(fmt.scale) == float(np.float32(102 / 255))
    assert int(fmt.zero_point) == 0


def test_zeros_have_a_scale_of_one(lib: Any) -> None:
    """pytorch/ao#4713: a row of zeros gets scale 1, and stays zeros there and back."""
    w = np.float32([[0, 0], [2, -254]])
    fmt = lib.choose_affine(w, symmetric=True, axis=0)
    assert fmt.scale.tolist() == [1, 2]
    assert lib.fake_quantize(w, fmt).tolist() == w.tolist()


def test_data_too_small_for_a_normal_scale(lib: Any) -> None:
    """RedisAI/VectorSimilarity#1015: data of 1e-40 get the smallest normal scale."""
    w = np.float32([0, 1e-40])
    fmt = lib.choose_affine(w, signed=False)
    assert float(fmt.scale) == 2.0**-126
    assert lib.quantize(w, fmt).tolist() == [0, 0]


def test_tiny_data_keep_their_sign(lib: Any) -> None:
    """flashinfer-ai/flashinfer#2440: data around 1e-36 are quantized as larger data are."""
    w = np.float32([-8, 2, 0, 127]) * np.float32(2.0**-120)
    fmt = lib.choose_affine(w, symmetric=True)
    assert float(fmt.scale) == 2.0**-120
    assert lib.quantize(w, fmt).tolist() == [-8, 2, 0, 127]


def test_the_extremes_are_not_rounded_to_integers(lib: Any) -> None:
    """pytorch/pytorch#83672: data below 1 get a step below 1 / 127 by the percentile."""
    w = np.float32([0.125, 0.25, 0.5, -0.375])
    fmt = lib.choose_format(w, 8, method="percentile", percentile=100)
    assert fmt.frac_bits == 7  # 0.5 * 2**8 = 128 saturates
    fmt = lib.choose_format(w, 8, method="percentile", percentile=75)
    assert fmt.frac_bits == 8  # 0.375 * 2**8 = 96


def test_four_bits_with_an_offset(lib: Any) -> None:
    """ggml-org/llama.cpp#876: all instruction sets give the same 4-bit integers of each group."""
    w = np.float32([(i % 16) / 2 - 2 for i in range(32)] + [-(i % 16) for i in range(32)])
    fmt = lib.choose_affine(w, bits=4, signed=False, group_size=32)
    assert (fmt.scale.tolist(), fmt.zero_point.tolist()) == ([0.5, 1], [4, 15])
    q = lib.quantize(w, fmt).tolist()
    assert q == [i % 16 for i in range(32)] + [15 - i % 16 for i in range(32)]


# --- channels and groups ---------------------------------------------------------------------


def test_an_axis_that_the_array_lacks(lib: Any) -> None:
    """apache/tvm#10936: a channel axis of 1 is refused for an array of one axis."""
    w, fmt = np.zeros(3, np.float32), Affine([1.0, 2.0, 4.0], axis=1)
    assert_refuses(ValueError, ["axis", "-1 to 0"], lib.quantize, w, fmt)


def test_the_axis_is_never_guessed(lib: Any) -> None:
    """ooples/AiDotNet.Tensors#193: of a square matrix, the axis says what has which scale."""
    w = np.full((2, 2), 8, np.float32)
    assert lib.quantize(w, Affine([1.0, 2.0], axis=0)).tolist() == [[8, 8], [4, 4]]
    assert lib.quantize(w, Affine([1.0, 2.0], axis=1)).tolist() == [[8, 4], [8, 4]]


def test_a_group_that_is_smaller(lib: Any) -> None:
    """vllm-project/compressed-tensors#403: blocks at the ends of the axes may be smaller."""
    w = np.float32([[8, 8, 8], [8, 8, 8], [8, 8, 8]])
    fmt = Affine([[1.0, 2.0], [4.0, 8.0]], group_size=(2, 2))
    assert lib.quantize(w, fmt).tolist() == [[8, 8, 4], [8, 8, 4], [2, 2, 1]]
    wrong = Affine([[1.0], [4.0]], group_size=(2, 2))
    assert_refuses(ValueError, ["scale", "shape (2, 2)"], lib.quantize, w, wrong)


def test_groups_along_the_last_axis(lib: Any) -> None:
    """pytorch/torchchat#37: scales of groups have one column for each group of a row."""
    w = np.float32([[4, 4, 8, 8], [16, 16, 32, 32]])
    fmt = lib.choose_affine(w, bits=4, symmetric=True, group_size=2)
    assert fmt.scale.tolist() == [[float(np.float32(x / 7)) for x in row[::2]] for row in w]
    one_for_each_row = Affine([[1.0], [1.0]], group_size=2)
    assert_refuses(ValueError, ["scale", "(2, 2)", "(2, 1)"], lib.quantize, w, one_for_each_row)


def test_blocks_along_the_first_axis(lib: Any) -> None:
    """onnxsim/onnxsim#749: blocks of 4-bit integers along axis 0 have one scale for each column."""
    q = np.int8([[1, 2], [3, -4], [5, 6], [-7, -8]]).astype(ml_dtypes.int4)
    fmt = Affine([[1.0, 2.0], [0.5, 4.0]], bits=4, axis=0, group_size=2)
    assert lib.dequantize(q, fmt).tolist() == [[1, 4], [3, -8], [2.5, 24], [-3.5, -32]]


def test_channels_last(lib: Any) -> None:
    """pytorch/executorch#16429: channels have their own scales in any order of the memory."""
    q = np.arange(24, dtype=np.int8).reshape(1, 3, 2, 4)
    last = np.ascontiguousarray(q.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    fmt = Affine([1.0, 2.0, 4.0], axis=1)
    right = [i * (1, 2, 4)[i // 8] for i in range(24)]
    assert lib.dequantize(last, fmt).ravel().tolist() == right


def test_half_of_the_channels(lib: Any) -> None:
    """pytorch/pytorch#75009: a part of an array is quantized as its copy is."""
    w = np.arange(24, dtype=np.float32).reshape(2, 3, 4)[:, 1:, ::2]
    right = [4, 6, 8, 10, 16, 18, 20, 22]
    assert lib.fake_quantize(w, Affine(1.0)).ravel().tolist() == right


def test_every_second_row(lib: Any) -> None:
    """bitsandbytes-foundation/bitsandbytes#1342: packed integers follow the indices."""
    w = np.float32([[1, 2], [0, 0], [3, 4], [0, 0], [5, 6]])[::2]
    assert lib.quantize(w, Affine(1.0, bits=4), packed=True).tolist() == [0x21, 0x43, 0x65]


def test_groups_of_every_second_row(lib: Any) -> None:
    """bitsandbytes-foundation/bitsandbytes#1995: groups of a part are those of the part alone."""
    w = np.float32([[7, 1], [99, 99], [14, 2]])[::2]
    fmt = lib.choose_affine(w, bits=4, symmetric=True, group_size=2)
    assert fmt.scale.tolist() == [[1], [2]]
    assert lib.quantize(w, fmt).tolist() == [[7, 1], [7, 1]]


def test_a_transposed_matrix(lib: Any) -> None:
    """tracel-ai/burn#4491: a transposed matrix is quantized element by element, there and back."""
    w = np.arange(-6, 6, dtype=np.float32).reshape(3, 4).T
    fmt = lib.choose_affine(w, bits=4, symmetric=True, axis=0)
    assert fmt.scale.tolist() == [float(np.float32(x / 7)) for x in (6, 5, 4, 5)]
    assert lib.fake_quantize(w, Affine(1.0)).tolist() == w.tolist()


# --- packing ---------------------------------------------------------------------------------


def test_negative_halves_do_not_spill(lib: Any) -> None:
    """vllm-project/compressed-tensors#518: a negative integer does not change its neighbour."""
    assert lib.pack_ints(np.int8([-1, 2, 3, -8]), 4).tolist() == [0x2F, 0x83]


def test_a_negative_integer_in_the_upper_half(lib: Any) -> None:
    """keras-team/keras#22338: all pairs of 4-bit integers survive packing."""
    pairs = [x for high in range(-8, 8) for low in range(-8, 8) for x in (low, high)]
    halves = pairs[::2], pairs[1::2]
    packed = lib.pack_ints(np.int8(pairs), 4)
    assert packed.tolist() == [
        low % 16 + 16 * (high % 16) for low, high in zip(*halves, strict=True)
    ]
    assert lib.unpack_ints(packed, 4, 512).tolist() == pairs


def test_signed_integers_are_extended(lib: Any) -> None:
    """hashmismatch/packed_struct.rs#63: -1 in 4 bits is -1 again, or 15 if unsigned."""
    packed = lib.pack_ints(np.int8([-1, 1]), 4)
    assert packed.tolist() == [0b00011111]
    assert lib.unpack_ints(packed, 4, 2).tolist() == [-1, 1]
    assert lib.unpack_ints(packed, 4, 2, signed=False).tolist() == [15, 1]


def test_which_half_is_first(lib: Any) -> None:
    """openvinotoolkit/openvino#25827: bitorder says which half of a byte is the first element."""
    packed = np.uint8([0x21, 0x43])
    assert lib.unpack_ints(packed, 4, 4).tolist() == [1, 2, 3, 4]
    assert lib.unpack_ints(packed, 4, 4, bitorder="big").tolist() == [2, 1, 4, 3]


def test_bits_of_a_mask_in_both_orders(lib: Any) -> None:
    """numpy/numpy#12962: element 0 of a mask is bit 0 if little, bit 7 if big."""
    w = np.float32([9, 0.1, 8, 0.1, 0.1, 0.1, 0.1, 0.1, 7])
    assert lib.prune_mask(w, k=3, packed=True).tolist() == [0b00000101, 1]
    assert lib.prune_mask(w, k=3, packed=True, bitorder="big").tolist() == [0b10100000, 128]


def test_five_integers_of_four_bits(lib: Any) -> None:
    """microsoft/onnxruntime#20935: five integers of 4 bits take three bytes."""
    packed = lib.pack_ints(np.int8([1, 2, 3, 4, -5]), 4)
    assert packed.tolist() == [0x21, 0x43, 0x0B]


def test_an_odd_number_quantized_and_packed(lib: Any) -> None:
    """openvinotoolkit/openvino#31006: an odd number of 4-bit integers is packed without loss."""
    w, fmt = np.float32([[1, -2, 3], [4, -5, 6], [7, -8, 0]]), Affine(1.0, bits=4)
    packed = lib.quantize(w, fmt, packed=True)
    assert packed.tolist() == [0xE1, 0x43, 0x6B, 0x87, 0x00]
    assert lib.dequantize(packed, fmt, shape=(3, 3)).tolist() == w.tolist()


def test_three_bits_cross_the_bytes(lib: Any) -> None:
    """ModelCloud/GPTQModel#2984: 32 integers of 3 bits take exactly 12 bytes."""
    q = [i % 8 for i in range(32)]
    stream = sum(x << (3 * i) for i, x in enumerate(q))
    packed = lib.pack_ints(np.uint8(q), 3)
    assert packed.tolist() == list(stream.to_bytes(12, "little"))
    assert lib.unpack_ints(packed, 3, 32, signed=False).tolist() == q


def test_an_integer_that_does_not_fit_is_refused(lib: Any) -> None:
    """IST-DASLab/gptq#48: integers of 4 bits are refused in 3 bits, not cut off."""
    assert_refuses(ValueError, ["0 to 7", "9", "flat index 1"], lib.pack_ints, np.uint8([1, 9]), 3)


def test_another_order_of_the_elements(lib: Any) -> None:
    """vllm-project/llm-compressor#1613: an interleaved order is a permutation before packing."""
    q = np.arange(8, dtype=np.uint8)
    word = lib.pack_ints(q[[0, 2, 4, 6, 1, 3, 5, 7]], 4).view("<u4")
    assert [hex(x) for x in word.tolist()] == ["0x75316420"]


# --- error metrics ---------------------------------------------------------------------------


def test_the_cosine_of_large_numbers(lib: Any) -> None:
    """pytorch/pytorch#51912: squares that overflow float32 do not make the cosine NaN."""
    a, b = 2.0775, 3.0262
    w = np.float32([a * 1e38, b * 1e38])
    right = (a + b) / math.sqrt(2 * (a * a + b * b))
    assert lib.compare(w, np.float32([1, 1])).cosine == pytest.approx(right, rel=1e-7)


def test_the_cosine_with_zeros(lib: Any) -> None:
    """NVIDIA/Model-Optimizer#2240: the cosine is 0 where only one of the arrays is zeros."""
    w, zeros = np.float32([1, 0]), np.zeros(2, np.float32)
    cosines = [lib.compare(a, b).cosine for a, b in ((w, zeros), (zeros, w), (zeros, zeros))]
    assert cosines == [0, 0, 1]


def test_the_cosine_of_equal_arrays(lib: Any) -> None:
    """saehm/DruidJS#39: equal arrays of zeros and ones have a cosine of exactly 1."""
    for ones in range(1, 12):
        w = np.float32([1] * ones + [0] * 3)
        assert lib.compare(w, w.copy()).cosine == 1


def test_no_error_at_all(lib: Any) -> None:
    """cactus-compute/cactus#184: without an error the ratio is infinite, and no warning occurs."""
    w, zeros = np.float32([1, -2]), np.zeros(2, np.float32)
    assert lib.compare(w, w.copy()).sqnr_db == INF
    assert lib.compare(zeros, zeros).sqnr_db == INF
    assert lib.compare(zeros, w).sqnr_db == -INF


def test_the_ratio_is_of_powers(lib: Any) -> None:
    """pytorch/pytorch#61380: the ratio in decibels is 10 times the logarithm of that of squares."""
    found = lib.compare(np.float32([30, 40]), np.float32([33, 44])).sqnr_db
    assert found == pytest.approx(20, rel=1e-14)
