// The kernels of selection. Compiled once for each ISA.
#include "select/kernels/table.hpp"

#include "select/kernels/columns.hpp"
#include "select/kernels/compact.hpp"
#include "select/kernels/rows.hpp"
#include "select/kernels/select.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// The sinks of elements E, each as a template over a bool, which says whether it streams.
template <class E>
struct Sinks {
  template <bool>
  using Integer = IntegerSink;
  template <bool>
  using None = NoDestination;
  template <bool>
  using Bit = BitSink;
  template <bool kStream>
  using Float = FloatSink<E, kStream>;
  template <bool>
  using Unranked16 = UnrankedSink<int16_t>;
  template <bool>
  using Unranked32 = UnrankedSink<int32_t>;
  template <bool>
  using Unranked64 = UnrankedSink<int64_t>;
};

// The kinds of rank keys that kernels over E compute on the fly when they write elements Other of
// another array.
template <class E, class Other>
constexpr RankKeys keys_with = sizeof(E) == sizeof(Other) ? RankKeys::values : RankKeys::magnitudes;

template <class E>
constexpr ElementKernels element_kernels() {
  ElementKernels k{};
  k.lanes = kLanes<E>;
  k.keys = keys<E>;
  k.value_keys = value_keys<E>;
  k.count_above = count_above<E>;
  k.compact = compact<E>;
  k.select_rows = select_rows<E>;
  k.emit_rows = emit_rows<E>;
  k.index_rows = index_rows<E>;
  k.gather_columns = gather_columns<E>;
  k.select_columns = select_columns<E>;
  k.emit_columns = emit_columns<E>;
  k.mark_columns = mark_columns<E>;
  const auto scan_for = [&](OutputKind kind) -> auto& { return k.scan[static_cast<size_t>(kind)]; };
  const auto emit_for = [&](OutputKind kind) -> auto& { return k.emit[static_cast<size_t>(kind)]; };
  scan_for(OutputKind::none) = scan<E, Sinks<E>::template None, RankKeys::all>;
  scan_for(OutputKind::floats) = scan<E, Sinks<E>::template Float, RankKeys::products>;
  scan_for(OutputKind::unranked16) = scan<E, Sinks<E>::template Unranked16, keys_with<E, int16_t>>;
  scan_for(OutputKind::unranked32) = scan<E, Sinks<E>::template Unranked32, keys_with<E, int32_t>>;
  scan_for(OutputKind::unranked64) = scan<E, Sinks<E>::template Unranked64, keys_with<E, int64_t>>;
  scan_for(OutputKind::bools) = scan<E, BoolSink, RankKeys::all>;
  scan_for(OutputKind::bits) = scan<E, Sinks<E>::template Bit, RankKeys::all>;
  emit_for(OutputKind::floats) = emit<E, Sinks<E>::template Float, RankKeys::products>;
  emit_for(OutputKind::unranked16) = emit<E, Sinks<E>::template Unranked16, keys_with<E, int16_t>>;
  emit_for(OutputKind::unranked32) = emit<E, Sinks<E>::template Unranked32, keys_with<E, int32_t>>;
  emit_for(OutputKind::unranked64) = emit<E, Sinks<E>::template Unranked64, keys_with<E, int64_t>>;
  emit_for(OutputKind::bools) = emit<E, BoolSink, RankKeys::all>;
  emit_for(OutputKind::bits) = emit<E, Sinks<E>::template Bit, RankKeys::all>;
  if constexpr (sizeof(E) == sizeof(float)) {
    scan_for(OutputKind::integers) = scan<E, Sinks<E>::template Integer, RankKeys::magnitudes>;
    emit_for(OutputKind::integers) = emit<E, Sinks<E>::template Integer, RankKeys::magnitudes>;
  }
  return k;
}

template <class K>
constexpr KeyKernels<K> key_kernels() {
  return {.bisect = bisect<K>, .narrow = narrow<K>, .run_spread = run_spread<K>};
}

}  // namespace

extern const SelectKernels select_kernels;
constinit const SelectKernels select_kernels = {
    .elements = {element_kernels<int16_t>(), element_kernels<int32_t>(),
                 element_kernels<int64_t>()},
    .keys = {key_kernels<int32_t>(), key_kernels<int64_t>()},
    .count_bits = count_bits,
};

}  // namespace secateur::SECATEUR_TARGET
