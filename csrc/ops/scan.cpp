#include "ops/scan.hpp"

#include <algorithm>
#include <cstring>

namespace secateur {
namespace {

// Cache lines to keep under way at once.
constexpr std::size_t kAhead = 32;

// The candidates of a part: a key that ties with an end is one, or not, by its index. Parts in which
// that changes have a few more of them than they need.
Bracket bracket_of(const Interval& between, const Part& part) {
  const auto& [inner, outer] = between;
  return {part.begin < outer.tie_end ? outer.threshold - 1 : outer.threshold,
          part.end <= inner.tie_end ? inner.threshold - 1 : inner.threshold};
}

}  // namespace

std::size_t capacity_for(const Scope& scope) {
  constexpr std::size_t kLeast = std::size_t{9} << 14;
  std::size_t most = 0;
  for (const Source& source : scope.sources()) {
    most = std::max(most, source.n * std::min(source.type.bytes, sizeof(float)));
  }
  return most / (144 * sizeof(float)) + kLeast;
}

template <class K>
Scan<K>::Scan(const Scope& scope, const Interval& between, std::size_t capacity, bool write)
    : scope_(scope), between_(between), capacity_(capacity), keys_(capacity_), places_(capacity_) {
  passes_.reserve(scope.sources().size());
  for (const Source& source : scope.sources()) {
    const Output out = write ? source.out : Output{};
    passes_.push_back(
        {{.inner = scope.local(source, between.inner), .outer = scope.local(source, between.outer)},
         scope.kernels(source).scan[static_cast<std::size_t>(out.form)],
         out});
  }
}

template <class K>
Place Scan<K>::run(std::size_t k) {
  const Parts parts(scope_);
  stretches_.resize(parts.count());
  Tasks tasks(parts.count());
  share(tasks, scope_.bytes(), [&] { work(k, parts, tasks); });
  if (nan_.load()) {
    scope_.refuse_nan();
  }
  census_.collected = collected_.load();
  census_.above_lo = above_.load() + census_.collected;
  return locate(census_, k);
}

template <class K>
void Scan<K>::work(std::size_t k, const Parts& parts, Tasks& tasks) {
  constexpr std::size_t kRoom = kBlock + 2 * kWord;  // the first block may be longer than kBlock
  const Buffer<std::int64_t> block_bits(kRoom);
  const Buffer<std::uint32_t> block_offsets(kRoom);
  const Collected block_collected{block_bits.data(), block_offsets.data()};
  const Room room(scope_);
  const Buffer<std::int64_t> made_room(scope_.is_made() ? 2 * kRoom : 0);
  for (std::size_t i = 0; tasks.take(i);) {
    const auto [number, part] = parts[i];
    const Source& source = scope_.sources()[number];
    const Pass& pass = passes_[number];
    const Ready at = ready(scope_, source, part, pass.out, room);
    const Census c = pass.kernel(at.part, at.made, scope_.order(source),
                                 bracket_of(pass.between, part), at.out, block_collected);
    stretches_[i] = gather(source, at.made, c, part.begin, block_collected, made_room.data());

    const std::size_t below = part.end - part.begin - c.above_lo;
    const bool certainly_above = above_.fetch_add(c.above()) + c.above() >= k;
    const bool certainly_below = below_.fetch_add(below) + below > scope_.size() - k;
    const bool has_nan = scope_.is_nan(source, c.max_key);
    if (has_nan) {
      nan_.store(true);
    }
    if (has_nan || certainly_above || certainly_below) {
      tasks.stop();
    }
  }
}

template <class K>
auto Scan<K>::gather(const Source& source, const Made& made, const Census& census,
                     std::size_t begin, Collected block, void* room) -> Stretch {
  const std::size_t at = collected_.fetch_add(census.collected);
  if (at + census.collected > capacity_) {
    return {};
  }
  const void* const bits = scope_.made_of(source, made, block, census.collected, room);
  scope_.keys(source, bits, census.collected, keys_.data() + at);
  for (std::size_t i = 0; i < census.collected; ++i) {
    places_[at + i] = static_cast<std::int64_t>(source.begin + begin + block.offsets[i]);
  }
  return {at, at + census.collected};
}

template <class K>
Ranked Scan<K>::kth(std::size_t k) const {
  return select_in_cache<K>(scope_.table(), keys_.data(), census_.collected, kAsTheyAre,
                            k - census_.above());
}

template <class K>
Selection Scan<K>::selection(const Ranked& kth, std::size_t k) const {
  const std::size_t ties = k - census_.above() - kth.above;
  if (ties == kth.equal && kth.key != between_.outer.threshold) {
    return {kth.key, scope_.size()};  // none ties with it but candidates, all of which are kept
  }
  // Part by part, as a step for each candidate would be mispredicted
  const auto key = static_cast<K>(kth.key);
  const auto ties_in = [&](const Stretch& part) {
    return static_cast<std::size_t>(
        std::count(keys_.data() + part.begin, keys_.data() + part.end, key));
  };
  const Stretch* part = stretches_.data();
  std::size_t left = ties;
  for (std::size_t here = ties_in(*part); here < left; here = ties_in(*++part)) {
    left -= here;
  }
  std::size_t last = part->begin;
  while (keys_[last] != key || --left != 0) {
    ++last;
  }
  return {kth.key, static_cast<std::size_t>(places_[last]) + 1};
}

template <class K>
void Scan<K>::places_of(Selection selection, std::int64_t* places) const {
  const auto tie_end = static_cast<std::int64_t>(selection.tie_end);
  for (const Stretch& part : stretches_) {
    for (std::size_t i = part.begin; i < part.end; ++i) {
      if (keys_[i] > selection.threshold ||
          (keys_[i] == selection.threshold && places_[i] < tie_end)) {
        *places++ = places_[i];
      }
    }
  }
}

namespace {

// Sets the elements at these places to zero; most are in a cache line of their own.
template <std::size_t kBytes>
void clear(unsigned char* data, const std::int64_t* places, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    __builtin_prefetch(
        data + kBytes * static_cast<std::size_t>(places[std::min(i + kAhead, count - 1)]), 1);
    std::memset(data + kBytes * static_cast<std::size_t>(places[i]), 0, kBytes);
  }
}

void clear_bits(unsigned char* data, const std::int64_t* places, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    __builtin_prefetch(data + places[std::min(i + kAhead, count - 1)] / 8, 1);
    data[places[i] / 8] &= static_cast<unsigned char>(~(1u << (places[i] % 8)));
  }
}

