#include "ops/choosing.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "dispatch/dispatch.hpp"
#include "ops/nan.hpp"
#include "runtime/error.hpp"

namespace secateur {
namespace {

[[noreturn]] void refuse_infinite(const void* w, std::size_t n, FloatType type) {
  --type.infinity;  // then it is one of those above
  const NaNs found = find_nan(w, n, type);
  throw Error(SC_ERROR_NAN, "w has " + std::to_string(found.count) +
                                " elements that are NaN or infinite, the first at flat index " +
                                std::to_string(found.first));
}

// The magnitudes of `count` keys, which are the least bytes of each.
void widen_keys(const Key* keys, std::size_t count, FloatType type, double* out) {
  const Buffer<unsigned char> bits(count * type.bytes);
  for (std::size_t i = 0; i < count; ++i) {
    const auto put = [&](auto key) { std::memcpy(bits.data() + i * sizeof key, &key, sizeof key); };
    type.bytes == 2   ? put(static_cast<std::int16_t>(keys[i]))
    : type.bytes == 4 ? put(static_cast<std::int32_t>(keys[i]))
                      : put(keys[i]);
  }
  kernels_of(kernels(), type.kind).to_float64({bits.data(), 0, count, count}, out);
}

// Whether all that is computed is a float that is neither infinite nor subnormal for being multiplied, and
// every integer within the range is one.
bool fits_float(const Cells& cells, const Grid* grids) {
  constexpr double kMost = 0x1p100;
  constexpr double kMostInteger = 0x1p24;
  return std::all_of(grids, grids + cells.count(), [&](const Grid& grid) {
    return grid.multiplier == 0 || (grid.multiplier >= 1 / kMost && grid.multiplier <= kMost &&
                                    grid.lowest >= -kMostInteger && grid.highest <= kMostInteger);
  });
}

}  // namespace

void find_ranges(const Cells& cells, const void* w, FloatType type, double* lowest,
                 double* highest) {
  const std::size_t count = cells.count();
  const Buffer<Peaks> found(count);
  const auto kernel = kernels_of(kernels(), type.bytes).peaks;
  const Operand operand{w, type, type};
  const auto add = [&](const CellRows& at, Peaks* to, std::size_t, bool) { kernel(at.rows, to); };
  reduce_cells(cells, {&operand, 1}, found.data(), add, [](Peaks& peaks, const Peaks& others) {
    peaks.positive = std::max(peaks.positive, others.positive);
    peaks.negative = std::max(peaks.negative, others.negative);
  });
  const Buffer<Key> keys(count);
  const auto write = [&](Key Peaks::* peak, double* out) {
    std::transform(found.data(), found.data() + count, keys.data(),
                   [&](const Peaks& peaks) { return peaks.*peak; });
    if (std::any_of(keys.data(), keys.data() + count,
                    [&](Key key) { return key >= type.infinity; })) {
      refuse_infinite(w, cells.elements(), type);
    }
    widen_keys(keys.data(), count, type, out);
  };
  write(&Peaks::positive, highest);
  write(&Peaks::negative, lowest);
  std::transform(lowest, lowest + count, lowest, [](double x) { return 0 - x; });  // not -0
}

void sum_rounding_errors(const Cells& cells, const void* w, FloatType type, const Grid* grids,
                         double ratio, RoundingSums* sums) {
  const bool narrow = type.kind != Float::float64 && fits_float(cells, grids);
  const Operand operand{w, type, narrow ? kFloat32 : kFloat64};
  const auto kernel = sum_kernels_of(kernels(), operand.as.kind).rounding_sums;
  reduce_cells(cells, {&operand, 1}, sums,
               [&](const CellRows& at, RoundingSums* to, std::size_t cell, bool same) {
    kernel(at.rows, ratio, grids + cell, same ? 0 : 1, to);
  }, [](RoundingSums& sum, const RoundingSums& other) {
    sum.coarser += other.coarser;
    sum.error += other.error;
    sum.finer += other.finer;
  });
}

}  // namespace secateur
