// The table of this target, from the kernels. A target file defines SECATEUR_TARGET, includes its
// lanes and then this.
#pragma once

#include "kernels/columns.hpp"
#include "kernels/compact.hpp"
#include "kernels/convert.hpp"
#include "kernels/histogram.hpp"
#include "kernels/mask.hpp"
#include "kernels/packing.hpp"
#include "kernels/pattern.hpp"
#include "kernels/peaks.hpp"
#include "kernels/quantize.hpp"
#include "kernels/rows.hpp"
#include "kernels/select.hpp"
#include "kernels/soft_threshold.hpp"
#include "kernels/sums.hpp"
#include "kernels/table.hpp"
#include "kernels/tiles.hpp"
#include "kernels/transpose.hpp"

namespace secateur::SECATEUR_TARGET {

#define SECATEUR_NAME_OF(target) #target
#define SECATEUR_NAME(target) SECATEUR_NAME_OF(target)

namespace {

// The forms of each width, as templates over streaming or not.
template <class E>
struct Sinks {
  template <bool>
  using Integer = IntegerSink;
  template <bool>
  using None = NoSink;
  template <bool>
  using Bit = BitSink;
  template <bool kStream>
  using Float = FloatSink<E, kStream>;
  template <bool>
  using Other16 = OtherSink<int16_t>;
  template <bool>
  using Other32 = OtherSink<int32_t>;
  template <bool>
  using Other64 = OtherSink<int64_t>;
};

// What ranks others of the same width may be made in passing.
template <class E, class Other>
constexpr Makes made_for = sizeof(E) == sizeof(Other) ? Makes::values : Makes::nothing;

template <class E>
constexpr ElementKernels element_kernels() {
  ElementKernels k{};
  k.lanes = kLanes<E>;
  k.keys = keys<E>;
  k.value_keys = value_keys<E>;
  k.count_above = count_above<E>;
  k.max_magnitude = max_magnitude<E>;
  k.compact = compact<E>;
  k.count_bins = count_bins<E, uint32_t, kCounters>;
  k.count_in_place = count_bins<E, uint64_t, 1>;
  k.select_rows = select_rows<E>;
  k.emit_rows = emit_rows<E>;
  k.gather_columns = gather_columns<E>;
  k.select_columns = select_columns<E>;
  k.emit_columns = emit_columns<E>;
  k.mark_columns = mark_columns<E>;
  k.prune_pattern = prune_pattern<E>;
  k.peaks = peaks<E>;
  k.apply_bools = apply<E, BoolMask>;
  k.apply_bits = apply<E, BitMask>;
  const auto scan_of = [&](Form form) -> auto& { return k.scan[static_cast<size_t>(form)]; };
  const auto emit_of = [&](Form form) -> auto& { return k.emit[static_cast<size_t>(form)]; };
  scan_of(Form::none) = scan<E, Sinks<E>::template None, Makes::anything>;
  scan_of(Form::floats) = scan<E, Sinks<E>::template Float, Makes::products>;
  scan_of(Form::others16) = scan<E, Sinks<E>::template Other16, made_for<E, int16_t>>;
  scan_of(Form::others32) = scan<E, Sinks<E>::template Other32, made_for<E, int32_t>>;
  scan_of(Form::others64) = scan<E, Sinks<E>::template Other64, made_for<E, int64_t>>;
  scan_of(Form::bools) = scan<E, BoolSink, Makes::anything>;
  scan_of(Form::bits) = scan<E, Sinks<E>::template Bit, Makes::anything>;
  emit_of(Form::floats) = emit<E, Sinks<E>::template Float, Makes::products>;
  emit_of(Form::others16) = emit<E, Sinks<E>::template Other16, made_for<E, int16_t>>;
  emit_of(Form::others32) = emit<E, Sinks<E>::template Other32, made_for<E, int32_t>>;
  emit_of(Form::others64) = emit<E, Sinks<E>::template Other64, made_for<E, int64_t>>;
  emit_of(Form::bools) = emit<E, BoolSink, Makes::anything>;
  emit_of(Form::bits) = emit<E, Sinks<E>::template Bit, Makes::anything>;
  if constexpr (sizeof(E) == sizeof(float)) {
    scan_of(Form::integers) = scan<E, Sinks<E>::template Integer, Makes::nothing>;
    emit_of(Form::integers) = emit<E, Sinks<E>::template Integer, Makes::nothing>;
  }
  return k;
}

void fence() { Fence(); }

template <class K>
constexpr KeyKernels<K> key_kernels() {
  return {.bisect = bisect<K>,
          .narrow = narrow<K>,
          .run_spread = run_spread<K>,
          .mark_pattern = mark_pattern<K>};
}

template <class F>
constexpr FloatKernels float_kernels() {
  FloatKernels k{};
  if constexpr (sizeof(F) <= sizeof(float)) {
    k.to_float32 = widen<F, float>;
    k.quantize = quantize<F>;
  }
  k.to_float64 = widen<F, double>;
  k.soft_threshold = soft_threshold<F>;
  const auto norms_of = [&](Norm norm) -> auto& { return k.tile_norms[static_cast<size_t>(norm)]; };
  norms_of(Norm::l1) = tile_norms<F, L1Norm>;
  norms_of(Norm::l2) = tile_norms<F, L2Norm>;
  norms_of(Norm::max) = tile_norms<F, MaxNorm>;
  return k;
}

template <class C, template <class> class Rounding>
constexpr void set_decide(typename StageKernels<C>::Decide* by_overflow) {
  by_overflow[static_cast<size_t>(Overflow::saturate)] = decide<C, Rounding, Saturated>;
  by_overflow[static_cast<size_t>(Overflow::zero)] = decide<C, Rounding, Zeroed>;
  by_overflow[static_cast<size_t>(Overflow::wrap)] = decide<C, Rounding, Wrapped>;
}

template <class C, class F>
constexpr void set_floats(StageKernels<C>& k, Float type) {
  k.give[static_cast<size_t>(type)] = give<F, C>;
}

template <class C>
constexpr StageKernels<C> stage_kernels() {
  StageKernels<C> k{};
  set_floats<C, Float16>(k, Float::float16);
  set_floats<C, BFloat16>(k, Float::bfloat16);
  set_floats<C, float>(k, Float::float32);
  if constexpr (sizeof(C) == sizeof(double)) {
    set_floats<C, double>(k, Float::float64);
  }
  set_decide<C, Directed>(k.decide[static_cast<size_t>(Rounding::directed)]);
  set_decide<C, Tied>(k.decide[static_cast<size_t>(Rounding::tied)]);
  set_decide<C, Stochastic>(k.decide[static_cast<size_t>(Rounding::stochastic)]);
  k.decide_shifted[static_cast<size_t>(Scaling::multiply)] = decide_shifted<C, Multiplied>;
  k.decide_shifted[static_cast<size_t>(Scaling::divide)] = decide_shifted<C, Divided>;
  if constexpr (sizeof(C) == sizeof(double)) {
    k.decide_shifted[static_cast<size_t>(Scaling::divide_as_float)] =
        decide_shifted<C, DividedAsFloat>;
  }
  k.powers = powers<C>;
  k.integers = integers<C>;
  k.fill_runs = fill_runs<C>;
  return k;
}

}  // namespace

extern const KernelTable kernels;
constinit const KernelTable kernels = {
    .isa = SECATEUR_NAME(SECATEUR_TARGET),
    .fence = fence,
    .of_16_bits = element_kernels<int16_t>(),
    .of_32_bits = element_kernels<int32_t>(),
    .of_64_bits = element_kernels<int64_t>(),
    .keys_of_32_bits = key_kernels<int32_t>(),
    .keys_of_64_bits = key_kernels<int64_t>(),
    // In the order of Float
    .of_float = {float_kernels<Float16>(), float_kernels<BFloat16>(), float_kernels<float>(),
                 float_kernels<double>()},
    .sums_of_float32 = {pair_sums<float>, count_outside<float>, rounding_sums<float>},
    .sums_of_float64 = {pair_sums<double>, count_outside<double>, rounding_sums<double>},
    .multiply_float32 = multiply<float>,
    .multiply_float64 = multiply<double>,
    .count_bits = count_bits,
    .transpose = {transpose<int8_t>, transpose<int16_t>, transpose<int32_t>, transpose<int64_t>},
    .pack = pack,
    .unpack = unpack,
    .stages_in_float = stage_kernels<float>(),
    .stages_in_double = stage_kernels<double>(),
    .all_within = all_within,
    .put = {put<int8_t>, put<uint8_t>, put<int16_t>, put<uint16_t>, put<int32_t>},
    .get = {get<int8_t>, get<uint8_t>, get<int16_t>, get<uint16_t>, get<int32_t>},
};

}  // namespace secateur::SECATEUR_TARGET
