// The table of this target, from the kernels. A target file defines SECATEUR_TARGET, includes its
// lanes and then this.
#pragma once

#include "kernels/fixed_point.hpp"
#include "kernels/mask.hpp"
#include "kernels/pattern.hpp"
#include "kernels/select.hpp"
#include "kernels/table.hpp"

namespace secateur::SECATEUR_TARGET {

#define SECATEUR_NAME_OF(target) #target
#define SECATEUR_NAME(target) SECATEUR_NAME_OF(target)

namespace {

// The forms of each width, as templates over streaming or not.
template <class E>
struct Sinks {
  template <bool kStream>
  using Float = FloatSink<E, kStream>;
  template <bool kStream>
  using Int8 = FixedPointSink<int8_t, kStream>;
  template <bool kStream>
  using UInt8 = FixedPointSink<uint8_t, kStream>;
  template <bool kStream>
  using Int16 = FixedPointSink<int16_t, kStream>;
  template <bool kStream>
  using UInt16 = FixedPointSink<uint16_t, kStream>;
};

template <class E>
constexpr ElementKernels element_kernels() {
  ElementKernels k{};
  k.keys = keys<E>;
  k.count_above = count_above<E>;
  k.max_magnitude = max_magnitude<E>;
  k.prune_pattern = prune_pattern<E>;
  k.apply_bools = apply<E, BoolMask>;
  k.apply_bits = apply<E, BitMask>;
  const auto scan_of = [&](Form form) -> auto& { return k.scan[static_cast<size_t>(form)]; };
  const auto emit_of = [&](Form form) -> auto& { return k.emit[static_cast<size_t>(form)]; };
  scan_of(Form::none) = scan_words<E, NoSink>;
  scan_of(Form::floats) = scan<E, Sinks<E>::template Float>;
  scan_of(Form::bools) = scan<E, BoolSink>;
  scan_of(Form::bits) = scan_words<E, BitSink>;
  emit_of(Form::floats) = emit<E, Sinks<E>::template Float>;
  emit_of(Form::bools) = emit<E, BoolSink>;
  emit_of(Form::bits) = emit_words<E, BitSink>;
  if constexpr (sizeof(E) == sizeof(float)) {
    scan_of(Form::int8) = scan<E, Sinks<E>::template Int8>;
    scan_of(Form::uint8) = scan<E, Sinks<E>::template UInt8>;
    scan_of(Form::int16) = scan<E, Sinks<E>::template Int16>;
    scan_of(Form::uint16) = scan<E, Sinks<E>::template UInt16>;
    emit_of(Form::int8) = emit<E, Sinks<E>::template Int8>;
    emit_of(Form::uint8) = emit<E, Sinks<E>::template UInt8>;
    emit_of(Form::int16) = emit<E, Sinks<E>::template Int16>;
    emit_of(Form::uint16) = emit<E, Sinks<E>::template UInt16>;
  }
  return k;
}

template <class K>
constexpr KeyKernels<K> key_kernels() {
  return {.bisect = bisect<K>,
          .narrow = narrow<K>,
          .run_spread = run_spread<K>,
          .mark_pattern = mark_pattern<K>};
}

}  // namespace

extern const KernelTable kernels;
constinit const KernelTable kernels = {
    .isa = SECATEUR_NAME(SECATEUR_TARGET),
    .of_16_bits = element_kernels<int16_t>(),
    .of_32_bits = element_kernels<int32_t>(),
    .of_64_bits = element_kernels<int64_t>(),
    .keys_of_32_bits = key_kernels<int32_t>(),
    .keys_of_64_bits = key_kernels<int64_t>(),
    // In the order of Form
    .quantize = {quantize<int8_t>, quantize<uint8_t>, quantize<int16_t>, quantize<uint16_t>},
    .fake_quantize = fake_quantize,
    .dequantize = {dequantize<int8_t>, dequantize<uint8_t>, dequantize<int16_t>,
                   dequantize<uint16_t>},
};

}  // namespace secateur::SECATEUR_TARGET
