#include "pack/packing.hpp"

#include <atomic>
#include <cstdio>

#include "core/blocks.hpp"
#include "core/dispatch.hpp"
#include "core/error.hpp"

namespace secateur {
namespace {

// Throws the error that names the first code that is out of range.
[[noreturn]] void refuse_codes(const void* codes, std::size_t n, const Packing& packing) {
  const auto value = [&](std::size_t i) {
    const unsigned char byte = static_cast<const unsigned char*>(codes)[i];
    return packing.is_signed ? static_cast<signed char>(byte) : static_cast<int>(byte);
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

// Blocks of codes with as many bytes as kBlock floats. They begin at multiples of 64 codes, so that
// no two threads write to the same packed byte.
Blocks blocks_of(const void* array, std::size_t n) {
  return {array, n, nullptr, 0, kBlock * sizeof(float)};
}

}  // namespace

void pack_ints(const void* codes, std::size_t n, const Packing& packing, bool checked,
               void* packed) {
  const auto bits = static_cast<std::size_t>(packing.bits);
  auto* const out = static_cast<unsigned char*>(packed);
  const bool stream = worth_streaming(codes, packed, n + packed_bytes(n, bits));
  std::atomic<bool> out_of_range{false};
  for_blocks(blocks_of(codes, n), n, [&, pack = kernels().pack.pack](Part part) {
    if (!pack(part, packing, stream, out + packed_bytes(part.begin, bits))) {
      out_of_range.store(true, std::memory_order_relaxed);
    }
  });
  if (checked && out_of_range.load()) {
    refuse_codes(codes, n, packing);
  }
}

void unpack_ints(const void* packed, std::size_t n, const Packing& packing, void* codes) {
  const auto bits = static_cast<std::size_t>(packing.bits);
  auto* const out = static_cast<unsigned char*>(codes);
  const bool stream = worth_streaming(packed, codes, n + packed_bytes(n, bits));
  for_blocks(blocks_of(packed, n), n, [&, unpack = kernels().pack.unpack](Part part) {
    unpack(part, packing, stream, out + part.begin);
  });
}

}  // namespace secateur
