#include "ops/histogram.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <limits>
#include <mutex>

#include "ops/blocks.hpp"
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
  Counters(const Scope& scope, const Bins& bins)
      : scope_(scope), bins_(bins), counters_(bins.count() * kCounters) {
    clear();
  }

  // Returns the largest key of the part.
  Key count(const Part& part, Total& total) {
    if (part.end - part.begin > std::numeric_limits<std::uint32_t>::max() - counted_) {
      add_to(total);
      clear();
    }
    counted_ += part.end - part.begin;
    const Source& source = scope_.first();
    const Tally t =
        scope_.kernels(source).count_bins(part, scope_.order(source), bins_, counters_.data());
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

  const Scope& scope_;
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

Tally count_keys(const Scope& scope, const Bins& bins, std::uint64_t* counts) {
  const Source& source = scope.first();
  if (source.n <= kFew) {
    if (scope.refuses_nan()) {
      scope.check_nan();
    }
    return scope.kernels(source).count_in_place({source.w, 0, source.n, source.n},
                                                scope.order(source), bins, counts);
  }
  Total total(bins);
  const Blocks blocks = Parts::blocks(source);
  Tasks tasks(blocks.count());
  std::atomic<bool> nan{false};
  share(tasks, scope.bytes(), [&] {
    Counters counters(scope, bins);
    for (std::size_t block = 0; tasks.take(block);) {
      if (scope.is_nan(source, counters.count(blocks[block], total))) {
        nan.store(true);
        tasks.stop();
      }
    }
    counters.add_to(total);
  });
  if (nan.load()) {
    scope.refuse_nan();
  }
  for (std::size_t bin = 0; bin < bins.count(); ++bin) {
    counts[bin] += total.counts[bin];
  }
  return total.tally;
}

}  // namespace secateur
