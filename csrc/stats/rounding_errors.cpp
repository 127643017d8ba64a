#include "stats/rounding_errors.hpp"

#include <algorithm>

#include "core/dispatch.hpp"

namespace secateur {
namespace {

// Whether rounding errors can be computed in float. 1 / step must be far from overflow and underflow,
// and float must represent all integers of the grid exactly.
bool is_float_enough(const Grid& grid) {
  constexpr double kMost = 0x1p100;
  constexpr double kMostInteger = 0x1p24;
  const double multiplier = 1 / grid.step;
  return multiplier >= 1 / kMost && multiplier <= kMost && grid.lowest >= -kMostInteger &&
         grid.highest <= kMostInteger;
}

GridKernel<RoundingSums> kernel_of(FloatType type, GridRounding rounding, const RoundingSums*) {
  return kernels().stats.sums(type.kind).rounding_sums[static_cast<std::size_t>(rounding)];
}
GridKernel<GridErrors> kernel_of(FloatType type, GridRounding rounding, const GridErrors*) {
  return kernels().stats.sums(type.kind).grid_errors[static_cast<std::size_t>(rounding)];
}

void merge(RoundingSums& sum, const RoundingSums& other) {
  sum.coarser += other.coarser;
  sum.error += other.error;
  sum.finer += other.finer;
}
void merge(GridErrors& sum, const GridErrors& other) {
  sum.error += other.error;
  sum.clipped += other.clipped;
}

template <class Sums>
void sum_in(FloatType kernel_type, const Layout& groups, const void* w, FloatType type,
            GridRounding rounding, const Grid* grids, Sums* sums) {
  const GroupInput input{w, type, kernel_type};
  const GridKernel<Sums> kernel = kernel_of(kernel_type, rounding, sums);
  reduce_groups(
      groups, {&input, 1}, sums,
      [&](const GroupRows& input_rows, Sums* results, std::size_t group, bool same_group) {
    kernel(input_rows.rows, grids + group, same_group ? 0 : 1, results);
  }, [](Sums& sum, const Sums& other) { merge(sum, other); });
}

}  // namespace

template <class Sums>
void sum_rounding_errors(const Layout& groups, const void* w, FloatType type, GridRounding rounding,
                         const Grid* grids, Sums* sums) {
  const std::size_t count = groups.groups();
  const auto is_skipped = [](const Grid& grid) { return grid.step == 0; };
  const auto is_in_float = [&](const Grid& grid) {
    return type.kind != Float::float64 && is_float_enough(grid);
  };
  if (std::all_of(grids, grids + count,
                  [&](const Grid& grid) { return is_skipped(grid) || is_in_float(grid); })) {
    sum_in(kFloat32, groups, w, type, rounding, grids, sums);
    return;
  }
  if (std::none_of(grids, grids + count, is_in_float)) {
    sum_in(kFloat64, groups, w, type, rounding, grids, sums);
    return;
  }
  const Buffer<Grid> some(count);
  const Buffer<Sums> found(count);
  for (const bool in_float : {true, false}) {
    std::transform(grids, grids + count, some.data(), [&](const Grid& grid) {
      return is_in_float(grid) == in_float ? grid : Grid{0, grid.lowest, grid.highest};
    });
    sum_in(in_float ? kFloat32 : kFloat64, groups, w, type, rounding, some.data(), found.data());
    for (std::size_t i = 0; i < count; ++i) {
      if (is_in_float(grids[i]) == in_float) {
        sums[i] = found[i];
      }
    }
  }
}

template void sum_rounding_errors(const Layout&, const void*, FloatType, GridRounding, const Grid*,
                                  RoundingSums*);
template void sum_rounding_errors(const Layout&, const void*, FloatType, GridRounding, const Grid*,
                                  GridErrors*);

}  // namespace secateur
