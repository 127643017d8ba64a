#include "prune/mask.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "core/blocks.hpp"
#include "core/dispatch.hpp"

namespace secateur {
namespace {

// Reverses the bits of each byte.
std::uint64_t reverse_bits(std::uint64_t bytes) {
  const auto swap = [&](std::uint64_t low, int distance) {
    bytes = (bytes & low) << distance | (bytes >> distance & low);
  };
  swap(0x5555555555555555u, 1);
  swap(0x3333333333333333u, 2);
  swap(0x0f0f0f0f0f0f0f0fu, 4);
  return bytes;
}

// Reverses the bits of each of `count` bytes. `to` may be `from`.
void reverse_bits(const unsigned char* from, std::size_t count, unsigned char* to) {
  for (std::size_t i = 0; i < count; i += sizeof(std::uint64_t)) {
    const std::size_t size = std::min(count - i, sizeof(std::uint64_t));
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, from + i, size);
    bytes = reverse_bits(bytes);
    std::memcpy(to + i, &bytes, size);
  }
}

// Packs `count` bools, each 0 or 1. The spare bits of the last byte become 0.
void pack_bools(const unsigned char* bools, std::size_t count, bool big, unsigned char* bits) {
  // The product has bool i in bit 56 + i (little) or in bit 63 - i (big). No two of its terms have
  // the same bit, so that nothing is carried.
  const std::uint64_t factor = big ? 0x8040201008040201u : 0x0102040810204080u;
  std::size_t i = 0;
  for (; i + kWord <= count; i += kWord) {
    std::uint64_t word = 0;
    for (std::size_t byte = 0; byte < 8; ++byte) {
      std::uint64_t eight = 0;
      std::memcpy(&eight, bools + i + 8 * byte, sizeof eight);
      word |= eight * factor >> 56 << (8 * byte);
    }
    std::memcpy(bits + i / 8, &word, sizeof word);
  }
  for (; i < count; i += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, bools + i, std::min(count - i, std::size_t{8}));
    bits[i / 8] = static_cast<unsigned char>(eight * factor >> 56);
  }
}

// Applies a mask of bits in big order. It reverses the bits of a block at a time into L1.
void apply_big_bits(const void* w, FloatType type, std::size_t n, const unsigned char* mask,
                    const Output& output) {
  const auto kernel = kernels().prune.elements[type.bytes].apply_bits;
  for_blocks(Blocks(w, n, output.data, 8 * type.bytes), n * type.bytes, [&](Part part) {
    // The first block may exceed kBlock by less than a cache line.
    std::array<unsigned char, kBlock / 8 + kLine> reversed;
    const std::size_t shift = part.begin % 8;
    const std::size_t begin = part.begin - shift;
    const auto at_begin = [&](const void* array) {
      return static_cast<const unsigned char*>(array) + begin * type.bytes;
    };
    reverse_bits(mask + begin / 8, ceil_div(part.end, 8) - begin / 8, reversed.data());
    Output of_block = output;
    of_block.data = const_cast<unsigned char*>(at_begin(output.data));
    kernel({at_begin(w), shift, part.end - begin, n - begin}, reversed.data(), of_block);
  });
}

}  // namespace

std::size_t mask_bytes(std::size_t n, sc_mask_format format) {
  return format == SC_MASK_FORMAT_BOOLS ? n : ceil_div(n, 8);
}

void apply_mask(const void* w, FloatType type, std::size_t n, const void* mask,
                sc_mask_format format, void* out) {
  const PruneElementKernels& width_kernels = kernels().prune.elements[type.bytes];
  const bool stream = worth_streaming(w, out, 2 * n * type.bytes + mask_bytes(n, format));
  const Output output{OutputKind::floats, out, stream};
  begin_writing(w, out);
  if (format == SC_MASK_FORMAT_BITS_BIG) {
    return apply_big_bits(w, type, n, static_cast<const unsigned char*>(mask), output);
  }
  const auto kernel =
      format == SC_MASK_FORMAT_BOOLS ? width_kernels.apply_bools : width_kernels.apply_bits;
  for_blocks(Blocks(w, n, out, 8 * type.bytes), n * type.bytes,
             [&](Part part) { kernel(part, mask, output); });
}

MaskWriter::MaskWriter(void* mask, std::size_t n, sc_mask_format format, bool can_write_bits)
    : mask_(static_cast<unsigned char*>(mask)), n_(n), format_(format) {
  if (format != SC_MASK_FORMAT_BOOLS && !can_write_bits) {
    bools_.emplace(n);
  }
}

Output MaskWriter::output() const {
  if (bools_) {
    return {OutputKind::bools, bools_->data(), false};
  }
  return {format_ == SC_MASK_FORMAT_BOOLS ? OutputKind::bools : OutputKind::bits, mask_, false};
}

void MaskWriter::finish() const {
  const bool big = format_ == SC_MASK_FORMAT_BITS_BIG;
  if (n_ == 0) {
    return;
  }
  if (bools_) {
    for_blocks(Blocks(bools_->data(), n_, nullptr, 0), n_, [&](Part part) {
      pack_bools(bools_->data() + part.begin, part.end - part.begin, big, mask_ + part.begin / 8);
    });
  } else if (big) {
    const std::size_t bytes = mask_bytes(n_, format_);
    for_blocks(Blocks(mask_, bytes, nullptr, 0), 2 * bytes, [&](Part part) {
      reverse_bits(mask_ + part.begin, part.end - part.begin, mask_ + part.begin);
    });
  }
}

}  // namespace secateur
