#include "stats/compare.hpp"

#include <algorithm>

#include "core/dispatch.hpp"

namespace secateur {

void compare(const Layout& groups, const GroupInput& w, const GroupInput& w_hat,
             const MinMax* limits, PairSums* sums) {
  const GroupInput inputs[] = {w, w_hat};
  const SumKernels& kernels = secateur::kernels().stats.sums(w.kernel_type.kind);
  reduce_groups(groups, inputs, sums,
                [&](const GroupRows& input, PairSums* results, std::size_t group, bool same_group) {
    kernels.pair_sums(input.rows, input.second, results);
    if (limits != nullptr) {  // a second pass while the rows are in the cache
      kernels.count_outside(input.rows, limits + group, same_group ? 0 : 1, results);
    }
  }, [](PairSums& sum, const PairSums& other) {
    sum.error += other.error;
    sum.a += other.a;
    sum.b += other.b;
    sum.product += other.product;
    sum.largest = std::max(sum.largest, other.largest);
    sum.outside += other.outside;
  });
}

}  // namespace secateur
