// A sample of keys, and the bracket that holds the k-th largest of all almost surely.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/table.hpp"

namespace secateur {

// A key, and how many of the keys it was found among are above it and equal to it.
struct Ranked {
  std::int32_t key;
  std::size_t above;
  std::size_t equal;
};

// The k-th largest key of w, 1 <= k <= n, where w lies in cache. Keys may take the place of w with a
// rotation of 0. Says the largest key through *max_key, unless that is null.
Ranked select_in_cache(const KernelTable& kernels, const void* w, std::size_t n,
                       std::int32_t rotation, std::size_t k, std::int32_t* max_key = nullptr);

struct Estimate {
  Bracket bracket;   // open: the keys at its ends are expected to lie beside the k-th
  bool light_edges;  // hardly a key is expected to equal either end
};

// What m of n keys, taken in runs of kRun neighbours, say of where the k-th largest of all is.
class Sample {
 public:
  Sample(const KernelTable& kernels, const std::int32_t* keys, std::size_t m, std::size_t n,
         std::size_t k);

  // The share of all keys that a bracket needs to hold.
  [[nodiscard]] double share() const { return 2 * half_ / static_cast<double>(m_); }

  // The bracket, cut to a share of `room` where it would need more.
  [[nodiscard]] Estimate estimate(double room) const;

 private:
  [[nodiscard]] Ranked ranked(std::size_t rank) const {
    return select_in_cache(kernels_, keys_, m_, 0, rank);
  }

  const KernelTable& kernels_;
  const std::int32_t* keys_;
  std::size_t m_;
  double center_;  // the rank of the k-th, as expected
  double half_;    // half the width of the bracket, in ranks
};

// The same bracket with its ends within.
Bracket widened(Bracket bracket);

// The key of the float at w + i.
inline std::int32_t read_key(const void* w, std::size_t i, std::int32_t rotation) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, static_cast<const unsigned char*>(w) + i * sizeof bits, sizeof bits);
  return static_cast<std::int32_t>((bits + static_cast<std::uint32_t>(rotation)) &
                                   static_cast<std::uint32_t>(kMagnitude));
}

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

}  // namespace secateur
