#include "select/scan.hpp"

#include <algorithm>
#include <cstring>

namespace secateur {
namespace {

// Capacity for the candidates of a block. The first block may be longer than kBlock, and kernels
// store elements past the last candidate.
constexpr std::size_t kBlockCapacity = kBlock + 2 * kWord;

// Tuning: number of cache lines to prefetch ahead.
constexpr std::size_t kAhead = 32;

// The bracket of the candidates of a part. Whether a key that equals an end is a candidate depends
// on its index. In the part where this changes, all such keys become candidates.
Bracket bracket_of(const Interval& interval, const Part& part) {
  const auto& [inner, outer, likely] = interval;
  return {part.begin < outer.tie_end ? outer.threshold - 1 : outer.threshold,
          part.end <= inner.tie_end ? inner.threshold - 1 : inner.threshold};
}

}  // namespace

std::size_t capacity_for(const SelectionProblem& problem) {
  constexpr std::size_t kLeast = std::size_t{9} << 14;
  std::size_t max_bytes = 0;
  for (const Operand& operand : problem.operands()) {
    max_bytes = std::max(max_bytes, operand.n * std::min(operand.type.bytes, sizeof(float)));
  }
  return max_bytes / (144 * sizeof(float)) + kLeast;
}

template <class K>
Scan<K>::Scan(const SelectionProblem& problem, const Interval& interval, std::size_t capacity,
              bool write)
    : problem_(problem),
      interval_(interval),
      capacity_(capacity),
      keys_(capacity_),
      indices_(capacity_) {
  passes_.reserve(problem.operands().size());
  for (const Operand& operand : problem.operands()) {
    const Output out = write ? operand.out : Output{};
    passes_.push_back({{.inner = problem.local(operand, interval.inner),
                        .outer = problem.local(operand, interval.outer),
                        .likely = problem.local(operand, {interval.likely, 0}).threshold},
                       problem.kernels(operand).scan[static_cast<std::size_t>(out.kind)],
                       out});
  }
}

template <class K>
Position Scan<K>::run(std::size_t k) {
  const OperandBlocks parts(problem_);
  part_ranges_.resize(parts.count());
  Tasks tasks(parts.count());
  share(tasks, problem_.bytes(), [&] { scan_parts(k, parts, tasks); });
  if (nan_.load()) {
    problem_.refuse_nan();
  }
  bracket_counts_.collected = collected_.load();
  bracket_counts_.above_lo = above_.load() + bracket_counts_.collected;
  return locate(bracket_counts_, k);
}

template <class K>
void Scan<K>::scan_parts(std::size_t k, const OperandBlocks& parts, Tasks& tasks) {
  const Buffer<std::int64_t> block_bits(kBlockCapacity);
  const Buffer<std::uint32_t> block_offsets(kBlockCapacity);
  const Collected block_collected{block_bits.data(), block_offsets.data()};
  const ScratchBuffer scratch(problem_);
  const OutputStage stage(problem_);
  const Buffer<std::int64_t> candidate_scratch(problem_.has_scores() ? 2 * kBlockCapacity : 0);
  for (std::size_t i = 0; tasks.take(i);) {
    const auto [number, part] = parts[i];
    const Operand& operand = problem_.operands()[number];
    const Pass& pass = passes_[number];
    PreparedBlock block = prepare(problem_, operand, part, pass.out, scratch);
    if (pass.out.kind != OutputKind::none) {
      block = stage.redirect(operand, part, block);
    }
    const Bracket bracket = bracket_of(pass.interval, part);
    const Key threshold = std::max(bracket.lo, std::min(bracket.hi, pass.interval.likely));
    const BracketCounts counts = pass.kernel(block.part, block.rank_key, problem_.order(operand),
                                             bracket, threshold, block.out, block_collected);
    if (pass.out.kind != OutputKind::none) {
      stage.convert(part);
    }
    part_ranges_[i] = store_candidates(operand, block.rank_key, counts, part.begin, block_collected,
                                       candidate_scratch.data());

    const std::size_t below = part.end - part.begin - counts.above_lo;
    const bool certainly_above = above_.fetch_add(counts.above()) + counts.above() >= k;
    const bool certainly_below = below_.fetch_add(below) + below > problem_.size() - k;
    const bool has_nan = problem_.is_nan(operand, counts.max_key);
    if (has_nan) {
      nan_.store(true);
    }
    if (has_nan || certainly_above || certainly_below) {
      tasks.stop();
    }
  }
}

template <class K>
auto Scan<K>::store_candidates(const Operand& operand, const RankKey& rank_key,
                               const BracketCounts& bracket_counts, std::size_t begin,
                               Collected collected, void* scratch) -> CandidateRange {
  const std::size_t first = collected_.fetch_add(bracket_counts.collected);
  if (first + bracket_counts.collected > capacity_) {
    return {};
  }
  const void* const bits =
      problem_.candidate_bits(operand, rank_key, collected, bracket_counts.collected, scratch);
  problem_.keys(operand, bits, bracket_counts.collected, keys_.data() + first);
  for (std::size_t i = 0; i < bracket_counts.collected; ++i) {
    indices_[first + i] =
        static_cast<std::int64_t>(operand.problem_offset + begin + collected.offsets[i]);
  }
  return {first, first + bracket_counts.collected};
}

template <class K>
Ranked Scan<K>::kth(std::size_t k) const {
  return select_in_cache<K>(problem_.table(), keys_.data(), bracket_counts_.collected,
                            kIdentityOrder, k - bracket_counts_.above());
}

template <class K>
Selection Scan<K>::selection(const Ranked& kth, std::size_t k) const {
  const std::size_t ties = k - bracket_counts_.above() - kth.above;
  if (ties == kth.equal && kth.key != interval_.outer.threshold) {
    return {kth.key, problem_.size()};  // all ties are candidates, and all are kept
  }
  // Ties are counted part by part. A branch for each candidate would often be mispredicted.
  const auto key = static_cast<K>(kth.key);
  const auto ties_in = [&](const CandidateRange& part) {
    return static_cast<std::size_t>(
        std::count(keys_.data() + part.begin, keys_.data() + part.end, key));
  };
  const CandidateRange* part = part_ranges_.data();
  std::size_t remaining = ties;
  for (std::size_t count = ties_in(*part); count < remaining; count = ties_in(*++part)) {
    remaining -= count;
  }
  std::size_t last = part->begin;
  while (keys_[last] != key || --remaining != 0) {
    ++last;
  }
  return {kth.key, static_cast<std::size_t>(indices_[last]) + 1};
}

template <class K>
void Scan<K>::indices_of(Selection selection, std::int64_t* indices) const {
  for (const CandidateRange& part : part_ranges_) {
    for (std::size_t i = part.begin; i < part.end; ++i) {
      if (is_kept(selection, i)) {
        *indices++ = indices_[i];
      }
    }
  }
}

namespace {

// Copies elements to `data` at these indices, most of which are in different cache lines. The
// source of index i is `from` + i * step; a step of 0 writes the same element everywhere.
template <std::size_t kBytes>
void write_elements(unsigned char* data, const unsigned char* from, std::size_t step,
                    const std::int64_t* indices, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto later = static_cast<std::size_t>(indices[std::min(i + kAhead, count - 1)]);
    __builtin_prefetch(from + step * later);
    __builtin_prefetch(data + kBytes * later, 1);
    const auto index = static_cast<std::size_t>(indices[i]);
    std::memcpy(data + kBytes * index, from + step * index, kBytes);
  }
}

// Sets or clears the bits at these indices.
void write_bits(unsigned char* data, bool kept, const std::int64_t* indices, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    __builtin_prefetch(data + indices[std::min(i + kAhead, count - 1)] / 8, 1);
    const unsigned bit = 1u << (indices[i] % 8);
    unsigned char& byte = data[indices[i] / 8];
    byte = static_cast<unsigned char>(kept ? byte | bit : byte & ~bit);
  }
}

