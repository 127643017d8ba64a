#include "ops/select.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <mutex>
#include <vector>

#include "dispatch/dispatch.hpp"
#include "ops/blocks.hpp"
#include "ops/locate.hpp"
#include "ops/nan.hpp"
#include "ops/sample.hpp"
#include "runtime/scratch.hpp"

namespace secateur {
namespace {

// Elements up to which an array is selected from in cache, on one thread.
constexpr std::size_t kInCache = std::size_t{1} << 16;

// Candidates that there is always room for.
constexpr std::size_t kLeastCapacity = std::size_t{3} << 15;

// Scattered accesses to keep under way at once.
constexpr std::size_t kAhead = 32;

// Brackets from samples that may miss before the range of keys is cut in thirds instead.
constexpr std::uint64_t kSampledAttempts = 3;

// The end of the first r elements from `begin` on that have that key. There are as many, unless
// somebody writes to w meanwhile: then the end of w.
std::size_t end_of_ties(const Magnitudes& m, std::size_t begin, std::int32_t key, std::size_t r) {
  // Counting passes over whole stretches lead to the one that holds the last.
  constexpr std::size_t kStretch = 1024;
  const auto count = [&](std::size_t length, std::int32_t above) {
    const void* stretch = static_cast<const unsigned char*>(m.w) + begin * sizeof(float);
    return kernels().count_above(stretch, length, m.rotation, above);
  };
  for (; begin < m.n; begin += kStretch) {
    const std::size_t length = std::min(kStretch, m.n - begin);
    const std::size_t here = count(length, key - 1) - count(length, key);
    if (here >= r) {
      break;
    }
    r -= here;
  }
  for (; begin < m.n; ++begin) {
    if (read_key(m.w, begin, m.rotation) == key && --r == 0) {
      return begin + 1;
    }
  }
  return m.n;
}

// ---- In cache --------------------------------------------------------------------------------

Ranked kth_in_cache(const Magnitudes& m, std::size_t k) {
  std::int32_t max_key = 0;
  const Ranked kth = select_in_cache(kernels(), m.w, m.n, m.rotation, k, &max_key);
  if (m.refuse_nan && max_key > kInfinity) {
    refuse_nan(m.w, m.n);
  }
  return kth;
}

Selection selection_in_cache(const Magnitudes& m, std::size_t k) {
  const Ranked kth = kth_in_cache(m, k);
  const std::size_t ties = k - kth.above;
  return {kth.key, ties == kth.equal ? m.n : end_of_ties(m, 0, kth.key, ties)};
}

// ---- From memory -----------------------------------------------------------------------------

// One pass over the data: a census of a bracket, and its candidates, the keys within it, in
// whatever order the threads bring them, each with its place.
class Scan {
 public:
  // With `edges`, the ends of the bracket are told from what lies beyond, and nothing is written.
  Scan(const Magnitudes& magnitudes, Bracket bracket, bool edges, const Output& out)
      : m_(magnitudes),
        bracket_(bracket),
        kernel_(edges ? kernels().scan_edges : kernels().scan[static_cast<std::size_t>(out.form)]),
        out_(out),
        blocks_(m_.w, m_.n, out.data, bytes_of(out.form)),
        capacity_(capacity_for(m_.n)),
        keys_(capacity_),
        places_(capacity_),
        edges_(blocks_.count()) {}

  // Scratch is 12 bytes a candidate here, at most 8 more while selecting among them, and as many of
  // the sample, whose buffers are kept: for so many candidates, a sixteenth of n floats, and 3 MiB,
  // where buffers are an eighth larger than they need be.
  static std::size_t capacity_for(std::size_t n) { return n / 126 + kLeastCapacity; }

  // Goes over the data in search of the k-th largest; stops early where that is certain to lie
  // beyond the bracket.
  Place run(std::size_t k);

  // What is kept, after a run that found the place of the k-th.
  [[nodiscard]] Selection selection(Place place, std::size_t k) const;

  // Turns the output of the run, in which all candidates were kept, into that of the selection.
  void remove_losers(Selection selection) const;

  [[nodiscard]] bool complete() const { return census_.collected <= capacity_; }

 private:
  struct EdgeCounts {
    std::uint32_t at_hi, at_lo;
  };

  void work(std::size_t k, Tasks& tasks);
  void gather(const Census& census, std::size_t begin, Collected block);
  [[nodiscard]] std::size_t end_of_edge_ties(std::uint32_t EdgeCounts::* edge, std::int32_t key,
                                             std::size_t ties) const;
  [[nodiscard]] std::size_t end_of_candidate_ties(Ranked kth, std::size_t ties) const;

