// Pruning of whole blocks of matrices: the groups of a Layout. The Blocks of core/blocks.hpp are
// units of work.
#pragma once

#include <cstddef>

#include "core/layout.hpp"
#include "prune/kernels/table.hpp"
#include "secateur/secateur.h"

namespace secateur {

// Keeps the k blocks of largest norm. The output is the kept elements, or their mask in bools or
// bits. Blocks are not shared.
//
// This function and prune_blocks_above throw Error if NaN is refused. In-place outputs are then
// left unmodified.
void prune_blocks(const void* w, sc_dtype dtype, const Layout& blocks, sc_norm norm, std::size_t k,
                  sc_nan nan, const Output& out);
// Keeps the blocks whose norm is larger than the float64 with the bits `key`. NaN ranks as the policy
// says.
void prune_blocks_above(const void* w, sc_dtype dtype, const Layout& blocks, sc_norm norm, Key key,
                        sc_nan nan, const Output& out);

}  // namespace secateur
