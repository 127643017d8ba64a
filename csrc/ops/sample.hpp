// A sample of keys, and the interval that holds the k-th largest of all almost surely; selection in
// cache.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/table.hpp"

namespace secateur {

// A key, and how many of the keys it was found among are above it and equal to it.
struct Ranked {
  Key key;
  std::size_t above;
  std::size_t equal;
};

// The k-th largest key of w, 1 <= k <= n, where w lies in cache: floats of K's width, or keys as they
// are. Says the largest key, if that is above 0, through *max_key, unless that is null.
template <class K>
Ranked select_in_cache(const KernelTable& kernels, const void* w, std::size_t n, Order order,
                       std::size_t k, Key* max_key = nullptr);

// Where runs of `run` neighbours are sampled out of n elements: one at a scattered place in each of as
// many equal strata, so that no regular order of the data hides from them.
class Runs {
 public:
  Runs(std::size_t n, std::size_t runs, std::size_t run, std::uint64_t attempt)
      : stride_(n / runs), places_(stride_ - run + 1), seed_(kSeed + attempt * runs) {}

  // The first element of run i. The scattering is the start of splitmix64's finalizer (Steele, Lea
  // and Flood 2014), scaled by its upper half.
  [[nodiscard]] std::size_t operator[](std::size_t i) const {
    std::uint64_t h = (i + seed_) * 0x9e3779b97f4a7c15u;
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
    return i * stride_ + static_cast<std::size_t>(((h >> 32) * places_) >> 32);
  }

 private:
  static constexpr std::uint64_t kSeed = 0x5eca7e0a;
  std::size_t stride_;
  std::uint64_t places_;
  std::uint64_t seed_;
};

// Between which two selections that of the k largest lies: what the inner one keeps is kept, and
// what the outer one does not is lost. The elements in between are candidates. Until more is known, those
// above `likely` pass for kept.
struct Interval {
  Selection inner, outer;
  Key likely;
};

// What m of n keys, taken in runs of kRun neighbours, say of where the k-th largest of all is.
template <class K>
class Sample {
 public:
  Sample(const KernelTable& kernels, const K* keys, const Runs& runs, std::size_t m, std::size_t n,
         std::size_t k);

  // The share of all elements that have to be candidates.
  [[nodiscard]] double share() const { return 2 * half_ / static_cast<double>(m_); }

  // The interval, with a share of at most `room`; keys are from `least` to `most`.
  [[nodiscard]] Interval interval(double room, Key least, Key most) const;

 private:
  [[nodiscard]] Ranked ranked(std::size_t rank) const {
    return select_in_cache<K>(kernels_, keys_, m_, kAsTheyAre, rank);
  }
  [[nodiscard]] std::size_t end_of(const Ranked& ranked, std::size_t rank) const;
  [[nodiscard]] std::size_t place_of(const Ranked& ranked, std::size_t rank) const;

  const KernelTable& kernels_;
  const K* keys_;
  const Runs& runs_;
  std::size_t m_;
  std::size_t n_;
  double center_;  // the rank of the k-th, as expected
  Key likely_;     // the threshold by what has that rank
  double half_;    // half the width of the interval, in ranks
};

}  // namespace secateur