  const Magnitudes& m_;
  Bracket bracket_;
  decltype(KernelTable::scan_edges) kernel_;
  const Output& out_;
  Blocks blocks_;
  std::size_t capacity_;
  Buffer<std::int32_t> keys_;
  Buffer<std::uint64_t> places_;
  std::vector<EdgeCounts> edges_;  // of each block
  Census census_{};
  std::atomic<std::size_t> collected_{0}, above_{0}, below_{0};
  std::atomic<bool> nan_{false};
  std::mutex mutex_;
};

Place Scan::run(std::size_t k) {
  Tasks tasks(blocks_.count());
  on_threads(std::min(threads_for(m_.n * sizeof(float)), tasks.count()), [&] { work(k, tasks); });
  if (nan_.load()) {
    refuse_nan(m_.w, m_.n);
  }
  census_.collected = collected_.load();
  return locate(census_, k);
}

void Scan::work(std::size_t k, Tasks& tasks) {
  constexpr std::size_t kRoom = kBlock + 2 * kWord;  // the first block may be longer than kBlock
  const Buffer<std::int32_t> block_bits(kRoom);
  const Buffer<std::uint32_t> block_offsets(kRoom);
  const Collected block_collected{block_bits.data(), block_offsets.data()};
  Census mine{};
  for (std::size_t block = 0; tasks.take(block);) {
    const Part part = blocks_[block];
    Census c = kernel_(part, m_.rotation, bracket_, out_, block_collected);
    if (bracket_.hi == kMagnitude) {
      c.above_hi = 0;  // nothing is: even where the ends were not told apart, this one is
    }
    gather(c, part.begin, block_collected);
    edges_[block] = {static_cast<std::uint32_t>(c.from_hi - c.above_hi),
                     static_cast<std::uint32_t>(c.from_lo - c.above_lo)};
    mine.above_hi += c.above_hi;
    mine.from_hi += c.from_hi;
    mine.above_lo += c.above_lo;
    mine.from_lo += c.from_lo;

    const std::size_t below = part.end - part.begin - c.from_lo;
    const bool certainly_above = above_.fetch_add(c.above_hi) + c.above_hi >= k;
    const bool certainly_below = below_.fetch_add(below) + below > m_.n - k;
    const bool has_nan = m_.refuse_nan && c.max_key > kInfinity;
    if (has_nan) {
      nan_.store(true);
    }
    if (has_nan || certainly_above || certainly_below) {
      tasks.stop();
    }
  }
  const std::lock_guard lock(mutex_);
  census_.above_hi += mine.above_hi;
  census_.from_hi += mine.from_hi;
  census_.above_lo += mine.above_lo;
  census_.from_lo += mine.from_lo;
}

void Scan::gather(const Census& census, std::size_t begin, Collected block) {
  const std::size_t at = collected_.fetch_add(census.collected);
  if (at + census.collected > capacity_) {
    return;
  }
  for (std::size_t i = 0; i < census.collected; ++i) {
    keys_[at + i] = read_key(block.bits, i, m_.rotation);
    places_[at + i] = begin + block.offsets[i];
  }
}

Selection Scan::selection(Place place, std::size_t k) const {
  if (place == Place::within) {
    const Ranked kth =
        select_in_cache(kernels(), keys_.data(), census_.collected, 0, k - census_.from_hi);
    const std::size_t ties = k - census_.from_hi - kth.above;
    return {kth.key, ties == kth.equal ? m_.n : end_of_candidate_ties(kth, ties)};
  }
  const bool hi = place == Place::at_hi;
  const std::int32_t key = hi ? bracket_.hi : bracket_.lo;
  const std::size_t above = hi ? census_.above_hi : census_.above_lo;
  const std::size_t from = hi ? census_.from_hi : census_.from_lo;
  const std::size_t ties = k - above;
  return {key, ties == from - above
                   ? m_.n
                   : end_of_edge_ties(hi ? &EdgeCounts::at_hi : &EdgeCounts::at_lo, key, ties)};
}

std::size_t Scan::end_of_edge_ties(std::uint32_t EdgeCounts::* edge, std::int32_t key,
                                   std::size_t ties) const {
  std::size_t block = 0;
  for (; edges_[block].*edge < ties; ++block) {  // the census counted as many
    ties -= edges_[block].*edge;
  }
  return end_of_ties(m_, blocks_[block].begin, key, ties);
}

std::size_t Scan::end_of_candidate_ties(Ranked kth, std::size_t ties) const {
  const Buffer<std::uint64_t> tied(kth.equal);
  std::size_t count = 0;
  for (std::size_t i = 0; i < census_.collected; ++i) {
    if (keys_[i] == kth.key) {
      tied[count++] = places_[i];
    }
  }
  std::uint64_t* const last = tied.data() + ties - 1;
  std::nth_element(tied.data(), last, tied.data() + count);
  return static_cast<std::size_t>(*last) + 1;
}

// Sets the elements at these places to zero; most are in a cache line of their own.
template <std::size_t kBytes>
void clear(unsigned char* data, const std::uint64_t* places, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    __builtin_prefetch(data + places[std::min(i + kAhead, count - 1)] * kBytes, 1);
    std::memset(data + places[i] * kBytes, 0, kBytes);
  }
}

void clear_bits(unsigned char* data, const std::uint64_t* places, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    __builtin_prefetch(data + places[std::min(i + kAhead, count - 1)] / 8, 1);
    data[places[i] / 8] &= static_cast<unsigned char>(~(1u << (places[i] % 8)));
  }
}

