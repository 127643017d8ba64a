// The table of pruning kernels. Compiled once for each ISA.
#include "prune/kernels/table.hpp"

#include "prune/kernels/block_norms.hpp"
#include "prune/kernels/mask.hpp"
#include "prune/kernels/pattern.hpp"
#include "prune/kernels/soft_threshold.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

template <class E>
constexpr PruneElementKernels element_kernels() {
  return {.prune_pattern = prune_pattern<E>,
          .mark_pattern = mark_pattern<E>,
          .apply_bools = apply<E, BoolMask>,
          .apply_bits = apply<E, BitMask>};
}

template <class F>
constexpr PruneFloatKernels float_kernels() {
  PruneFloatKernels k{};
  k.soft_threshold = soft_threshold<F>;
  const auto entry = [&](Norm norm) -> auto& { return k.block_norms[static_cast<size_t>(norm)]; };
  entry(Norm::l1) = block_norms<F, L1Norm>;
  entry(Norm::l2) = block_norms<F, L2Norm>;
  entry(Norm::max) = block_norms<F, MaxNorm>;
  return k;
}

}  // namespace

extern const PruneKernels prune_kernels;
constinit const PruneKernels prune_kernels = {
    .elements = {element_kernels<int16_t>(), element_kernels<int32_t>(),
                 element_kernels<int64_t>()},
    .floats =
        by_float<PruneFloatKernels>([](auto zero) { return float_kernels<decltype(zero)>(); }),
};

}  // namespace secateur::SECATEUR_TARGET
