// The interface of the kernels of magnitude sketches, which compute histograms of keys.
#pragma once

#include "core/kernel_types.hpp"

namespace secateur {

// Bins of the keys first <= key <= last. A bin is 2^shift keys wide.
struct Bins {
  Key first;
  Key last;
  int shift;

  [[nodiscard]] size_t count() const { return static_cast<size_t>((last - first) >> shift) + 1; }
};

// The number of keys within the bins and above them, and the largest and the checksum of all keys.
struct HistogramTotals {
  size_t within;
  size_t above;
  Key max_key;
  uint64_t checksum;
};

// The counters per bin of count_into_bins. With several, an increment need not wait for the
// previous increment of the same bin. Two are too few if nine of ten keys are equal. Eight take
// more of the caches.
inline constexpr size_t kCountersPerBin = 4;

// Kernels for elements of one width.
struct SketchElementKernels {
  // For each key within the bins, adds 1 to one of the kCountersPerBin counters of its bin.
  HistogramTotals (*count_into_bins)(Part w, Order order, Bins bins, uint32_t* counters);
  // The same with one counter per bin.
  HistogramTotals (*count_into_single_counters)(Part w, Order order, Bins bins, uint64_t* counters);
};

struct SketchKernels {
  ByWidth<SketchElementKernels> elements;
};

}  // namespace secateur
