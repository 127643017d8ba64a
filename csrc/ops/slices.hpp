// Selection along an axis: slice by slice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "ops/source.hpp"
#include "secateur/secateur.h"

namespace secateur {

// An array seen as [outer][length][inner]; its slices are along the middle.
struct Slices {
  std::size_t outer, length, inner;
};

// What a slice has a result of: an array [outer][length][inner] of its own length.
struct SliceResult {
  void* data;
  std::size_t length;
  std::size_t bytes_each;
};

// What is done with one slice: to bring its results, contiguous, to where `results` point. The selection in
// it is known already, unless it is the only one, or so long that the pass that selects may as well write.
using SliceWork =
    std::function<void(const Source& slice, void* const* results, const Selection* known)>;

// Does it with all of them, 0 <= k <= length of whose elements are to be selected; or only the key of the
// k-th (exact; 1 <= k), which is the threshold of the selection then. Slices of a source that is not to be ranked
// by its magnitude have their share of the scores. Throws Error when NaN is refused; results in place are
// then as they were.
void for_slices(const Source& array, const Slices& slices, sc_nan nan, std::size_t k, bool exact,
                std::span<const SliceResult> results, const SliceWork& work);

// Writes the k largest of each slice to where the array's output says.
void write_topk(const Source& array, const Slices& slices, sc_nan nan, std::size_t k);

}  // namespace secateur
