#include "ops/select.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "dispatch/dispatch.hpp"
#include "ops/blocks.hpp"
#include "ops/locate.hpp"
#include "ops/nan.hpp"
#include "ops/sample.hpp"
#include "ops/ties.hpp"
#include "runtime/scratch.hpp"

namespace secateur {
namespace {

// Elements up to which an array is selected from in cache, on one thread.
constexpr std::size_t kInCache = std::size_t{1} << 16;

// Candidates that there is always room for.
constexpr std::size_t kLeastCapacity = std::size_t{9} << 14;

// Scattered accesses to keep under way at once.
constexpr std::size_t kAhead = 32;

// Intervals from samples that may miss before the range of keys is cut in thirds instead.
constexpr std::uint64_t kSampledAttempts = 3;

// How keys of these magnitudes are kept.
template <class Body>
auto with_key_type(const Magnitudes& m, const Body& body) {
  return m.type.bytes == sizeof(std::int64_t) ? body(std::int64_t{}) : body(std::int32_t{});
}

// The selection of the first r elements with that key, and of those above it.
Selection with_ties(const Magnitudes& m, Key key, std::size_t r) {
  return {key, end_of_ties(m.kernels(), m.w, m.type.bytes, m.n, m.rotation, key, r)};
}

// ---- In cache --------------------------------------------------------------------------------

Ranked kth_in_cache(const Magnitudes& m, std::size_t k) {
  Key max_key = 0;
  Ranked kth{};
  if (m.type.bytes == sizeof(std::int16_t)) {
    const Buffer<std::int32_t> keys(m.n);
    max_key = m.kernels().keys(m.w, m.n, m.rotation, keys.data());
    kth = select_in_cache<std::int32_t>(m.table, keys.data(), m.n, 0, k);
  } else {
    kth = with_key_type(m, [&](auto zero) {
      return select_in_cache<decltype(zero)>(m.table, m.w, m.n, m.rotation, k, &max_key);
    });
  }
  if (m.refuse_nan && max_key > m.type.infinity) {
    refuse_nan(m.w, m.n, m.type);
  }
  return kth;
}

Selection selection_in_cache(const Magnitudes& m, std::size_t k) {
  const Ranked kth = kth_in_cache(m, k);
  const std::size_t ties = k - kth.above;
  return ties == kth.equal ? Selection{kth.key, m.n} : with_ties(m, kth.key, ties);
}

// ---- From memory -----------------------------------------------------------------------------

// One pass over the data: a census, and the candidates of an interval, in whatever order the threads
// bring them, each with its place. K: keys as they are kept.
template <class K>
class Scan {
 public:
  Scan(const Magnitudes& magnitudes, const Interval& between, const Output& out)
      : m_(magnitudes),
        between_(between),
        kernel_(m_.kernels().scan[static_cast<std::size_t>(out.form)]),
        out_(out),
        blocks_(m_.w, m_.n, out.data, bytes_of(out.form, m_.type.bytes)),
        capacity_(capacity_for(m_)),
        keys_(capacity_),
        places_(capacity_) {}

  // Scratch is 12 bytes a candidate here, at most 8 more while selecting among them or ordering those
  // that tie, and 12 of the sample, whose buffers are kept; with keys of 64 bits, half as much again.
  // For so many candidates that is a sixteenth of n floats, and 5 MiB (8 of 64 bits), where buffers are
  // an eighth larger than they need be.
  static std::size_t capacity_for(const Magnitudes& m) {
    return m.n * std::min(m.type.bytes, sizeof(float)) / (144 * sizeof(float)) + kLeastCapacity;
  }

  // Goes over the data in search of the k-th largest, writing what the outer selection keeps; stops
  // early where that is certain not to hold the k-th, or the inner one to hold it.
  Place run(std::size_t k);

  // How many are above the candidates.
  [[nodiscard]] std::size_t above() const { return census_.above(); }

  // The k-th largest, after a run that found it among the candidates.
  [[nodiscard]] Ranked kth(std::size_t k) const;

  // The selection of the k largest.
  [[nodiscard]] Selection selection(const Ranked& kth, std::size_t k) const;

  // Turns the output of the run, in which all candidates were kept, into that of the selection.
  void remove_losers(Selection selection) const;

  [[nodiscard]] bool complete() const { return census_.collected <= capacity_; }

 private:
  void work(std::size_t k, Tasks& tasks);
  [[nodiscard]] Bracket bracket_of(const Part& part) const;
  void gather(const Census& census, std::size_t begin, Collected block);

