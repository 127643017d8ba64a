// Transposition of matrices.
#pragma once

#include <cstddef>

namespace secateur {

// Writes the transpose of a matrix of elements of 1, 2, 4 or 8 bytes. A row begins `from_stride`
// elements after the one before it, and a row of the transpose `to_stride` elements.
void transpose(std::size_t element_bytes, const void* from, std::size_t from_stride,
               std::size_t rows, std::size_t columns, void* to, std::size_t to_stride);

// Writes the transposes of `count` matrices that follow each other without gaps. Uses threads.
void transpose_matrices(std::size_t element_bytes, const void* from, std::size_t count,
                        std::size_t rows, std::size_t columns, void* to);

}  // namespace secateur
