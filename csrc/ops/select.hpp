// Exact selection of the largest, and the writing of what was selected.
#pragma once

#include "kernels/table.hpp"
#include "ops/sample.hpp"
#include "ops/source.hpp"

namespace secateur {

// Elements up to which arrays are selected from in cache, on one thread.
inline constexpr std::size_t kInCache = std::size_t{1} << 16;

// The key of the k-th largest, 1 <= k <= n. Throws Error when NaN is refused.
Key kth_key(const Scope& scope, std::size_t k);

// Writes the k largest, 0 <= k <= n, to where the sources say, which may be their own arrays. Throws as
// above, and then an output in place is as it was.
void write_topk(const Scope& scope, std::size_t k);

// Writes a selection that is known.
void write_selection(const Scope& scope, Selection selection);

// The places of the k largest, 0 <= k <= n, in order: if they are so few, and so many elements besides, that
// all of them can be collected as they are found. False if they are not, or a sample misled.
bool find_topk(const Scope& scope, std::size_t k, std::int64_t* places);

// Writes those above a key.
void write_above(const Scope& scope, Key key);

}  // namespace secateur
