// Selection along an axis: slice by slice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "ops/sample.hpp"
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

// What is done with one slice: to bring its results, contiguous, to where `results` point. The guess is
// from the slices before.
using SliceWork = std::function<void(Source slice, void* const* results, Guess& guess)>;

// Does it with all of them. Slices of a source that is not to be ranked by its magnitude have their
// share of the scores. Throws Error when NaN is refused; results in place are then as they were.
void for_slices(const Source& array, const Slices& slices, sc_nan nan,
                std::span<const SliceResult> results, const SliceWork& work);

// Writes the k largest of each slice to where the array's output says.
void write_topk(const Source& array, const Slices& slices, sc_nan nan, std::size_t k);

}  // namespace secateur
