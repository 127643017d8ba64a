// Quantization and dequantization. Elements pass through stages in chunks of kChunk, so that
// intermediate results stay in the L1 cache:
//
//   floats --(widen)--> floats --quantize_chunk--> int32 --store_codes--> stored integers
//   stored integers --load_codes--> int32 --dequantize_chunk--> floats
//
// The common formats take a fast path: the fused kernel `quantize` stores integers without
// intermediate buffers.
//
// Stages compute in a type C, float or double. The caller chooses C (with_compute_type in
// quantize/stages.hpp). Rounding follows the direction that the thread has set.
#pragma once

#include "core/kernels/convert.hpp"
#include "core/kernels/float_bits.hpp"
#include "quantize/kernels/table.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

// The number of vectors of C that have as many lanes as a vector of int32.
template <class C>
inline constexpr size_t kVectorsPerInt = kLanes<int32_t> / kLanes<C>;
static_assert(kLanes<int32_t> <= kWidestVector);

// The parameters of a vector of elements that begins with element i.
template <class C>
SECATEUR_INLINE Vec<C> load_parameters(const ParameterView<C>& parameters, size_t i) {
  const C* const first = parameters.values + parameters.index(i);
  return parameters.shift == 0 ? LoadU(first) : Set(*first);
}

// ---- quantize_chunk: rounding ----------------------------------------------------------------

// Each of these structs rounds the scaled elements x. before_scaling() is applied to the elements
// before the multiplication, which rounds as well if the product underflows: Away must multiply
// magnitudes.

// Rounds in the direction that the thread has set.
template <class C>
struct Directed {
  Directed(const QuantizeRule<C>&, size_t) {}
  void begin_vector() {}
  static SECATEUR_INLINE Vec<C> before_scaling(Vec<C> w) { return w; }
  SECATEUR_INLINE Vec<C> operator()(Vec<C> x, Vec<C>, size_t) const { return Rint(x); }
};

// Rounds away from zero: scales and rounds magnitudes, and gives the results the signs of the
// elements. Requires that the thread rounds up.
template <class C>
struct Away {
  Away(const QuantizeRule<C>&, size_t) {}
  void begin_vector() {}
  static SECATEUR_INLINE Vec<C> before_scaling(Vec<C> w) { return magnitude(w); }
  SECATEUR_INLINE Vec<C> operator()(Vec<C> x, Vec<C> w, size_t) const {
    return sign_from(w, Rint(x));
  }
};

// Rounds to nearest even, then moves ties to the side that the rule specifies.
template <class C>
struct Tied {
  Vec<C> tie;
  Vec<Integer<C>> with_sign;

  Tied(const QuantizeRule<C>& rule, size_t)
      : tie(Set(rule.tie)),
        with_sign(Set(rule.tie_has_sign ? static_cast<Integer<C>>(~kMagnitudeMask<Integer<C>>)
                                        : Integer<C>{0})) {}
  void begin_vector() {}
  static SECATEUR_INLINE Vec<C> before_scaling(Vec<C> w) { return w; }
  SECATEUR_INLINE Vec<C> operator()(Vec<C> x, Vec<C>, size_t) const {
    const Vec<C> even = Rint(x);
    const Vec<C> half = BitCast<C>(Xor(And(bits_of(x), with_sign), bits_of(tie)));
    return Add(even, only_where(Eq(Sub(x, even), half), Add(half, half)));
  }
};

SECATEUR_INLINE uint64_t mix(uint64_t z) {
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

// Pseudorandom numbers of 31 bits for consecutive elements. A number is the upper bits of a hash of
// the lower half of an element's index, keyed by the seed and by the upper half of the index.
class RandomBits {
 public:
  // For elements from `index` on. All their indices have the same upper half.
  RandomBits(uint64_t seed, size_t index)
      : next_(Add(Set(static_cast<int32_t>(index)), LoadU(kIota))) {
    const uint64_t key = mix(seed ^ index >> 32);
    low_ = Set(static_cast<int32_t>(key));
    high_ = Set(static_cast<int32_t>(key >> 32));
  }
  // The numbers of the next vector of elements.
  SECATEUR_INLINE Vec<int32_t> next() {
    Vec<int32_t> x = Xor(next_, low_);
    next_ = Add(next_, Set(static_cast<int32_t>(kLanes<int32_t>)));
    x = Mul(Xor(x, ShiftRightLogical<16>(x)), Set(int32_t{0x7feb352d}));
    x = Xor(Xor(x, ShiftRightLogical<15>(x)), high_);
    x = Mul(x, Set(static_cast<int32_t>(0x846ca68bu)));
    return ShiftRightLogical<1>(Xor(x, ShiftRightLogical<16>(x)));
  }

 private:
  alignas(kLine) static constexpr int32_t kIota[] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                     8, 9, 10, 11, 12, 13, 14, 15};
  static_assert(sizeof kIota >= sizeof(int32_t) * kLanes<int32_t>);
  Vec<int32_t> next_, low_, high_;
};

