#include "ops/compare.hpp"

#include <algorithm>

#include "dispatch/dispatch.hpp"

namespace secateur {

void compare(const Cells& cells, const Operand& w, const Operand& w_hat, const Peaks* inside,
             PairSums* sums) {
  const Operand operands[] = {w, w_hat};
  const SumKernels& kernels = sum_kernels_of(secateur::kernels(), w.as.kind);
  reduce_cells(cells, operands, sums,
               [&](const CellRows& at, PairSums* to, std::size_t cell, bool same) {
    kernels.pair_sums(at.rows, at.others, to);
    if (inside != nullptr) {  // once more, while they are in cache
      kernels.count_outside(at.rows, inside + cell, same ? 0 : 1, to);
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
