#include "sparse/gaps.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "core/blocks.hpp"
#include "core/dispatch.hpp"
#include "core/error.hpp"

namespace secateur {
namespace {

// Reads LEB128 numbers, each of which must be as short as possible.
class NumberReader {
 public:
  NumberReader(const unsigned char* from, std::size_t count)
      : begin_(from), next_(from), end_(from + count) {}

  [[nodiscard]] bool at_end() const { return next_ == end_; }

  std::uint64_t operator()() { return *next_ < kLeb128More ? *next_++ : long_number(); }

 private:
  std::uint64_t long_number() {
    const unsigned char* const first = next_;
    std::uint64_t number = 0;
    for (std::size_t i = 0; next_ != end_ && i < kLeb128Bytes; ++i) {
      const std::uint64_t byte = *next_++;
      const std::uint64_t bits = byte % kLeb128More;
      const auto shift = static_cast<int>(i) * kLeb128Bits;
      if (bits << shift >> shift != bits) {
        break;  // more than 64 bits
      }
      number |= bits << shift;
      if (byte == 0 && i != 0) {
        break;  // the number without this byte is the same
      }
      if (byte < kLeb128More) {
        return number;
      }
    }
    throw Error(SC_ERROR_ARGUMENT,
                "gaps must be LEB128 numbers of at most 64 bits, each as short as possible, got "
                "others at byte " +
                    std::to_string(first - begin_));
  }

  const unsigned char *begin_, *next_, *end_;
};

// The place of a bit of a bitmask.
class Place {
 public:
  explicit Place(const PackedRows& rows) : rows_(rows), left_(rows.codes()) {}

  // Skips bits of 0.
  void skip(std::uint64_t count) {
    if (count >= left_) {
      throw Error(SC_ERROR_ARGUMENT, "gaps must be within the " + std::to_string(rows_.codes()) +
                                         " bits of bitmask, got a gap of " + std::to_string(count) +
                                         " with " + std::to_string(left_) + " bits left");
    }
    left_ -= count;
    column_ += count;
    if (column_ >= rows_.length) {
      row_ += column_ / rows_.length;
      column_ %= rows_.length;
    }
  }
  void set(unsigned char* bitmask) {
    bitmask[row_ * rows_.bytes + column_ / 8] |= static_cast<unsigned char>(1u << column_ % 8);
    ++column_;
    --left_;
  }

 private:
  const PackedRows& rows_;
  std::size_t left_;  // bits from this one on
  std::size_t row_ = 0, column_ = 0;
};

}  // namespace

std::size_t encode_gaps(const unsigned char* bitmask, const PackedRows& rows, unsigned char* gaps,
                        std::size_t capacity) {
  alignas(kLine) unsigned char part[kBlock + kLeb128Bytes + kLine];
  const auto encode = kernels().sparse.encode_gaps;
  const std::size_t parts = ceil_div(rows.length, kBlock);
  std::uint64_t zeros = 0;
  std::size_t count = 0;
  for (std::size_t i = 0; i < rows.count * parts; ++i) {
    if (i % 16 == 0) {
      check_interrupts();
    }
    const std::size_t begin = i % parts * kBlock;
    const unsigned char* const bits = bitmask + i / parts * rows.bytes + begin / 8;
    const std::size_t bytes = encode(bits, std::min(rows.length - begin, kBlock), &zeros, part);
    if (count < capacity) {
      std::memcpy(gaps + count, part, std::min(bytes, capacity - count));
    }
    count += bytes;
  }
  return count;
}

void decode_gaps(const unsigned char* gaps, std::size_t count, const PackedRows& rows,
                 unsigned char* bitmask) {
  std::fill_n(bitmask, rows.count * rows.bytes, static_cast<unsigned char>(0));
  NumberReader read(gaps, count);
  Place place(rows);
  for (std::size_t done = 0; !read.at_end(); ++done) {
    if (done % kBlock == 0) {
      check_interrupts();
    }
    place.skip(read());
    place.set(bitmask);
  }
}

}  // namespace secateur
