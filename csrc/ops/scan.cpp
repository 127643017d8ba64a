#include "ops/scan.hpp"

#include <algorithm>
#include <cstring>

namespace secateur {
namespace {

// Candidates of a block, the first of which may be longer than kBlock, and of a word that are none.
constexpr std::size_t kRoom = kBlock + 2 * kWord;

// Cache lines to keep under way at once.
constexpr std::size_t kAhead = 32;

// The candidates of a part: a key that ties with an end is one, or not, by its index. Parts in which
// that changes have a few more of them than they need.
Bracket bracket_of(const Interval& between, const Part& part) {
  const auto& [inner, outer, likely] = between;
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
    passes_.push_back({{.inner = scope.local(source, between.inner),
                        .outer = scope.local(source, between.outer),
                        .likely = scope.local(source, {between.likely, 0}).threshold},
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
  const Buffer<std::int64_t> block_bits(kRoom);
  const Buffer<std::uint32_t> block_offsets(kRoom);
  const Collected block_collected{block_bits.data(), block_offsets.data()};
  const Room room(scope_);
  const Desk desk(scope_);
  const Buffer<std::int64_t> made_room(scope_.is_made() ? 2 * kRoom : 0);
  for (std::size_t i = 0; tasks.take(i);) {
    const auto [number, part] = parts[i];
    const Source& source = scope_.sources()[number];
    const Pass& pass = passes_[number];
    Ready at = ready(scope_, source, part, pass.out, room);
    if (pass.out.form != Form::none) {
      at = desk.moved(source, part, at);
    }
    const Bracket bracket = bracket_of(pass.between, part);
    const Key threshold = std::max(bracket.lo, std::min(bracket.hi, pass.between.likely));
    const Census c = pass.kernel(at.part, at.made, scope_.order(source), bracket, threshold, at.out,
                                 block_collected);
    if (pass.out.form != Form::none) {
      desk.convert(part);
    }
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
  for (const Stretch& part : stretches_) {
    for (std::size_t i = part.begin; i < part.end; ++i) {
      if (is_kept(selection, i)) {
        *places++ = places_[i];
      }
    }
  }
}

namespace {

// Writes elements at these places, most of which are in a cache line of their own: what is in `from` at as
// many steps.
template <std::size_t kBytes>
void put(unsigned char* data, const unsigned char* from, std::size_t step,
         const std::int64_t* places, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto later = static_cast<std::size_t>(places[std::min(i + kAhead, count - 1)]);
    __builtin_prefetch(from + step * later);
    __builtin_prefetch(data + kBytes * later, 1);
    const auto place = static_cast<std::size_t>(places[i]);
    std::memcpy(data + kBytes * place, from + step * place, kBytes);
  }
}

void put_bits(unsigned char* data, bool kept, const std::int64_t* places, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    __builtin_prefetch(data + places[std::min(i + kAhead, count - 1)] / 8, 1);
    const unsigned bit = 1u << (places[i] % 8);
    unsigned char& byte = data[places[i] / 8];
    byte = static_cast<unsigned char>(kept ? byte | bit : byte & ~bit);
  }
}

// Elements of one source that are kept after all, unless they are converted, or are not.
void put(const Source& source, bool kept, const std::int64_t* places, std::size_t count) {
  static constexpr unsigned char kRemoved[sizeof(std::int64_t)] = {};
  static constexpr unsigned char kTrue = 1;
  const Form form = source.out.form;
  unsigned char* const data = source.results();
  if (form == Form::bits) {
    return put_bits(data, kept, places, count);
  }
  const std::size_t bytes = source.bytes_of_result();
  const auto put_elements = bytes == 8   ? put<8>
                            : bytes == 4 ? put<4>
                            : bytes == 2 ? put<2>
                                         : put<1>;
  if (kept && form != Form::bools) {
    put_elements(data, source.at(0), bytes, places, count);
  } else {
    put_elements(data, kept ? &kTrue : kRemoved, 0, places, count);
  }
}

// The same for places among the elements of all sources, which become places in their own.
void put(const Scope& scope, bool kept, std::int64_t* places, std::size_t count) {
  for (std::size_t i = 0; i < count;) {
    const Source& source = scope.source_of(static_cast<std::size_t>(places[i]));
    const std::int64_t* const from = places + i;
    for (; i < count && scope.is_in(source, static_cast<std::size_t>(places[i])); ++i) {
      places[i] -= static_cast<std::int64_t>(source.begin);
    }
    put(source, kept, from, static_cast<std::size_t>(places + i - from));
  }
}

}  // namespace

template <class K>
void Scan<K>::settle(Selection selection) const {
  // Either more were written than are kept, and some have lost, or fewer, and some have won.
  const bool kept = between_.likely >= selection.threshold;
  const Bracket apart = kept ? Bracket{selection.threshold - 1, between_.likely}
                             : Bracket{between_.likely, selection.threshold};
  // Two candidates may share a byte of bits, and those are few bytes: one thread is enough.
  const bool bits = scope_.first().out.form == Form::bits;
  const std::size_t traffic = bits ? 0 : census_.collected * kLine;
  const Blocks blocks(keys_.data(), census_.collected, nullptr, 0);
  const auto collect =
      kernels_of(scope_.table(), sizeof(K)).scan[static_cast<std::size_t>(Form::none)];
  for_blocks(blocks, traffic, [&](Part part) {
    const Buffer<std::int64_t> places(kRoom);
    const Buffer<std::uint32_t> offsets(kRoom);
    const Census census =
        collect(part, {}, kAsTheyAre, apart, apart.lo, {}, {places.data(), offsets.data()});
    std::size_t count = 0;
    for (std::size_t j = 0; j < census.collected; ++j) {
      const std::size_t i = part.begin + offsets[j];
      places[count] = places_[i];
      count += static_cast<std::size_t>(is_kept(selection, i) == kept);
    }
    put(scope_, kept, places.data(), count);
  });
}

template class Scan<std::int32_t>;
template class Scan<std::int64_t>;

}  // namespace secateur
