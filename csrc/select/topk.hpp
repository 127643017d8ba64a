// topk: the values and the indices of the k largest elements of each slice.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/layout.hpp"
#include "select/operand.hpp"

namespace secateur {

// Writes the k elements of each slice that rank highest, 0 <= k <= length, and their indices in the
// slice. They are in the order of their indices, or (by_rank) the highest first and ties in the
// order of their indices. Throws Error if NaN is refused and present.
void topk_of_slices(const Operand& array, const Layout& slices, sc_nan nan, std::size_t k,
                    bool by_rank, void* values, std::int64_t* indices);

// The same for the sums of the elements and `residual`, which is of the type and the size of the
// array. Then sets the selected elements of `residual` to 0 and the others to their sums. If it
// throws, `residual` is left unmodified.
void topk_with_residual(const Operand& array, void* residual, const Layout& slices, sc_nan nan,
                        std::size_t k, bool by_rank, void* values, std::int64_t* indices);

}  // namespace secateur
