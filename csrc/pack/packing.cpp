#include "pack/packing.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "core/blocks.hpp"
#include "core/dispatch.hpp"
#include "core/error.hpp"

namespace secateur {
namespace {

// Throws the error that names the first code that is out of range.
[[noreturn]] void refuse_codes(const void* codes, std::size_t n, const Packing& packing) {
  const auto* const bytes = static_cast<const unsigned char*>(codes);
  const auto value = [&](std::size_t i) {
    std::uint16_t word = bytes[i * packing.code_bytes];
    if (packing.code_bytes == 1) {
      return packing.is_signed ? static_cast<signed char>(word) : static_cast<int>(word);
    }
    std::memcpy(&word, bytes + 2 * i, sizeof word);
    return packing.is_signed ? static_cast<std::int16_t>(word) : static_cast<int>(word);
  };
  const int count = 1 << packing.bits;
  const int lowest = packing.is_signed ? -count / 2 : 0;
  const int highest = lowest + count - 1;
  std::size_t first = 0;
  for (; first + 1 < n && value(first) >= lowest && value(first) <= highest; ++first) {
    if (first % kLargeBlock == 0) {
      check_interrupts();
    }
  }
  char message[128];
  std::snprintf(message, sizeof message,
                "q must be integers from %d to %d, those of %d bits, got %d at flat index %zu",
                lowest, highest, packing.bits, value(first), first);
  throw Error(SC_ERROR_ARGUMENT, message);
}

// Calls body(part) for all parts of the rows.
template <class Body>
void for_rows(const PackedRows& rows, const Packing& packing, const Body& body) {
  for_blocks(RowParts(rows, packing.code_bytes), rows.codes() * packing.code_bytes, body);
}

// Tuning: the length below which rows are staged. The overhead of a kernel call equals the packing
// of hundreds of codes.
constexpr std::size_t kShortRow = 512;

// Buffers for several short rows, so that one call of a kernel processes all of them. Rows are
// padded to multiples of eight codes, and thus begin at whole bytes.
class StagedRows {
 public:
  StagedRows(const PackedRows& rows, const Packing& packing)
      : code_bytes_(rows.length * packing.code_bytes),
        packed_bytes_(packed_bytes(rows.length, static_cast<std::size_t>(packing.bits))),
        padded_length_(ceil_div(rows.length, 8) * 8),
        code_stride_(padded_length_ * packing.code_bytes),
        packed_stride_(padded_length_ / 8 * static_cast<std::size_t>(packing.bits)) {}

  // The largest number of rows at once.
  [[nodiscard]] std::size_t capacity() const { return kCodes / padded_length_; }
  // The codes and the packed integers of `count` rows, as arrays of a kernel.
  [[nodiscard]] Part codes(std::size_t count) const { return part_of(codes_, count); }
  [[nodiscard]] Part packed(std::size_t count) const { return part_of(packed_, count); }
  [[nodiscard]] void* code_buffer() { return codes_; }
  [[nodiscard]] void* packed_buffer() { return packed_; }

  void read_codes(const unsigned char* from, std::size_t count) {
    copy_rows(from, code_bytes_, codes_, code_stride_, code_bytes_, count);
  }
  void write_codes(unsigned char* to, std::size_t count) const {
    copy_rows(codes_, code_stride_, to, code_bytes_, code_bytes_, count);
  }
  void read_packed(const unsigned char* from, std::size_t stride, std::size_t count) {
    copy_rows(from, stride, packed_, packed_stride_, packed_bytes_, count);
  }
  void write_packed(unsigned char* to, std::size_t stride, std::size_t count) const {
    copy_rows(packed_, packed_stride_, to, stride, packed_bytes_, count);
  }

 private:
  static constexpr std::size_t kCodes = 4096;
  static_assert(kCodes >= kShortRow);

  [[nodiscard]] Part part_of(const unsigned char* array, std::size_t count) const {
    return {array, 0, count * padded_length_, count * padded_length_};
  }
  static void copy_rows(const unsigned char* from, std::size_t from_stride, unsigned char* to,
                        std::size_t to_stride, std::size_t bytes, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      std::memcpy(to + i * to_stride, from + i * from_stride, bytes);
    }
  }