// Writes the results of elements of one operand as all kept or all removed. Results that are
// converted are never corrected to kept.
void write_results(const Operand& operand, bool kept, const std::int64_t* indices,
                   std::size_t count) {
  static constexpr unsigned char kRemoved[sizeof(std::int64_t)] = {};
  static constexpr unsigned char kTrue = 1;
  const OutputKind kind = operand.out.kind;
  unsigned char* const data = operand.results();
  if (kind == OutputKind::bits) {
    return write_bits(data, kept, indices, count);
  }
  const std::size_t bytes = operand.result_bytes();
  const auto write = bytes == 8   ? write_elements<8>
                     : bytes == 4 ? write_elements<4>
                     : bytes == 2 ? write_elements<2>
                                  : write_elements<1>;
  if (kept && kind != OutputKind::bools) {
    write(data, operand.at(0), bytes, indices, count);
  } else {
    write(data, kept ? &kTrue : kRemoved, 0, indices, count);
  }
}

// The same for elements of all operands. Changes their indices in the problem to indices in the
// operands.
void write_results(const SelectionProblem& problem, bool kept, std::int64_t* indices,
                   std::size_t count) {
  for (std::size_t i = 0; i < count;) {
    const Operand& operand = problem.operand_of(static_cast<std::size_t>(indices[i]));
    const std::int64_t* const first = indices + i;
    for (; i < count && problem.is_in(operand, static_cast<std::size_t>(indices[i])); ++i) {
      indices[i] -= static_cast<std::int64_t>(operand.problem_offset);
    }
    write_results(operand, kept, first, static_cast<std::size_t>(indices + i - first));
  }
}

}  // namespace

template <class K>
void Scan<K>::fix_up(Selection selection) const {
  // If the likely threshold is at or above that of the selection, too few elements were written as
  // kept, and some are to be written. Otherwise too many were, and some are to be removed.
  const bool kept = interval_.likely >= selection.threshold;
  const Bracket wrong = kept ? Bracket{selection.threshold - 1, interval_.likely}
                             : Bracket{interval_.likely, selection.threshold};
  // Bits of two candidates may share a byte, so that one thread writes them all. The output is
  // small.
  const bool bits = problem_.first_operand().out.kind == OutputKind::bits;
  const std::size_t traffic = bits ? 0 : bracket_counts_.collected * kLine;
  const Blocks blocks(keys_.data(), bracket_counts_.collected, nullptr, 0);
  const auto collect =
      problem_.table().select.elements[sizeof(K)].scan[static_cast<std::size_t>(OutputKind::none)];
  for_blocks(blocks, traffic, [&](Part part) {
    // Receives the collected keys, which are not read, and is then overwritten with indices.
    const Buffer<std::int64_t> wrong_indices(kBlockCapacity);
    const Buffer<std::uint32_t> offsets(kBlockCapacity);
    const BracketCounts bracket_counts = collect(part, {}, kIdentityOrder, wrong, wrong.lo, {},
                                                 {wrong_indices.data(), offsets.data()});
    std::size_t count = 0;
    for (std::size_t j = 0; j < bracket_counts.collected; ++j) {
      const std::size_t i = part.begin + offsets[j];
      wrong_indices[count] = indices_[i];
      count += static_cast<std::size_t>(is_kept(selection, i) == kept);
    }
    write_results(problem_, kept, wrong_indices.data(), count);
  });
}

template class Scan<std::int32_t>;
template class Scan<std::int64_t>;

}  // namespace secateur
