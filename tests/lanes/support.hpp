// Arrays of values to test with, and comparisons of operations with their definitions.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cfenv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "lane_tests.hpp"
#include "targets/target.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// ---- Failures --------------------------------------------------------------------------------

std::size_t failures = 0;
const char* current_operation = "";

// Reports the first failures of each operation, with the size of the type and the index of the
// element.
void fail(const char* what, std::size_t size, std::size_t where, uint64_t got, uint64_t expected) {
  static const char* last = "";
  static int reported = 0;
  if (last != current_operation) {
    last = current_operation;
    reported = 0;
  }
  ++failures;
  if (reported++ < 10) {
    std::fprintf(stderr, "%s, %zu bytes: %s at %zu: got %#llx, expected %#llx\n", current_operation,
                 size, what, where, static_cast<unsigned long long>(got),
                 static_cast<unsigned long long>(expected));
  }
}

template <class T>
uint64_t bits_of(T x) {
  uint64_t bits = 0;
  std::memcpy(&bits, &x, sizeof x);
  return bits;
}

template <class T>
void expect_equal(T got, T expected, const char* what, std::size_t where = 0) {
  if (bits_of(got) != bits_of(expected)) {
    fail(what, sizeof(T), where, bits_of(got), bits_of(expected));
  }
}
void expect(bool holds, const char* what) {
  if (!holds) {
    fail(what, 0, 0, 0, 1);
  }
}

// ---- Values ----------------------------------------------------------------------------------

// A generator of random bits, which are the same in each run.
class Random {
 public:
  uint64_t operator()() {
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t x = state_;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }

 private:
  uint64_t state_ = 0;
};
Random random_bits;

