#include "select/select.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "core/blocks.hpp"
#include "core/error.hpp"
#include "core/scratch.hpp"
#include "select/sample.hpp"
#include "select/scan.hpp"
#include "select/ties.hpp"

namespace secateur {
namespace {

// Tuning: number of runs to prefetch ahead.
constexpr std::size_t kAhead = 32;

// Tuning: number of sampled intervals to try before the range of keys is cut in thirds.
constexpr std::uint64_t kSampledAttempts = 3;

// Tuning: try_topk_indices applies if k is at most n / kTopkDivisor. The keys and indices of the k
// elements then take about as much memory as a bit mask of all elements.
constexpr std::size_t kTopkDivisor = 96;

// Calls body with a zero of the type in which keys of the problem are stored.
template <class Body>
auto with_key_type(const SelectionProblem& problem, const Body& body) {
  return problem.key_type().bytes == sizeof(std::int64_t) ? body(std::int64_t{})
                                                          : body(std::int32_t{});
}

// ---- In cache --------------------------------------------------------------------------------

// Whether keys must be computed first, because the problem is not one array of floats of K's width.
template <class K>
bool needs_keys(const SelectionProblem& problem) {
  return !problem.is_plain() || !problem.is_one() || problem.key_type().bytes != sizeof(K);
}

void check_nan(const SelectionProblem& problem, const Operand& operand, Key largest) {
  if (problem.is_nan(operand, largest)) {
    problem.refuse_nan();
  }
}

// Computes the keys of all operands.
template <class K>
void all_keys(const SelectionProblem& problem, K* keys) {
  const ScratchBuffer scratch(problem);
  for (const Operand& operand : problem.operands()) {
    for (std::size_t begin = 0; begin < operand.n; begin += kBlock) {
      const std::size_t end = std::min(begin + kBlock, operand.n);
      const void* const bits =
          problem.bits(operand, begin, end, scratch.alias_safe(operand.ranking_data(begin)));
      check_nan(problem, operand,
                problem.keys(operand, bits, end - begin, keys + operand.problem_offset + begin));
    }
  }
}

// The selection of the k largest; without `with_ties`, only its threshold, the key of the k-th, is
// meaningful.
template <class K>
Selection select_in_cache(const SelectionProblem& problem, std::size_t k, bool with_ties) {
  const std::size_t n = problem.size();
  const bool computes_keys = needs_keys<K>(problem);
  const Buffer<K> keys(computes_keys ? n : 0);
  const void* ranked = problem.first_operand().w;
  Order order = problem.order(problem.first_operand());
  Key largest = 0;
  if (computes_keys) {
    all_keys(problem, keys.data());
    ranked = keys.data();
    order = kIdentityOrder;
  }
  const Ranked kth = select_in_cache<K>(problem.table(), ranked, n, order, k, &largest);
  if (!computes_keys) {
    check_nan(problem, problem.first_operand(), largest);
  }
  const std::size_t ties = k - kth.above;
  if (!with_ties || ties == kth.equal) {
    return {kth.key, n};
  }
  return {kth.key, end_of_ties(problem.table().select.elements[sizeof(K)], ranked, sizeof(K), n,
                               order, kth.key, ties)};
}

Selection select_in_cache(const SelectionProblem& problem, std::size_t k, bool with_ties) {
  return with_key_type(
      problem, [&](auto zero) { return select_in_cache<decltype(zero)>(problem, k, with_ties); });
}

// ---- From memory -----------------------------------------------------------------------------

// The selection of the first r elements that have the key, and of all above it. Finds its tie_end
// by counting the ties block by block, on this thread.
Selection find_tie_end(const SelectionProblem& problem, Key key, std::size_t r,
                       const ScratchBuffer& scratch, std::size_t block = kBlock) {
  for (const Operand& operand : problem.operands()) {
    const Selection local = problem.local(operand, {key, problem.size()});
    if (local.tie_end == 0) {
      continue;  // no key of the operand equals `key`
    }
    const ElementKernels& kernels = problem.kernels(operand);
    const Order order = problem.order(operand);
    for (std::size_t begin = 0; begin < operand.n; begin += block) {
      check_interrupts();
      const std::size_t length = std::min(block, operand.n - begin);
      const void* const bits = problem.bits(operand, begin, begin + length,
                                            scratch.alias_safe(operand.ranking_data(begin)));
      const std::size_t count = kernels.count_above(bits, length, order, local.threshold - 1) -
                                kernels.count_above(bits, length, order, local.threshold);
      if (count >= r) {
        return {key, operand.problem_offset + begin +
                         end_of_ties(kernels, bits, operand.ranking_type().bytes, length, order,
                                     local.threshold, r)};
      }
      r -= count;
    }
  }
  throw_input_changed();
}

// Finds the operands of a sequence of ascending indices.
class Cursor {
 public:
  explicit Cursor(const SelectionProblem& problem) : operand_(problem.operands().data()) {}
  const Operand& operand_of(std::size_t index) {
    while (!SelectionProblem::is_in(*operand_, index)) {
      ++operand_;
    }
    return *operand_;
  }

