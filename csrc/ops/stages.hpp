// The stages of quantizing, put together: what all threads share, and what one thread needs to send
// elements through them, kStage at a time.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <mutex>
#include <optional>
#include <type_traits>

#include "dispatch/dispatch.hpp"
#include "kernels/float_state.hpp"
#include "ops/parameters.hpp"
#include "ops/quantize.hpp"
#include "runtime/scratch.hpp"

namespace secateur {

// body(zero of the type that holds these floats, and integers of the scheme times a step, exactly).
template <class Body>
auto with_computed(FloatType type, const Scheme& scheme, const Body& body) {
  // Of integers to be rounded, float holds 16 bits with half of the last one beside.
  const bool holds = scheme.frac_bits == nullptr || (scheme.bits <= 16 && scheme.are_near);
  const bool in_float = type.kind != Float::float64 && !scheme.in_double && holds;
  return in_float ? body(float{}) : body(double{});
}

inline bool is_wide_unsigned(const Scheme& scheme) {
  return !scheme.is_signed && scheme.bits == 32;
}

// What elements are multiplied with or divided by, and their zero points.
template <class C>
class Steps {
 public:
  // From integers: the steps, and negative zero points; else what goes from floats to integers.
  Steps(const Scheme& scheme, std::size_t n, bool from_integers)
      : scaling_(scheme.frac_bits != nullptr || from_integers ? Scaling::multiply
                 : scheme.in_double                           ? Scaling::divide_as_float
                                                              : Scaling::divide),
        numbers_(scheme.frac_bits == nullptr ? 0 : whole_words(count_of(scheme.granularity, n))),
        points_(scheme.zero_points == nullptr ? 0 : whole_words(count_of(scheme.granularity, n))),
        factors_(factors(scheme, n, from_integers), scheme.granularity, n) {
    if (scheme.zero_points != nullptr) {
      made(scheme.zero_points, scheme, n, stage_kernels<C>().integers, from_integers, points_);
      zero_points_.emplace(points_.data(), scheme.granularity, n);
    }
  }

  [[nodiscard]] Scaling scaling() const { return scaling_; }
  [[nodiscard]] const Parameters<C>& factors() const { return factors_; }
  // Null where they are all 0.
  [[nodiscard]] const Parameters<C>* zero_points() const {
    return zero_points_ ? &*zero_points_ : nullptr;
  }

 private:
  using Make = void (*)(const std::int32_t* from, std::size_t count, bool inverse, C* to);

  static void made(const std::int32_t* from, const Scheme& scheme, std::size_t n, Make make,
                   bool inverse, Buffer<C>& to) {
    const std::size_t count = count_of(scheme.granularity, n);
    const std::size_t whole = count / kWord * kWord;
    std::int32_t last[kWord] = {};
    std::copy(from + whole, from + count, last);
    make(from, whole, inverse, to.data());
    make(last, whole_words(count - whole), inverse, to.data() + whole);
  }
  const C* factors(const Scheme& scheme, std::size_t n, bool from_integers) {
    if (scheme.frac_bits == nullptr) {
      return static_cast<const C*>(scheme.scales);
    }
    made(scheme.frac_bits, scheme, n, stage_kernels<C>().powers, from_integers, numbers_);
    return numbers_.data();
  }

  Scaling scaling_;
  Buffer<C> numbers_, points_;
  Parameters<C> factors_;
  std::optional<Parameters<C>> zero_points_;
};

// Zeros in the place of zero points, or others.
template <class C>
class Shift {
 public:
  Shift(const Parameters<C>* zero_points, C otherwise) : same_(otherwise) {
    if (zero_points != nullptr) {
      beside_.emplace(*zero_points);
    }
  }
  Spread<C> operator()(std::size_t begin, std::size_t count) {
    return beside_ ? (*beside_)(begin, count) : same_for_all(&same_);
  }

 private:
  std::optional<Beside<C>> beside_;
  C same_;
};

// What was met on the way.
struct Met {
  bool nan = false;
  std::size_t out_of_range = 0;
  std::size_t first =
      std::numeric_limits<std::size_t>::max();  // out of range, where that is refused
};

// The same of all threads.
class Findings {
 public:
  void add(const Met& met) {
    const std::lock_guard<std::mutex> lock(mutex_);
    all_.nan |= met.nan;
    all_.out_of_range += met.out_of_range;
    all_.first = std::min(all_.first, met.first);
  }
  // Throws Error if what was met is refused.
  void check(const void* w, FloatType type, std::size_t n,
             const sc_quantize_options& options) const;

 private:
  std::mutex mutex_;
  Met all_;
};

// A buffer of a stage, half a page away from what is read meanwhile: a load that follows a store to an address
// which is the same in its lower 12 bits waits for it (4K aliasing), the more so across cache lines.
template <class T>
class Aside {
 public:
  T* beside(const void* read) {
    const auto begin = reinterpret_cast<std::uintptr_t>(room_);
    const auto wanted = reinterpret_cast<std::uintptr_t>(read) + kPage / 2 + kLine - 1;
    return room_ + (wanted - begin) % kPage / kLine * (kLine / sizeof(T));
  }

 private:
  static constexpr std::size_t kPage = 4096;
  alignas(kLine) T room_[kStageRoom + kPage / sizeof(T)];
};

// How floats become integers.
template <class C>
struct Quantizing {
  Steps<C> steps;
  Rule<C> rule;
  Key most;  // larger magnitudes count as NaN
  bool nan_is_zero, refuses_overflow;
  bool is_plain;  // saturated, and rounded as the thread does
  Direction direction;
  void (*widen)(const Part& floats, C* to);  // unless they are of C
  typename StageKernels<C>::Decide decide;