template <class T>
T random_value() {
  const uint64_t bits = random_bits();
  T x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

template <class T>
inline constexpr bool kIsFloat = std::is_floating_point_v<T>;
template <class T>
using Unsigned =
    std::conditional_t<sizeof(T) == 8, uint64_t,
                       std::conditional_t<sizeof(T) == 4, uint32_t,
                                          std::conditional_t<sizeof(T) == 2, uint16_t, uint8_t>>>;

template <class T>
T from_bits(uint64_t bits) {
  const auto low = static_cast<Unsigned<T>>(bits);
  T x;
  std::memcpy(&x, &low, sizeof x);
  return x;
}

// Extremes, powers of two and their neighbours. For floats also zeros, subnormals, infinities,
// ties, and NaN with several payloads, quiet and signaling.
template <class T>
std::vector<T> hard_values() {
  std::vector<T> values;
  if constexpr (kIsFloat<T>) {
    using Limits = std::numeric_limits<T>;
    const int mantissa = Limits::digits - 1;
    const uint64_t infinity = bits_of(Limits::infinity());
    const uint64_t quiet = uint64_t{1} << (mantissa - 1);
    for (const T x : {T{0},
                      Limits::denorm_min(),
                      3 * Limits::denorm_min(),
                      Limits::min(),
                      std::nextafter(Limits::min(), T{0}),
                      T{0.25},
                      std::nextafter(T{0.5}, T{0}),
                      T{0.5},
                      std::nextafter(T{0.5}, T{1}),
                      T{1},
                      1 + Limits::epsilon(),
                      T{1.5},
                      T{2},
                      T{2.5},
                      T{3.5},
                      T{1} / 3,
                      T{65504},
                      T{65520},
                      T{0x1p23},
                      T{0x1p23} + 1,
                      T{0x1p22} + T{0.5},
                      T{0x1p30},
                      T{0x1p52},
                      Limits::max(),
                      Limits::infinity()}) {
      values.push_back(x);
      values.push_back(-x);
    }
    for (const uint64_t payload : {uint64_t{1}, quiet - 1, quiet, quiet | 0x5a5, 2 * quiet - 1}) {
      values.push_back(from_bits<T>(infinity | payload));
      values.push_back(from_bits<T>(infinity | payload | uint64_t{1} << (sizeof(T) * 8 - 1)));
    }
  } else {
    const int width = sizeof(T) * 8;
    for (int bit = 0; bit < width; ++bit) {
      for (const uint64_t near : {uint64_t{0} - 1, uint64_t{0}, uint64_t{1}}) {
        values.push_back(from_bits<T>((uint64_t{1} << bit) + near));
        values.push_back(from_bits<T>(~(uint64_t{1} << bit) + near));
      }
    }
  }
  return values;
}

constexpr std::size_t kMaxLanes = 64;  // of any ISA and type; divides the sizes of arrays

// The hard values, then at least `count` random values.
template <class T>
std::vector<T> values_of(std::size_t count = 4096) {
  std::vector<T> values = hard_values<T>();
  const std::size_t size = (values.size() + count + kMaxLanes - 1) / kMaxLanes * kMaxLanes;
  while (values.size() < size) {
    values.push_back(random_value<T>());
  }
  return values;
}

// All pairs of hard values, then random pairs. The values of some random pairs are equal.
template <class T>
struct Pairs {
  std::vector<T> a, b;
};
template <class T>
Pairs<T> pairs_of() {
  Pairs<T> pairs;
  for (const T x : hard_values<T>()) {
    for (const T y : hard_values<T>()) {
      pairs.a.push_back(x);
      pairs.b.push_back(y);
    }
  }
  const std::size_t size = (pairs.a.size() + 4096) / kMaxLanes * kMaxLanes;
  while (pairs.a.size() < size) {
    const T x = random_value<T>();
    pairs.a.push_back(x);
    pairs.b.push_back(random_bits() % 8 == 0 ? x : random_value<T>());
  }
  return pairs;
}

// The bits of masks: no lanes, all lanes, alternating lanes, single lanes, the first and the last
// lanes, and random lanes. With few lanes, all masks. If `dirty`, the bits above the lanes are
// random.
template <class T>
std::vector<uint64_t> mask_bits(bool dirty = false) {
  const std::size_t lanes = kLanes<T>;
  const uint64_t all = (uint64_t{2} << (lanes - 1)) - 1;
  std::vector<uint64_t> masks{0, all, 0x5555555555555555u & all, 0xaaaaaaaaaaaaaaaau & all};
  if (lanes <= 8) {
    for (uint64_t bits = 0; bits <= all; ++bits) {
      masks.push_back(bits);
    }
  }
  for (std::size_t i = 0; i < lanes; ++i) {
    masks.push_back(uint64_t{1} << i);
    masks.push_back((uint64_t{1} << i) - 1);
    masks.push_back(all & ~((uint64_t{1} << i) - 1));
  }
  for (int i = 0; i < 500; ++i) {
    masks.push_back(random_bits() & all);
  }
  if (dirty) {
    for (uint64_t& bits : masks) {
      bits |= random_bits() & ~all;
    }
  }
  return masks;
}

// ---- Types -----------------------------------------------------------------------------------

// Calls f.operator()<T>() for each of the types.
template <class... T, class F>
void for_types(F f) {
  (f.template operator()<T>(), ...);
}
template <class F>
void for_ints(F f) {
  for_types<int16_t, int32_t, int64_t>(f);
}
template <class F>
void for_floats(F f) {
  for_types<float, double>(f);
}
// The type of the masks of lanes of type T.
template <class T>
using MaskLane = std::conditional_t<std::is_same_v<T, float>, int32_t,
                                    std::conditional_t<std::is_same_v<T, double>, int64_t, T>>;

// ---- Lanes -----------------------------------------------------------------------------------

template <class T>
using Lanes = std::array<T, kLanes<T>>;

template <class T>
Lanes<T> lanes_of(Vec<T> v) {
  Lanes<T> lanes;
  StoreU(v, lanes.data());
  return lanes;
}
template <class T>
Vec<T> load_lanes(const T* from) {
  return LoadU(from);
}

// The allowed results of an operation: either of two values, or any NaN.
template <class T>
struct Allowed {
  T value, other;
  bool any_nan = false;

  Allowed(T only) : value(only), other(only) {}
  Allowed(T first, T second) : value(first), other(second) {}
  [[nodiscard]] bool has(T x) const {
    if (any_nan) {
      return x != x;
    }
    return bits_of(x) == bits_of(value) || bits_of(x) == bits_of(other);
  }
};

// Checks that each lane of operation(vectors) is definition(lanes), which is an R or an Allowed<R>.
template <class R, class Operation, class Definition, class First, class... Others>
void check_lanes(Operation operation, Definition definition, const std::vector<First>& first,
                 const std::vector<Others>&... others) {
  constexpr std::size_t kCount = kLanes<R>;
  static_assert(kCount == kLanes<First>);
  for (std::size_t i = 0; i < first.size(); i += kCount) {
    const Lanes<R> got = lanes_of<R>(operation(load_lanes(&first[i]), load_lanes(&others[i])...));
    for (std::size_t lane = 0; lane < kCount; ++lane) {
      const Allowed<R> expected = definition(first[i + lane], others[i + lane]...);
      if (!expected.has(got[lane])) {
        fail("lane", sizeof(R), i + lane, bits_of(got[lane]), bits_of(expected.value));
      }
    }
  }
}

// Checks the same for an operation that returns a mask.
template <class T, class Operation, class Definition>
void check_masks(Operation operation, Definition definition, const std::vector<T>& a,
                 const std::vector<T>& b) {
  for (std::size_t i = 0; i < a.size(); i += kLanes<T>) {
    const uint64_t got = BitsFromMask(operation(load_lanes(&a[i]), load_lanes(&b[i])));
    uint64_t expected = 0;
    for (std::size_t lane = 0; lane < kLanes<T>; ++lane) {
      expected |= static_cast<uint64_t>(definition(a[i + lane], b[i + lane])) << lane;
    }
    if (got != expected) {
      fail("mask", sizeof(T), i, got, expected);
    }
  }
}

// ---- Memory ----------------------------------------------------------------------------------

// Bytes that end where an inaccessible page begins. expect_untouched() also checks the bytes
// before.
class GuardedBytes {
 public:
  explicit GuardedBytes(std::size_t size) : size_(size) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t accessible = (size + kWatched + page - 1) / page * page;
    mapped_ = accessible + page;
    void* map = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
      std::perror("mmap");
      std::abort();
    }
    base_ = static_cast<uint8_t*>(map);
    if (mprotect(base_ + accessible, page, PROT_NONE) != 0) {
      std::perror("mprotect");
      std::abort();
    }
    begin_ = base_ + accessible - size;
  }
  ~GuardedBytes() { munmap(base_, mapped_); }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;

  [[nodiscard]] uint8_t* begin() const { return begin_; }
  [[nodiscard]] std::size_t size() const { return size_; }

  void fill_random() const {
    for (std::size_t i = 0; i < size_; ++i) {
      begin_[i] = random_value<uint8_t>();
    }
  }
  // Fills all bytes with a value. expect_untouched() reports changes outside of [from, to).
  void watch() const { std::memset(begin_ - kWatched, kFiller, size_ + kWatched); }
  void expect_untouched(std::size_t from, std::size_t to) const {
    for (std::size_t i = 0; i < size_ + kWatched; ++i) {
      const std::size_t at = i - kWatched;  // wraps for the bytes before the buffer
      if (at >= from && at < to) {
        continue;
      }
      if (begin_[static_cast<ptrdiff_t>(at)] != kFiller) {
        fail("writes outside", 1, at, begin_[static_cast<ptrdiff_t>(at)], kFiller);
      }
    }
  }

 private:
  static constexpr std::size_t kWatched = 128;
  static constexpr uint8_t kFiller = 0xa5;
  std::size_t size_, mapped_ = 0;
  uint8_t* base_ = nullptr;
  uint8_t* begin_ = nullptr;
};

