// Quantizing, and back. Elements go through stages, kStage of them at a time, so that what lies between
// two stages stays in the nearest cache:
//
//   floats --(widen)--> floats --decide--> integers --put--> integers as they are stored
//   integers as they are stored --get--> integers --give--> floats
//
// What is asked for most goes from floats to integers as they are stored without stages between (quantize).
//
// Stages compute in C, which is float or double: whichever holds what comes in, and what lies between,
// exactly. They round in the direction that the thread has set.
#pragma once

#include "kernels/convert.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

template <class C>
SECATEUR_INLINE Vec<Integer<C>> bits_of(Vec<C> x) {
  return BitCast<Integer<C>>(x);
}
template <class C>
SECATEUR_INLINE Vec<C> magnitude(Vec<C> x) {
  return BitCast<C>(And(bits_of(x), Set(kMagnitude<Integer<C>>)));
}
template <class C>
SECATEUR_INLINE Vec<C> sign_from(Vec<C> x, Vec<C> magnitude) {
  const auto sign = static_cast<Integer<C>>(~kMagnitude<Integer<C>>);
  return BitCast<C>(Xor(And(bits_of(x), Set(sign)), bits_of(magnitude)));
}
template <class C>
SECATEUR_INLINE Vec<C> only_where(Mask<Integer<C>> m, Vec<C> x) {
  return BitCast<C>(IfThenElseZero(m, bits_of(x)));
}

// Vectors of C that have as many lanes as one of int32.
template <class C>
inline constexpr size_t kPerInt = kLanes<int32_t> / kLanes<C>;

template <class C>
SECATEUR_INLINE Vec<C> beside(const Spread<C>& numbers, size_t i) {
  const C* const first = numbers.values + numbers.place(i);
  return numbers.shift == 0 ? LoadU(first) : Set(*first);
}

// ---- decide: rounding ------------------------------------------------------------------------

// In the direction of the thread.
template <class C>
struct Directed {
  Directed(const Rule<C>&, size_t) {}
  void begin_vector() {}
  SECATEUR_INLINE Vec<C> operator()(Vec<C> x, size_t) const { return Round(x); }
};

// To nearest: a tie, which has gone to the even one, goes to the side that the rule says.
template <class C>
struct Tied {
  Vec<C> tie;
  Vec<Integer<C>> with_sign;

  Tied(const Rule<C>& rule, size_t)
      : tie(Set(rule.tie)),
        with_sign(Set(rule.tie_has_sign ? static_cast<Integer<C>>(~kMagnitude<Integer<C>>)
                                        : Integer<C>{0})) {}
  void begin_vector() {}
  SECATEUR_INLINE Vec<C> operator()(Vec<C> x, size_t) const {
    const Vec<C> even = Round(x);
    const Vec<C> half = BitCast<C>(Xor(And(bits_of(x), with_sign), bits_of(tie)));
    return Add(even, only_where(Eq(Sub(x, even), half), Add(half, half)));
  }
};

SECATEUR_INLINE uint64_t mix(uint64_t z) {
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

// Draws of 31 bits, the upper ones of a mix of the lower half of an element's index, keyed by the seed and the
// upper half; of one vector of elements after the other.
class Draws {
 public:
  // For elements from `index` on whose indices have the upper half of that one's.
  Draws(uint64_t seed, size_t index)
      : next_(Add(Set(static_cast<int32_t>(index)), LoadU(kCounting))) {
    const uint64_t key = mix(seed ^ index >> 32);
    low_ = Set(static_cast<int32_t>(key));
    high_ = Set(static_cast<int32_t>(key >> 32));
  }
  SECATEUR_INLINE Vec<int32_t> next() {
    Vec<int32_t> x = Xor(next_, low_);
    next_ = Add(next_, Set(static_cast<int32_t>(kLanes<int32_t>)));
    x = Mul(Xor(x, ShiftRight<16>(x)), Set(int32_t{0x7feb352d}));
    x = Xor(Xor(x, ShiftRight<15>(x)), high_);
    x = Mul(x, Set(static_cast<int32_t>(0x846ca68bu)));
    return ShiftRight<1>(Xor(x, ShiftRight<16>(x)));
  }

 private:
  alignas(kLine) static constexpr int32_t kCounting[] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                         8, 9, 10, 11, 12, 13, 14, 15};
  static_assert(sizeof kCounting >= sizeof(int32_t) * kLanes<int32_t>);
  Vec<int32_t> next_, low_, high_;
};

