// Exact selection of the k largest elements, and output of a selection.
#pragma once

#include <span>

#include "select/kernels/table.hpp"
#include "select/operand.hpp"
#include "select/sample.hpp"

namespace secateur {

// Tuning: largest problem, in elements, that is selected in cache on one thread.
inline constexpr std::size_t kInCache = std::size_t{1} << 16;

// The key of the k-th largest element, 1 <= k <= n. Throws Error if NaN is refused and present.
Key kth_key(const SelectionProblem& problem, std::size_t k);

// The selection of the k largest elements, 0 <= k <= n. Writes nothing. Throws Error if NaN is
// refused and present.
Selection find_topk(const SelectionProblem& problem, std::size_t k);

// Writes the k largest elements, 0 <= k <= n, to the outputs of the operands, which may be the
// arrays themselves. Throws Error if NaN is refused and present; an output in place is then left
// unmodified.
void write_topk(const SelectionProblem& problem, std::size_t k);

// Does the same for one operand, 1 <= k < n, on this thread and without allocating memory. It is
// about a hundred times slower. It serves where an allocation has failed after other slices of an
// array have been written in place.
void write_topk_without_scratch(Operand operand, sc_nan nan, std::size_t k);

// Writes a known selection of each operand, given by the operand's own keys and indices; of k
// elements in all.
void write_selections(const SelectionProblem& problem, std::span<const Selection> locals,
                      std::size_t k);

// Writes the indices of the k largest elements of one operand, 0 <= k <= n, in ascending order.
// Returns false and writes nothing if k is 0; in cache, if there are scores; from memory, if k is
// too large a share of n, or if the sample misled the pass. Throws Error if NaN is refused and
// present.
bool try_topk_indices(const SelectionProblem& problem, std::size_t k, std::int64_t* indices);

// Writes the elements whose keys are above `key`.
void write_above(const SelectionProblem& problem, Key key);

}  // namespace secateur
