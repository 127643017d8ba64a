#include "sketch/histogram.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <limits>
#include <mutex>

#include "core/blocks.hpp"
#include "core/dispatch.hpp"
#include "core/scratch.hpp"

namespace secateur {
namespace {

// Tuning: up to this number of elements, counting directly in the caller's counts takes less time
// than clearing the counters of a thread and adding them up.
constexpr std::size_t kMaxDirect = std::size_t{1} << 17;

const SketchElementKernels& kernels_of(const Operand& operand) {
  return kernels().sketch.elements[operand.type.bytes];
}

// The sums over all threads. They are added to the caller's counts unless the pass finds NaN that
// is refused.
struct SharedCounts {
  explicit SharedCounts(const Bins& bins) : counts(bins.count()) {
    std::fill_n(counts.data(), bins.count(), 0);
  }

  Buffer<std::uint64_t> counts;
  HistogramTotals totals{};
  std::mutex mutex;
};

// The counters of one thread, which have 32 bits. They are added to the shared counts before they
// can overflow.
class ThreadCounters {
 public:
  ThreadCounters(const SelectionProblem& problem, const Bins& bins)
      : problem_(problem), bins_(bins), counters_(bins.count() * kCountersPerBin) {
    clear();
  }

  // Counts the keys of a part. Returns the largest.
  Key count(const Part& part, SharedCounts& shared) {
    if (part.end - part.begin > std::numeric_limits<std::uint32_t>::max() - counted_) {
      add_to(shared);
      clear();
    }
    counted_ += part.end - part.begin;
    const Operand& operand = problem_.first_operand();
    const HistogramTotals part_totals =
        kernels_of(operand).count_into_bins(part, problem_.order(operand), bins_, counters_.data());
    totals_.within += part_totals.within;
    totals_.above += part_totals.above;
    totals_.checksum += part_totals.checksum;
    return part_totals.max_key;
  }

  void add_to(SharedCounts& shared) const {
    const std::lock_guard lock(shared.mutex);
    for (std::size_t bin = 0; bin < bins_.count(); ++bin) {
      for (std::size_t i = 0; i < kCountersPerBin; ++i) {
        shared.counts[bin] += counters_[bin * kCountersPerBin + i];
      }
    }
    shared.totals.within += totals_.within;
    shared.totals.above += totals_.above;
    shared.totals.checksum += totals_.checksum;
  }

 private:
  void clear() {
    std::fill_n(counters_.data(), bins_.count() * kCountersPerBin, 0);
    totals_ = {};
    counted_ = 0;
  }

  const SelectionProblem& problem_;
  const Bins& bins_;
  Buffer<std::uint32_t> counters_;
  HistogramTotals totals_{};
  std::size_t counted_ = 0;
};

}  // namespace

Bins bins_of(Key first, Key last) {
  const auto width = static_cast<std::uint64_t>(last - first);
  return {first, last, std::max(0, static_cast<int>(std::bit_width(width / kMaxBins)))};
}

HistogramTotals count_keys(const SelectionProblem& problem, const Bins& bins,
                           std::uint64_t* counts) {
  const Operand& operand = problem.first_operand();
  if (operand.n <= kMaxDirect) {
    if (problem.refuses_nan()) {
      problem.check_nan();
    }
    return kernels_of(operand).count_into_single_counters({operand.w, 0, operand.n, operand.n},
                                                          problem.order(operand), bins, counts);
  }
  SharedCounts shared(bins);
  const Blocks blocks = OperandBlocks::blocks(operand);
  Tasks tasks(blocks.count());
  std::atomic<bool> has_nan{false};
  share(tasks, problem.bytes(), [&] {
    ThreadCounters counters(problem, bins);
    for (std::size_t block = 0; tasks.take(block);) {
      if (problem.is_nan(operand, counters.count(blocks[block], shared))) {
        has_nan.store(true);
        tasks.stop();
      }
    }
    counters.add_to(shared);
  });
  if (has_nan.load()) {
    problem.refuse_nan();
  }
  for (std::size_t bin = 0; bin < bins.count(); ++bin) {
    counts[bin] += shared.counts[bin];
  }
  return shared.totals;
}

}  // namespace secateur
