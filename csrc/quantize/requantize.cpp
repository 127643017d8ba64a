#include "quantize/requantize.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "core/blocks.hpp"
#include "core/error.hpp"
#include "quantize/exact_quotient.hpp"
#include "quantize/stages.hpp"

namespace secateur {
namespace {

// ---- What all threads share --------------------------------------------------------------------

// How to convert an array.
struct RequantizePlan {
  Codes q, out;
  std::size_t n;
  const Scheme& from;
  const Scheme& to;
  const sc_quantize_options& options;
  // As for dequantization: steps, and negated zero points.
  StageParameters<double> from_parameters, to_parameters;
  GroupRanges to_ranges;
  BiasRule rounding;
  Overflow overflow;
  std::uint64_t seed;  // hashed

  RequantizePlan(const Codes& q_, std::size_t n_, const Scheme& from_, const Scheme& to_,
                 const sc_quantize_options& options_, const Codes& out_)
      : q(q_),
        out(out_),
        n(n_),
        from(from_),
        to(to_),
        options(options_),
        from_parameters(from_, ParametersFor::dequantize),
        to_parameters(to_, ParametersFor::dequantize),
        to_ranges(to_, options_.overflow),
        rounding(bias_rule_of(options_.rounding)),
        overflow(overflow_of(options_.overflow)),
        seed(hash_seed(options_.seed)) {}

  [[nodiscard]] bool is_stochastic() const { return options.rounding == SC_ROUNDING_STOCHASTIC; }
  [[nodiscard]] bool is_uint64() const { return q.dtype == SC_DTYPE_UINT64; }
};

// The exponent of a double that is a power of two.
int exponent_of(double power) {
  return static_cast<int>(std::bit_cast<std::uint64_t>(power) >> 52) - 1023;
}

// The exponents of the steps of a format that are all powers of two, and normal.
struct Exponents {
  bool are_exact = true;
  int least = std::numeric_limits<int>::max(), most = std::numeric_limits<int>::min();

  explicit Exponents(const StageParameters<double>& parameters) {
    const Parameters<double>& steps = parameters.factors();
    for (const double* step = steps.values(); step != steps.values() + steps.size(); ++step) {
      are_exact = are_exact && *step >= std::numeric_limits<double>::min() &&
                  std::bit_cast<std::uint64_t>(*step) << 12 == 0;
      least = std::min(least, exponent_of(*step));
      most = std::max(most, exponent_of(*step));
    }
  }
};

// ---- Reading and writing -----------------------------------------------------------------------

// Reads codes as integers of type E; those of uint64 as the int64 with the same bits.
template <class E>
class CodeReader {
 public:
  CodeReader(const RequantizePlan& plan, SharedStatus& shared_status)
      : plan_(plan),
        storage_(plan.q, plan.from),
        range_(plan.from, plan.q, shared_status),
        extend_(plan.from, plan.q),
        has_integers_of_e_(dtype_info(plan.q.dtype).bytes() == sizeof(E)) {}

  // At most kChunk codes, valid until the next call.
  Part operator()(std::size_t index, std::size_t count) {
    if (has_integers_of_e_ && !extend_.applies()) {
      range_.check(index, count);
      return {plan_.q.data, index, index + count, plan_.n};
    }
    if (has_integers_of_e_ && sizeof(E) == sizeof(std::int64_t)) {
      std::copy_n(static_cast<const E*>(plan_.q.data) + index, count, widened_);
      extend_(widened_, count);
      return {widened_, 0, count, count};
    }
    const std::int32_t* const q = storage_.load_codes(index, count, plan_.n, &range_);
    if constexpr (sizeof(E) == sizeof(std::int32_t)) {
      return {q, 0, count, count};
    }
    if (is_wide_unsigned(plan_.from)) {
      std::transform(q, q + count, widened_,
                     [](std::int32_t x) { return static_cast<std::uint32_t>(x); });
    } else {
      std::copy_n(q, count, widened_);
    }
    return {widened_, 0, count, count};
  }

 private:
  const RequantizePlan& plan_;
  CodeStorage storage_;
  CodeRange range_;
  CodeExtension extend_;
  bool has_integers_of_e_;
  alignas(kLine) E widened_[sizeof(E) == sizeof(std::int32_t) ? 1 : kChunkCapacity];
};

// The draws of stochastic rounding for consecutive elements.
class Draws {
 public:
  explicit Draws(const RequantizePlan& plan) : plan_(plan) {}

