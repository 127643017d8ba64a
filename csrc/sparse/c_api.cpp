// The C API of sparse encodings.
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/arguments.hpp"
#include "sparse/bitmask.hpp"
#include "sparse/gaps.hpp"

using namespace secateur;
using namespace secateur::api;

namespace {

// Checks the number and the length of rows. Returns the memory of the bitmask.
MemoryRange checked_bitmask(const void* bitmask, std::size_t n, std::size_t row_length) {
  if (n > kMaxElements) {
    refuse("n", "at most " + std::to_string(kMaxElements), std::to_string(n));
  }
  if (n != 0 && (row_length == 0 || n % row_length != 0)) {
    refuse("row_length", "a divisor of " + std::to_string(n), std::to_string(row_length));
  }
  const PackedRows rows = bitmask_rows(n, row_length);
  return checked_array("bitmask", bitmask, rows.count * rows.bytes, 1);
}

// Checks an array of elements of any dtype of this size.
MemoryRange checked_elements(const char* argument, const void* data, std::size_t n,
                             std::size_t element_bytes) {
  if (element_bytes != 1 && element_bytes != 2 && element_bytes != 4 && element_bytes != 8) {
    refuse("element_bytes", "1, 2, 4 or 8", std::to_string(element_bytes));
  }
  return checked_array(argument, data, n, element_bytes);
}

void require_capacity(std::size_t count, std::size_t capacity, const char* what) {
  if (count > capacity) {
    refuse("capacity", "at least " + std::to_string(count) + ", the number of " + what,
           std::to_string(capacity));
  }
}

}  // namespace

sc_status sc_encode_bitmask(const void* w, size_t element_bytes, size_t n, size_t row_length,
                            const void* mask, void* bitmask, void* values, size_t capacity,
                            size_t* count) {
  return guarded([&] {
    const MemoryRange in = checked_elements("w", w, n, element_bytes);
    const MemoryRange keep = checked_array("mask", mask, mask == nullptr ? 0 : n, 1);
    const MemoryRange bits = checked_bitmask(bitmask, n, row_length);
    const MemoryRange kept = checked_elements("values", values, capacity, element_bytes);
    const MemoryRange number = checked_array("count", count, 1);
    require_no_overlap({bits, kept, number}, {in, keep});
    *count =
        encode_bitmask(w, {element_bytes, n, row_length}, static_cast<const std::uint8_t*>(mask),
                       static_cast<unsigned char*>(bitmask), values, capacity);
    require_capacity(*count, capacity, "values");
  });
}

sc_status sc_decode_bitmask(const void* bitmask, const void* values, size_t count,
                            size_t element_bytes, size_t n, size_t row_length, void* out) {
  return guarded([&] {
    const MemoryRange results = checked_elements("out", out, n, element_bytes);
    const MemoryRange bits = checked_bitmask(bitmask, n, row_length);
    const MemoryRange kept = checked_elements("values", values, count, element_bytes);
    require_no_overlap({results}, {bits, kept});
    decode_bitmask(values, count, static_cast<const unsigned char*>(bitmask),
                   {element_bytes, n, row_length}, out);
  });
}

sc_status sc_count_bitmask(const void* bitmask, size_t n, size_t row_length, size_t* count,
                           int64_t* row_offsets) {
  return guarded([&] {
    const MemoryRange bits = checked_bitmask(bitmask, n, row_length);
    const std::size_t rows = n == 0 || row_offsets == nullptr ? 0 : n / row_length;
    const MemoryRange number = checked_array("count", count, 1);
    const MemoryRange offsets = checked_array("row_offsets", row_offsets, rows);
    require_no_overlap({number, offsets}, {bits});
    *count = count_bitmask(static_cast<const unsigned char*>(bitmask), n, row_length, row_offsets);
  });
}

sc_status sc_encode_gaps(const void* bitmask, size_t n, size_t row_length, void* gaps,
                         size_t capacity, size_t* count) {
  return guarded([&] {
    const MemoryRange bits = checked_bitmask(bitmask, n, row_length);
    const MemoryRange bytes = checked_array("gaps", gaps, capacity, 1);
    const MemoryRange number = checked_array("count", count, 1);
    require_no_overlap({bytes, number}, {bits});
    *count = encode_gaps(static_cast<const unsigned char*>(bitmask), bitmask_rows(n, row_length),
                         static_cast<unsigned char*>(gaps), capacity);
    require_capacity(*count, capacity, "bytes");
  });
}

sc_status sc_decode_gaps(const void* gaps, size_t count, size_t n, size_t row_length,
                         void* bitmask) {
  return guarded([&] {
    const MemoryRange bytes = checked_array("gaps", gaps, count, 1);
    const MemoryRange bits = checked_bitmask(bitmask, n, row_length);
    require_no_overlap({bits}, {bytes});
    decode_gaps(static_cast<const unsigned char*>(gaps), count, bitmask_rows(n, row_length),
                static_cast<unsigned char*>(bitmask));
  });
}
