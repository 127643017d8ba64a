#include "ops/sample.hpp"

#include <algorithm>
#include <cmath>

#include "ops/locate.hpp"
#include "runtime/scratch.hpp"

namespace secateur {
namespace {

// Up to here, counting bit by bit beats taking a sample first.
constexpr std::size_t kBisectKeys = 1024;

// Elements sampled in cache. The bracket of so few may hold a fifth of all keys, but a larger
// sample costs more to select from than the next round does.
constexpr std::size_t kSample = 256;

// Half the width of a bracket, in standard deviations of a rank in the sample: one in a thousand
// brackets misses, which costs another pass.
constexpr double kDeviations = 3.3;

constexpr std::uint64_t kAttempts = 3;

// The ends of a bracket in cache need not be keys: half their bits do.
constexpr std::int32_t kCoarse = std::int32_t{1} << 12;

// The k-th largest key, bit by bit: nothing can mislead it.
Ranked bisect(const KernelTable& kernels, const std::int32_t* keys, std::size_t n, std::size_t k) {
  const std::int32_t key = kernels.bisect(keys, n, k, 1);
  const std::size_t above = kernels.count_above(keys, n, 0, key);
  return {key, above, kernels.count_above(keys, n, 0, key - 1) - above};
}

// Half the ranks in a sample between which the k-th largest of all lies almost surely, where its
// expected rank has a variance.
double half_width(double variance) { return kDeviations * std::sqrt(variance) + 1; }

// Rank 0 or m + 1: there is no such end.
struct Ranks {
  std::size_t hi, lo;
};
Ranks ranks_around(double center, double half, std::size_t m) {
  return {static_cast<std::size_t>(std::max(0.0, std::floor(center - half))),
          static_cast<std::size_t>(std::min(static_cast<double>(m + 1), std::ceil(center + half)))};
}

Bracket bracket_in_cache(const KernelTable& kernels, const void* w, std::size_t n,
                         std::int32_t rotation, std::size_t k, std::uint64_t attempt) {
  std::int32_t sample[kSample];
  const Runs places(n, kSample, 1, attempt);
  for (std::size_t i = 0; i < kSample; ++i) {
    sample[i] = read_key(w, places[i], rotation);
  }
  const double p = static_cast<double>(k) / static_cast<double>(n);
  const Ranks ranks = ranks_around(p * kSample, half_width(p * (1 - p) * kSample), kSample);
  const auto floor_of = [&](std::size_t rank) {
    return kernels.bisect(sample, kSample, rank, kCoarse);
  };
  return {ranks.lo > kSample ? -1 : floor_of(ranks.lo),
          ranks.hi == 0 ? kMagnitude : floor_of(ranks.hi) | (kCoarse - 1)};
}

}  // namespace

Bracket widened(Bracket bracket) {
  return {std::max(bracket.lo - 1, -1), bracket.hi == kMagnitude ? kMagnitude : bracket.hi + 1};
}

Ranked select_in_cache(const KernelTable& kernels, const void* w, std::size_t n,
                       std::int32_t rotation, std::size_t k, std::int32_t* max_key) {
  std::int32_t unused = 0;
  std::int32_t& largest = max_key == nullptr ? unused : *max_key;
  if (n <= kBisectKeys) {
    std::int32_t keys[kBisectKeys];
    largest = kernels.keys(w, n, rotation, keys);
    return bisect(kernels, keys, n, k);
  }
  const Buffer<std::int32_t> within(n + kWord);
  for (std::uint64_t attempt = 0; attempt < kAttempts; ++attempt) {
    const Bracket bracket = bracket_in_cache(kernels, w, n, rotation, k, attempt);
    const Census census = kernels.narrow(w, n, rotation, bracket, within.data());
    largest = census.max_key;
    const Place place = locate(census, k);
    if (place == Place::within) {
      // A bracket that holds more than half of the keys has not helped; nor would the next.
      const bool halved = census.collected <= n / 2;
      Ranked r =
          halved ? select_in_cache(kernels, within.data(), census.collected, 0, k - census.from_hi)
                 : bisect(kernels, within.data(), census.collected, k - census.from_hi);
      r.above += census.from_hi;
      return r;
    }
    // Few keys may equal an end of the bracket, or most of them; so they are not collected, and
    // counted only now.
    if (place == Place::above) {
      const std::size_t above_hi = kernels.count_above(w, n, rotation, bracket.hi);
      if (k > above_hi) {
        return {bracket.hi, above_hi, census.from_hi - above_hi};
      }
    } else {
      const std::size_t from_lo = kernels.count_above(w, n, rotation, bracket.lo - 1);
      if (k <= from_lo) {
        return {bracket.lo, census.above_lo, from_lo - census.above_lo};
      }
    }
  }
  largest = kernels.keys(w, n, rotation, within.data());
  return bisect(kernels, within.data(), n, k);
}

Sample::Sample(const KernelTable& kernels, const std::int32_t* keys, std::size_t m, std::size_t n,
               std::size_t k)
    : kernels_(kernels), keys_(keys), m_(m) {
  const double p = static_cast<double>(k) / static_cast<double>(n);
  center_ = p * static_cast<double>(m);
  // Neighbours may be alike; then the ranks of a sample of runs spread more than those of as many
  // lone elements. Runs of neighbouring strata, compared in pairs, tell by how much.
  const auto middle = static_cast<std::size_t>(std::clamp(center_, 1.0, static_cast<double>(m)));
  const auto spread = static_cast<double>(kernels.run_spread(keys, m, ranked(middle).key));
  half_ = half_width(std::max(center_ * (1 - p), spread));
}

Estimate Sample::estimate(double room) const {
  const Ranks ranks =
      ranks_around(center_, std::min(half_, room * static_cast<double>(m_) / 2), m_);
  Estimate e{.bracket = {-1, kMagnitude}, .light_edges = true};
  const auto edge = [&](std::size_t rank) {
    const Ranked r = ranked(rank);
    e.light_edges = e.light_edges && r.equal <= 2 + (ranks.lo - ranks.hi) / 32;
    return r.key;
  };
  if (ranks.hi != 0) {
    e.bracket.hi = edge(ranks.hi);
  }
  if (ranks.lo <= m_) {
    e.bracket.lo = edge(ranks.lo);
  }
  return e;
}

}  // namespace secateur