// Rounds away from zero where the fraction of |x| plus a random number in [0, 1) is at least 1,
// else toward zero, which is the direction of the thread. Both summands are scaled by 2^31; as
// int32, their sum is negative exactly where it is at least 2^31.
template <class C>
struct Stochastic {
  RandomBits random_bits;
  Vec<int32_t> random;

  Stochastic(const QuantizeRule<C>& rule, size_t index) : random_bits(rule.seed, index) {}
  SECATEUR_INLINE void begin_vector() { random = random_bits.next(); }
  static SECATEUR_INLINE Vec<C> before_scaling(Vec<C> w) { return w; }
  SECATEUR_INLINE Vec<C> operator()(Vec<C> x, Vec<C>, size_t v) const {
    const Vec<C> size = magnitude(x);
    const Vec<C> whole = Rint(size);
    const Vec<C> fraction = Product(Sub(size, whole), Set(C{0x1p31}));
    return sign_from(x, Add(whole, only_where(reaches_one(fraction, v), Set(C{1}))));
  }

 private:
  SECATEUR_INLINE Mask<int32_t> reaches_one(Vec<float> fraction, size_t) const {
    return Gt(Set(0), Add(RintToInt(fraction), random));
  }
  SECATEUR_INLINE Mask<int64_t> reaches_one(Vec<double> fraction, size_t v) const {
    alignas(kLine) int32_t numbers[kLanes<int32_t>];
    StoreU(random, numbers);
    return Le(Set(0x1p31), Add(ConvertLoad<double>(numbers + v * kLanes<double>), fraction));
  }
};

// ---- quantize_chunk: scaling -----------------------------------------------------------------

// The precision of a float type: kBits significant bits, and the exponent
// kLastBit of the lowest bit of a subnormal number.
template <class F>
struct Precision {
  static constexpr int kBits = FloatFormat<F>::kMantissaBits + 1;
  static constexpr int kLastBit = 3 - (1 << (FloatFormat<F>::kExponentBits - 1)) - kBits;
};