  // Null if the rounding is not stochastic.
  const std::int64_t* operator()(std::size_t index, std::size_t count) {
    if (!plan_.is_stochastic()) {
      return nullptr;
    }
    const std::uint64_t first = index + plan_.options.index_offset;
    const std::uint64_t left = (std::uint64_t{1} << 32) - (first & 0xffffffff);
    const std::size_t of_same_half = std::min<std::uint64_t>(count, left);
    kernels().quantize.draw(plan_.seed, first, of_same_half, draws_);
    kernels().quantize.draw(plan_.seed, first + of_same_half, count - of_same_half,
                            draws_ + of_same_half);
    std::copy_n(draws_, count, widened_);
    // Kernels read whole words. Beyond the last element codes are 0, and 0 must not round up.
    std::fill(widened_ + count, widened_ + round_up_to_words(count), 0);
    return widened_;
  }

 private:
  const RequantizePlan& plan_;
  alignas(kLine) std::int32_t draws_[kChunkCapacity];
  alignas(kLine) std::int64_t widened_[kChunkCapacity];
};

// ---- Steps that are powers of two: shifts ------------------------------------------------------

template <class E>
RescaleRule<E> rescale_rule_of(const RequantizePlan& plan) {
  constexpr std::int64_t kMost = std::numeric_limits<E>::max();
  const std::int64_t least = plan.is_uint64() ? 0 : std::numeric_limits<E>::min();
  const auto mask = [](bool is_set) { return is_set ? E{-1} : E{0}; };
  const BiasRule& bias = plan.rounding;
  return {mask(bias.nearest),
          mask(bias.invert),
          mask(bias.invert_if_negative),
          mask(bias.invert_if_odd),
          static_cast<E>(std::max(lowest_of(plan.to, plan.options.overflow), least)),
          static_cast<E>(std::min(plan.to.highest, kMost)),
          static_cast<E>((std::uint64_t{1} << plan.to.bits) - 1),
          static_cast<E>(plan.to.is_signed ? std::uint64_t{1} << (plan.to.bits - 1) : 0)};
}

template <class E>
Rescale<E> rescale_kernel_of(const RequantizePlan& plan) {
  const RescaleKernels<E>& all = rescale_kernels<E>();
  const auto& by_overflow = plan.is_stochastic()
                                ? (plan.is_uint64() ? all.stochastic_of_unsigned : all.stochastic)
                                : (plan.is_uint64() ? all.of_unsigned : all.with_bias);
  return by_overflow[static_cast<std::size_t>(plan.overflow)];
}

// Converts a chunk by shifting. The steps of both formats are powers of two, and there are no zero
// points.
template <class E>
class ShiftStage {
 public:
  explicit ShiftStage(const RequantizePlan& plan)
      : is_uint64_(plan.is_uint64()),
        from_(plan.from_parameters.factors()),
        to_(plan.to_parameters.factors()),
        rule_(rescale_rule_of<E>(plan)),
        rescale_(rescale_kernel_of<E>(plan)) {}

  // Returns the number of elements out of range, if the overflow rule counts them.
  std::size_t operator()(const Part& q, std::size_t index, const std::int64_t* draws,
                         std::int32_t* to) {
    set_shifts(index, q.end - q.begin);
    return rescale_(kinds_.excess ? without_excess(q) : q, kinds_.left ? left_ : nullptr, right_,
                    draws, rule_, to);
  }

 private:
  void set_shifts(std::size_t index, std::size_t count) {
    const ParameterView<double> from_steps = from_(index, count);
    const ParameterView<double> to_steps = to_(index, count);
    const bool are_same = from_steps.shift >= kSameForRun && to_steps.shift >= kSameForRun;
    const double ratio = *from_steps.values / *to_steps.values;
    if (are_same && ratio == same_ratio_ && count <= same_) {
      return;
    }
    same_ = are_same ? count : 0;
    same_ratio_ = ratio;
    kinds_ = rescale_kernels<E>().set_shifts(from_steps, to_steps, round_up_to_words(count),
                                             {left_, right_, excess_});
  }

  // Shifts by the excess. The lowest bit of the result is set if a bit that is lost was. It has a
  // smaller weight than any bit on which rounding depends.
  Part without_excess(const Part& q) {
    const E* const from = static_cast<const E*>(q.array) + q.begin;
    const std::size_t count = q.end - q.begin;
    for (std::size_t i = 0; i < count; ++i) {
      const auto bits = static_cast<std::make_unsigned_t<E>>(from[i]);
      const E whole = is_uint64_ ? static_cast<E>(bits >> excess_[i]) : from[i] >> excess_[i];
      const bool is_exact = static_cast<std::make_unsigned_t<E>>(whole) << excess_[i] == bits;
      shortened_[i] = whole | (is_exact ? 0 : 1);
    }
    return {shortened_, 0, count, count};
  }