  Quantizing(FloatType type, std::size_t n, const Scheme& scheme,
             const sc_quantize_options& options);
};

template <class C>
class Quantizer {
 public:
  Quantizer(const Quantizing<C>& how, Findings& findings)
      : how_(how),
        findings_(findings),
        factors_(how.steps.factors()),
        zero_points_(how.steps.zero_points(), 0),
        rule_(how.rule) {}
  ~Quantizer() { findings_.add(met_); }
  Quantizer(const Quantizer&) = delete;
  Quantizer& operator=(const Quantizer&) = delete;

  // The integers of a part, at most a stage, the first of which is number `index` of the array.
  std::int32_t* operator()(const Part& floats, std::size_t index) {
    const std::size_t count = floats.end - floats.begin;
    const Spread<C> factors = factors_(index, count);
    rule_.zero_points = zero_points_(index, count);
    std::int32_t* const q = q_.beside(static_cast<const C*>(floats.array) + floats.begin);
    const Part widened{x_, 0, count, count};
    const Part* w = &floats;
    if (how_.widen != nullptr) {
      how_.widen(floats, x_);
      w = &widened;
    }
    Decided decided = how_.decide(*w, factors, rule_, index, q);
    if (decided.largest > how_.most) [[unlikely]] {
      met_.nan = true;
      if (how_.nan_is_zero) {
        remove_nan(*w);
        w = &widened;
        decided = how_.decide(*w, factors, rule_, index, q);
      }
    }
    met_.out_of_range += decided.out_of_range;
    if (decided.out_of_range != 0 && how_.refuses_overflow && index < met_.first) {
      met_.first = first_out_of_range(*w, factors, index);
    }
    return q;
  }

 private:
  using Bits = std::conditional_t<sizeof(C) == sizeof(float), std::int32_t, std::int64_t>;

  // Of a part, to the buffer of widened floats.
  void remove_nan(const Part& w) {
    const std::size_t count = w.end - w.begin;
    std::copy_n(static_cast<const C*>(w.array) + w.begin, count, x_);
    std::replace_if(x_, x_ + count, [&](C x) {
      return (std::bit_cast<Bits>(x) & kMagnitude<Bits>) > how_.most;
    }, C{0});
  }

  // Of a part in which there is one.
  std::size_t first_out_of_range(const Part& w, Spread<C> factors, std::size_t index) {
    alignas(kLine) std::int32_t q[kWord];
    for (std::size_t i = 0;; ++i) {
      const Part alone{w.array, w.begin + i, w.begin + i + 1, w.n};
      if (how_.decide(alone, same_for_all(factors.values + factors.place(i)), rule_, index + i, q)
              .out_of_range != 0) {
        return index + i;
      }
    }
  }

  const Quantizing<C>& how_;
  Findings& findings_;
  Met met_;
  Beside<C> factors_;
  Shift<C> zero_points_;
  Rule<C> rule_;
  alignas(kLine) C x_[kStageRoom];
  Aside<std::int32_t> q_;
};

// How integers become floats.
template <class C>
struct Dequantizing {
  Steps<C> steps;
  FloatType type;
  bool wide;  // unsigned integers of 32 bits
  void (*give)(const Part& q, Spread<C> offsets, Spread<C> factors, const Output& out);

  Dequantizing(const Scheme& scheme, std::size_t n, FloatType to)
      : steps(scheme, n, true),
        type(to),
        wide(is_wide_unsigned(scheme)),
        give(stage_kernels<C>().give[static_cast<std::size_t>(to.kind)]) {}
};

template <class C>
class Dequantizer {
 public:
  explicit Dequantizer(const Dequantizing<C>& how)
      : how_(how),
        factors_(how.steps.factors()),
        offsets_(how.steps.zero_points(), how.wide ? static_cast<C>(0x1p31) : C{0}) {}

  // Writes the floats of so many integers; the first one is number `index` of the array.
  void operator()(std::int32_t* q, std::size_t count, std::size_t index, bool stream, void* out) {
    if (how_.wide) {  // as signed ones, from the middle of their range
      std::for_each(q, q + count, [](std::int32_t& code) { code ^= std::int32_t{1} << 31; });
    }
    Output to{};
    to.data = static_cast<unsigned char*>(out) + index * how_.type.bytes;
    to.stream = stream;
    how_.give({q, 0, count, count}, offsets_(index, count), factors_(index, count), to);
  }

 private:
  const Dequantizing<C>& how_;
  Beside<C> factors_;
  Shift<C> offsets_;
};

// Integers between a buffer and where they are stored.
class Store {
 public:
  Store(const Codes& codes, const Scheme& scheme);

  // Packed ones are written from where a byte begins.
  void put(const std::int32_t* q, std::size_t count, std::size_t index, bool stream);
  std::int32_t* get(std::size_t index, std::size_t count, std::size_t n);

 private:
  // Bytes of which only the low bits count: packed, and unpacked to integers of that sign.
  void extend(const unsigned char* from, std::size_t count, bool is_signed, unsigned char* to);

  Codes codes_;
  Packing packing_;
  std::size_t type_;  // among those that kernels put and get
  std::size_t bits_each_;
  bool narrow_;  // of fewer bits than the byte that each has
  alignas(kLine) std::int32_t q_[kStageRoom];
  alignas(kLine) unsigned char bytes_[kStageRoom];
  alignas(kLine) unsigned char packed_[kStageRoom];
};

}  // namespace secateur