void Scan::remove_losers(Selection selection) const {
  auto* const data = static_cast<unsigned char*>(out_.data);
  const std::size_t bytes = bytes_of(out_.form);
  const auto clear_places = bytes == 4   ? clear<4>
                            : bytes == 2 ? clear<2>
                            : bytes == 1 ? clear<1>
                                         : clear_bits;
  // Two candidates may share a byte of bits, and those are few bytes: one thread is enough.
  const std::size_t traffic = bytes == 0 ? 0 : census_.collected * 2 * kLine;
  const Blocks blocks(keys_.data(), census_.collected, nullptr, 0);
  for_blocks(blocks, traffic, [&](Part part) {
    // Losers first go to a list without a branch, which would be mispredicted for every other
    // candidate.
    const Buffer<std::uint64_t> losers(part.end - part.begin);
    std::size_t count = 0;
    for (std::size_t i = part.begin; i < part.end; ++i) {
      losers[count] = places_[i];
      count += static_cast<std::size_t>(static_cast<int>(keys_[i] < selection.threshold) |
                                        (static_cast<int>(keys_[i] == selection.threshold) &
                                         static_cast<int>(places_[i] >= selection.tie_end)));
    }
    clear_places(data, losers.data(), count);
  });
}

Estimate sample(const Magnitudes& m, std::size_t k, std::uint64_t attempt) {
  const double target = 2 * std::pow(static_cast<double>(m.n), 2.0 / 3.0);
  std::size_t size = static_cast<std::size_t>(target) / kWord * kWord + kWord;
  // Alike neighbours ask for a wide bracket, or for a larger sample, until that takes as much memory
  // as the candidates will. Then the bracket is made to fit, and may miss.
  const std::size_t capacity = Scan::capacity_for(m.n);
  const double room = 0.75 * static_cast<double>(capacity) / static_cast<double>(m.n);
  const std::size_t most = std::min(capacity, m.n / 2) / kWord * kWord;
  for (;;) {
    const Buffer<std::int32_t> keys(size);
    const std::size_t count = size / kRun;
    const Runs runs(m.n, count, kRun, attempt);
    for (std::size_t run = 0; run < count; ++run) {
      const auto* data = static_cast<const unsigned char*>(m.w);
      __builtin_prefetch(data + runs[std::min(run + kAhead, count - 1)] * sizeof(float));
      std::memcpy(keys.data() + run * kRun, data + runs[run] * sizeof(float), kRun * sizeof(float));
    }
    kernels().keys(keys.data(), size, m.rotation, keys.data());
    const Sample taken(kernels(), keys.data(), size, m.n, k);
    if (size >= most || taken.share() <= room) {
      return taken.estimate(room);
    }
    const double excess = taken.share() / room;  // falls as the root of the size
    const double wanted = 1.2 * excess * excess * static_cast<double>(size);
    size = wanted < static_cast<double>(most) ? static_cast<std::size_t>(wanted) / kWord * kWord
                                              : most;
  }
}

// The keys among which the k-th largest is known to be, ends included.
struct Range {
  std::int32_t least = 0;
  std::int32_t most = kMagnitude;

  // After a bracket that did not lead to the key. Ends that were told apart are ruled out too.
  void learn(Place place, Bracket bracket, bool edges) {
    if (place == Place::above) {
      least = bracket.hi + edges;
    } else if (place == Place::below) {
      most = bracket.lo - edges;
    } else {
      least = bracket.lo + 1;
      most = bracket.hi - 1;
    }
  }