// The same for places among the elements of all sources, which become places in their own.
void clear(const Scope& scope, std::int64_t* places, std::size_t count) {
  for (std::size_t i = 0; i < count;) {
    const Source& source = scope.source_of(static_cast<std::size_t>(places[i]));
    const std::int64_t* const from = places + i;
    for (; i < count && scope.is_in(source, static_cast<std::size_t>(places[i])); ++i) {
      places[i] -= static_cast<std::int64_t>(source.begin);
    }
    const std::size_t bytes = bytes_of(source.out.form, source.type.bytes);
    const auto clear_places = bytes == 8   ? clear<8>
                              : bytes == 4 ? clear<4>
                              : bytes == 2 ? clear<2>
                              : bytes == 1 ? clear<1>
                                           : clear_bits;
    clear_places(static_cast<unsigned char*>(source.out.data), from,
                 static_cast<std::size_t>(places + i - from));
  }
}

}  // namespace

template <class K>
void Scan<K>::remove_losers(Selection selection) const {
  // Two candidates may share a byte of bits, and those are few bytes: one thread is enough.
  const bool bits = scope_.first().out.form == Form::bits;
  const std::size_t traffic = bits ? 0 : census_.collected * 2 * kLine;
  const Blocks blocks(keys_.data(), census_.collected, nullptr, 0);
  for_blocks(blocks, traffic, [&](Part part) {
    // Losers first go to a list without a branch, which would be mispredicted for every other
    // candidate.
    const Buffer<std::int64_t> losers(part.end - part.begin);
    std::size_t count = 0;
    const auto tie_end = static_cast<std::int64_t>(selection.tie_end);
    for (std::size_t i = part.begin; i < part.end; ++i) {
      losers[count] = places_[i];
      count += static_cast<std::size_t>(static_cast<int>(keys_[i] < selection.threshold) |
                                        (static_cast<int>(keys_[i] == selection.threshold) &
                                         static_cast<int>(places_[i] >= tie_end)));
    }
    clear(scope_, losers.data(), count);
  });
}

template class Scan<std::int32_t>;
template class Scan<std::int64_t>;

}  // namespace secateur
