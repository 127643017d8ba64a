#include "ops/packing.hpp"

#include <atomic>
#include <cstdio>

#include "dispatch/dispatch.hpp"
#include "ops/blocks.hpp"
#include "runtime/error.hpp"

namespace secateur {
namespace {

[[noreturn]] void refuse_codes(const void* codes, std::size_t n, const Packing& packing) {
  const auto value = [&](std::size_t i) {
    const unsigned char byte = static_cast<const unsigned char*>(codes)[i];
    return packing.is_signed ? static_cast<signed char>(byte) : static_cast<int>(byte);
  };
  const int count = 1 << packing.bits;
  const int lowest = packing.is_signed ? -count / 2 : 0;
  const int highest = lowest + count - 1;
  std::size_t first = 0;
  while (first + 1 < n && value(first) >= lowest && value(first) <= highest) {
    ++first;
  }
  char message[128];
  std::snprintf(message, sizeof message,
                "q must be integers from %d to %d, those of %d bits, got %d at flat index %zu",
                lowest, highest, packing.bits, value(first), first);
  throw Error(SC_ERROR_ARGUMENT, message);
}

// Of as many bytes of codes as blocks of floats have. They begin at multiples of 64, so that no two threads
// share a byte of what is packed.
Blocks blocks_of(const void* array, std::size_t n) {
  return {array, n, nullptr, 0, kBlock * sizeof(float)};
}

}  // namespace

void pack_ints(const void* codes, std::size_t n, const Packing& packing, bool checked,
               void* packed) {
  const auto bits = static_cast<std::size_t>(packing.bits);
  auto* const out = static_cast<unsigned char*>(packed);
  const bool stream = worth_streaming(codes, packed, n + packed_bytes(n, bits));
  std::atomic<bool> lost{false};
  for_blocks(blocks_of(codes, n), n, [&, pack = kernels().pack](Part part) {
    if (!pack(part, packing, stream, out + packed_bytes(part.begin, bits))) {
      lost.store(true, std::memory_order_relaxed);
    }
  });
  if (checked && lost.load()) {
    refuse_codes(codes, n, packing);
  }
}

void unpack_ints(const void* packed, std::size_t n, const Packing& packing, void* codes) {
  const auto bits = static_cast<std::size_t>(packing.bits);
  auto* const out = static_cast<unsigned char*>(codes);
  const bool stream = worth_streaming(packed, codes, n + packed_bytes(n, bits));
  for_blocks(blocks_of(packed, n), n, [&, unpack = kernels().unpack](Part part) {
    unpack(part, packing, stream, out + part.begin);
  });
}

}  // namespace secateur
