// The table of the kernels of statistics. Compiled once for each ISA.
#include "stats/kernels/table.hpp"

#include "stats/kernels/min_max.hpp"
#include "stats/kernels/sums.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

template <class F>
constexpr SumKernels sum_kernels() {
  return {.pair_sums = pair_sums<F>,
          .count_out_of_range = count_out_of_range<F>,
          .rounding_sums = rounding_sums<F>};
}

}  // namespace

extern const StatsKernels stats_kernels;
constinit const StatsKernels stats_kernels = {
    .min_max = {min_max<int16_t>, min_max<int32_t>, min_max<int64_t>},
    .of_float32 = sum_kernels<float>(),
    .of_float64 = sum_kernels<double>(),
};

}  // namespace secateur::SECATEUR_TARGET