// Away from zero where the fraction of an element and its draw make up one, which is where the sum of them as
// integers is below 0; towards zero is the direction of the thread.
template <class C>
struct Stochastic {
  Draws draws;
  Vec<int32_t> drawn;

  Stochastic(const Rule<C>& rule, size_t index) : draws(rule.seed, index) {}
  SECATEUR_INLINE void begin_vector() { drawn = draws.next(); }
  SECATEUR_INLINE Vec<C> operator()(Vec<C> x, size_t v) const {
    const Vec<C> all = magnitude(x);
    const Vec<C> whole = Round(all);
    const Vec<C> fraction = Product(Sub(all, whole), Set(C{0x1p31}));
    return sign_from(x, Add(whole, only_where(make_up_one(fraction, v), Set(C{1}))));
  }

 private:
  SECATEUR_INLINE Mask<int32_t> make_up_one(Vec<float> fraction, size_t) const {
    return Gt(Set(0), Add(NearestInt(fraction), drawn));
  }
  SECATEUR_INLINE Mask<int64_t> make_up_one(Vec<double> fraction, size_t v) const {
    alignas(kLine) int32_t draw[kLanes<int32_t>];
    StoreU(drawn, draw);
    return Le(Set(0x1p31), Add(ConvertLoad<double>(draw + v * kLanes<double>), fraction));
  }
};

// ---- decide: scaling ------------------------------------------------------------------------

// What shorter floats hold of a double: as many bits, and the exponent of the last one of the least.
template <class F>
struct Precision;
template <>
struct Precision<Float16> {
  static constexpr int kBits = 11, kLast = -24;
};
template <>
struct Precision<BFloat16> {
  static constexpr int kBits = 8, kLast = -133;
};
template <>
struct Precision<float> {
  static constexpr int kBits = 24, kLast = -149;
};

// To the nearest number of F, half to even: in a sum with one so large that its last bit is that of F.
template <class F>
SECATEUR_INLINE Vec<double> rounded_to(Vec<double> x) {
  constexpr int64_t kExponent = 0x7ff0000000000000;
  constexpr int64_t kLeast = int64_t{1023 + Precision<F>::kLast + Precision<F>::kBits - 1} << 52;
  constexpr int64_t kFurther = (int64_t{53 - Precision<F>::kBits} << 52) + (int64_t{1} << 51);
  const Vec<int64_t> exponent = Max(And(bits_of(x), Set(kExponent)), Set(kLeast));
  const Vec<double> large = BitCast<double>(Add(exponent, Set(kFurther)));
  return sign_from(x, magnitude(Sub(Add(x, large), large)));  // a zero keeps its sign
}

template <class C>
struct Multiplied {
  static SECATEUR_INLINE Vec<C> scaled(Vec<C> x, Vec<C> factor) { return Product(x, factor); }
};
template <class C>
struct Divided {
  static SECATEUR_INLINE Vec<C> scaled(Vec<C> x, Vec<C> divisor) { return Div(x, divisor); }
};
// Quotients of floats, which a double holds precisely enough to be rounded once more.
template <class C>
struct DividedAsFloat {
  static SECATEUR_INLINE Vec<C> scaled(Vec<C> x, Vec<C> divisor) {
    return rounded_to<float>(Div(x, divisor));
  }
};

// ---- decide: overflow ------------------------------------------------------------------------

// Integral floats as int32; those of double that it does not hold, modulo 2^32.
SECATEUR_INLINE Vec<int32_t> to_integers(const Vec<float>* r) { return NearestInt(r[0]); }
SECATEUR_INLINE Vec<int32_t> to_integers(const Vec<double>* r) {
  Vec<int64_t> low[kPerInt<double>];
  for (size_t v = 0; v < kPerInt<double>; ++v) {
    low[v] = bits_of(Add(r[v], Set(0x1.8p52)));  // whose last bit is worth 1
  }
  return LowHalves(low);
}

template <class C>
SECATEUR_INLINE Vec<C> clamped(Vec<C> r, Vec<C> lowest, Vec<C> highest) {
  return Min(Max(r, lowest), highest);
}

template <class C>
struct Saturated {
  Vec<C> lowest, highest;
  static constexpr size_t out = 0;

  explicit Saturated(const Rule<C>& rule) : lowest(Set(rule.lowest)), highest(Set(rule.highest)) {}
  SECATEUR_INLINE Vec<C> operator()(Vec<C> r) { return clamped(r, lowest, highest); }
  SECATEUR_INLINE Vec<int32_t> cut(Vec<int32_t> q) const { return q; }
};