 private:
  const Operand* operand_;
};

// Splits runs into pieces that lie in one operand each. Calls piece(operand, index in the operand,
// length, index in the sample) for each.
template <class Body>
void for_pieces(const SelectionProblem& problem, const Runs& runs, std::size_t count,
                const Body& piece) {
  Cursor cursor(problem);
  Cursor prefetch_cursor(problem);
  for (std::size_t run = 0; run < count; ++run) {
    const std::size_t later = runs[std::min(run + kAhead, count - 1)];
    const Operand& later_operand = prefetch_cursor.operand_of(later);
    later_operand.prefetch(later - later_operand.problem_offset, kRun);
    std::size_t index = runs[run];
    for (std::size_t i = 0; i < kRun;) {
      const Operand& operand = cursor.operand_of(index);
      const std::size_t local_index = index - operand.problem_offset;
      const std::size_t length = std::min(kRun - i, operand.n - local_index);
      piece(operand, local_index, length, run * kRun + i);
      index += length;
      i += length;
    }
  }
}

// Computes the keys of the sampled runs.
template <class K>
void sample_keys(const SelectionProblem& problem, const Runs& runs, std::size_t count, K* keys) {
  const Operand& first = problem.first_operand();
  if (!problem.is_plain() && !(problem.is_one() && first.scores_suit_kernels())) {
    for_pieces(problem, runs, count,
               [&](const Operand& operand, std::size_t index, std::size_t length,
                   std::size_t sample_index) {
      std::int64_t scratch[kRun];
      problem.keys(operand, problem.bits(operand, index, index + length, scratch), length,
                   keys + sample_index);
    });
    return;
  }
  // Gathers the bits of all runs first. Bits of 16-bit floats go to the second half of the output,
  // from where keys() widens them in order.
  const std::size_t bytes = problem.key_type().bytes;
  const std::size_t size = count * kRun;
  unsigned char* const bits = reinterpret_cast<unsigned char*>(keys) + size * (sizeof(K) - bytes);
  const bool products = first.scores.kind == Scores::Kind::products;
  const Buffer<unsigned char> factors(products ? size * bytes : 0);
  if (problem.is_one() && problem.is_plain()) {  // needs no search for the operand of a run
    for (std::size_t run = 0; run < count; ++run) {
      const unsigned char* const later = first.at(runs[std::min(run + kAhead, count - 1)]);
      __builtin_prefetch(later);
      __builtin_prefetch(later + kRun * bytes - 1);
      std::memcpy(bits + run * kRun * bytes, first.at(runs[run]), kRun * bytes);
    }
    problem.kernels(first).keys(bits, size, problem.order(first), keys);
    return;
  }
  for_pieces(
      problem, runs, count,
      [&](const Operand& operand, std::size_t index, std::size_t length, std::size_t sample_index) {
    std::memcpy(bits + sample_index * bytes, operand.ranking_data(index), length * bytes);
    if (products) {
      expand(operand.scores, operand.array_offset + index, length,
             factors.data() + sample_index * bytes);
    }
  });
  problem.compute_ranking_bits(first, {bits, 0, size, size}, factors.data(), bits);
  problem.kernels(first).keys(bits, size, problem.order(first), keys);
}

// An interval that almost surely holds the k-th largest key, from a sample. The attempt numbers
// give different samples.
template <class K>
Interval sampled(const SelectionProblem& problem, std::size_t k, std::uint64_t attempt) {
  const std::size_t n = problem.size();
  const double target = 2 * std::pow(static_cast<double>(n), 2.0 / 3.0);
  std::size_t size = static_cast<std::size_t>(target) / kWord * kWord + kWord;
  // If consecutive elements are similar, the interval is wide. A larger sample narrows it, up to
  // the size at which the sample takes as much memory as the candidates. An interval that is still
  // too wide is narrowed to the capacity, and may miss.
  const std::size_t capacity = capacity_for(problem);
  // If an end of the interval has a tie index, the equal keys of one block become candidates
  // (bracket_of). Otherwise all keys that equal the end do; Sample::interval limits those of both
  // ends to a sixteenth of the candidates.
  const double max_share =
      0.94 * static_cast<double>(capacity - 2 * kBlock) / static_cast<double>(n);
  const std::size_t largest = std::min(capacity, n / 2) / kWord * kWord;
  for (;;) {
    const Buffer<K> keys(size);
    const Runs runs(n, size / kRun, kRun, attempt);
    sample_keys(problem, runs, size / kRun, keys.data());
    const Sample<K> sample(problem.table(), keys.data(), runs, size, n, k);
    if (size >= largest || sample.share() <= max_share) {
      return sample.interval(max_share, problem.least(), problem.most());
    }
    const double excess = sample.share() / max_share;  // proportional to 1 / sqrt(size)
    const double required = 1.2 * excess * excess * static_cast<double>(size);
    size = required < static_cast<double>(largest)
               ? static_cast<std::size_t>(required) / kWord * kWord
               : largest;
  }
}

// The range of keys, ends included, that is known to hold the k-th largest.
class Range {
 public:
  explicit Range(const SelectionProblem& problem)
      : least_(problem.least()), most_(problem.most()), n_(problem.size()) {}

