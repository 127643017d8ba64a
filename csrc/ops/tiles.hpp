// Pruning of whole tiles of matrices. The API calls them blocks; here those are pieces of work, as
// in ops/blocks.hpp.
#pragma once

#include <cstddef>

#include "kernels/table.hpp"
#include "secateur/secateur.h"

namespace secateur {

Tiling tiling_of(const sc_blocks& blocks);
std::size_t tiles(const Tiling& tiling);  // how many

// Keeps the k tiles of largest norm, or those above a key. Throw Error when NaN is refused, and
// then an output in place is as it was.
void prune_tiles(const void* w, sc_dtype dtype, const sc_blocks& blocks, std::size_t k, sc_nan nan,
                 void* out);
void prune_tiles_above(const void* w, sc_dtype dtype, const sc_blocks& blocks, Key key, sc_nan nan,
                       void* out);

}  // namespace secateur