  const Magnitudes& m_;
  Interval between_;
  ElementKernels::Scan kernel_;
  const Output& out_;
  Blocks blocks_;
  std::size_t capacity_;
  Buffer<K> keys_;
  Buffer<std::int64_t> places_;
  Census census_{};
  std::atomic<std::size_t> collected_{0}, above_{0}, below_{0};
  std::atomic<bool> nan_{false};
};

template <class K>
Place Scan<K>::run(std::size_t k) {
  Tasks tasks(blocks_.count());
  on_threads(std::min(threads_for(m_.n * m_.type.bytes), tasks.count()), [&] { work(k, tasks); });
  if (nan_.load()) {
    refuse_nan(m_.w, m_.n, m_.type);
  }
  census_.collected = collected_.load();
  census_.above_lo = above_.load() + census_.collected;
  return locate(census_, k);
}

// The candidates of a part: a key that ties with an end is one, or not, by its index. Parts in which
// that changes have a few more of them than they need.
template <class K>
Bracket Scan<K>::bracket_of(const Part& part) const {
  const Selection& inner = between_.inner;
  const Selection& outer = between_.outer;
  return {part.begin < outer.tie_end ? outer.threshold - 1 : outer.threshold,
          part.end <= inner.tie_end ? inner.threshold - 1 : inner.threshold};
}

template <class K>
void Scan<K>::work(std::size_t k, Tasks& tasks) {
  constexpr std::size_t kRoom = kBlock + 2 * kWord;  // the first block may be longer than kBlock
  const Buffer<K> block_bits(kRoom);
  const Buffer<std::uint32_t> block_offsets(kRoom);
  const Collected block_collected{block_bits.data(), block_offsets.data()};
  for (std::size_t block = 0; tasks.take(block);) {
    const Part part = blocks_[block];
    const Census c = kernel_(part, m_.rotation, bracket_of(part), out_, block_collected);
    gather(c, part.begin, block_collected);

    const std::size_t below = part.end - part.begin - c.above_lo;
    const bool certainly_above = above_.fetch_add(c.above()) + c.above() >= k;
    const bool certainly_below = below_.fetch_add(below) + below > m_.n - k;
    const bool has_nan = m_.refuse_nan && c.max_key > m_.type.infinity;
    if (has_nan) {
      nan_.store(true);
    }
    if (has_nan || certainly_above || certainly_below) {
      tasks.stop();
    }
  }
}

template <class K>
void Scan<K>::gather(const Census& census, std::size_t begin, Collected block) {
  const std::size_t at = collected_.fetch_add(census.collected);
  if (at + census.collected > capacity_) {
    return;
  }
  m_.kernels().keys(block.bits, census.collected, m_.rotation, keys_.data() + at);
  for (std::size_t i = 0; i < census.collected; ++i) {
    places_[at + i] = static_cast<std::int64_t>(begin + block.offsets[i]);
  }
}

template <class K>
Ranked Scan<K>::kth(std::size_t k) const {
  return select_in_cache<K>(m_.table, keys_.data(), census_.collected, 0, k - census_.above());
}

template <class K>
Selection Scan<K>::selection(const Ranked& kth, std::size_t k) const {
  const std::size_t ties = k - census_.above() - kth.above;
  if (ties == kth.equal && kth.key != between_.outer.threshold) {
    return {kth.key, m_.n};  // none ties with it but candidates, all of which are kept
  }
  const Buffer<std::int64_t> tied(kth.equal + 1);
  std::size_t count = 0;
  for (std::size_t i = 0; i < census_.collected; ++i) {
    tied[count] = places_[i];
    count += keys_[i] == kth.key;
  }
  std::int64_t* const last = tied.data() + ties - 1;
  if (!std::is_sorted(tied.data(), tied.data() + count)) {  // as one thread alone brings them
    std::nth_element(tied.data(), last, tied.data() + count);
  }
  return {kth.key, static_cast<std::size_t>(*last) + 1};
}

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

template <class K>
void Scan<K>::remove_losers(Selection selection) const {
  auto* const data = static_cast<unsigned char*>(out_.data);
  const std::size_t bytes = bytes_of(out_.form, m_.type.bytes);
  const auto clear_places = bytes == 8   ? clear<8>
                            : bytes == 4 ? clear<4>
                            : bytes == 2 ? clear<2>
                            : bytes == 1 ? clear<1>
                                         : clear_bits;
  // Two candidates may share a byte of bits, and those are few bytes: one thread is enough.
  const std::size_t traffic = bytes == 0 ? 0 : census_.collected * 2 * kLine;
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
    clear_places(data, losers.data(), count);
  });
}

