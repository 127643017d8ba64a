#include "sparse/bitmask.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "core/blocks.hpp"
#include "core/dispatch.hpp"
#include "core/error.hpp"
#include "core/scratch.hpp"

namespace secateur {
namespace {

// The values of the parts of an array, one after another in the order of the parts, although threads
// finish them in another order. A thread waits for those that have earlier parts.
class OrderedValues {
 public:
  OrderedValues(void* values, std::size_t capacity, std::size_t element_bytes)
      : values_(static_cast<unsigned char*>(values)),
        capacity_(capacity),
        element_bytes_(element_bytes) {}

  void append(std::size_t part, const void* from, std::size_t count) {
    const std::size_t first = take(part, count);
    if (first < capacity_ && count != 0) {
      std::memcpy(values_ + first * element_bytes_, from,
                  std::min(count, capacity_ - first) * element_bytes_);
    }
  }
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  // Returns the index of the first value of the part.
  std::size_t take(std::size_t part, std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return next_ == part; });
    ++next_;
    const std::size_t first = count_;
    count_ += count;
    lock.unlock();
    changed_.notify_all();
    return first;
  }

  unsigned char* values_;
  std::size_t capacity_;  // in elements
  std::size_t element_bytes_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t next_ = 0;  // part
  std::size_t count_ = 0;
};

// Memory for the values of a part. Kernels write a vector past them.
struct PartValues {
  PartValues(const RowParts& parts, std::size_t element_bytes)
      : buffer(parts.max_codes() * element_bytes + kLine) {}
  Buffer<unsigned char> buffer;
};

// The bits of row `row` from code `begin` on.
template <class Byte>
Byte* bits_at(Byte* bitmask, const PackedRows& rows, std::size_t row, std::size_t begin) {
  return bitmask + row * rows.bytes + begin / 8;
}

// The number of bits that are set in a part of rows. Throws Error if a spare bit is.
std::size_t count_part(const unsigned char* bitmask, const PackedRows& rows, const RowsPart& part) {
  const auto count_bits = kernels().select.count_bits;
  std::size_t count = 0;
  for (std::size_t row = part.first; row != part.last; ++row) {
    count += count_bits(bits_at(bitmask, rows, row, part.begin), part.end - part.begin);
    if (part.end == rows.length && rows.length % 8 != 0 &&
        *bits_at(bitmask, rows, row, rows.length) >> rows.length % 8 != 0) {
      throw Error(
          SC_ERROR_ARGUMENT,
          "bitmask must have spare bits of 0, got ones at the end of row " + std::to_string(row));
    }
  }
  return count;
}

}  // namespace

std::size_t encode_bitmask(const void* w, const BitmaskLayout& layout, const std::uint8_t* keep,
                           unsigned char* bitmask, void* values, std::size_t capacity) {
  const PackedRows& rows = layout.rows;
  const std::size_t bytes = layout.element_bytes;
  if (rows.count == 0) {
    return 0;
  }
  const auto encode = kernels().sparse.bitmask[bytes].encode;
  const RowParts parts(rows, bytes);
  OrderedValues ordered(values, capacity, bytes);
  Tasks tasks(parts.count());
  share_with_scratch<PartValues>(tasks, rows.codes() * bytes,
                                 [&](const PartValues& scratch, std::size_t task) {
    const RowsPart part = parts[task];
    std::size_t count = 0;
    for (std::size_t row = part.first; row != part.last; ++row) {
      const std::size_t first = row * rows.length;
      count +=
          encode({w, first + part.begin, first + part.end, rows.codes()},
                 keep == nullptr ? nullptr : keep + first + part.begin,
                 bits_at(bitmask, rows, row, part.begin), scratch.buffer.data() + count * bytes);
    }
    ordered.append(task, scratch.buffer.data(), count);
  }, parts, bytes);
  return ordered.count();
}

void decode_bitmask(const void* values, std::size_t count, const unsigned char* bitmask,
                    const BitmaskLayout& layout, void* out) {
  const PackedRows& rows = layout.rows;
  const std::size_t bytes = layout.element_bytes;
  const RowParts parts(rows, bytes);
  std::vector<std::size_t> first_values(parts.count() + 1, 0);
  for (std::size_t task = 0; task < parts.count(); ++task) {
    check_interrupts();
    first_values[task + 1] = first_values[task] + count_part(bitmask, rows, parts[task]);
  }
  if (first_values.back() != count) {
    throw Error(SC_ERROR_ARGUMENT, "bitmask must have a bit for each of the " +
                                       std::to_string(count) + " values, got " +
                                       std::to_string(first_values.back()) + " bits");
  }
  if (rows.count == 0) {
    return;
  }
  const auto decode = kernels().sparse.bitmask[bytes].decode;
  const bool stream = worth_streaming(bitmask, out, rows.codes() * bytes);
  Tasks tasks(parts.count());
  share(tasks, rows.codes() * bytes, [&] {
    for (std::size_t task = 0; tasks.take(task);) {
      const RowsPart part = parts[task];
      std::size_t next = first_values[task];
      for (std::size_t row = part.first; row != part.last; ++row) {
        const unsigned char* const bits = bits_at(bitmask, rows, row, part.begin);
        const std::size_t length = part.end - part.begin;
        decode(bits, length, static_cast<const unsigned char*>(values) + next * bytes, count - next,
               stream, static_cast<unsigned char*>(out) + (row * rows.length + part.begin) * bytes);
        if (row + 1 != part.last) {
          next = std::min(next + kernels().select.count_bits(bits, length), count);
        }
      }
    }
  });
}

std::size_t count_bitmask(const unsigned char* bitmask, std::size_t n, std::size_t row_length,
                          std::int64_t* offsets) {
  std::size_t count = 0;
  if (n == 0) {
    return count;
  }
  const PackedRows rows{n / row_length, row_length, ceil_div(row_length, 8)};
  for_indices(rows.count, [&](std::size_t row) {
    if (offsets != nullptr) {
      offsets[row] = static_cast<std::int64_t>(count);
    }
    count += count_part(bitmask, rows, {row, row + 1, 0, row_length});
  });
  return count;
}

}  // namespace secateur