// What is out of range becomes 0, and is counted.
template <class C>
struct Zeroed {
  Vec<C> lowest, highest;
  size_t out = 0;

  explicit Zeroed(const Rule<C>& rule) : lowest(Set(rule.lowest)), highest(Set(rule.highest)) {}
  SECATEUR_INLINE Vec<C> operator()(Vec<C> r) {
    const Mask<Integer<C>> in_range = And(Le(lowest, r), Le(r, highest));
    out += kLanes<C> - PopCount(BitsFromMask(in_range));
    return only_where(in_range, r);
  }
  SECATEUR_INLINE Vec<int32_t> cut(Vec<int32_t> q) const { return q; }
};

// Modulo a power of two that leaves integers which to_integers takes; and then modulo that of the range.
// From 2^85 on every float is a multiple of it.
template <class C>
struct Wrapped {
  static constexpr C kModulus = sizeof(C) == sizeof(float) ? C{0x1p16} : C{0x1p32};
  Vec<int32_t> bits, sign;
  static constexpr size_t out = 0;

  explicit Wrapped(const Rule<C>& rule) : bits(Set(rule.bits)), sign(Set(rule.sign)) {}
  SECATEUR_INLINE Vec<C> operator()(Vec<C> r) {
    const Vec<C> x = only_where(Le(magnitude(r), Set(C{0x1p85})), r);
    return Sub(x, Product(Round(Product(x, Set(1 / kModulus))), Set(kModulus)));
  }
  SECATEUR_INLINE Vec<int32_t> cut(Vec<int32_t> q) const {
    return Sub(Xor(And(q, bits), sign), sign);
  }
};

// ---- decide ----------------------------------------------------------------------------------

// cut(rounded(x, i, lane)) as integers, of all elements x of a part when they are scaled, by words that begin
// with element i; before those that one vector of integers holds, begin_vector(); and the largest magnitude.
template <class C, template <class> class Scaling, class BeginVector, class Rounded, class Cut>
SECATEUR_INLINE Key decide_words(const Part& w, Spread<C> factors, int32_t* q,
                                 const BeginVector& begin_vector, const Rounded& rounded,
                                 const Cut& cut) {
  using E = Integer<C>;
  Vec<E> largest = Set(E{0});
  Output output{};
  output.data = q;
  map_words<C>(w, FromBegin<int32_t>(output, w.begin),
               [&](const C* from, unsigned char* to, size_t index) __attribute__((always_inline)) {
    const size_t i = index - w.begin;
    SECATEUR_ROLLED
    for (size_t lane = 0; lane < kWord; lane += kLanes<int32_t>) {
      begin_vector();
      Vec<C> r[kPerInt<C>];
      for (size_t v = 0; v < kPerInt<C>; ++v) {
        const size_t at = lane + v * kLanes<C>;
        const Vec<C> x = LoadOnce(from + at);
        largest = Max(largest, bits_of(magnitude(x)));
        r[v] = rounded(Scaling<C>::scaled(x, beside(factors, i + at)), i, at);
      }
      StoreU(cut(to_integers(r)), reinterpret_cast<int32_t*>(to) + lane);
    }
  });
  return ReduceMax(largest);
}

template <class C, template <class> class Rounding, template <class> class Overflow>
Decided decide(const Part& w, Spread<C> factors, const Rule<C>& rule, size_t index, int32_t* q) {
  Rounding<C> round(rule, index);
  Overflow<C> overflow(rule);
  const Key largest = decide_words<C, Multiplied>(
      w, factors, q, [&]() __attribute__((always_inline)) { round.begin_vector(); },
      [&](Vec<C> x, size_t, size_t lane) __attribute__((always_inline)) {
    return overflow(round(x, lane / kLanes<C> % kPerInt<C>));
  }, [&](Vec<int32_t> integers) __attribute__((always_inline)) { return overflow.cut(integers); });
  return {largest, overflow.out};
}

// With a zero point added after rounding, of each element its own.
template <class C, template <class> class Scaling>
Decided decide_shifted(const Part& w, Spread<C> factors, const Rule<C>& rule, size_t, int32_t* q) {
  Saturated<C> overflow(rule);
  const Spread<C> zero_points = rule.zero_points;
  const Key largest = decide_words<C, Scaling>(w, factors, q, []() __attribute__((always_inline)) {
  }, [&](Vec<C> x, size_t i, size_t lane) __attribute__((always_inline)) {
    return overflow(Add(Round(x), beside(zero_points, i + lane)));
  }, [](Vec<int32_t> integers) __attribute__((always_inline)) { return integers; });
  return {largest, 0};
}