// Rounds to the nearest number of F, ties to even, if the thread rounds so. Adding and subtracting
// a number so large that its lowest bit has the weight of the lowest bit of F does this.
template <class F>
SECATEUR_INLINE Vec<double> rounded_to(Vec<double> x) {
  constexpr int64_t kExponent = 0x7ff0000000000000;
  constexpr int64_t kMinExponent = int64_t{1023 + Precision<F>::kLastBit + Precision<F>::kBits - 1}
                                   << 52;
  constexpr int64_t kOffset = (int64_t{53 - Precision<F>::kBits} << 52) + (int64_t{1} << 51);
  const Vec<int64_t> exponent = Max(And(bits_of(x), Set(kExponent)), Set(kMinExponent));
  const Vec<double> large = BitCast<double>(Add(exponent, Set(kOffset)));
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
// Quotients of floats, rounded to float. Double has more than twice the precision of float, so
// rounding the double quotient again gives the correctly rounded float quotient.
template <class C>
struct DividedAsFloat {
  static SECATEUR_INLINE Vec<C> scaled(Vec<C> x, Vec<C> divisor) {
    return rounded_to<float>(Div(x, divisor));
  }
};

// ---- quantize_chunk: overflow ----------------------------------------------------------------

// Converts integral floats to int32. Doubles outside the range of int32 are converted modulo 2^32.
SECATEUR_INLINE Vec<int32_t> to_integers(const Vec<float>* r) { return RintToInt(r[0]); }
SECATEUR_INLINE Vec<int32_t> to_integers(const Vec<double>* r) {
  Vec<int64_t> low[kVectorsPerInt<double>];
  for (size_t v = 0; v < kVectorsPerInt<double>; ++v) {
    low[v] = bits_of(Add(r[v], Set(0x1.8p52)));  // the lowest bit of the sum has the weight 1
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
  static constexpr size_t out_of_range = 0;

  explicit Saturated(const QuantizeRule<C>& rule)
      : lowest(Set(rule.lowest)), highest(Set(rule.highest)) {}
  SECATEUR_INLINE Vec<C> operator()(Vec<C> r) { return clamped(r, lowest, highest); }
  SECATEUR_INLINE Vec<C> operator()(Vec<C> r, Vec<C> zero_point) {
    return (*this)(Add(r, zero_point));
  }
  SECATEUR_INLINE Vec<int32_t> reduce(Vec<int32_t> q) const { return q; }
};

// Replaces elements out of range by 0, or by the zero point, and counts them.
template <class C>
struct Zeroed {
  Vec<C> lowest, highest;
  size_t out_of_range = 0;

  explicit Zeroed(const QuantizeRule<C>& rule)
      : lowest(Set(rule.lowest)), highest(Set(rule.highest)) {}
  SECATEUR_INLINE Vec<C> operator()(Vec<C> r) { return only_where(in_range(r), r); }
  SECATEUR_INLINE Vec<C> operator()(Vec<C> r, Vec<C> zero_point) {
    return Add(only_where(in_range(Add(r, zero_point)), r), zero_point);
  }
  SECATEUR_INLINE Vec<int32_t> reduce(Vec<int32_t> q) const { return q; }

 private:
  SECATEUR_INLINE Mask<Integer<C>> in_range(Vec<C> r) {
    const Mask<Integer<C>> m = And(Le(lowest, r), Le(r, highest));
    out_of_range += kLanes<C> - PopCount(BitsFromMask(m));
    return m;
  }
};

// Reduces elements modulo kModulus, to integers that to_integers() can convert, and then modulo
// 2^bits. A magnitude above 2^85 is a multiple of kModulus, and becomes 0.
template <class C>
struct Wrapped {
  static constexpr C kModulus = sizeof(C) == sizeof(float) ? C{0x1p16} : C{0x1p32};
  Vec<int32_t> bits, sign;
  static constexpr size_t out_of_range = 0;

  explicit Wrapped(const QuantizeRule<C>& rule)
      : bits(Set(rule.bit_mask)), sign(Set(rule.sign_mask)) {}
  SECATEUR_INLINE Vec<C> operator()(Vec<C> r) {
    const Vec<C> x = only_where(Le(magnitude(r), Set(C{0x1p85})), r);
    return Sub(x, Product(Rint(Product(x, Set(1 / kModulus))), Set(kModulus)));
  }
  SECATEUR_INLINE Vec<C> operator()(Vec<C> r, Vec<C> zero_point) {
    return Add((*this)(r), zero_point);
  }
  SECATEUR_INLINE Vec<int32_t> reduce(Vec<int32_t> q) const {
    return Sub(Xor(And(q, bits), sign), sign);
  }
};

// ---- quantize_chunk --------------------------------------------------------------------------

// Quantizes a part word by word: q = reduce(to_integers(scale_and_round(x, factor, i, lane))),
// where x is a vector of elements, factor that of their factors, i the index of the first element
// of the word within the part, and lane the offset of x in the word. Calls begin_vector() before
// each vector of int32. Returns the largest magnitude of w.
template <class C, class BeginVector, class ScaleAndRound, class Reduce>
SECATEUR_INLINE Key quantize_chunk_words(const Part& w, ParameterView<C> factors, int32_t* q,
                                         const BeginVector& begin_vector,
                                         const ScaleAndRound& scale_and_round,
                                         const Reduce& reduce) {
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
      Vec<C> r[kVectorsPerInt<C>];
      for (size_t v = 0; v < kVectorsPerInt<C>; ++v) {
        const size_t first = lane + v * kLanes<C>;
        const Vec<C> x = LoadOnce(from + first);
        largest = Max(largest, bits_of(magnitude(x)));
        r[v] = scale_and_round(x, load_parameters(factors, i + first), i, first);
      }
      StoreU(reduce(to_integers(r)), reinterpret_cast<int32_t*>(to) + lane);
    }
  });
  return ReduceMax(largest);
}