  // Narrows the range after a pass with an interval that did not determine the key, given the
  // position of the k-th relative to the candidates.
  void learn(Position position, const Interval& interval) {
    const auto& [inner, outer, likely] = interval;
    if (position == Position::above) {
      least_ = std::max(least_, inner.tie_end == 0 ? inner.threshold + 1 : inner.threshold);
    } else if (position == Position::below) {
      most_ = std::min(most_, outer.tie_end >= n_ ? outer.threshold - 1 : outer.threshold);
    } else {
      least_ = std::max(least_, outer.threshold);
      most_ = std::min(most_, inner.threshold);
    }
  }

  // An empty range means that another thread has written to an array during the selection.
  [[nodiscard]] bool empty() const { return least_ > most_; }

  // The part of an interval that lies in the range. If it is empty, the middle third of the range.
  [[nodiscard]] Interval clip(Interval interval) const {
    if (interval.inner.threshold < least_ || interval.outer.threshold > most_) {
      return middle_third();
    }
    if (interval.inner.threshold > most_) {
      interval.inner = {most_, 0};
    }
    if (interval.outer.threshold < least_) {
      interval.outer = {least_, n_};
    }
    return interval;
  }

  // The middle third of the range; the least key if the range has fewer than four.
  [[nodiscard]] Interval middle_third() const {
    // The distance between two keys of 64 bits may overflow a key.
    const auto third = static_cast<Key>(
        (static_cast<std::uint64_t>(most_) - static_cast<std::uint64_t>(least_)) / 3);
    const Key low = least_ + third;
    const Key high = third == 0 ? low : most_ - third;
    const Key middle = low + (high - low) / 2;
    return {.inner = {high, 0}, .outer = {low, n_}, .likely = middle};
  }

