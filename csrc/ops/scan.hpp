// One pass over the data: a census, and the candidates of an interval, in whatever order the threads
// bring them, each with its place.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "ops/locate.hpp"
#include "ops/sample.hpp"
#include "ops/source.hpp"
#include "runtime/scratch.hpp"

namespace secateur {

// Candidates that there is room for. Scratch is 12 bytes each, at most 8 more while selecting among
// them, and 12 of the sample, whose buffers are kept; with keys of 64 bits, half as much again. For so
// many candidates that is a sixteenth of the floats of the largest source, and 5 MiB (8 of 64 bits),
// where buffers are an eighth larger than they need be.
std::size_t capacity_for(const Scope& scope);

template <class K>  // keys as they are kept
class Scan {
 public:
  // Has room for so many candidates. Writes what is likely to be kept, if asked to, to where the sources
  // say.
  Scan(const Scope& scope, const Interval& between, std::size_t capacity, bool write);

  // Goes over the data in search of the k-th largest; stops early where that is certain not to be among
  // the candidates.
  Place run(std::size_t k);

  // How many are above the candidates.
  [[nodiscard]] std::size_t above() const { return census_.above(); }

  // The k-th largest, after a run that found it among the candidates.
  [[nodiscard]] Ranked kth(std::size_t k) const;

  // The selection of the k largest.
  [[nodiscard]] Selection selection(const Ranked& kth, std::size_t k) const;

  // The places of the candidates that belong to a selection, in order.
  void places_of(Selection selection, std::int64_t* places) const;

  // Turns the output of the run, in which likely candidates were kept, into that of the selection.
  void settle(Selection selection) const;

  [[nodiscard]] bool complete() const { return census_.collected <= capacity_; }

 private:
  // The interval in a source's own keys and places, and the pass over that source.
  struct Pass {
    Interval between;
    ElementKernels::Scan kernel;
    Output out;
  };

  // Where the candidates of a part are.
  struct Stretch {
    std::size_t begin = 0, end = 0;
  };

  void work(std::size_t k, const Parts& parts, Tasks& tasks);
  Stretch gather(const Source& source, const Made& made, const Census& census, std::size_t begin,
                 Collected block, void* room);

  // Whether a selection has that candidate.
  [[nodiscard]] bool is_kept(Selection selection, std::size_t i) const {
    return keys_[i] > selection.threshold ||
           (keys_[i] == selection.threshold &&
            static_cast<std::size_t>(places_[i]) < selection.tie_end);
  }

  const Scope& scope_;
  Interval between_;
  std::vector<Pass> passes_;
  std::size_t capacity_;
  Buffer<K> keys_;
  Buffer<std::int64_t> places_;
  std::vector<Stretch> stretches_;  // of each part, whose places rise
  Census census_{};
  std::atomic<std::size_t> collected_{0}, above_{0}, below_{0};
  std::atomic<bool> nan_{false};
};

}  // namespace secateur
