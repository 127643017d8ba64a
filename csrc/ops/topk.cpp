#include "ops/topk.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "ops/blocks.hpp"
#include "runtime/error.hpp"
#include "runtime/scratch.hpp"

namespace secateur {
namespace {

// An element while it is sorted: how far its key is below the largest that there could be, with its
// sign as the lowest bit, and its index.
template <class U>
struct Item {
  U rank;
  U index;
};

template <class U, class E>
U rank_of(E element, Order order) {
  const auto bits = static_cast<std::uint64_t>(element);
  const auto mask = static_cast<std::uint64_t>(order.mask);
  const std::uint64_t key = (bits + static_cast<std::uint64_t>(order.rotation)) & mask;
  return static_cast<U>((mask - key) << 1 | static_cast<std::uint64_t>(element < 0));
}

template <class E, class U>
E element_of(U rank, Order order) {
  const auto mask = static_cast<std::uint64_t>(order.mask);
  const std::uint64_t key = mask - (rank >> 1);
  const std::uint64_t magnitude = (key - static_cast<std::uint64_t>(order.rotation)) & mask;
  return static_cast<E>(magnitude | ((rank & 1) != 0 ? mask + 1 : 0));
}

// Sorts by rank, but for the sign, items that are in order, as those that tie stay: digit by digit from
// the lowest (LSD radix sort), of how far ranks are from the least. Returns where the result is, in one
// of the two buffers.
template <class U>
const Item<U>* sort(Item<U>* items, Item<U>* spare, std::size_t count, U least, U most) {
  constexpr std::size_t kFew = 48;
  constexpr std::size_t kDigit = 8;  // as many lines to write to as the nearest cache has room for
  constexpr std::size_t kDigits = std::size_t{1} << kDigit;
  constexpr std::size_t kMostDigits = 8 * sizeof(U) / kDigit;
  if (count <= kFew) {
    std::sort(items, items + count, [](const Item<U>& a, const Item<U>& b) {
      return a.rank >> 1 != b.rank >> 1 ? a.rank < b.rank : a.index < b.index;
    });
    return items;
  }
  const auto digit_of = [least](const Item<U>& item, std::size_t digit) {
    const U from_least = (item.rank >> 1) - (least >> 1);
    return static_cast<std::size_t>(from_least >> (digit * kDigit)) & (kDigits - 1);
  };
  const auto bits =
      static_cast<std::size_t>(std::bit_width(static_cast<U>((most >> 1) - (least >> 1))));
  const std::size_t digits = (bits + kDigit - 1) / kDigit;
  std::size_t starts[kMostDigits][kDigits];
  std::fill_n(&starts[0][0], digits * kDigits, std::size_t{0});
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t digit = 0; digit < digits; ++digit) {
      ++starts[digit][digit_of(items[i], digit)];
    }
  }
  for (std::size_t digit = 0; digit < digits; ++digit) {
    std::size_t* const to = starts[digit];
    if (to[digit_of(items[0], digit)] == count) {
      continue;  // nothing to sort by
    }
    std::exclusive_scan(to, to + kDigits, to, std::size_t{0});
    for (std::size_t i = 0; i < count; ++i) {
      spare[to[digit_of(items[i], digit)]++] = items[i];
    }
    std::swap(items, spare);
  }
  return items;
}

// Puts elements that are in the order of their indices into that of their magnitudes.
template <class E, class U>
void sort_by_magnitude(Order order, std::size_t count, void* elements, std::int64_t* indices) {
  E* const values = static_cast<E*>(elements);
  const Buffer<Item<U>> items(count);
  const Buffer<Item<U>> spare(count);
  U least = std::numeric_limits<U>::max();
  U most = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const U rank = rank_of<U>(values[i], order);
    least = std::min(least, rank);
    most = std::max(most, rank);
    items[i] = {rank, static_cast<U>(indices[i])};
  }
  const Item<U>* const sorted = sort(items.data(), spare.data(), count, least, most);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = element_of<E>(sorted[i].rank, order);
    indices[i] = static_cast<std::int64_t>(sorted[i].index);
  }
}

void sort_by_magnitude(const Scope& scope, std::size_t count, void* values, std::int64_t* indices) {
  const bool short_indices = scope.size() <= std::numeric_limits<std::uint32_t>::max();
  const Order order = scope.order(scope.first());
  switch (scope.key_type().bytes) {
    case sizeof(std::int16_t):
      return (short_indices
                  ? sort_by_magnitude<std::int16_t, std::uint32_t>
                  : sort_by_magnitude<std::int16_t, std::uint64_t>)(order, count, values, indices);
    case sizeof(std::int32_t):
      return (short_indices
                  ? sort_by_magnitude<std::int32_t, std::uint32_t>
                  : sort_by_magnitude<std::int32_t, std::uint64_t>)(order, count, values, indices);
    default:
      return sort_by_magnitude<std::int64_t, std::uint64_t>(order, count, values, indices);
  }
}

// The elements at these places.
template <class E>
void gather(const void* w, const std::int64_t* places, std::size_t count, void* elements) {
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(static_cast<E*>(elements) + i, static_cast<const E*>(w) + places[i], sizeof(E));
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
                  std::int64_t* indices, const Selection* known) {
  const Buffer<unsigned char> mask((source.n + 7) / 8);
  Source masked = source;
  masked.out = {Form::bits, mask.data(), false};
  const Scope scope({&masked, 1}, nan);
  known != nullptr ? write_selection(scope, *known) : write_topk(scope, k);

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
          std::int64_t* indices, const Selection* known) {
  Source ranked = source;
  const Scope scope({&ranked, 1}, nan);
  if (find_topk(scope, k, indices)) {
    gather(source, indices, k, values);
  } else {
    compact_topk(source, nan, k, values, indices, known);
  }
  if (by_magnitude && k != 0) {
    sort_by_magnitude(scope, k, values, indices);
  }
}

}  // namespace secateur
