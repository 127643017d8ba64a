// Selection in cache; and sampling, which yields an interval that almost surely holds the k-th
// largest key of all.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/kernel_table.hpp"

namespace secateur {

// A key of a set, and the numbers of keys of the set that are above it and equal to it.
struct Ranked {
  Key key;
  std::size_t above;
  std::size_t equal;
};

// The k-th largest key of w, 1 <= k <= n, for w that fits the cache. w holds floats of K's width,
// or keys (with the order kIdentityOrder). Stores the largest key, or 0 if all are negative, in
// *max_key unless it is null.
template <class K>
Ranked select_in_cache(const KernelTable& kernels, const void* w, std::size_t n, Order order,
                       std::size_t k, Key* max_key = nullptr);

// The indices at which runs of `run` consecutive elements are sampled from n elements. The elements
// are divided into as many equal strata as there are runs. Each run is at a hashed offset in its
// stratum, so that the sample represents sorted and periodic data too.
class Runs {
 public:
  Runs(std::size_t n, std::size_t runs, std::size_t run, std::uint64_t attempt)
      : stride_(n / runs), places_(stride_ - run + 1), seed_(kSeed + attempt * runs) {}

  // The index of the first element of run i. The hash is the first steps of splitmix64 (Steele, Lea
  // and Flood 2014). Its upper 32 bits are scaled to the range of offsets.
  [[nodiscard]] std::size_t operator[](std::size_t i) const {
    std::uint64_t h = (i + seed_) * 0x9e3779b97f4a7c15u;
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
    return i * stride_ + static_cast<std::size_t>(((h >> 32) * places_) >> 32);
  }

 private:
  static constexpr std::uint64_t kSeed = 0x5eca7e0a;  // Tuning: an arbitrary number
  std::size_t stride_;
  std::uint64_t places_;
  std::uint64_t seed_;
};

// Two selections that almost surely enclose the selection of the k largest. Elements of the inner
// one are then kept, and elements outside the outer one are removed. The elements in between are
// the candidates. The pass writes candidates above `likely` as kept; the wrong ones are corrected
// later.
struct Interval {
  Selection inner, outer;
  Key likely;
};

// Estimates the interval of the k-th largest of n keys from a sample of m of them. The sample
// consists of runs of kRun consecutive elements.
template <class K>
class Sample {
 public:
  Sample(const KernelTable& kernels, const K* keys, const Runs& runs, std::size_t m, std::size_t n,
         std::size_t k);

  // The estimated share of all elements that are candidates.
  [[nodiscard]] double share() const { return 2 * half_ / static_cast<double>(m_); }

  // The interval, narrowed to a share of at most `max_share` of the elements. Keys lie in [least,
  // most].
  [[nodiscard]] Interval interval(double max_share, Key least, Key most) const;

 private:
  [[nodiscard]] Ranked ranked(std::size_t rank) const {
    return select_in_cache<K>(kernels_, keys_, m_, kIdentityOrder, rank);
  }
  [[nodiscard]] std::size_t end_of(const Ranked& ranked, std::size_t rank) const;
  [[nodiscard]] std::size_t index_of(const Ranked& ranked, std::size_t rank) const;

  const KernelTable& kernels_;
  const K* keys_;
  const Runs& runs_;
  std::size_t m_;
  std::size_t n_;
  double center_;  // the expected rank in the sample of the k-th largest of all keys
  Key likely_;     // the threshold that keeps about center_ keys of the sample
  double half_;    // half the width of the interval, in ranks
};

}  // namespace secateur