// ---- put and get -----------------------------------------------------------------------------

template <class Q>
void put(const Part& q, const Output& out) {
  const MayStream<Q> sink(out);
  map_words<int32_t, kFromCache>(
      q, sink, [&](const int32_t* from, unsigned char* to, size_t) __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kGroupLanes<int32_t>) {
      Vec<int32_t> group[kGroup<int32_t>];
      for (size_t v = 0; v < kGroup<int32_t>; ++v) {
        group[v] = LoadU(from + lane + v * kLanes<int32_t>);
      }
      store_demoted(sink.stream, group, reinterpret_cast<Q*>(to) + lane);
    }
  });
}

template <class Q>
void get(const Part& q, int32_t* to) {
  Output output{};
  output.data = to;
  map_words<Q>(q, FromBegin<int32_t>(output, q.begin),
               [&](const Q* from, unsigned char* integers, size_t) __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<int32_t>) {
      StoreU(PromoteLoad(from + lane), reinterpret_cast<int32_t*>(integers) + lane);
    }
  });
}

// ---- All of it at once -----------------------------------------------------------------------

SECATEUR_INLINE Vec<float> load_as_float(const float* p) { return LoadOnce(p); }
template <class F>
SECATEUR_INLINE Vec<float> load_as_float(const F* p) {
  return WidenLoad<float>(p);
}

// With one factor for all, or not.
template <class F, template <class> class Scaling, bool kSame>
Key quantize_words(const Part& w, const Integral& to, Spread<float> factors,
                   const float* zero_points, const Output& out) {
  const Vec<float> lowest = Set(to.lowest), highest = Set(to.highest);
  const Spread<float> zeros{zero_points, factors.shift, factors.past};
  const Vec<float> factor = Set(*factors.values);
  const Vec<float> zero = Set(zero_points == nullptr ? 0 : *zero_points);
  const Integers integers(to, out);
  Vec<int32_t> largest = Set(int32_t{0});
  map_words<F>(w, integers,
               [&](const F* from, unsigned char* place, size_t index)
                   __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kGroupLanes<int32_t>) {
      Vec<int32_t> q[kGroup<int32_t>];
      for (size_t v = 0; v < kGroup<int32_t>; ++v) {
        const size_t at = lane + v * kLanes<float>;
        const size_t i = index - w.begin + at;
        const Vec<float> x = load_as_float(from + at);
        largest = Max(largest, bits_of(magnitude(x)));
        const Vec<float> y = Scaling<float>::scaled(x, kSame ? factor : beside(factors, i));
        const bool is_about_zero = !kSame && zero_points == nullptr;
        const Vec<float> r =
            is_about_zero ? Round(y) : Add(Round(y), kSame ? zero : beside(zeros, i));
        q[v] = NearestInt(clamped(r, lowest, highest));
      }
      integers.store(q, place, lane);
    }
  });
  return ReduceMax(largest);
}

template <class F, template <class> class Scaling>
Key quantize_scaled(const Part& w, const Integral& to, Spread<float> factors,
                    const float* zero_points, const Output& out) {
  return is_same_for_all(factors)
             ? quantize_words<F, Scaling, true>(w, to, factors, zero_points, out)
             : quantize_words<F, Scaling, false>(w, to, factors, zero_points, out);
}

template <class F>
Key quantize(const Part& w, const Integral& to, Spread<float> factors, const float* zero_points,
             const Output& out) {
  return to.divides ? quantize_scaled<F, Divided>(w, to, factors, zero_points, out)
                    : quantize_scaled<F, Multiplied>(w, to, factors, zero_points, out);
}

// ---- give ------------------------------------------------------------------------------------

// Vectors of C that become one of F.
template <class F, class C>
inline constexpr size_t kToOne = kLanes<Integer<F>> / kLanes<C>;

template <class F, class C>
SECATEUR_INLINE Vec<Integer<F>> narrowed(Vec<C>* y) {
  if constexpr (sizeof(F) == sizeof(C)) {
    return bits_of(y[0]);
  } else if constexpr (sizeof(C) == sizeof(float)) {
    return DemoteTo<F>(y);
  } else if constexpr (sizeof(F) == sizeof(float)) {
    return bits_of(DemoteTo(y));
  } else {
    Vec<float> halves[kToOne<F, float>];
    for (size_t v = 0; v < kToOne<F, double>; ++v) {
      y[v] = rounded_to<F>(y[v]);
    }
    for (size_t v = 0; v < kToOne<F, float>; ++v) {
      halves[v] = DemoteTo(y + v * kPerInt<double>);
    }
    return DemoteTo<F>(halves);
  }
}