// kHasZeroPoints: adds the zero point of each element after rounding.
template <class C, template <class> class Rounder, template <class> class OverflowHandler,
          bool kHasZeroPoints>
ChunkStatus quantize_chunk(const Part& w, ParameterView<C> factors, const QuantizeRule<C>& rule,
                           size_t index, int32_t* q) {
  Rounder<C> round(rule, index);
  OverflowHandler<C> overflow(rule);
  const ParameterView<C> zero_points = rule.zero_points;
  const Key largest = quantize_chunk_words(w, factors, q, [&]() __attribute__((always_inline)) {
    round.begin_vector();
  }, [&](Vec<C> x, Vec<C> factor, size_t i, size_t lane) __attribute__((always_inline)) {
    const Vec<C> scaled = Product(round.before_scaling(x), factor);
    const Vec<C> r = round(scaled, x, lane / kLanes<C> % kVectorsPerInt<C>);
    if constexpr (kHasZeroPoints) {
      return overflow(r, load_parameters(zero_points, i + lane));
    } else {
      return overflow(r);
    }
  }, [&](Vec<int32_t> integers) __attribute__((always_inline)) {
    return overflow.reduce(integers);
  });
  return {largest, overflow.out_of_range};
}

// The default of affine formats in one kernel: scales, rounds in the direction of the thread, adds
// the zero point of each element, and saturates.
template <class C, template <class> class Scaler>
ChunkStatus quantize_chunk_affine(const Part& w, ParameterView<C> factors,
                                  const QuantizeRule<C>& rule, size_t, int32_t* q) {
  Saturated<C> overflow(rule);
  const ParameterView<C> zero_points = rule.zero_points;
  const Key largest = quantize_chunk_words(w, factors, q, []() __attribute__((always_inline)) {
  }, [&](Vec<C> x, Vec<C> factor, size_t i, size_t lane) __attribute__((always_inline)) {
    const Vec<C> r = Rint(Scaler<C>::scaled(x, factor));
    return overflow(r, load_parameters(zero_points, i + lane));
  }, [](Vec<int32_t> integers) __attribute__((always_inline)) { return integers; });
  return {largest, 0};
}

// Returns the largest magnitude of w.
template <class C, template <class> class Scaler>
Key divide(const Part& w, ParameterView<C> divisors, C* quotients) {
  Vec<Integer<C>> largest = Set(Integer<C>{0});
  Output output{};
  output.data = quotients;
  map_words<C>(w, FromBegin<C>(output, w.begin),
               [&](const C* from, unsigned char* to, size_t index) __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<C>) {
      const Vec<C> x = LoadU(from + lane);
      largest = Max(largest, bits_of(magnitude(x)));
      const Vec<C> divisor = load_parameters(divisors, index - w.begin + lane);
      StoreU(Scaler<C>::scaled(x, divisor), reinterpret_cast<C*>(to) + lane);
    }
  });
  return ReduceMax(largest);
}

// ---- store_codes and load_codes --------------------------------------------------------------

// Accumulates the bits that code_bits() returns, a vector at a time.
template <bool kSigned>
class CodeBits {
 public:
  static constexpr size_t kBytes = kLanes<int64_t> * sizeof(int64_t);

  SECATEUR_INLINE void add(const void* codes) {
    const Vec<int64_t> v = LoadOnce(static_cast<const int64_t*>(codes));
    combined_ = Or(combined_, kSigned ? Xor(v, ShiftRightLogical<1>(v)) : v);
  }
  SECATEUR_INLINE uint64_t result() const {
    int64_t lanes[kLanes<int64_t>];
    StoreU(combined_, lanes);
    uint64_t all = 0;
    for (const int64_t lane : lanes) {
      all |= static_cast<uint64_t>(lane);
    }
    return all;
  }

 private:
  Vec<int64_t> combined_ = Set(int64_t{0});
};

template <bool kSigned>
uint64_t code_bits(const void* codes, size_t bytes) {
  constexpr size_t kBytes = CodeBits<kSigned>::kBytes;
  const auto* const p = static_cast<const unsigned char*>(codes);
  CodeBits<kSigned> bits;
  size_t i = 0;
  for (; i + kBytes <= bytes; i += kBytes) {
    bits.add(p + i);
  }
  unsigned char padded[kBytes] = {};
  copy_bytes(padded, p + i, bytes - i);
  bits.add(padded);
  return bits.result();
}