// ---- Rounding --------------------------------------------------------------------------------

// Runs f(direction) in each rounding direction of <cfenv>. The barriers prevent the compiler from
// moving operations on values in memory across the changes.
template <class F>
void in_every_direction(F f) {
  for (const int direction : {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO}) {
    std::fesetround(direction);
    __asm__ volatile("" ::: "memory");
    f(direction);
    __asm__ volatile("" ::: "memory");
    std::fesetround(FE_TONEAREST);
  }
}

// x rounded to an integer. The rounding direction of the thread has no effect.
double rounded(double x, int direction) {
  if (x != x || std::fabs(x) >= 0x1p52) {
    return x;
  }
  const double floor = std::floor(x), above = x - floor;  // exact
  switch (direction) {
    case FE_DOWNWARD:
      return floor;
    case FE_UPWARD:
      return above == 0 ? floor : floor + 1;
    case FE_TOWARDZERO:
      return above == 0 || x > 0 ? floor : floor + 1;
    default: {
      const bool odd = std::fmod(floor, 2) != 0;
      return above > 0.5 || (above == 0.5 && odd) ? floor + 1 : floor;
    }
  }
}

// ---- NaN -------------------------------------------------------------------------------------

template <class T>
T made_quiet(T nan) {
  return from_bits<T>(bits_of(nan) | uint64_t{1} << (std::numeric_limits<T>::digits - 2));
}

// The allowed results of an operation on a and b: `value`, or if one is NaN, that NaN made quiet.
template <class T>
Allowed<T> arithmetic(T a, T b, T value) {
  if (a != a || b != b) {
    return {made_quiet(a != a ? a : b), made_quiet(b != b ? b : a)};
  }
  Allowed<T> allowed = value;
  allowed.any_nan = value != value;
  return allowed;
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
