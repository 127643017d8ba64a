#include "stats/rounding_errors.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "core/dispatch.hpp"
#include "core/error.hpp"
#include "core/nan.hpp"

namespace secateur {
namespace {

// Throws the error that counts the elements that are NaN or infinite.
[[noreturn]] void refuse_infinite(const void* w, std::size_t n, FloatType type) {
  type.infinity = type.largest_number();  // find_nan() then counts infinities as NaN
  const NaNs found = find_nan(w, n, type);
  refuse_nan(found, "w", "elements that are NaN or infinite");
}

// Converts keys to magnitudes. The low type.bytes bytes of a key are the bits of the magnitude.
void widen_keys(const Key* keys, std::size_t count, FloatType type, double* out) {
  const Buffer<unsigned char> bits(count * type.bytes);
  for_indices(count, [&](std::size_t i) {
    const auto store_key = [&](auto key) {
      std::memcpy(bits.data() + i * sizeof key, &key, sizeof key);
    };
    type.bytes == 2   ? store_key(static_cast<std::int16_t>(keys[i]))
    : type.bytes == 4 ? store_key(static_cast<std::int32_t>(keys[i]))
                      : store_key(keys[i]);
  });
  kernels().core.convert[type.kind].to_float64({bits.data(), 0, count, count}, out);
}

// Whether rounding errors can be computed in float. The multipliers must be far from overflow and
// underflow, and float must represent all integers of the grids exactly.
bool is_float_enough(const Layout& groups, const Grid* grids) {
  constexpr double kMost = 0x1p100;
  constexpr double kMostInteger = 0x1p24;
  return std::all_of(grids, grids + groups.groups(), [&](const Grid& grid) {
    return grid.multiplier == 0 || (grid.multiplier >= 1 / kMost && grid.multiplier <= kMost &&
                                    grid.lowest >= -kMostInteger && grid.highest <= kMostInteger);
  });
}

}  // namespace

void find_ranges(const Layout& groups, const void* w, FloatType type, double* lowest,
                 double* highest) {
  const std::size_t count = groups.groups();
  const Buffer<MinMax> found(count);
  const auto kernel = kernels().stats.min_max[type.bytes];
  const GroupInput input{w, type, type};
  const auto add = [&](const GroupRows& input_rows, MinMax* results, std::size_t, bool) {
    kernel(input_rows.rows, results);
  };
  reduce_groups(groups, {&input, 1}, found.data(), add, [](MinMax& min_max, const MinMax& other) {
    min_max.positive = std::max(min_max.positive, other.positive);
    min_max.negative = std::max(min_max.negative, other.negative);
  });
  const Buffer<Key> keys(count);
  const auto write_magnitudes = [&](Key MinMax::* sign, double* out) {
    std::transform(found.data(), found.data() + count, keys.data(),
                   [&](const MinMax& min_max) { return min_max.*sign; });
    if (std::any_of(keys.data(), keys.data() + count,
                    [&](Key key) { return key > type.largest_number(); })) {
      refuse_infinite(w, groups.elements(), type);
    }
    widen_keys(keys.data(), count, type, out);
  };
  write_magnitudes(&MinMax::positive, highest);
  write_magnitudes(&MinMax::negative, lowest);
  std::transform(lowest, lowest + count, lowest,
                 [](double x) { return 0 - x; });  // -x would be -0.0 for 0
}

void sum_rounding_errors(const Layout& groups, const void* w, FloatType type, const Grid* grids,
                         double ratio, RoundingSums* sums) {
  const bool in_float = type.kind != Float::float64 && is_float_enough(groups, grids);
  const GroupInput input{w, type, in_float ? kFloat32 : kFloat64};
  const auto kernel = kernels().stats.sums(input.kernel_type.kind).rounding_sums;
  reduce_groups(
      groups, {&input, 1}, sums,
      [&](const GroupRows& input_rows, RoundingSums* results, std::size_t group, bool same_group) {
    kernel(input_rows.rows, ratio, grids + group, same_group ? 0 : 1, results);
  }, [](RoundingSums& sum, const RoundingSums& other) {
    sum.coarser += other.coarser;
    sum.error += other.error;
    sum.finer += other.finer;
  });
}

}  // namespace secateur
