// Pruning of whole blocks of matrices: the groups of a Layout. The Blocks of core/blocks.hpp are
// units of work.
#pragma once

#include <cstddef>
#include <span>

#include "core/layout.hpp"
#include "prune/kernels/table.hpp"
#include "secateur/secateur.h"
#include "select/operand.hpp"

namespace secateur {

// The functions below rank the blocks of an array by the norms of the ranking values in them, and
// write the elements of the kept blocks, or their mask in bools or bits, to the output of the
// operand. Blocks are not shared. An array without elements has no blocks.
//
// They throw Error if NaN is refused. In-place outputs are then left unmodified.

// The number of blocks of an array.
std::size_t count_blocks(const Layout& blocks);

// Keeps the k blocks of largest norm in each slice. `slices` divides the array of the norms, whose
// shape is [outer][blocks down][blocks across].
void prune_blocks(const Operand& array, const Layout& blocks, sc_norm norm, const Layout& slices,
                  std::size_t k, sc_nan nan);

// Keeps the blocks whose norm is larger than the float64 with the bits `key`. NaN ranks as the
// policy says.
void prune_blocks_above(const Operand& array, const Layout& blocks, sc_norm norm, Key key,
                        sc_nan nan);

// Keeps k blocks of several arrays: of each array at least its minimum, as write_topk of
// select/min_kept.hpp does. `blocks` and `min_kept` have an item for each array.
void prune_blocks(std::span<Operand> arrays, std::span<const Layout> blocks, sc_norm norm,
                  std::span<const std::size_t> min_kept, std::size_t k, sc_nan nan);

}  // namespace secateur