// The keys of runs of kRun neighbours.
template <class K>
void take(const Magnitudes& m, const Runs& runs, std::size_t count, K* keys) {
  const std::size_t bytes = kRun * m.type.bytes;
  const std::size_t size = count * kRun;
  // Bits of 16 go to the upper half of their place, from where they can be widened in order.
  unsigned char* const bits =
      reinterpret_cast<unsigned char*>(keys) + size * (sizeof(K) - m.type.bytes);
  for (std::size_t run = 0; run < count; ++run) {
    const unsigned char* const later = m.at(runs[std::min(run + kAhead, count - 1)]);
    __builtin_prefetch(later);
    __builtin_prefetch(later + bytes - 1);
    std::memcpy(bits + run * bytes, m.at(runs[run]), bytes);
  }
  m.kernels().keys(bits, size, m.rotation, keys);
}

template <class K>
Interval sampled(const Magnitudes& m, std::size_t k, std::uint64_t attempt) {
  const double target = 2 * std::pow(static_cast<double>(m.n), 2.0 / 3.0);
  std::size_t size = static_cast<std::size_t>(target) / kWord * kWord + kWord;
  // Alike neighbours ask for a wide interval, or for a larger sample, until that takes as much memory
  // as the candidates will. Then the interval is made to fit, and may miss.
  const std::size_t capacity = Scan<K>::capacity_for(m);
  // Ends that are told by index have up to a block more of them each, others a sixteenth.
  const double room = 0.94 * static_cast<double>(capacity - 2 * kBlock) / static_cast<double>(m.n);
  const std::size_t largest = std::min(capacity, m.n / 2) / kWord * kWord;
  for (;;) {
    const Buffer<K> keys(size);
    const Runs runs(m.n, size / kRun, kRun, attempt);
    take(m, runs, size / kRun, keys.data());
    const Sample<K> sample(m.table, keys.data(), runs, size, m.n, k);
    if (size >= largest || sample.share() <= room) {
      return sample.interval(room, m.type.most);
    }
    const double excess = sample.share() / room;  // falls as the root of the size
    const double wanted = 1.2 * excess * excess * static_cast<double>(size);
    size = wanted < static_cast<double>(largest) ? static_cast<std::size_t>(wanted) / kWord * kWord
                                                 : largest;
  }
}

// The keys among which the k-th largest is known to be, ends included.
class Range {
 public:
  explicit Range(const Magnitudes& m) : most_(m.type.most), n_(m.n) {}

  // After an interval that did not lead to the key. Above means that the inner selection has some.
  void learn(Place place, const Interval& between) {
    const auto& [inner, outer] = between;
    if (place == Place::above) {
      least_ = std::max(least_, inner.tie_end == 0 ? inner.threshold + 1 : inner.threshold);
    } else if (place == Place::below) {
      most_ = std::min(most_, outer.tie_end >= n_ ? outer.threshold - 1 : outer.threshold);
    } else {
      least_ = std::max(least_, outer.threshold);
      most_ = std::min(most_, inner.threshold);
    }
  }

  // Nothing is left, which cannot be unless somebody writes to w meanwhile.
  [[nodiscard]] bool empty() const { return least_ > most_; }

  // The part of an interval within the range, or where that is empty, the range's middle third.
  [[nodiscard]] Interval cut(Interval between) const {
    if (between.inner.threshold < least_ || between.outer.threshold > most_) {
      return middle_third();
    }
    if (between.inner.threshold > most_) {
      between.inner = {most_, 0};
    }
    if (between.outer.threshold < least_) {
      between.outer = {least_, n_};
    }
    return between;
  }

  // In the end of a single key.
  [[nodiscard]] Interval middle_third() const {
    const Key third = (most_ - least_) / 3;
    const Key from = least_ + third;
    const Key to = third == 0 ? from : most_ - third;
    return {.inner = {to, 0}, .outer = {from, n_}};
  }

 private:
  Key least_ = 0;
  Key most_;
  std::size_t n_;
};

bool is_fixed_point(Form form) { return form >= Form::int8; }