template <class F, class C>
void give(const Part& q, Spread<C> offsets, Spread<C> factors, const Output& out) {
  using E = Integer<F>;
  const MayStream<E> sink(out);
  map_words<int32_t, kFromCache>(q, sink,
                                 [&](const int32_t* from, unsigned char* to, size_t i)
                                     __attribute__((always_inline)) {
    SECATEUR_ROLLED
    for (size_t lane = 0; lane < kWord; lane += kLanes<E>) {
      Vec<C> y[kToOne<F, C>];
      for (size_t v = 0; v < kToOne<F, C>; ++v) {
        const size_t at = lane + v * kLanes<C>;
        y[v] = Product(Add(ConvertLoad<C>(from + at), beside(offsets, i + at)),
                       beside(factors, i + at));
      }
      store(sink.stream, narrowed<F, C>(y), reinterpret_cast<E*>(to) + lane);
    }
  });
}

// ---- Parameters of elements ------------------------------------------------------------------

// 2^±exponent: the exponent, in the last bits of a sum, is shifted to where that of a float stands.
template <class C>
void powers(const int32_t* exponents, size_t count, bool inverse, C* to) {
  constexpr int kMantissa = sizeof(C) == sizeof(float) ? 23 : 52;
  constexpr C kBias = sizeof(C) == sizeof(float) ? 127 : 1023;
  const C last_is_one = C{1.5} * static_cast<C>(uint64_t{1} << kMantissa) + kBias;
  const Vec<C> sum = Set(last_is_one), sign = Set(inverse ? C{-1} : C{1});
  for (size_t i = 0; i < count; i += kLanes<C>) {
    const Vec<C> shifted = Add(Product(ConvertLoad<C>(exponents + i), sign), sum);
    StoreU(BitCast<C>(ShiftLeft<kMantissa>(bits_of(shifted))), to + i);
  }
}

template <class C>
void integers(const int32_t* numbers, size_t count, bool inverse, C* to) {
  const Vec<C> sign = Set(inverse ? C{-1} : C{1});
  for (size_t i = 0; i < count; i += kLanes<C>) {
    StoreU(Product(ConvertLoad<C>(numbers + i), sign), to + i);
  }
}

template <class C>
SECATEUR_INLINE void fill(C* to, size_t count, C value) {
  const Vec<C> same = Set(value);
  for (size_t lane = 0; lane < count; lane += kLanes<C>) {
    StoreU(same, to + lane);
  }
}

template <class C>
void fill_runs(const C* values, const SharedRuns& runs, RunPlace& place, size_t count, C* to) {
  size_t value = place.value, in_row = place.in_row, in_run = place.in_run;
  for (size_t i = 0; i < count;) {
    const size_t row_left = runs.row - in_row;
    const size_t end = row_left < count - i ? i + row_left : count;
    in_row += end - i;
    if (in_run != 0) {
      const size_t left = runs.run - in_run;
      const size_t here = left < end - i ? left : end - i;
      fill(to + i, here, values[value]);
      i += here;
      in_run = here == left ? 0 : in_run + here;
      value += here == left ? 1 : 0;
    }
    for (; end - i >= runs.run; i += runs.run, ++value) {
      fill(to + i, runs.run, values[value]);
    }
    if (i != end) {
      in_run = end - i;
      fill(to + i, in_run, values[value]);
      i = end;
    }
    if (in_row == runs.row) {
      value = runs.shared ? 0 : value + (in_run != 0 ? 1 : 0);
      in_row = in_run = 0;
    }
  }
  place = {value, in_row, in_run};
}

bool all_within(const void* integers, size_t count, int32_t least, int32_t most) {
  const auto* const x = static_cast<const int32_t*>(integers);
  Vec<int32_t> lowest = Set(most), highest = Set(least);
  size_t i = 0;
  for (; i + kLanes<int32_t> <= count; i += kLanes<int32_t>) {
    const Vec<int32_t> v = LoadU(x + i);
    lowest = Min(lowest, v);
    highest = Max(highest, v);
  }
  bool within = least <= ~ReduceMax(Xor(lowest, Set(int32_t{-1}))) && ReduceMax(highest) <= most;
  for (; i < count; ++i) {
    int32_t one;  // what is there may be floats
    copy_bytes(&one, x + i, sizeof one);
    within = within && least <= one && one <= most;
  }
  return within;
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
