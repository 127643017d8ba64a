#include "stats/compare.hpp"

#include <algorithm>

#include "core/dispatch.hpp"

namespace secateur {

void compare(const Layout& groups, const GroupInput& w, const GroupInput& w_hat,
             const Limits* limits, PairSums* sums) {
  const GroupInput inputs[] = {w, w_hat};
  const SumKernels& kernels = secateur::kernels().stats.sums(w.kernel_type.kind);
  reduce_groups(groups, inputs, sums,
                [&](const GroupRows& input, PairSums* results, std::size_t group, bool same_group) {
    kernels.pair_sums(input.rows, input.second, results);
    if (limits != nullptr) {  // a second pass while the rows are in the cache
      kernels.count_out_of_range(input.rows, limits + group, same_group ? 0 : 1, results);
    }
  }, [](PairSums& sum, const PairSums& other) {
    sum.squared_error += other.squared_error;
    sum.squared_a += other.squared_a;
    sum.squared_b += other.squared_b;
    sum.products += other.products;
    sum.max_error = std::max(sum.max_error, other.max_error);
    sum.out_of_range += other.out_of_range;
  });
}

}  // namespace secateur