 private:
  Key least_;
  Key most_;
  std::size_t n_;
};

// Writes a part of an operand, given the selection in its own keys and indices.
Emitted emit_part(const SelectionProblem& problem, const Operand& operand, const Part& part,
                  Selection local, const ScratchBuffer& scratch, const OutputStage& stage) {
  const PreparedBlock block =
      stage.redirect(operand, part, prepare(problem, operand, part, operand.out, scratch));
  local.tie_end -= std::min(local.tie_end, block.index_shift);
  const auto kernel = problem.kernels(operand).emit[static_cast<std::size_t>(operand.out.kind)];
  const Emitted emitted =
      kernel(block.part, block.rank_key, problem.order(operand), local, block.out);
  stage.convert(part);
  return emitted;
}

// Writes a known selection: local_of(i) is that of operand i, in its own keys and indices. Returns
// the number of elements that were kept. Throws std::bad_alloc only before it has written anything.
template <class LocalOf>
std::size_t emit(const SelectionProblem& problem, const LocalOf& local_of) {
  struct Workspace {
    explicit Workspace(const SelectionProblem& problem) : scratch(problem), stage(problem) {}
    ScratchBuffer scratch;
    OutputStage stage;
  };
  if (problem.is_in_place()) {
    forbid_interrupts();
  }
  const OperandBlocks parts(problem);
  Tasks tasks(parts.count());
  std::atomic<bool> nan{false};
  std::atomic<std::size_t> kept{0};
  share_with_scratch<Workspace>(tasks, problem.bytes(),
                                [&](const Workspace& workspace, std::size_t i) {
    const auto [number, part] = parts[i];
    const Operand& operand = problem.operands()[number];
    const Emitted emitted =
        emit_part(problem, operand, part, local_of(number), workspace.scratch, workspace.stage);
    if (problem.is_nan(operand, emitted.max_key)) {
      nan.store(true, std::memory_order_relaxed);
    }
    kept.fetch_add(emitted.kept, std::memory_order_relaxed);
  }, problem);
  if (nan.load()) {
    problem.refuse_nan();
  }
  return kept.load();
}

// Throws Error if a selection of k elements has kept another number: the input has changed between
// the pass that selected and the one that wrote.
void require_kept(const SelectionProblem& problem, std::size_t kept, std::size_t k) {
  if (kept != k) {
    throw_input_changed(problem.is_in_place());
  }
}

std::size_t emit(const SelectionProblem& problem, Selection selection) {
  return emit(problem,
              [&](std::size_t i) { return problem.local(problem.operands()[i], selection); });
}

// emit() after a check for NaN if the output is in place.
std::size_t check_and_emit(const SelectionProblem& problem, Selection selection) {
  problem.begin_in_place_write();
  return emit(problem, selection);
}

// The selection of no element (k = 0), or of all of them.
Selection none_or_all(const SelectionProblem& problem, std::size_t k) {
  return {k == 0 ? problem.most() : problem.least() - 1, 0};
}

// Whether the candidates are exactly the elements with one key. The key of the k-th is then known,
// and the candidates need not be stored.
bool is_single_key(const Interval& interval, std::size_t n) {
  return interval.inner.threshold == interval.outer.threshold && interval.inner.tie_end == 0 &&
         interval.outer.tie_end >= n;
}

// Whether the scan may write. It may not write in place. It may not write with a conversion that
// packs results into bytes, since single results could not be corrected, or with one that needs the
// final selection, since the scan also converts elements that are not kept.
bool may_write(const SelectionProblem& problem) {
  const OutputConversion* const conversion = problem.first_operand().conversion;
  return !problem.is_in_place() && (conversion == nullptr || (conversion->bytes_each != 0 &&
                                                              !conversion->needs_final_selection));
}

// key: only the k-th key. selection: the key and where ties end. output: the selection, written.
enum class Wanted { key, selection, output };

// Selects from memory. If the scan may write the output, it writes the likely result, and the
// candidates are corrected afterwards. Otherwise a second pass writes.
template <class K>
Selection select_from_memory(const SelectionProblem& problem, std::size_t k, Wanted wanted) {
  const std::size_t n = problem.size();
  Range range(problem);
  // Each attempt after the sampled ones cuts the range to two thirds or less, so that the loop ends
  // even if another thread writes to an array during the selection.
  for (std::uint64_t attempt = 0; !range.empty(); ++attempt) {
    Interval interval = attempt < kSampledAttempts ? range.clip(sampled<K>(problem, k, attempt))
                                                   : range.middle_third();
    if (problem.first_operand().writes_integers()) {
      // Write all candidates as kept. Correcting one to removed stores 0; correcting one to kept
      // would need a conversion.
      interval.likely = problem.least() - 1;
    }
    const bool write = wanted == Wanted::output && may_write(problem);
    Scan<K> scan(problem, interval, capacity_for(problem), write);
    const Position position = scan.run(k);
    if (position != Position::within || !(scan.complete() || is_single_key(interval, n))) {
      range.learn(position, interval);
      continue;
    }
    Selection selection{interval.inner.threshold, n};
    if (!scan.complete()) {
      selection =
          find_tie_end(problem, selection.threshold, k - scan.above(), ScratchBuffer(problem));
    } else {
      const Ranked kth = scan.kth(k);
      selection = wanted == Wanted::key ? Selection{kth.key, n} : scan.selection(kth, k);
    }
    if (write && scan.complete()) {
      scan.fix_up(selection);
    } else if (wanted == Wanted::output) {
      require_kept(problem, emit(problem, selection), k);
    }
    return selection;
  }
  throw_input_changed();
}

Selection select_from_memory(const SelectionProblem& problem, std::size_t k, Wanted wanted) {
  return with_key_type(
      problem, [&](auto zero) { return select_from_memory<decltype(zero)>(problem, k, wanted); });
}

// ---- Without scratch memory ------------------------------------------------------------------

// Elements of a piece, whose ranking values fit the stack.
constexpr std::size_t kPiece = 1024;

// Calls body(operand, part) for all parts of up to kPiece elements.
template <class Body>
void for_all_pieces(const SelectionProblem& problem, const Body& body) {
  for (const Operand& operand : problem.operands()) {
    for (std::size_t begin = 0; begin < operand.n; begin += kPiece) {
      body(operand, Part{operand.w, begin, std::min(begin + kPiece, operand.n), operand.n});
    }
  }
}

// The number of elements above `key`.
std::size_t count_above(const SelectionProblem& problem, Key key, const ScratchBuffer& scratch) {
  std::size_t count = 0;
  for_all_pieces(problem, [&](const Operand& operand, const Part& part) {
    const void* const bits = problem.bits(operand, part.begin, part.end,
                                          scratch.alias_safe(operand.ranking_data(part.begin)));
    count +=
        problem.kernels(operand).count_above(bits, part.end - part.begin, problem.order(operand),
                                             problem.local(operand, {key, 0}).threshold);
  });
  return count;
}

// The selection of the k largest, by bisection of the range of keys.
Selection bisect(const SelectionProblem& problem, std::size_t k, const ScratchBuffer& scratch) {
  Key low = problem.least() - 1;  // k or more keys are above
  Key high = problem.most();      // fewer than k keys are above
  for (;;) {
    const auto gap = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
    if (gap == 1) {
      break;
    }
    const Key middle = high - static_cast<Key>(gap / 2);
    (count_above(problem, middle, scratch) >= k ? low : high) = middle;
  }
  return find_tie_end(problem, high, k - count_above(problem, high, scratch), scratch, kPiece);
}

// ---- The indices of the k largest ------------------------------------------------------------

// Writes the indices of the k largest. All elements above the outer end of an interval are
// candidates. Returns false if there are too few or too many of them.
template <class K>
bool collect_topk(const SelectionProblem& problem, std::size_t k, std::int64_t* indices) {
  // If this sample misses, the selection uses other samples.
  const Interval interval{.inner = {problem.most(), 0},
                          .outer = sampled<K>(problem, k, kSampledAttempts).outer,
                          .likely = problem.most()};
  Scan<K> scan(problem, interval, k + capacity_for(problem), false);
  const Position position = scan.run(k);
  if (position != Position::within || !scan.complete()) {
    return false;
  }
  scan.indices_of(scan.selection(scan.kth(k), k), indices);
  return true;
}

// Writes the indices of the k largest of one array that ranks by magnitude, 1 <= k <= n, in cache.
void index_in_cache(const SelectionProblem& problem, std::size_t k, std::int64_t* indices) {
  const Operand& operand = problem.first_operand();
  const Selection selection = select_in_cache(problem, k, true);
  const Rows row{operand.w, 1, operand.n, operand.n, operand.n};
  if (!problem.kernels(operand).index_rows(row, problem.order(operand), &selection, k, indices,
                                           k)) {
    throw_input_changed();
  }
}

}  // namespace

Key kth_key(const SelectionProblem& problem, std::size_t k) {
  return (problem.size() <= kInCache ? select_in_cache(problem, k, false)
                                     : select_from_memory(problem, k, Wanted::key))
      .threshold;
}

Selection find_topk(const SelectionProblem& problem, std::size_t k) {
  if (k == 0 || k == problem.size()) {
    if (problem.refuses_nan()) {
      problem.check_nan();
    }
    return none_or_all(problem, k);
  }
  return problem.size() <= kInCache ? select_in_cache(problem, k, true)
                                    : select_from_memory(problem, k, Wanted::selection);
}

void write_topk(const SelectionProblem& problem, std::size_t k) {
  if (k == 0 || k == problem.size()) {
    require_kept(problem, check_and_emit(problem, none_or_all(problem, k)), k);
  } else if (problem.size() <= kInCache) {
    require_kept(problem, emit(problem, select_in_cache(problem, k, true)), k);
  } else {
    select_from_memory(problem, k, Wanted::output);
  }
}

void write_topk_without_scratch(Operand operand, sc_nan nan, std::size_t k) {
  operand.out.stream = false;  // pieces are not aligned
  const SelectionProblem problem({&operand, 1}, nan);
  alignas(kLine) unsigned char memory[ScratchBuffer::kPage + kPiece * sizeof(std::int64_t)];
  const ScratchBuffer scratch(memory);
  const OutputStage stage(problem);
  const Selection selection = bisect(problem, k, scratch);
  std::size_t kept = 0;
  for_all_pieces(problem, [&](const Operand& piece_operand, const Part& part) {
    kept += emit_part(problem, piece_operand, part, problem.local(piece_operand, selection),
                      scratch, stage)
                .kept;
  });
  require_kept(problem, kept, k);
}

bool try_topk_indices(const SelectionProblem& problem, std::size_t k, std::int64_t* indices) {
  const bool is_in_cache = problem.size() <= kInCache;
  if (k == 0 || (is_in_cache ? problem.has_scores() : k > problem.size() / kTopkDivisor)) {
    return false;
  }
  if (is_in_cache) {
    index_in_cache(problem, k, indices);
    return true;
  }
  return with_key_type(
      problem, [&](auto zero) { return collect_topk<decltype(zero)>(problem, k, indices); });
}

void write_selections(const SelectionProblem& problem, std::span<const Selection> locals,
                      std::size_t k) {
  require_kept(problem, emit(problem, [&](std::size_t i) { return locals[i]; }), k);
}

void write_above(const SelectionProblem& problem, Key key) { check_and_emit(problem, {key, 0}); }

}  // namespace secateur