  std::size_t code_bytes_, packed_bytes_;  // of a row
  std::size_t padded_length_;
  std::size_t code_stride_, packed_stride_;
  alignas(kLine) unsigned char codes_[2 * kCodes] = {};
  alignas(kLine) unsigned char packed_[2 * kCodes] = {};
};

// Packs rows of codes. Returns whether all codes are in range.
bool pack_rows(const unsigned char* codes, const PackedRows& rows, const Packing& packing,
               const RowsPart& part, bool stream, unsigned char* packed) {
  const auto pack = kernels().pack.pack;
  bool in_range = true;
  if (rows.length < kShortRow && rows.count > 1) {
    StagedRows staged(rows, packing);
    for (std::size_t row = part.first, count = 0; row != part.last; row += count) {
      count = std::min(staged.capacity(), part.last - row);
      staged.read_codes(codes + row * rows.length * packing.code_bytes, count);
      in_range &= pack(staged.codes(count), packing, false, staged.packed_buffer());
      staged.write_packed(packed + row * rows.bytes, rows.bytes, count);
    }
    return in_range;
  }
  const auto bits = static_cast<std::size_t>(packing.bits);
  for (std::size_t row = part.first; row != part.last; ++row) {
    const std::size_t first = row * rows.length;
    in_range &= pack({codes, first + part.begin, first + part.end, rows.codes()}, packing, stream,
                     packed + row * rows.bytes + packed_bytes(part.begin, bits));
  }
  return in_range;
}

void unpack_rows(const unsigned char* packed, const PackedRows& rows, const Packing& packing,
                 const RowsPart& part, bool stream, unsigned char* codes) {
  const auto unpack = kernels().pack.unpack;
  if (rows.length < kShortRow && rows.count > 1) {
    StagedRows staged(rows, packing);
    for (std::size_t row = part.first, count = 0; row != part.last; row += count) {
      count = std::min(staged.capacity(), part.last - row);
      staged.read_packed(packed + row * rows.bytes, rows.bytes, count);
      unpack(staged.packed(count), packing, false, staged.code_buffer());
      staged.write_codes(codes + row * rows.length * packing.code_bytes, count);
    }
    return;
  }
  for (std::size_t row = part.first; row != part.last; ++row) {
    unpack({packed + row * rows.bytes, part.begin, part.end, rows.length}, packing, stream,
           codes + (row * rows.length + part.begin) * packing.code_bytes);
  }
}

// Sets the padding at the ends of packed rows to 0.
void clear_padding(const PackedRows& rows, const Packing& packing, const RowsPart& part,
                   unsigned char* packed) {
  const std::size_t used = packed_bytes(rows.length, static_cast<std::size_t>(packing.bits));
  if (part.end == rows.length && used != rows.bytes) {
    for (std::size_t row = part.first; row != part.last; ++row) {
      std::memset(packed + row * rows.bytes + used, 0, rows.bytes - used);
    }
  }
}

// Tuning: streaming stores write whole cache lines, so that short rows would not gain from them.
bool worth_streaming_rows(const PackedRows& rows, const Packing& packing, const void* from,
                          const void* to) {
  constexpr std::size_t kLongRow = std::size_t{16} << 10;
  return rows.length * packing.code_bytes >= kLongRow &&
         worth_streaming(from, to, rows.codes() * packing.code_bytes + rows.count * rows.bytes);
}

}  // namespace

PackedRows packed_rows(std::size_t n, std::size_t bits, std::size_t row_length,
                       std::size_t row_align) {
  if (n == 0) {
    return {0, 0, 0};
  }
  if (row_align == 0) {
    return {1, n, packed_bytes(n, bits)};
  }
  const std::size_t align = row_align / 8;
  const std::size_t bytes = ceil_div(packed_bytes(row_length, bits), align) * align;
  // Rows without padding are one row. row_length % 8 * bits % 8 == 0 says, without overflow, that
  // row_length * bits is a multiple of 8.
  const bool is_full = row_length % 8 * bits % 8 == 0 && bytes == packed_bytes(row_length, bits);
  return is_full ? PackedRows{1, n, packed_bytes(n, bits)}
                 : PackedRows{n / row_length, row_length, bytes};
}

RowParts::RowParts(const PackedRows& rows, std::size_t code_bytes)
    : rows_(rows),
      most_(kBlock * sizeof(float) / code_bytes),
      parts_of_row_(ceil_div(rows.length, most_)),
      rows_of_part_(std::max(most_ / std::max(rows.length, std::size_t{1}), std::size_t{1})) {}

std::size_t RowParts::count() const { return ceil_div(rows_.count, rows_of_part_) * parts_of_row_; }

RowsPart RowParts::operator[](std::size_t i) const {
  const std::size_t first = i / parts_of_row_ * rows_of_part_;
  const std::size_t begin = i % parts_of_row_ * most_;
  return {first, std::min(first + rows_of_part_, rows_.count), begin,
          std::min(begin + most_, rows_.length)};
}

std::size_t RowParts::max_codes() const {
  return std::min(rows_.length, most_) * std::min(rows_of_part_, rows_.count);
}

void pack_ints(const void* codes, const PackedRows& rows, const Packing& packing, bool checks_range,
               void* packed) {
  if (rows.count == 0) {
    return;
  }
  const bool stream = worth_streaming_rows(rows, packing, codes, packed);
  std::atomic<bool> in_range{true};
  for_rows(rows, packing, [&, out = static_cast<unsigned char*>(packed)](const RowsPart& part) {
    if (!pack_rows(static_cast<const unsigned char*>(codes), rows, packing, part, stream, out)) {
      in_range.store(false, std::memory_order_relaxed);
    }
    clear_padding(rows, packing, part, out);
  });
  if (checks_range && !in_range.load()) {
    refuse_codes(codes, rows.codes(), packing);
  }
}

void unpack_ints(const void* packed, const PackedRows& rows, const Packing& packing, void* codes) {
  if (rows.count == 0) {
    return;
  }
  const bool stream = worth_streaming_rows(rows, packing, packed, codes);
  for_rows(rows, packing, [&](const RowsPart& part) {
    unpack_rows(static_cast<const unsigned char*>(packed), rows, packing, part, stream,
                static_cast<unsigned char*>(codes));
  });
}

}  // namespace secateur
