// The table of the kernels of statistics. Compiled once for each ISA.
#include "stats/kernels/table.hpp"

#include "stats/kernels/min_max.hpp"
#include "stats/kernels/rounding_errors.hpp"
#include "stats/kernels/sums.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

template <class F>
constexpr SumKernels sum_kernels() {
  SumKernels kernels{.pair_sums = pair_sums<F>,
                     .count_out_of_range = count_out_of_range<F>,
                     .rounding_sums = {},
                     .step_errors = {}};
  const auto fill = [&]<GridRounding... kRoundings> {
    ((kernels.rounding_sums[static_cast<size_t>(kRoundings)] = rounding_sums<F, kRoundings>), ...);
    ((kernels.step_errors[static_cast<size_t>(kRoundings)] = step_errors<F, kRoundings>), ...);
  };
  fill.template operator()<GridRounding::nearest, GridRounding::down, GridRounding::up,
                           GridRounding::toward_zero, GridRounding::away>();
  return kernels;
}

}  // namespace

extern const StatsKernels stats_kernels;
constinit const StatsKernels stats_kernels = {
    .min_max = {min_max<int16_t>, min_max<int32_t>, min_max<int64_t>},
    .min_max_of_columns = {min_max_of_columns<int16_t>, min_max_of_columns<int32_t>,
                           min_max_of_columns<int64_t>},
    .of_float32 = sum_kernels<float>(),
    .of_float64 = sum_kernels<double>(),
};

}  // namespace secateur::SECATEUR_TARGET
