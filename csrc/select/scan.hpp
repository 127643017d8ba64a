// The pass over the data: counts the elements above and below an interval, collects the candidates
// in it with their indices, and writes the likely result. The order of the candidates depends on
// the threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/scratch.hpp"
#include "select/locate.hpp"
#include "select/operand.hpp"
#include "select/sample.hpp"

namespace secateur {

// The number of candidates for which memory is allocated. Scratch takes 12 bytes for each
// candidate, at most 8 during the selection among them, and at most 12 for the sample, whose
// buffers stay allocated: 32 in all, or 16 + 16 + 24 = 56 for keys of 64 bits. Buffers may be an
// eighth larger than requested. Unless keys of 64 bits rank elements of fewer bits, this is at most
// a sixteenth of the bytes of the largest operand, plus 5 MiB (9 MiB for keys of 64 bits).
std::size_t capacity_for(const SelectionProblem& problem);

template <class K>  // the type of stored keys
class Scan {
 public:
  // Allocates memory for `capacity` candidates. If `write` is set, the pass writes the likely
  // result to the outputs of the operands.
  Scan(const SelectionProblem& problem, const Interval& interval, std::size_t capacity, bool write);

  // Makes the pass. Returns the position of the k-th largest key relative to the candidates. Stops
  // early once it is certain that the k-th is not among the candidates. Throws Error if NaN is
  // refused and found.
  Position run(std::size_t k);

  // The number of elements above the candidates.
  [[nodiscard]] std::size_t above() const { return bracket_counts_.above(); }

  // The key of the k-th largest, ranked among the candidates. Requires run() to have returned
  // `within`, and complete().
  [[nodiscard]] Ranked kth(std::size_t k) const;

  // The selection of the k largest, from the result of kth().
  [[nodiscard]] Selection selection(const Ranked& kth, std::size_t k) const;

  // Writes the indices of the candidates that belong to the selection, in ascending order.
  void indices_of(Selection selection, std::int64_t* indices) const;

  // Corrects the output of the pass to that of the selection.
  void fix_up(Selection selection) const;

  // Whether all candidates were stored.
  [[nodiscard]] bool complete() const { return bracket_counts_.collected <= capacity_; }

 private:
  // The pass over one operand: the interval in the operand's own keys and indices, the kernel, and
  // the output.
  struct Pass {
    Interval interval;
    ElementKernels::Scan kernel;
    Output out;
  };

  // The range of keys_ and indices_ that holds the candidates of a part.
  struct CandidateRange {
    std::size_t begin = 0, end = 0;
  };

  void scan_parts(std::size_t k, const OperandBlocks& parts, Tasks& tasks);
  CandidateRange store_candidates(const Operand& operand, const RankKey& rank_key,
                                  const BracketCounts& bracket_counts, std::size_t begin,
                                  Collected collected, void* scratch);

  // Whether candidate i belongs to the selection.
  [[nodiscard]] bool is_kept(Selection selection, std::size_t i) const {
    return keys_[i] > selection.threshold ||
           (keys_[i] == selection.threshold &&
            static_cast<std::size_t>(indices_[i]) < selection.tie_end);
  }

  const SelectionProblem& problem_;
  Interval interval_;
  std::vector<Pass> passes_;
  std::size_t capacity_;
  Buffer<K> keys_;
  Buffer<std::int64_t> indices_;
  std::vector<CandidateRange> part_ranges_;  // of all parts; the indices in each ascend
  BracketCounts bracket_counts_{};
  std::atomic<std::size_t> collected_{0}, above_{0}, below_{0};  // totals of all parts
  std::atomic<bool> nan_{false};
};

}  // namespace secateur