  bool is_uint64_;
  ParameterCursor<double> from_, to_;
  RescaleRule<E> rule_;
  Rescale<E> rescale_;
  // The shifts below are valid for the first `same_` elements if the ratio of steps is
  // `same_ratio_`.
  std::size_t same_ = 0;
  double same_ratio_ = 0;
  ShiftKinds kinds_{};
  alignas(kLine) E left_[kChunkCapacity];
  alignas(kLine) E right_[kChunkCapacity];
  alignas(kLine) E excess_[kChunkCapacity];
  alignas(kLine) E shortened_[kChunkCapacity];
};

// ---- Any steps: quotients ----------------------------------------------------------------------

// Gives the zero points of consecutive elements.
class ZeroPointCursor {
 public:
  ZeroPointCursor(const StageParameters<double>& parameters, const Scheme& scheme)
      : constant_(scheme.zero_points != nullptr && is_wide_unsigned(scheme) ? kWideOffset : 0),
        negated_(parameters.zero_points(), 0) {}
  void seek(std::size_t index, std::size_t count) { view_ = negated_(index, count); }
  std::int64_t operator[](std::size_t i) const {
    return static_cast<std::int64_t>(constant_ - view_.values[view_.index(i)]);
  }

 private:
  double constant_;
  OffsetCursor<double> negated_;
  ParameterView<double> view_{};
};

// Converts a chunk by dividing exactly.
class QuotientStage {
 public:
  explicit QuotientStage(const RequantizePlan& plan)
      : plan_(plan),
        lowest_(lowest_of(plan.to, plan.options.overflow)),
        from_(plan.from_parameters.factors()),
        to_(plan.to_parameters.factors()),
        from_zeros_(plan.from_parameters, plan.from),
        to_zeros_(plan.to_parameters, plan.to) {}

  std::size_t operator()(const Part& codes, std::size_t index, const std::int64_t* draws,
                         std::int32_t* to) {
    const auto* const q = static_cast<const std::int64_t*>(codes.array) + codes.begin;
    const std::size_t count = codes.end - codes.begin;
    const ParameterView<double> from_steps = from_(index, count);
    const ParameterView<double> to_steps = to_(index, count);
    from_zeros_.seek(index, count);
    to_zeros_.seek(index, count);
    std::size_t out_of_range = 0;
    for (std::size_t i = 0; i < count; ++i) {
      ratio_.set(from_steps.values[from_steps.index(i)], to_steps.values[to_steps.index(i)]);
      const std::int64_t difference = q[i] - from_zeros_[i];
      std::int64_t rounded = 0;
      if (draws != nullptr || !ratio_.estimate(as_double(difference), plan_.rounding, rounded)) {
        rounded = ratio_.rounded(magnitude_of(difference), plan_.rounding,
                                 draws == nullptr ? nullptr : draws + i);
      }
      to[i] = in_range(rounded, to_zeros_[i], out_of_range);
    }
    return out_of_range;
  }

 private:
  // Formats of 64 bits have no zero points, so that differences do not overflow. Those of uint64
  // are the int64 with the same bits.
  [[nodiscard]] SignedMagnitude magnitude_of(std::int64_t difference) const {
    const bool is_negative = difference < 0 && !plan_.is_uint64();
    const auto bits = static_cast<std::uint64_t>(difference);
    return {is_negative ? 0 - bits : bits, is_negative};
  }
  [[nodiscard]] double as_double(std::int64_t difference) const {
    return plan_.is_uint64() ? static_cast<double>(static_cast<std::uint64_t>(difference))
                             : static_cast<double>(difference);
  }

  [[nodiscard]] std::int32_t in_range(std::int64_t rounded, std::int64_t zero_point,
                                      std::size_t& out_of_range) const {
    std::int64_t code = rounded + zero_point;
    if (plan_.overflow == Overflow::wrap) {
      return wrapped(code);
    }
    if (plan_.overflow == Overflow::saturate) {
      const std::int64_t highest = plan_.to.highest;
      code = code < lowest_ ? lowest_ : code;  // std::clamp would compile to branches
      code = code > highest ? highest : code;
    } else if (code < plan_.to.lowest || code > plan_.to.highest) {
      code = zero_point;
      ++out_of_range;
    }
    return static_cast<std::int32_t>(code);
  }
  // The integer of the format that is equal modulo 2^bits.
  [[nodiscard]] std::int32_t wrapped(std::int64_t code) const {
    const int unused = 64 - plan_.to.bits;
    const auto upper = static_cast<std::uint64_t>(code) << unused;
    return static_cast<std::int32_t>(plan_.to.is_signed
                                         ? static_cast<std::int64_t>(upper) >> unused
                                         : static_cast<std::int64_t>(upper >> unused));
  }