template <class Q>
void store_codes(const Part& q, const Output& out) {
  const MayStream<Q> destination(out);
  map_words<int32_t, Prefetch::no>(q, destination,
                                   [&](const int32_t* from, unsigned char* to, size_t)
                                       __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kGroupLanes<int32_t>) {
      Vec<int32_t> group[kGroup<int32_t>];
      for (size_t v = 0; v < kGroup<int32_t>; ++v) {
        group[v] = LoadU(from + lane + v * kLanes<int32_t>);
      }
      store_demoted(destination.stream, group, reinterpret_cast<Q*>(to) + lane);
    }
  });
}

// Calls seen(from) for each word of codes.
template <class Q, class Seen>
SECATEUR_INLINE void load_each_word(const Part& q, int32_t* to, const Seen& seen) {
  Output output{};
  output.data = to;
  map_words<Q>(q, FromBegin<int32_t>(output, q.begin),
               [&](const Q* from, unsigned char* integers, size_t) __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kLanes<int32_t>) {
      StoreU(PromoteLoad(from + lane), reinterpret_cast<int32_t*>(integers) + lane);
    }
    // A second load is slow if the vector crosses a cache line, which results do not.
    seen(sizeof(Q) == sizeof(int32_t) ? reinterpret_cast<const Q*>(integers) : from);
  });
}

template <class Q>
void load_codes(const Part& q, int32_t* to) {
  load_each_word<Q>(q, to, [](const Q*) {});
}

template <class Q, bool kSigned>
uint64_t load_checked_codes(const Part& q, int32_t* to) {
  CodeBits<kSigned> bits;
  load_each_word<Q>(q, to, [&](const Q* from) __attribute__((always_inline)) {
    for (size_t i = 0; i < kWord; i += CodeBits<kSigned>::kBytes / sizeof(Q)) {
      bits.add(from + i);
    }
  });
  return bits.result();
}

// ---- quantize: the fused kernel ---------------------------------------------------------------

SECATEUR_INLINE Vec<float> load_as_float(const float* p) { return LoadOnce(p); }
template <class F>
SECATEUR_INLINE Vec<float> load_as_float(const F* p) {
  return WidenLoad<float>(p);
}

// kSame: all elements have the same factor and the same zero point.
template <class F, template <class> class Scaler, bool kSame>
Key quantize_words(const Part& w, const IntegerTarget& target, ParameterView<float> factors,
                   const float* zero_points, const Output& out) {
  const Vec<float> lowest = Set(target.lowest), highest = Set(target.highest);
  const ParameterView<float> zeros{zero_points, factors.shift, factors.in_run};
  const Vec<float> factor = Set(*factors.values);
  const Vec<float> zero = Set(zero_points == nullptr ? 0 : *zero_points);
  const Integers integers(target, out);
  Vec<int32_t> largest = Set(int32_t{0});
  map_words<F>(w, integers,
               [&](const F* from, unsigned char* to, size_t index) __attribute__((always_inline)) {
    for (size_t lane = 0; lane < kWord; lane += kGroupLanes<int32_t>) {
      Vec<int32_t> q[kGroup<int32_t>];
      for (size_t v = 0; v < kGroup<int32_t>; ++v) {
        const size_t first = lane + v * kLanes<float>;
        const size_t i = index - w.begin + first;
        const Vec<float> x = load_as_float(from + first);
        largest = Max(largest, bits_of(magnitude(x)));
        const Vec<float> y = Scaler<float>::scaled(x, kSame ? factor : load_parameters(factors, i));
        const bool no_zero_points = !kSame && zero_points == nullptr;
        const Vec<float> r =
            no_zero_points ? Rint(y) : Add(Rint(y), kSame ? zero : load_parameters(zeros, i));
        q[v] = RintToInt(clamped(r, lowest, highest));
      }
      integers.store(q, to, lane);
    }
  });
  return ReduceMax(largest);
}

template <class F, template <class> class Scaler>
Key quantize_scaled(const Part& w, const IntegerTarget& target, ParameterView<float> factors,
                    const float* zero_points, const Output& out) {
  return is_same_for_all(factors)
             ? quantize_words<F, Scaler, true>(w, target, factors, zero_points, out)
             : quantize_words<F, Scaler, false>(w, target, factors, zero_points, out);
}

