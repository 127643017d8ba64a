// Tie-breaking: equal keys rank by their index.
#pragma once

#include <cstddef>

#include "select/kernels/table.hpp"

namespace secateur {

// The index after the first r elements of w whose key is `key`. The caller guarantees that w has r
// such elements; the result is n if another thread has changed w since they were counted.
std::size_t end_of_ties(const ElementKernels& kernels, const void* w, std::size_t bytes_each,
                        std::size_t n, Order order, Key key, std::size_t r);

}  // namespace secateur