  const RequantizePlan& plan_;
  std::int64_t lowest_;
  ParameterCursor<double> from_, to_;
  ZeroPointCursor from_zeros_, to_zeros_;
  StepRatio ratio_;
};

// ---- The loop over chunks ----------------------------------------------------------------------

template <class E, class Stage>
class Requantizer {
 public:
  Requantizer(const RequantizePlan& plan, SharedStatus& shared_status, bool stream)
      : plan_(plan),
        shared_status_(shared_status),
        read_(plan, shared_status),
        draws_(plan),
        convert_(plan),
        apply_overflow_(plan.to_ranges),
        storage_(plan.out, plan.to),
        stream_(stream) {}
  ~Requantizer() { shared_status_.add(status_); }
  Requantizer(const Requantizer&) = delete;
  Requantizer& operator=(const Requantizer&) = delete;

  void operator()(std::size_t index, std::size_t count) {
    const Part q = read_(index, count);
    const std::int64_t* const draws = draws_(index, count);
    const std::size_t out_of_range =
        convert_(q, index, draws, codes_) + apply_overflow_(codes_, count, index);
    if (out_of_range != 0) [[unlikely]] {
      status_.out_of_range += out_of_range;
      if (plan_.options.overflow == SC_OVERFLOW_RAISE && index < status_.first) {
        status_.first = first_out_of_range(q, index, draws);
      }
    }
    storage_.store_codes(codes_, count, index, stream_);
  }

 private:
  // The index of the first element out of range. The chunk must have one.
  std::size_t first_out_of_range(const Part& q, std::size_t index, const std::int64_t* draws) {
    alignas(kLine) std::int32_t word[kWord] = {};
    for (std::size_t i = 0;; ++i) {
      const Part one{q.array, q.begin + i, q.begin + i + 1, q.n};
      if (convert_(one, index + i, draws == nullptr ? nullptr : draws + i, word) != 0 ||
          apply_overflow_(word, 1, index + i) != 0) {
        return index + i;
      }
    }
  }

  const RequantizePlan& plan_;
  SharedStatus& shared_status_;
  QuantizeStatus status_;
  CodeReader<E> read_;
  Draws draws_;
  Stage convert_;
  GroupOverflow apply_overflow_;
  CodeStorage storage_;
  bool stream_;
  alignas(kLine) std::int32_t codes_[kChunkCapacity];
};

template <class E, class Stage>
void requantize_array(const RequantizePlan& plan, std::size_t bytes_of_work) {
  const Codes& out = plan.out;
  const bool stream = worth_streaming(plan.q.data, out.data,
                                      plan.q.bytes(plan.n, plan.from) + out.bytes(plan.n, plan.to));
  const std::size_t bits = out.bits_each(plan.to);
  // Blocks of packed codes must not share a byte.
  const Blocks blocks(plan.q.data, plan.n, out.data, bits % 8 != 0 ? 0 : bits,
                      stream ? kLargeBlock : kBlock);
  SharedStatus shared_status;
  struct State {
    Requantizer<E, Stage> requantize;
  };
  share_chunks(blocks, bytes_of_work, Direction::nearest, [&] {
    return State{{plan, shared_status, stream}};
  }, [&](State& state, const Part& part) { state.requantize(part.begin, part.end - part.begin); });
  shared_status.check_codes(plan.q, plan.n, plan.from, "from_fmt");
  shared_status.check_range("q", "to_fmt", plan.options.overflow);
}

// Tuning: bytes of floats that take as long as one element.
constexpr std::size_t kBytesPerShift = 4, kBytesPerQuotient = 16;

// Whether int32 holds all codes, shifted to the left as far as necessary, and kernels for int32
// exist.
bool fits_int32(const RequantizePlan& plan, int most_left, int most_right) {
  const int bits = plan.q.stored_bits(plan.from) + (plan.from.is_signed ? 0 : 1);
  return !plan.is_stochastic() && bits + std::max(most_left, 0) <= 32 && most_right < 32;
}

}  // namespace

void requantize(const Codes& q, std::size_t n, const Scheme& from, const Scheme& to,
                const sc_quantize_options& options, const Codes& out) {
  const RequantizePlan plan(q, n, from, to, options, out);
  const Exponents of_from(plan.from_parameters);
  const Exponents of_to(plan.to_parameters);
  const bool has_zero_points = from.zero_points != nullptr || to.zero_points != nullptr;
  if (has_zero_points || !of_from.are_exact || !of_to.are_exact) {
    requantize_array<std::int64_t, QuotientStage>(plan, n * kBytesPerQuotient);
  } else if (fits_int32(plan, of_from.most - of_to.least, of_to.most - of_from.least)) {
    requantize_array<std::int32_t, ShiftStage<std::int32_t>>(plan, n * kBytesPerShift);
  } else {
    requantize_array<std::int64_t, ShiftStage<std::int64_t>>(plan, n * kBytesPerShift);
  }
}

}  // namespace secateur
