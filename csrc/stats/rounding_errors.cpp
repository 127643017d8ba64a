#include "stats/rounding_errors.hpp"

#include <algorithm>

#include "core/dispatch.hpp"

namespace secateur {
namespace {

// Whether rounding errors can be computed in float. 1 / step must be far from overflow and
// underflow, and float must represent all integers of the grid exactly.
bool is_in_float(const Grid& grid, FloatType type) {
  constexpr double kMost = 0x1p100;
  constexpr double kMostInteger = 0x1p24;
  const double multiplier = 1 / grid.step;
  return type.kind != Float::float64 && multiplier >= 1 / kMost && multiplier <= kMost &&
         grid.lowest >= -kMostInteger && grid.highest <= kMostInteger;
}
bool is_in_float(const Steps& steps, FloatType) { return steps.in_float; }

// Groups without a step are skipped.
bool is_skipped(const Grid& grid) { return grid.step == 0; }
bool is_skipped(const Steps& steps) { return steps.step[0] == 0; }

ErrorKernel<Grid, RoundingSums> kernel_of(FloatType type, GridRounding rounding, const Grid*) {
  return kernels().stats.sums(type.kind).rounding_sums[static_cast<std::size_t>(rounding)];
}
ErrorKernel<Steps, StepErrors> kernel_of(FloatType type, GridRounding rounding, const Steps*) {
  return kernels().stats.sums(type.kind).step_errors[static_cast<std::size_t>(rounding)];
}

void merge(RoundingSums& sum, const RoundingSums& other) {
  sum.coarser += other.coarser;
  sum.error += other.error;
  sum.finer += other.finer;
}
void merge(StepErrors& sum, const StepErrors& other) {
  for (std::size_t k = 0; k < kSteps; ++k) {
    sum.error[k] += other.error[k];
  }
}

template <class GridSpec, class Sums>
void sum_in(FloatType kernel_type, const Layout& groups, const void* w, FloatType type,
            GridRounding rounding, const GridSpec* grids, Sums* sums) {
  const GroupInput input{w, type, kernel_type};
  const auto kernel = kernel_of(kernel_type, rounding, grids);
  reduce_groups(
      groups, {&input, 1}, sums,
      [&](const GroupRows& input_rows, Sums* results, std::size_t group, bool same_group) {
    kernel(input_rows.rows, grids + group, same_group ? 0 : 1, results);
  }, [](Sums& sum, const Sums& other) { merge(sum, other); });
}

}  // namespace

template <class GridSpec, class Sums>
void sum_rounding_errors(const Layout& groups, const void* w, FloatType type, GridRounding rounding,
                         const GridSpec* grids, Sums* sums) {
  const std::size_t count = groups.groups();
  const GridSpec* const end = grids + count;
  const auto in_float = [&](const GridSpec& of_group) { return is_in_float(of_group, type); };
  if (std::all_of(grids, end, [&](const GridSpec& of_group) {
    return is_skipped(of_group) || in_float(of_group);
  })) {
    sum_in(kFloat32, groups, w, type, rounding, grids, sums);
    return;
  }
  if (std::none_of(grids, end, in_float)) {
    sum_in(kFloat64, groups, w, type, rounding, grids, sums);
    return;
  }
  const Buffer<GridSpec> some(count);
  const Buffer<Sums> found(count);
  for (const bool wanted : {true, false}) {
    std::transform(grids, end, some.data(), [&](const GridSpec& of_group) {
      return in_float(of_group) == wanted ? of_group : GridSpec{};
    });
    sum_in(wanted ? kFloat32 : kFloat64, groups, w, type, rounding, some.data(), found.data());
    for (std::size_t i = 0; i < count; ++i) {
      if (in_float(grids[i]) == wanted) {
        sums[i] = found[i];
      }
    }
  }
}

template void sum_rounding_errors(const Layout&, const void*, FloatType, GridRounding, const Grid*,
                                  RoundingSums*);
template void sum_rounding_errors(const Layout&, const void*, FloatType, GridRounding, const Steps*,
                                  StepErrors*);

}  // namespace secateur