  // The part of a bracket within the range, or where that is empty, the range's middle third.
  [[nodiscard]] Bracket cut(Bracket bracket) const {
    bracket.lo = std::max(bracket.lo, least - 1);
    bracket.hi = most == kMagnitude ? bracket.hi : std::min(bracket.hi, most + 1);
    return bracket.lo <= bracket.hi ? bracket : middle_third();
  }
  [[nodiscard]] Bracket middle_third() const {
    const std::int32_t third = (most - least) / 3;
    return {least + third, most - third};
  }
};

bool is_fixed_point(Form form) { return form >= Form::int8; }

// Writes a selection that is known.
void emit(const Magnitudes& m, Selection selection, const Output& out) {
  if (is_fixed_point(out.form) && selection.threshold < m.rotation) {
    selection = {m.rotation - 1, 0};  // all numbers are kept, and NaN is 0 whether kept or not
  }
  const auto kernel = kernels().emit[static_cast<std::size_t>(out.form)];
  std::atomic<bool> nan{false};
  for_blocks(Blocks(m.w, m.n, out.data, bytes_of(out.form)), m.n * sizeof(float), [&](Part part) {
    if (kernel(part, m.rotation, selection, out) > kInfinity) {
      nan.store(true, std::memory_order_relaxed);
    }
  });
  if (m.refuse_nan && nan.load()) {
    refuse_nan(m.w, m.n);
  }
}

// The same for a selection that no pass over the data has gone before, which would have met NaN.
void emit_first(const Magnitudes& m, Selection selection, const Output& out) {
  if (m.refuse_nan && out.data == m.w) {
    check_nan(m.w, m.n);
  }
  emit(m, selection, out);
}

// Selects from memory and, unless the form is none, writes. Elsewhere than in place, the pass that
// selects writes as well: candidates that lose can be taken back later. Elements that equal an end
// of the bracket cannot: where those are few, they are made candidates; where they are many, or some
// are NaN ranked below the numbers, writing waits, as in place, until the selection is known.
Selection select_from_memory(const Magnitudes& m, std::size_t k, const Output& out) {
  const Output nothing{};
  Range range;
  for (std::uint64_t attempt = 0;; ++attempt) {
    if (range.least > range.most) {
      range = Range{};  // somebody writes to w meanwhile
    }
    Bracket bracket = range.middle_third();
    bool edges = true;
    if (attempt < kSampledAttempts) {
      const Estimate e = sample(m, k, attempt);
      const Bracket wide = widened(e.bracket);
      edges = !e.light_edges;
      bracket = range.cut(edges ? e.bracket : wide);
      edges = edges || bracket.lo < m.rotation - 1;
    }
    const bool write = !edges && out.data != m.w && out.form != Form::none;
    Scan scan(m, bracket, edges, write ? out : nothing);
    const Place place = scan.run(k);
    if (place == Place::above || place == Place::below ||
        (place == Place::within && !scan.complete())) {
      range.learn(place, bracket, edges);
      continue;
    }
    const Selection selection = scan.selection(place, k);
    if (write && place == Place::within) {
      scan.remove_losers(selection);
    } else if (out.form != Form::none) {
      emit(m, selection, out);
    }
    return selection;
  }
}

void decide_streaming(const Magnitudes& m, Output& out) {
  out.stream = worth_streaming(m.w, out.data, m.n * (sizeof(float) + bytes_of(out.form)));
}

}  // namespace

Magnitudes::Magnitudes(const void* w_, std::size_t n_, sc_nan nan)
    : w(w_),
      n(n_),
      rotation(nan == SC_NAN_PRUNE || nan == SC_NAN_ZERO ? kNaNsLowest : kNaNsHighest),
      refuse_nan(nan == SC_NAN_RAISE) {}

std::int32_t kth_key(const Magnitudes& m, std::size_t k) {
  return m.n <= kInCache ? kth_in_cache(m, k).key : select_from_memory(m, k, Output{}).threshold;
}

void write_topk(const Magnitudes& m, std::size_t k, Output out) {
  decide_streaming(m, out);
  if (k == 0 || k == m.n) {
    emit_first(m, {k == 0 ? kMagnitude : -1, 0}, out);
  } else if (m.n <= kInCache) {
    emit(m, selection_in_cache(m, k), out);
  } else {
    select_from_memory(m, k, out);
  }
}

void write_above(const Magnitudes& m, std::int32_t key, Output out) {
  decide_streaming(m, out);
  emit_first(m, {key, 0}, out);
}

}  // namespace secateur
