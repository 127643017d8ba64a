#include "ops/topk.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "ops/blocks.hpp"
#include "runtime/error.hpp"
#include "runtime/scratch.hpp"

namespace secateur {
namespace {

// A key, and where the element is among those that are sorted.
struct Item {
  Key key;
  std::size_t at;
};

// Sorts by falling key items that are in order, as those that tie stay: digit by digit from the lowest (LSD radix
// sort). Returns where the result is, in one of the two buffers.
const Item* sort_falling(Item* items, Item* spare, std::size_t count, Key largest) {
  constexpr std::size_t kFew = 512;
  constexpr int kDigit = 11;
  constexpr std::size_t kDigits = std::size_t{1} << kDigit;
  if (count <= kFew) {
    std::sort(items, items + count, [](const Item& a, const Item& b) {
      return a.key != b.key ? a.key > b.key : a.at < b.at;
    });
    return items;
  }
  const auto bits = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(largest)));
  const Buffer<std::size_t> starts(kDigits);
  for (int shift = 0; shift < bits; shift += kDigit) {
    const auto digit = [shift](const Item& item) {
      return kDigits - 1 - (static_cast<std::size_t>(item.key >> shift) & (kDigits - 1));
    };
    std::fill_n(starts.data(), kDigits, std::size_t{0});
    for (std::size_t i = 0; i < count; ++i) {
      ++starts[digit(items[i])];
    }
    std::size_t start = 0;
    for (std::size_t d = 0; d < kDigits; ++d) {
      const std::size_t of_digit = starts[d];
      starts[d] = start;
      start += of_digit;
    }
    for (std::size_t i = 0; i < count; ++i) {
      spare[starts[digit(items[i])]++] = items[i];
    }
    std::swap(items, spare);
  }
  return items;
}

// Puts elements that are in the order of their indices into that of their magnitudes.
template <class E, class K>
void sort_by_magnitude(const Scope& scope, std::size_t count, E* values, std::int64_t* indices) {
  const Buffer<Item> items(count);
  const Buffer<Item> spare(count);
  Key largest = 0;
  {
    const Buffer<K> keys(count);
    largest = scope.keys(scope.first(), values, count, keys.data());
    for (std::size_t i = 0; i < count; ++i) {
      items[i] = {keys[i], i};
    }
  }
  const Item* const sorted = sort_falling(items.data(), spare.data(), count, largest);
  // What is left of the other buffer takes the elements while they change places.
  auto* const room = sorted == items.data() ? spare.data() : items.data();
  auto* const moved_indices = reinterpret_cast<std::int64_t*>(room);
  auto* const moved_values = reinterpret_cast<E*>(moved_indices + count);
  std::memcpy(moved_indices, indices, count * sizeof *indices);
  std::memcpy(moved_values, values, count * sizeof *values);
  for (std::size_t i = 0; i < count; ++i) {
    indices[i] = moved_indices[sorted[i].at];
    values[i] = moved_values[sorted[i].at];
  }
}

void sort_by_magnitude(const Scope& scope, std::size_t count, void* values, std::int64_t* indices) {
  const auto sort = [&](auto element, auto key) {
    sort_by_magnitude<decltype(element), decltype(key)>(
        scope, count, static_cast<decltype(element)*>(values), indices);
  };
  switch (scope.key_type().bytes) {
    case sizeof(std::int16_t):
      return sort(std::int16_t{}, std::int32_t{});
    case sizeof(std::int32_t):
      return sort(std::int32_t{}, std::int32_t{});
    default:
      return sort(std::int64_t{}, std::int64_t{});
  }
}

// The elements at these places.
template <class E>
void gather(const void* w, const std::int64_t* places, std::size_t count, void* elements) {
  const E* const from = static_cast<const E*>(w);
  E* const to = static_cast<E*>(elements);
  for (std::size_t i = 0; i < count; ++i) {
    to[i] = from[places[i]];
  }
}

void gather(const Source& source, const std::int64_t* places, std::size_t count, void* elements) {
  const auto gather_elements = source.type.bytes == 2   ? gather<std::int16_t>
                               : source.type.bytes == 4 ? gather<std::int32_t>
                                                        : gather<std::int64_t>;
  gather_elements(source.w, places, count, elements);
}

// The k largest, by way of a mask of them.
void compact_topk(const Source& source, sc_nan nan, std::size_t k, void* values,
                  std::int64_t* indices, Guess* guess) {
  const Buffer<unsigned char> mask((source.n + 7) / 8);
  Source masked = source;
  masked.out = {Form::bits, mask.data(), false, {}, nullptr};
  const Scope scope({&masked, 1}, nan);
  write_topk(scope, k, guess);

  // Where the elements of each block go follows from how many the blocks before it have.
  const Blocks blocks(source.w, source.n, nullptr, 0);
  std::vector<std::size_t> starts(blocks.count());
  std::size_t start = 0;
  for (std::size_t i = 0; i < blocks.count(); ++i) {
    const Part part = blocks[i];
    starts[i] = start;
    start += scope.table().count_bits(mask.data() + part.begin / 8, part.end - part.begin);
  }
  if (start != k) {
    throw Error(SC_ERROR_INTERNAL, "w was written to during the call");
  }
  Tasks tasks(blocks.count());
  const std::size_t traffic = source.n / 8 + k * (source.type.bytes + sizeof *indices);
  share(tasks, traffic, [&] {
    for (std::size_t i = 0; tasks.take(i);) {
      scope.kernels(masked).compact(
          blocks[i], mask.data(),
          static_cast<unsigned char*>(values) + starts[i] * source.type.bytes, indices + starts[i]);
    }
  });
}

}  // namespace

void topk(const Source& source, sc_nan nan, std::size_t k, bool by_magnitude, void* values,
          std::int64_t* indices, Guess* guess) {
  Source ranked = source;
  const Scope scope({&ranked, 1}, nan);
  if (find_topk(scope, k, indices)) {
    gather(source, indices, k, values);
  } else {
    compact_topk(source, nan, k, values, indices, guess);
  }
  if (by_magnitude && k != 0) {
    sort_by_magnitude(scope, k, values, indices);
  }
}

}  // namespace secateur