// Writes a selection that is known.
void emit(const Magnitudes& m, Selection selection, const Output& out) {
  if (is_fixed_point(out.form) && selection.threshold < m.rotation) {
    selection = {m.rotation - 1, 0};  // all numbers are kept, and NaN is 0 whether kept or not
  }
  const auto kernel = m.kernels().emit[static_cast<std::size_t>(out.form)];
  std::atomic<bool> nan{false};
  const Blocks blocks(m.w, m.n, out.data, bytes_of(out.form, m.type.bytes));
  for_blocks(blocks, m.n * m.type.bytes, [&](Part part) {
    if (kernel(part, m.rotation, selection, out) > m.type.infinity) {
      nan.store(true, std::memory_order_relaxed);
    }
  });
  if (m.refuse_nan && nan.load()) {
    refuse_nan(m.w, m.n, m.type);
  }
}

// The same for a selection that no pass over the data has gone before, which would have met NaN.
void emit_first(const Magnitudes& m, Selection selection, const Output& out) {
  if (m.refuse_nan && out.data == m.w) {
    check_nan(m.w, m.n, m.type);
  }
  emit(m, selection, out);
}

// Whether the candidates are all that have a key: then they need not be collected.
bool is_single_key(const Interval& between, std::size_t n) {
  return between.inner.threshold == between.outer.threshold && between.inner.tie_end == 0 &&
         between.outer.tie_end >= n;
}

// Whether the scan may write what the outer selection keeps: never in place, and NaN that ranks
// below the numbers is 0 in fixed point even where it is kept, which only emit() sees to.
bool may_write(const Magnitudes& m, Selection outer, const Output& out) {
  return out.form != Form::none && out.data != m.w &&
         (!is_fixed_point(out.form) || outer.threshold >= m.rotation);
}

// Selects from memory and, unless the form is none, writes. Elsewhere than in place, the pass that
// selects writes as well: candidates that lose can be taken back later.
template <class K>
Selection select_from_memory(const Magnitudes& m, std::size_t k, const Output& out) {
  const Output nothing{};
  Range range(m);
  for (std::uint64_t attempt = 0;; ++attempt) {
    if (range.empty()) {
      range = Range(m);
    }
    const Interval between =
        attempt < kSampledAttempts ? range.cut(sampled<K>(m, k, attempt)) : range.middle_third();
    const bool write = may_write(m, between.outer, out);
    Scan<K> scan(m, between, write ? out : nothing);
    const Place place = scan.run(k);
    if (place != Place::within || !(scan.complete() || is_single_key(between, m.n))) {
      range.learn(place, between);
      continue;
    }
    Selection selection{between.inner.threshold, m.n};
    if (!scan.complete()) {
      selection = with_ties(m, selection.threshold, k - scan.above());
    } else {
      const Ranked kth = scan.kth(k);
      selection = out.form == Form::none ? Selection{kth.key, m.n} : scan.selection(kth, k);
    }
    if (write && scan.complete()) {
      scan.remove_losers(selection);
    } else if (out.form != Form::none) {
      emit(m, selection, out);
    }
    return selection;
  }
}

Selection select_from_memory(const Magnitudes& m, std::size_t k, const Output& out) {
  return with_key_type(m, [&](auto zero) { return select_from_memory<decltype(zero)>(m, k, out); });
}

void decide_streaming(const Magnitudes& m, Output& out) {
  out.stream =
      worth_streaming(m.w, out.data, m.n * (m.type.bytes + bytes_of(out.form, m.type.bytes)));
}

}  // namespace

Magnitudes::Magnitudes(const void* w_, sc_dtype dtype, std::size_t n_, sc_nan nan)
    : w(w_),
      n(n_),
      type(float_type(dtype)),
      rotation(nan == SC_NAN_PRUNE || nan == SC_NAN_ZERO ? type.most - type.infinity : 0),
      refuse_nan(nan == SC_NAN_RAISE),
      table(secateur::kernels()) {}

Key kth_key(const Magnitudes& m, std::size_t k) {
  return m.n <= kInCache ? kth_in_cache(m, k).key : select_from_memory(m, k, Output{}).threshold;
}

void write_topk(const Magnitudes& m, std::size_t k, Output out) {
  decide_streaming(m, out);
  if (k == 0 || k == m.n) {
    emit_first(m, {k == 0 ? m.type.most : -1, 0}, out);
  } else if (m.n <= kInCache) {
    emit(m, selection_in_cache(m, k), out);
  } else {
    select_from_memory(m, k, out);
  }
}

void write_above(const Magnitudes& m, Key key, Output out) {
  decide_streaming(m, out);
  emit_first(m, {key, 0}, out);
}

}  // namespace secateur
