// Pruning of whole blocks of matrices. BlockGrid describes these blocks. The Blocks of
// core/blocks.hpp are units of work.
#pragma once

#include <cstddef>

#include "prune/kernels/table.hpp"
#include "secateur/secateur.h"

namespace secateur {

BlockGrid grid_of(const sc_blocks& blocks);
std::size_t block_count(const BlockGrid& grid);

// Keeps the k blocks of largest norm. The output is the kept elements, or their mask in bools or
// bits.
//
// This function and prune_blocks_above throw Error if NaN is refused. In-place outputs are then
// left unmodified.
void prune_blocks(const void* w, sc_dtype dtype, const sc_blocks& blocks, std::size_t k, sc_nan nan,
                  const Output& out);
// Keeps the blocks whose norm has a larger key than `key`.
void prune_blocks_above(const void* w, sc_dtype dtype, const sc_blocks& blocks, Key key, sc_nan nan,
                        const Output& out);

}  // namespace secateur
