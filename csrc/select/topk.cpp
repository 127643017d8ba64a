#include "select/topk.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "core/blocks.hpp"
#include "core/error.hpp"
#include "core/scratch.hpp"
#include "select/select.hpp"
#include "select/slices.hpp"

namespace secateur {
namespace {

// Tuning: up to here, sorting by comparisons is faster than a radix sort.
constexpr std::size_t kFew = 48;

// The key of an element from its bits. Sums may wrap.
template <class E>
E key_of(E element, Order order) {
  const auto sum = static_cast<std::uint64_t>(element) + static_cast<std::uint64_t>(order.rotation);
  return static_cast<E>(sum & static_cast<std::uint64_t>(order.mask));
}

// An element during the sort. `rank` is the distance of its key below the largest possible key. If
// elements rank by magnitude, it is shifted left by one bit, and its lowest bit is the sign of the
// element.
template <class U>
struct Item {
  U rank;
  U index;
};

template <class U, class E>
U rank_of(E element, Order order) {
  const auto below_most = static_cast<std::uint64_t>(order.mask - key_of(element, order));
  return static_cast<U>(below_most << 1 | static_cast<std::uint64_t>(element < 0));
}

template <class E, class U>
E element_of(U rank, Order order) {
  const auto mask = static_cast<std::uint64_t>(order.mask);
  const std::uint64_t key = mask - (rank >> 1);
  const std::uint64_t magnitude = (key - static_cast<std::uint64_t>(order.rotation)) & mask;
  return static_cast<E>(magnitude | ((rank & 1) != 0 ? mask + 1 : 0));
}

// Sorts items by rank without its kSignBits lowest bits, in ascending order. The items come in the
// order of their indices, and the sort is stable, so that ties stay in that order. It is an LSD
// radix sort of the distance of each rank from the least one. Returns the result, which is in one
// of the two buffers.
template <int kSignBits, class U>
const Item<U>* sort(Item<U>* items, Item<U>* spare, std::size_t count, U least, U most) {
  constexpr std::size_t kDigit = 8;  // bits; L1 holds an output line for each value of a digit
  constexpr std::size_t kDigits = std::size_t{1} << kDigit;
  constexpr std::size_t kMostDigits = 8 * sizeof(U) / kDigit;
  if (count <= kFew) {
    std::sort(items, items + count, [](const Item<U>& a, const Item<U>& b) {
      return a.rank >> kSignBits != b.rank >> kSignBits ? a.rank < b.rank : a.index < b.index;
    });
    return items;
  }
  const auto digit_of = [least](const Item<U>& item, std::size_t digit) {
    const U from_least = (item.rank >> kSignBits) - (least >> kSignBits);
    return static_cast<std::size_t>(from_least >> (digit * kDigit)) & (kDigits - 1);
  };
  const auto bits = static_cast<std::size_t>(
      std::bit_width(static_cast<U>((most >> kSignBits) - (least >> kSignBits))));
  const std::size_t digits = ceil_div(bits, kDigit);
  std::size_t starts[kMostDigits][kDigits];
  std::fill_n(&starts[0][0], digits * kDigits, std::size_t{0});
  for_indices(count, [&](std::size_t i) {
    for (std::size_t digit = 0; digit < digits; ++digit) {
      ++starts[digit][digit_of(items[i], digit)];
    }
  });
  for (std::size_t digit = 0; digit < digits; ++digit) {
    std::size_t* const positions = starts[digit];
    if (positions[digit_of(items[0], digit)] == count) {
      continue;  // all items have the same digit
    }
    std::exclusive_scan(positions, positions + kDigits, positions, std::size_t{0});
    for_indices(count,
                [&](std::size_t i) { spare[positions[digit_of(items[i], digit)]++] = items[i]; });
    std::swap(items, spare);
  }
  return items;
}

// Sorts elements and their indices by falling magnitude. On input they are in ascending order of
// index.
template <class E, class U>
void sort_by_magnitude(Order order, std::size_t count, void* elements, std::int64_t* indices) {
  E* const values = static_cast<E*>(elements);
  const Buffer<Item<U>> items(count);
  const Buffer<Item<U>> spare(count);
  U least = std::numeric_limits<U>::max();
  U most = 0;
  for_indices(count, [&](std::size_t i) {
    const U rank = rank_of<U>(values[i], order);
    least = std::min(least, rank);
    most = std::max(most, rank);
    items[i] = {rank, static_cast<U>(indices[i])};
  });
  const Item<U>* const sorted = sort<1>(items.data(), spare.data(), count, least, most);
  for_indices(count, [&](std::size_t i) {
    values[i] = element_of<E>(sorted[i].rank, order);
    indices[i] = static_cast<std::int64_t>(sorted[i].index);
  });
}

void sort_by_magnitude(const SelectionProblem& problem, std::size_t count, void* values,
                       std::int64_t* indices) {
  const bool short_indices = problem.size() <= std::numeric_limits<std::uint32_t>::max();
  const Order order = problem.order(problem.first_operand());
  switch (problem.key_type().bytes) {
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

// Copies the elements at `count` indices in each row. The indices and the results of a row begin
// `index_stride` and `value_stride` elements after those of the previous row.
template <class E>
void gather(const Rows& rows, std::size_t count, const std::int64_t* indices,
            std::size_t index_stride, void* values, std::size_t value_stride) {
  const E* row = static_cast<const E*>(rows.array);
  E* to = static_cast<E*>(values);
  for (std::size_t r = 0; r < rows.count; ++r) {
    for (std::size_t i = 0; i < count; ++i) {
      std::memcpy(to + i, row + indices[i], sizeof(E));
    }
    row += rows.stride;
    indices += index_stride;
    to += value_stride;
  }
}

void gather(std::size_t element_bytes, const Rows& rows, std::size_t count,
            const std::int64_t* indices, std::size_t index_stride, void* values,
            std::size_t value_stride) {
  const auto gather_elements = element_bytes == 2   ? gather<std::int16_t>
                               : element_bytes == 4 ? gather<std::int32_t>
                                                    : gather<std::int64_t>;
  gather_elements(rows, count, indices, index_stride, values, value_stride);
}

void gather(const Operand& operand, const std::int64_t* indices, std::size_t count, void* values) {
  gather(operand.type.bytes, {operand.w, 1, operand.n, operand.n, operand.n}, count, indices, count,
         values, count);
}

// Sorts indices by the falling ranks that scores give their elements. On input they are in
// ascending order.
template <class K, class U>
void sort_by_scores(const SelectionProblem& problem, std::size_t count, std::int64_t* indices) {
  const Operand& operand = problem.first_operand();
  const Buffer<Item<U>> items(count);
  const Buffer<Item<U>> spare(count);
  U least = std::numeric_limits<U>::max();
  U most = 0;
  for_indices(count, [&](std::size_t i) {
    const auto index = static_cast<std::size_t>(indices[i]);
    std::int64_t scratch = 0;
    K key = 0;
    problem.keys(operand, problem.bits(operand, index, index + 1, &scratch), 1, &key);
    const U rank = static_cast<U>(std::numeric_limits<K>::max()) - static_cast<U>(key);
    least = std::min(least, rank);
    most = std::max(most, rank);
    items[i] = {rank, static_cast<U>(index)};
  });
  const Item<U>* const sorted = sort<0>(items.data(), spare.data(), count, least, most);
  for_indices(count,
              [&](std::size_t i) { indices[i] = static_cast<std::int64_t>(sorted[i].index); });
}

void sort_by_scores(const SelectionProblem& problem, std::size_t count, std::int64_t* indices) {
  const bool short_indices = problem.size() <= std::numeric_limits<std::uint32_t>::max();
  if (problem.key_type().bytes == sizeof(std::int64_t)) {
    return sort_by_scores<std::int64_t, std::uint64_t>(problem, count, indices);
  }
  return (short_indices ? sort_by_scores<std::int32_t, std::uint32_t>
                        : sort_by_scores<std::int32_t, std::uint64_t>)(problem, count, indices);
}

// Writes a bit mask of the k largest elements, and then compacts the elements whose bits are set.
void compact_topk(const Operand& operand, sc_nan nan, std::size_t k, void* values,
                  std::int64_t* indices) {
  const Buffer<unsigned char> mask(ceil_div(operand.n, 8));
  Operand masked = operand;
  masked.out = {OutputKind::bits, mask.data(), false};
  const SelectionProblem problem({&masked, 1}, nan);
  write_topk(problem, k);

  // The position of the elements of a block in the output is the number of kept elements before it.
  const Blocks blocks(operand.w, operand.n, nullptr, 0);
  std::vector<std::size_t> starts(blocks.count());
  std::size_t start = 0;
  for (std::size_t i = 0; i < blocks.count(); ++i) {
    const Part part = blocks[i];
    starts[i] = start;
    start += problem.table().select.count_bits(mask.data() + part.begin / 8, part.end - part.begin);
  }
  if (start != k) {
    throw_input_changed();
  }
  Tasks tasks(blocks.count());
  const std::size_t traffic = operand.n / 8 + k * (operand.type.bytes + sizeof *indices);
  share(tasks, traffic, [&] {
    for (std::size_t i = 0; tasks.take(i);) {
      problem.table().select.elements[operand.type.bytes].compact(
          blocks[i], mask.data(),
          static_cast<unsigned char*>(values) + starts[i] * operand.type.bytes,
          indices + starts[i]);
    }
  });
}

// Sorts the elements of an operand and their indices by rank. On input they are in ascending order
// of index.
void sort_by_rank(const SelectionProblem& problem, std::size_t k, void* values,
                  std::int64_t* indices) {
  if (problem.has_scores()) {
    sort_by_scores(problem, k, indices);
    gather(problem.first_operand(), indices, k, values);
  } else {
    sort_by_magnitude(problem, k, values, indices);
  }
}

void topk(const Operand& operand, sc_nan nan, std::size_t k, bool by_rank, void* values,
          std::int64_t* indices) {
  Operand ranked = operand;
  const SelectionProblem problem({&ranked, 1}, nan);
  if (try_topk_indices(problem, k, indices)) {
    gather(operand, indices, k, values);
  } else {
    compact_topk(operand, nan, k, values, indices);
  }
  if (by_rank && k != 0) {
    sort_by_rank(problem, k, values, indices);
  }
}

// Sorts `count` <= kFew indices in each row by falling keys. On input they are in ascending order.
// The sort is stable. It counts how many keys come before each one, without branches, since those
// of a comparison sort would be mispredicted.
template <class E>
void sort_few(const Rows& rows, Order order, std::size_t count, std::int64_t* indices,
              std::size_t stride) {
  const E* row = static_cast<const E*>(rows.array);
  for (std::size_t r = 0; r < rows.count; ++r, row += rows.stride, indices += stride) {
    E keys[kFew];
    std::int64_t sorted[kFew];
    std::uint32_t before[kFew];
    for (std::size_t i = 0; i < count; ++i) {
      keys[i] = key_of(row[indices[i]], order);
      std::uint32_t larger_or_equal = 0;
      for (std::size_t j = 0; j < i; ++j) {
        const std::uint32_t is_larger = keys[i] > keys[j] ? 1 : 0;
        before[j] += is_larger;
        larger_or_equal += 1 - is_larger;
      }
      before[i] = larger_or_equal;
    }
    for (std::size_t i = 0; i < count; ++i) {
      sorted[before[i]] = indices[i];
    }
    std::copy_n(sorted, count, indices);
  }
}

// topk of slices that are selected in cache.
void topk_of_batch(const Batch& batch, sc_nan nan, std::size_t k, bool by_rank,
                   const SliceResult (&results)[kMaxResults]) {
  const auto& [values, indices] = results;
  Operand first = batch.first_slice;
  const SelectionProblem problem({&first, 1}, nan);
  const Order order = problem.order(first);
  const Rows ranked = batch.ranked_rows();
  auto* const places = static_cast<std::int64_t*>(batch.results[1]);
  const std::size_t stride = batch.result_stride(indices);
  if (!problem.kernels(first).index_rows(ranked, order, batch.selections, k, places, stride)) {
    throw_input_changed();
  }
  if (by_rank && k <= kFew) {
    const std::size_t bytes = first.ranking_type().bytes;
    const auto sort_rows = bytes == 2   ? sort_few<std::int16_t>
                           : bytes == 4 ? sort_few<std::int32_t>
                                        : sort_few<std::int64_t>;
    sort_rows(ranked, order, k, places, stride);
  }
  gather(first.type.bytes, batch.rows(), k, places, stride, batch.results[0],
         batch.result_stride(values));
  for (std::size_t i = 0; by_rank && k > kFew && i < batch.count; ++i) {
    Operand slice = batch.slice(i);
    sort_by_rank(SelectionProblem({&slice, 1}, nan), k, batch.result(0, values, i),
                 static_cast<std::int64_t*>(batch.result(1, indices, i)));
  }
}

// Moves the elements at the indices in each slice from the array to `values`, and leaves 0.
template <class E>
void take(void* array, const Layout& slices, std::size_t k, const std::int64_t* indices,
          void* values) {
  E* const elements = static_cast<E*>(array);
  E* value = static_cast<E*>(values);
  for (std::size_t row = 0; row < slices.outer * k; ++row) {
    E* const first = elements + row / k * slices.length * slices.inner;
    for (std::size_t column = 0; column < slices.inner; ++column) {
      E& element = first[static_cast<std::size_t>(*indices++) * slices.inner + column];
      *value++ = element;
      element = 0;
    }
  }
}

}  // namespace

void topk_of_slices(const Operand& array, const Layout& slices, sc_nan nan, std::size_t k,
                    bool by_rank, void* values, std::int64_t* indices) {
  if (slices.outer == 1 && slices.inner == 1) {
    topk(array, nan, k, by_rank, values, indices);
    return;
  }
  const SliceResult results[] = {{values, k, array.type.bytes}, {indices, k, sizeof *indices}};
  for_batches(array, slices, nan, k, false, results, [&](const Batch& batch) {
    if (batch.selections != nullptr) {
      topk_of_batch(batch, nan, k, by_rank, results);
      return;
    }
    for (std::size_t i = 0; i < batch.count; ++i) {
      topk(batch.slice(i), nan, k, by_rank, batch.result(0, results[0], i),
           static_cast<std::int64_t*>(batch.result(1, results[1], i)));
    }
  });
}

void topk_with_residual(const Operand& array, void* residual, const Layout& slices, sc_nan nan,
                        std::size_t k, bool by_rank, void* values, std::int64_t* indices) {
  const FloatType type = array.type;
  Operand operand = array;
  operand.scores = {Scores::Kind::sums, residual, type};
  topk_of_slices(operand, slices, nan, k, by_rank, values, indices);
  forbid_interrupts();
  auto* const sums = static_cast<unsigned char*>(residual);
  for_blocks(Blocks(array.w, array.n, nullptr, 0), array.n * type.bytes,
             [&, add = kernels().core.add[type.kind]](Part part) {
    unsigned char* const of_part = sums + part.begin * type.bytes;
    add(part, of_part, of_part);
  });
  const auto take_elements = type.bytes == 2   ? take<std::int16_t>
                             : type.bytes == 4 ? take<std::int32_t>
                                               : take<std::int64_t>;
  take_elements(residual, slices, k, indices, values);
}

}  // namespace secateur
