// Equal keys, which are told apart by their index.
#pragma once

#include <cstddef>

#include "kernels/table.hpp"

namespace secateur {

// The end of the first r elements of w that have that key. There are as many, unless somebody writes
// to w meanwhile: then n.
std::size_t end_of_ties(const ElementKernels& kernels, const void* w, std::size_t bytes_each,
                        std::size_t n, Order order, Key key, std::size_t r);

}  // namespace secateur