template <class F>
Key quantize(const Part& w, const IntegerTarget& target, ParameterView<float> factors,
             const float* zero_points, const Output& out) {
  return target.divides ? quantize_scaled<F, Divided>(w, target, factors, zero_points, out)
                        : quantize_scaled<F, Multiplied>(w, target, factors, zero_points, out);
}

// ---- dequantize_chunk ------------------------------------------------------------------------

// The number of vectors of C that are demoted to one vector of F.
template <class F, class C>
inline constexpr size_t kVectorsPerFloat = kLanes<Integer<F>> / kLanes<C>;

template <class F, class C>
SECATEUR_INLINE Vec<Integer<F>> demoted(Vec<C>* y) {
  if constexpr (sizeof(F) == sizeof(C)) {
    return bits_of(y[0]);
  } else if constexpr (sizeof(C) == sizeof(float)) {
    return DemoteTo<F>(y);
  } else if constexpr (sizeof(F) == sizeof(float)) {
    return bits_of(DemoteTo(y));
  } else {
    Vec<float> halves[kVectorsPerFloat<F, float>];
    for (size_t v = 0; v < kVectorsPerFloat<F, double>; ++v) {
      y[v] = rounded_to<F>(y[v]);
    }
    for (size_t v = 0; v < kVectorsPerFloat<F, float>; ++v) {
      halves[v] = DemoteTo(y + v * kVectorsPerInt<double>);
    }
    return DemoteTo<F>(halves);
  }
}

// kAsFloat, of double only: rounds the sum and the product to float, as computing in float does if
// float represents the integers exactly.
template <class F, class C, bool kAsFloat = false>
void dequantize_chunk(const Part& q, ParameterView<C> offsets, ParameterView<C> factors,
                      const Output& out) {
  using E = Integer<F>;
  const MayStream<E> destination(out);
  map_words<int32_t, Prefetch::no>(q, destination,
                                   [&](const int32_t* from, unsigned char* to, size_t i)
                                       __attribute__((always_inline)) {
    SECATEUR_ROLLED
    for (size_t lane = 0; lane < kWord; lane += kLanes<E>) {
      Vec<C> y[kVectorsPerFloat<F, C>];
      for (size_t v = 0; v < kVectorsPerFloat<F, C>; ++v) {
        const size_t first = lane + v * kLanes<C>;
        const Vec<C> sum = Add(ConvertLoad<C>(from + first), load_parameters(offsets, i + first));
        const Vec<C> factor = load_parameters(factors, i + first);
        if constexpr (kAsFloat) {
          y[v] = rounded_to<float>(Product(rounded_to<float>(sum), factor));
        } else {
          y[v] = Product(sum, factor);
        }
      }
      store(destination.stream, demoted<F, C>(y), reinterpret_cast<E*>(to) + lane);
    }
  });
}

// ---- Parameters of elements ------------------------------------------------------------------

// Computes 2^exponent or 2^-exponent. The sum with a large constant has the biased exponent in its
// lowest bits; a shift moves it to the exponent field.
template <class C>
void powers_of_two(const int32_t* exponents, size_t count, bool inverse, C* to) {
  constexpr int kMantissa = sizeof(C) == sizeof(float) ? 23 : 52;
  constexpr C kBias = sizeof(C) == sizeof(float) ? 127 : 1023;
  const C large = C{1.5} * static_cast<C>(uint64_t{1} << kMantissa) + kBias;
  const Vec<C> offset = Set(large), sign = Set(inverse ? C{-1} : C{1});
  for (size_t i = 0; i < count; i += kLanes<C>) {
    const Vec<C> biased = Add(Product(ConvertLoad<C>(exponents + i), sign), offset);
    StoreU(BitCast<C>(ShiftLeft<kMantissa>(bits_of(biased))), to + i);
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
void fill_runs(const C* values, const SharedRuns& runs, RunPosition& position, size_t count,
               C* to) {
  size_t value = position.value, in_row = position.in_row, in_run = position.in_run;
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
  position = {value, in_row, in_run};
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
    int32_t one;  // copied as bytes, since the array may hold floats
    copy_bytes(&one, x + i, sizeof one);
    within = within && least <= one && one <= most;
  }
  return within;
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
