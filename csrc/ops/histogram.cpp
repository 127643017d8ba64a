#include "ops/histogram.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <mutex>

#include "ops/blocks.hpp"
#include "ops/nan.hpp"
#include "runtime/scratch.hpp"

namespace secateur {
namespace {

// Elements that are counted in one table in less time than it takes to empty the counters of a
// thread and to add them up.
constexpr std::size_t kFew = std::size_t{1} << 17;

// What is counted on all threads, until it is known to be wanted.
struct Total {
  explicit Total(const Bins& bins) : counts(bins.count()) {
    std::fill_n(counts.data(), bins.count(), 0);
  }

  Buffer<std::uint64_t> counts;
  Tally tally{};
  std::mutex mutex;
};

// What one thread counts.
class Counters {
 public:
  Counters(const Magnitudes& magnitudes, const Bins& bins)
      : m_(magnitudes), bins_(bins), counters_(bins.count() * kCounters) {
    clear();
  }

  // Returns the largest key of the part.
  Key count(const Part& part, Total& total) {
    if (part.end - part.begin > std::numeric_limits<std::uint32_t>::max() - counted_) {
      add_to(total);
      clear();
    }
    counted_ += part.end - part.begin;
    const Tally t = m_.kernels().count_bins(part, m_.rotation, bins_, counters_.data());
    tally_.within += t.within;
    tally_.above += t.above;
    tally_.checksum += t.checksum;
    return t.max_key;
  }

  void add_to(Total& total) const {
    const std::lock_guard lock(total.mutex);
    for (std::size_t bin = 0; bin < bins_.count(); ++bin) {
      for (std::size_t i = 0; i < kCounters; ++i) {
        total.counts[bin] += counters_[bin * kCounters + i];
      }
    }
    total.tally.within += tally_.within;
    total.tally.above += tally_.above;
    total.tally.checksum += tally_.checksum;
  }

 private:
  void clear() {
    std::fill_n(counters_.data(), bins_.count() * kCounters, 0);
    tally_ = {};
    counted_ = 0;
  }

  const Magnitudes& m_;
  const Bins& bins_;
  Buffer<std::uint32_t> counters_;
  Tally tally_{};
  std::size_t counted_ = 0;
};

}  // namespace

Bins bins_of(Key first, Key last) {
  const auto width = static_cast<std::uint64_t>(last - first);
  return {first, last, std::max(0, static_cast<int>(std::bit_width(width / kMostBins)))};
}

Tally count_keys(const Magnitudes& m, const Bins& bins, std::uint64_t* counts) {
  if (m.n <= kFew) {
    if (m.refuse_nan) {
      check_nan(m.w, m.n, m.type);
    }
    return m.kernels().count_in_place({m.w, 0, m.n, m.n}, m.rotation, bins, counts);
  }
  Total total(bins);
  const Blocks blocks(m.w, m.n, nullptr, 0);
  Tasks tasks(blocks.count());
  std::atomic<bool> nan{false};
  on_threads(std::min(threads_for(m.n * m.type.bytes), tasks.count()), [&] {
    Counters counters(m, bins);
    for (std::size_t block = 0; tasks.take(block);) {
      if (counters.count(blocks[block], total) > m.type.infinity && m.refuse_nan) {
        nan.store(true);
        tasks.stop();
      }
    }
    counters.add_to(total);
  });
  if (nan.load()) {
    refuse_nan(m.w, m.n, m.type);
  }
  for (std::size_t bin = 0; bin < bins.count(); ++bin) {
    counts[bin] += total.counts[bin];
  }
  return total.tally;
}

}  // namespace secateur
