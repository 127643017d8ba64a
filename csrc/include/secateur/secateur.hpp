/* secateur.h for C++20: spans instead of pointers, exceptions instead of statuses. Header only.
 * secateur.h documents each function. If the lengths of the spans of a call do not match, the
 * function throws an error before it reads or writes any element. */
#ifndef SECATEUR_SECATEUR_HPP
#define SECATEUR_SECATEUR_HPP

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "secateur/secateur.h"

namespace secateur {

/* The exception that a failing call throws. what() is sc_last_error(), or names the span of the
 * wrong length. */
class error : public std::runtime_error {
 public:
  explicit error(sc_status status) : error(status, sc_last_error()) {}
  error(sc_status status, const std::string& message)
      : std::runtime_error(message), status_(status) {}
  [[nodiscard]] sc_status status() const noexcept { return status_; }

 private:
  sc_status status_;
};

/* The number of bytes of n packed integers of 1 to 16 bits. With a row_align of 8 or 32, row_length
 * must divide n. */
constexpr std::size_t packed_bytes(std::size_t n, int bits, std::size_t row_length = 0,
                                   int row_align = 0) {
  if (row_align >= 8 && row_length != 0) {
    const std::size_t align = static_cast<std::size_t>(row_align) / 8;
    return n / row_length * ((packed_bytes(row_length, bits) + align - 1) / align * align);
  }
  const auto each = static_cast<std::size_t>(bits);
  return n / 8 * each + (n % 8 * each + 7) / 8;
}

/* The number of bins of a range, at most SC_MAX_BINS; 0 for an empty range. */
constexpr std::size_t count_bins(const sc_key_range& range) {
  if (range.first > range.last) {
    return 0;
  }
  const std::uint64_t width = range.last - range.first;
  return static_cast<std::size_t>(width >> std::bit_width(width / SC_MAX_BINS)) + 1;
}

/* The number of groups of n elements; 0 if the layout does not fit n. */
constexpr std::size_t count_groups(std::size_t n, const sc_layout* layout) {
  if (layout == nullptr) {
    return 1;
  }
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
  const auto& [length, inner, block, inner_block, shared] = *layout;
  std::size_t outer = shared != 0 ? 1 : 0;
  if (n != 0) {
    const bool fits =
        length != 0 && inner != 0 && length <= most / inner && n % (length * inner) == 0;
    outer = !fits ? 0 : shared != 0 ? 1 : n / (length * inner);
  }
  const auto blocks = [](std::size_t axis, std::size_t each) {
    return each == 0 ? 1 : axis / each + (axis % each != 0 ? 1 : 0);
  };
  const std::size_t along = blocks(length, block);
  const std::size_t across = blocks(inner, inner_block);
  return outer == 0 || along == 0 || across > most / along ? 0 : outer * along * across;
}

/* The number of bytes of the bitmask of n elements in rows of row_length. */
constexpr std::size_t bitmask_bytes(std::size_t n, std::size_t row_length) {
  return n == 0 || row_length == 0 ? 0 : n / row_length * ((row_length + 7) / 8);
}

namespace detail {
inline void check(sc_status status) {
  if (status != SC_OK) {
    throw error(status);
  }
}

[[noreturn]] inline void refuse_length(const char* argument, const std::string& allowed,
                                       std::size_t received) {
  throw error(SC_ERROR_ARGUMENT, std::string(argument) + " must have " + allowed +
                                     " elements, got " + std::to_string(received));
}

/* Returns n. Throws if another span of the call does not have n elements: the C functions take a
 * single length. */
inline std::size_t length(std::size_t n, std::size_t other, const char* argument) {
  if (n != other) {
    refuse_length(argument, std::to_string(n), other);
  }
  return n;
}

/* Checks the length of a span that has `each` elements per group. If there are no groups, the C
 * function accesses no element of it, or refuses the layout or `each`. */
inline void require_groups(std::size_t n, const sc_layout* layout, std::size_t each,
                           std::size_t received, const char* argument) {
  const std::size_t groups = count_groups(n, layout);
  if (groups != 0 && each <= (n == 0 ? 1 : n)) {
    length(groups * each, received, argument);
  }
}

/* Checks the length of `packed`. The C function refuses other numbers before it reads or writes
 * packed bytes. */
inline void require_packed(std::span<const std::uint8_t> packed, std::size_t n, int bits,
                           std::size_t row_length, int row_align) {
  if (bits >= 1 && bits <= SC_MAX_PACKED_BITS) {
    length(packed_bytes(n, bits, row_length, row_align), packed.size(), "packed");
  }
}

/* The same for a bitmask. The C function refuses other row lengths. */
inline void require_bitmask(std::size_t bytes, std::size_t n, std::size_t row_length) {
  if (n == 0 || (row_length != 0 && n % row_length == 0)) {
    length(bitmask_bytes(n, row_length), bytes, "bitmask");
  }
}

template <class T>
inline constexpr sc_dtype dtype = std::is_same_v<T, float>           ? SC_DTYPE_FLOAT32
                                  : std::is_same_v<T, double>        ? SC_DTYPE_FLOAT64
                                  : std::is_same_v<T, std::int8_t>   ? SC_DTYPE_INT8
                                  : std::is_same_v<T, std::uint8_t>  ? SC_DTYPE_UINT8
                                  : std::is_same_v<T, std::int16_t>  ? SC_DTYPE_INT16
                                  : std::is_same_v<T, std::uint16_t> ? SC_DTYPE_UINT16
                                  : std::is_same_v<T, std::int32_t>  ? SC_DTYPE_INT32
                                  : std::is_same_v<T, std::uint32_t> ? SC_DTYPE_UINT32
                                  : std::is_same_v<T, std::int64_t>  ? SC_DTYPE_INT64
                                                                     : SC_DTYPE_UINT64;

template <class Q>
concept integer = std::is_same_v<Q, std::int8_t> || std::is_same_v<Q, std::uint8_t> ||
                  std::is_same_v<Q, std::int16_t> || std::is_same_v<Q, std::uint16_t> ||
                  std::is_same_v<Q, std::int32_t> || std::is_same_v<Q, std::uint32_t> ||
                  std::is_same_v<Q, std::int64_t> || std::is_same_v<Q, std::uint64_t>;

/* A vector, an array or a span of integers. */
template <class R>
concept integers = std::ranges::contiguous_range<R> && std::ranges::sized_range<R> &&
                   integer<std::ranges::range_value_t<R>>;

template <class R>
concept packable_integers = integers<R> && sizeof(std::ranges::range_value_t<R>) <= 2;

template <class R>
concept floats = std::ranges::contiguous_range<R> && std::ranges::sized_range<R> &&
                 (std::is_same_v<std::ranges::range_value_t<R>, float> ||
                  std::is_same_v<std::ranges::range_value_t<R>, double>);

template <class R, class W>
concept floats_as =
    floats<R> && std::is_same_v<std::ranges::range_value_t<R>, std::ranges::range_value_t<W>>;

/* What the functions of bitmasks take. */
template <class R>
concept elements = floats<R> || integers<R>;

template <class R, class W>
concept elements_as =
    elements<R> && std::is_same_v<std::ranges::range_value_t<R>, std::ranges::range_value_t<W>>;

template <class R>
inline constexpr sc_dtype dtype_of = dtype<std::ranges::range_value_t<R>>;
}  // namespace detail

/* A null layout means the whole array. Null scores mean that elements rank by |w|.
 *
 * Floating-point arrays have elements of float or double. C++20 has no type for 16-bit floats; use
 * secateur.h for them, and for masks of bits. */

template <detail::floats W>
std::ranges::range_value_t<W> kth_magnitude(const W& w, std::size_t k, sc_nan nan = SC_NAN_RAISE) {
  std::ranges::range_value_t<W> value = 0;
  detail::check(sc_kth_magnitude(std::ranges::data(w), detail::dtype_of<W>, std::ranges::size(w), k,
                                 nullptr, nan, &value));
  return value;
}

/* `values` has one element for each group of the layout. */
template <detail::floats W, detail::floats_as<W> Values>
void kth_magnitude(const W& w, std::size_t k, const sc_layout& layout, Values&& values,
                   sc_nan nan = SC_NAN_RAISE) {
  const std::size_t n = std::ranges::size(w);
  detail::require_groups(n, &layout, 1, std::ranges::size(values), "values");
  detail::check(sc_kth_magnitude(std::ranges::data(w), detail::dtype_of<W>, n, k, &layout, nan,
                                 std::ranges::data(values)));
}

/* `values` and `indices` have k elements for each group of the layout. */
template <detail::floats W, detail::floats_as<W> Values>
void topk(const W& w, std::size_t k, Values&& values, std::span<std::int64_t> indices,
          sc_order order = SC_ORDER_INDEX, sc_nan nan = SC_NAN_RAISE,
          const sc_layout* layout = nullptr, const sc_scores* scores = nullptr) {
  const std::size_t n = std::ranges::size(w);
  detail::require_groups(n, layout, k, std::ranges::size(values), "values");
  detail::require_groups(n, layout, k, indices.size(), "indices");
  detail::check(sc_topk(std::ranges::data(w), detail::dtype_of<W>, n, k, layout, scores, nan, order,
                        std::ranges::data(values), indices.data()));
}

/* `residual` has the length of w; `values` and `indices` have k elements for each group of the
 * layout. */
template <detail::floats W, detail::floats_as<W> Residual, detail::floats_as<W> Values>
void topk_with_residual(const W& w, Residual&& residual, std::size_t k, Values&& values,
                        std::span<std::int64_t> indices, sc_order order = SC_ORDER_INDEX,
                        sc_nan nan = SC_NAN_RAISE, const sc_layout* layout = nullptr) {
  const std::size_t n =
      detail::length(std::ranges::size(w), std::ranges::size(residual), "residual");
  detail::require_groups(n, layout, k, std::ranges::size(values), "values");
  detail::require_groups(n, layout, k, indices.size(), "indices");
  detail::check(sc_topk_with_residual(std::ranges::data(w), std::ranges::data(residual),
                                      detail::dtype_of<W>, n, k, layout, nan, order,
                                      std::ranges::data(values), indices.data()));
}

/* `counts` has at least count_bins(range) elements. */
template <detail::floats W>
void count_magnitudes(const W& w, const sc_key_range& range, std::span<std::uint64_t> counts,
                      sc_key_totals& totals, sc_nan nan = SC_NAN_RAISE) {
  if (counts.size() < count_bins(range)) {
    detail::refuse_length("counts", "at least " + std::to_string(count_bins(range)), counts.size());
  }
  detail::check(sc_count_magnitudes(std::ranges::data(w), detail::dtype_of<W>, std::ranges::size(w),
                                    &range, nan, counts.data(), &totals));
}

template <detail::floats W, detail::floats_as<W> Out>
void prune(const W& w, std::size_t k, Out&& out, sc_nan nan = SC_NAN_RAISE,
           const sc_layout* layout = nullptr, const sc_scores* scores = nullptr) {
  const std::size_t n = detail::length(std::ranges::size(w), std::ranges::size(out), "out");
  detail::check(sc_prune(std::ranges::data(w), detail::dtype_of<W>, n, k, layout, scores, nan,
                         std::ranges::data(out)));
}

template <detail::floats W, detail::floats_as<W> Out>
void prune_threshold(const W& w, double threshold, Out&& out, sc_nan nan = SC_NAN_RAISE,
                     const sc_scores* scores = nullptr) {
  const std::size_t n = detail::length(std::ranges::size(w), std::ranges::size(out), "out");
  detail::check(sc_prune_threshold(std::ranges::data(w), detail::dtype_of<W>, n, threshold, scores,
                                   nan, std::ranges::data(out)));
}

/* The members' pointers are those of secateur.h. */
inline void prune_global(std::span<const sc_member> members, std::size_t k,
                         sc_nan nan = SC_NAN_RAISE) {
  detail::check(sc_prune_global(members.data(), members.size(), k, nan));
}

inline void prune_global_blocks(std::span<const sc_member> members, sc_norm norm, std::size_t k,
                                sc_nan nan = SC_NAN_RAISE) {
  detail::check(sc_prune_global_blocks(members.data(), members.size(), norm, k, nan));
}

template <detail::floats W, detail::floats_as<W> Out>
void prune_pattern(const W& w, std::size_t keep, std::size_t of, const sc_layout& layout, Out&& out,
                   sc_nan nan = SC_NAN_RAISE, const sc_scores* scores = nullptr,
                   sc_remainder remainder = SC_REMAINDER_RAISE) {
  const std::size_t n = detail::length(std::ranges::size(w), std::ranges::size(out), "out");
  detail::check(sc_prune_pattern(std::ranges::data(w), detail::dtype_of<W>, n, keep, of, remainder,
                                 &layout, scores, nan, std::ranges::data(out)));
}

template <detail::floats W>
void prune_mask(const W& w, std::size_t k, std::span<bool> mask, sc_nan nan = SC_NAN_RAISE,
                const sc_layout* layout = nullptr, const sc_scores* scores = nullptr) {
  const std::size_t n = detail::length(std::ranges::size(w), mask.size(), "mask");
  detail::check(sc_prune_mask(std::ranges::data(w), detail::dtype_of<W>, n, k, layout, scores, nan,
                              mask.data(), SC_MASK_FORMAT_BOOLS));
}

template <detail::floats W>
void prune_mask_threshold(const W& w, double threshold, std::span<bool> mask,
                          sc_nan nan = SC_NAN_RAISE, const sc_scores* scores = nullptr) {
  const std::size_t n = detail::length(std::ranges::size(w), mask.size(), "mask");
  detail::check(sc_prune_mask_threshold(std::ranges::data(w), detail::dtype_of<W>, n, threshold,
                                        scores, nan, mask.data(), SC_MASK_FORMAT_BOOLS));
}

/* The members' pointers are those of secateur.h; each `out` is a mask. */
inline void prune_mask_global(std::span<const sc_member> members, std::size_t k,
                              sc_nan nan = SC_NAN_RAISE,
                              sc_mask_format format = SC_MASK_FORMAT_BOOLS) {
  detail::check(sc_prune_mask_global(members.data(), members.size(), k, nan, format));
}

inline void prune_mask_global_blocks(std::span<const sc_member> members, sc_norm norm,
                                     std::size_t k, sc_nan nan = SC_NAN_RAISE,
                                     sc_mask_format format = SC_MASK_FORMAT_BOOLS) {
  detail::check(sc_prune_mask_global_blocks(members.data(), members.size(), norm, k, nan, format));
}

template <detail::floats W>
void prune_mask_pattern(const W& w, std::size_t keep, std::size_t of, const sc_layout& layout,
                        std::span<bool> mask, sc_nan nan = SC_NAN_RAISE,
                        const sc_scores* scores = nullptr,
                        sc_remainder remainder = SC_REMAINDER_RAISE) {
  const std::size_t n = detail::length(std::ranges::size(w), mask.size(), "mask");
  detail::check(sc_prune_mask_pattern(std::ranges::data(w), detail::dtype_of<W>, n, keep, of,
                                      remainder, &layout, scores, nan, mask.data(),
                                      SC_MASK_FORMAT_BOOLS));
}

template <detail::floats W, detail::floats_as<W> Out>
void apply_mask(const W& w, std::span<const bool> mask, Out&& out) {
  const std::size_t n = detail::length(std::ranges::size(w), std::ranges::size(out), "out");
  detail::length(n, mask.size(), "mask");
  detail::check(sc_apply_mask(std::ranges::data(w), detail::dtype_of<W>, n, mask.data(),
                              SC_MASK_FORMAT_BOOLS, std::ranges::data(out)));
}

template <detail::floats W, detail::floats_as<W> Out>
void prune_blocks(const W& w, const sc_layout& layout, sc_norm norm, std::size_t k, Out&& out,
                  sc_nan nan = SC_NAN_RAISE, const sc_layout* slices = nullptr,
                  const sc_scores* scores = nullptr) {
  const std::size_t n = detail::length(std::ranges::size(w), std::ranges::size(out), "out");
  detail::check(sc_prune_blocks(std::ranges::data(w), detail::dtype_of<W>, n, &layout, norm, k,
                                slices, scores, nan, std::ranges::data(out)));
}

template <detail::floats W, detail::floats_as<W> Out>
void prune_blocks_threshold(const W& w, const sc_layout& layout, sc_norm norm, double threshold,
                            Out&& out, sc_nan nan = SC_NAN_RAISE,
                            const sc_scores* scores = nullptr) {
  const std::size_t n = detail::length(std::ranges::size(w), std::ranges::size(out), "out");
  detail::check(sc_prune_blocks_threshold(std::ranges::data(w), detail::dtype_of<W>, n, &layout,
                                          norm, threshold, scores, nan, std::ranges::data(out)));
}

template <detail::floats W>
void prune_mask_blocks(const W& w, const sc_layout& layout, sc_norm norm, std::size_t k,
                       std::span<bool> mask, sc_nan nan = SC_NAN_RAISE,
                       const sc_layout* slices = nullptr, const sc_scores* scores = nullptr) {
  const std::size_t n = detail::length(std::ranges::size(w), mask.size(), "mask");
  detail::check(sc_prune_mask_blocks(std::ranges::data(w), detail::dtype_of<W>, n, &layout, norm, k,
                                     slices, scores, nan, mask.data(), SC_MASK_FORMAT_BOOLS));
}

template <detail::floats W>
void prune_mask_blocks_threshold(const W& w, const sc_layout& layout, sc_norm norm,
                                 double threshold, std::span<bool> mask, sc_nan nan = SC_NAN_RAISE,
                                 const sc_scores* scores = nullptr) {
  const std::size_t n = detail::length(std::ranges::size(w), mask.size(), "mask");
  detail::check(sc_prune_mask_blocks_threshold(std::ranges::data(w), detail::dtype_of<W>, n,
                                               &layout, norm, threshold, scores, nan, mask.data(),
                                               SC_MASK_FORMAT_BOOLS));
}

template <detail::floats W, detail::floats_as<W> Out>
void soft_threshold(const W& w, double threshold, Out&& out) {
  const std::size_t n = detail::length(std::ranges::size(w), std::ranges::size(out), "out");
  detail::check(sc_soft_threshold(std::ranges::data(w), detail::dtype_of<W>, n, threshold,
                                  std::ranges::data(out)));
}

/* A fixed-point format with one parameter for the whole array. It refers to frac_bits, which must
 * exist as long as the format is used. */
inline sc_format fixed_point(int bits, const std::int32_t& frac_bits, bool is_signed = true) {
  return {SC_FORMAT_KIND_FIXED_POINT,
          bits,
          is_signed ? 1 : 0,
          nullptr,
          &frac_bits,
          nullptr,
          nullptr,
          0,
          0,
          nullptr};
}
sc_format fixed_point(int bits, std::int32_t&& frac_bits, bool is_signed = true) = delete;

/* An affine format with one scale for the whole array, and the zero point 0 unless zero_point is
 * given. It refers to its arguments, which must exist as long as the format is used. The scale is a
 * double for arrays of double, else a float. */
template <class T>
sc_format affine(int bits, const T& scale, const std::int32_t* zero_point = nullptr,
                 bool is_signed = true) {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>);
  return {SC_FORMAT_KIND_AFFINE,
          bits,
          is_signed ? 1 : 0,
          nullptr,
          nullptr,
          &scale,
          zero_point,
          0,
          0,
          nullptr};
}
template <class T>
sc_format affine(int bits, const T&& scale, const std::int32_t* zero_point = nullptr,
                 bool is_signed = true) = delete;

/* Quantized integers are unpacked and have the integer type of the format's width. Use secateur.h
 * to quantize to packed integers, or to the 4- and 2-bit dtypes. */

template <detail::floats W, detail::integers Q>
void quantize(const W& w, const sc_format& fmt, Q&& q, const sc_quantize_options& options = {}) {
  const std::size_t n = detail::length(std::ranges::size(w), std::ranges::size(q), "q");
  detail::check(sc_quantize(std::ranges::data(w), detail::dtype_of<W>, n, &fmt, &options,
                            std::ranges::data(q), detail::dtype_of<Q>));
}

template <detail::integers Q, detail::floats Out>
void dequantize(const Q& q, const sc_format& fmt, Out&& out, bool sign_extend = false) {
  const std::size_t n = detail::length(std::ranges::size(q), std::ranges::size(out), "out");
  detail::check(sc_dequantize(std::ranges::data(q), detail::dtype_of<Q>, n, &fmt,
                              sign_extend ? 1 : 0, std::ranges::data(out), detail::dtype_of<Out>));
}

template <detail::integers Q, detail::integers Out>
void requantize(const Q& q, const sc_format& from_fmt, const sc_format& to_fmt, Out&& out,
                const sc_quantize_options& options = {}, bool sign_extend = false) {
  const std::size_t n = detail::length(std::ranges::size(q), std::ranges::size(out), "out");
  detail::check(sc_requantize(std::ranges::data(q), detail::dtype_of<Q>, n, &from_fmt,
                              sign_extend ? 1 : 0, &to_fmt, &options, std::ranges::data(out),
                              detail::dtype_of<Out>));
}

template <detail::floats W, detail::floats_as<W> Out>
void fake_quantize(const W& w, const sc_format& fmt, Out&& out,
                   const sc_quantize_options& options = {}) {
  const std::size_t n = detail::length(std::ranges::size(w), std::ranges::size(out), "out");
  detail::check(sc_fake_quantize(std::ranges::data(w), detail::dtype_of<W>, n, &fmt, &options,
                                 std::ranges::data(out)));
}

template <detail::floats W, detail::integers Q>
void prune_quantize(const W& w, std::size_t k, const sc_format& fmt, Q&& q,
                    const sc_quantize_options& options = {}) {
  const std::size_t n = detail::length(std::ranges::size(w), std::ranges::size(q), "q");
  detail::check(sc_prune_quantize(std::ranges::data(w), detail::dtype_of<W>, n, k, &fmt, &options,
                                  std::ranges::data(q), detail::dtype_of<Q>));
}

/* `packed` has packed_bytes(n, bits, row_length, row_align) bytes. */
template <detail::packable_integers Q>
void pack_ints(const Q& q, int bits, std::span<std::uint8_t> packed,
               sc_bitorder bitorder = SC_BITORDER_LITTLE, std::size_t row_length = 0,
               int row_align = 0) {
  const std::size_t n = std::ranges::size(q);
  detail::require_packed(packed, n, bits, row_length, row_align);
  detail::check(sc_pack_ints(std::ranges::data(q), detail::dtype_of<Q>, n, bits, bitorder,
                             row_length, row_align, packed.data()));
}

template <detail::packable_integers Q>
void unpack_ints(std::span<const std::uint8_t> packed, int bits, Q&& q,
                 sc_bitorder bitorder = SC_BITORDER_LITTLE, std::size_t row_length = 0,
                 int row_align = 0) {
  const std::size_t n = std::ranges::size(q);
  detail::require_packed(packed, n, bits, row_length, row_align);
  detail::check(sc_unpack_ints(packed.data(), n, bits, bitorder, row_length, row_align,
                               std::ranges::data(q), detail::dtype_of<Q>));
}

/* Returns the number of bits that are set, and writes the elements of these bits to `values`, which
 * has room for all of them; as many as w has are always enough. `mask` has a byte for each element
 * of w, or is empty. */
template <detail::elements W, detail::elements_as<W> Values>
std::size_t encode_bitmask(const W& w, std::size_t row_length, std::span<std::uint8_t> bitmask,
                           Values&& values, std::span<const std::uint8_t> mask = {}) {
  const std::size_t n = std::ranges::size(w);
  if (!mask.empty()) {
    detail::length(n, mask.size(), "mask");
  }
  detail::require_bitmask(bitmask.size(), n, row_length);
  std::size_t count = 0;
  detail::check(sc_encode_bitmask(std::ranges::data(w), sizeof(std::ranges::range_value_t<W>), n,
                                  row_length, mask.empty() ? nullptr : mask.data(), bitmask.data(),
                                  std::ranges::data(values), std::ranges::size(values), &count));
  return count;
}

template <detail::elements Values, detail::elements_as<Values> Out>
void decode_bitmask(std::span<const std::uint8_t> bitmask, const Values& values,
                    std::size_t row_length, Out&& out) {
  const std::size_t n = std::ranges::size(out);
  detail::require_bitmask(bitmask.size(), n, row_length);
  detail::check(sc_decode_bitmask(
      bitmask.data(), std::ranges::data(values), std::ranges::size(values),
      sizeof(std::ranges::range_value_t<Values>), n, row_length, std::ranges::data(out)));
}

/* Returns the number of bytes. */
inline std::size_t encode_gaps(std::span<const std::uint8_t> bitmask, std::size_t n,
                               std::size_t row_length, std::span<std::uint8_t> gaps) {
  detail::require_bitmask(bitmask.size(), n, row_length);
  std::size_t count = 0;
  detail::check(sc_encode_gaps(bitmask.data(), n, row_length, gaps.data(), gaps.size(), &count));
  return count;
}

inline void decode_gaps(std::span<const std::uint8_t> gaps, std::size_t n, std::size_t row_length,
                        std::span<std::uint8_t> bitmask) {
  detail::require_bitmask(bitmask.size(), n, row_length);
  detail::check(sc_decode_gaps(gaps.data(), gaps.size(), n, row_length, bitmask.data()));
}

/* The sums over the whole arrays. */
template <detail::floats W, detail::floats Other>
sc_error_sums compare(const W& w, const Other& w_hat, const sc_format* fmt = nullptr,
                      sc_rounding rounding = SC_ROUNDING_NEAREST_EVEN) {
  const std::size_t n = detail::length(std::ranges::size(w), std::ranges::size(w_hat), "w_hat");
  sc_error_sums sums{};
  detail::check(sc_compare(std::ranges::data(w), detail::dtype_of<W>, std::ranges::data(w_hat),
                           detail::dtype_of<Other>, n, nullptr, fmt, rounding, &sums));
  return sums;
}

/* `sums` has one element for each group of the layout. */
template <detail::floats W, detail::floats Other>
void compare(const W& w, const Other& w_hat, const sc_layout& layout, std::span<sc_error_sums> sums,
             const sc_format* fmt = nullptr, sc_rounding rounding = SC_ROUNDING_NEAREST_EVEN) {
  const std::size_t n = detail::length(std::ranges::size(w), std::ranges::size(w_hat), "w_hat");
  detail::require_groups(n, &layout, 1, sums.size(), "sums");
  detail::check(sc_compare(std::ranges::data(w), detail::dtype_of<W>, std::ranges::data(w_hat),
                           detail::dtype_of<Other>, n, &layout, fmt, rounding, sums.data()));
}

/* An optional array of unpacked integers of the dtype of a format, for the functions below. */
class codes_out {
 public:
  codes_out() = default;
  template <detail::integers Q>
  codes_out(Q&& q)  // NOLINT(google-explicit-constructor): implicit, from an array
      : data_(std::ranges::data(q)), size_(std::ranges::size(q)), dtype_(detail::dtype_of<Q>) {}

  [[nodiscard]] void* data() const { return data_; }
  [[nodiscard]] sc_dtype dtype() const { return dtype_; }
  /* Throws unless there is no array, or one of n elements. */
  void require_length(std::size_t n) const {
    if (data_ != nullptr) {
      static_cast<void>(detail::length(n, size_, "q"));
    }
  }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
  sc_dtype dtype_ = SC_DTYPE_INT8;
};

/* The fraction bits for all elements. If q is given, w is quantized to it with the chosen
 * format. */
template <detail::floats W>
std::int32_t choose_format(const W& w, int bits, bool is_signed = true,
                           sc_choice_method method = SC_CHOICE_METHOD_MAX,
                           double percentile = 99.99,
                           sc_rounding rounding = SC_ROUNDING_NEAREST_EVEN,
                           const codes_out& q = {}) {
  q.require_length(std::ranges::size(w));
  std::int32_t frac_bits = 0;
  detail::check(sc_choose_format(std::ranges::data(w), detail::dtype_of<W>, std::ranges::size(w),
                                 nullptr, bits, is_signed, method, percentile, rounding, &frac_bits,
                                 q.data(), q.dtype()));
  return frac_bits;
}

/* `frac_bits` has one element for each group of the layout. */
template <detail::floats W>
void choose_format(const W& w, const sc_layout& layout, int bits, std::span<std::int32_t> frac_bits,
                   bool is_signed = true, sc_choice_method method = SC_CHOICE_METHOD_MAX,
                   double percentile = 99.99, sc_rounding rounding = SC_ROUNDING_NEAREST_EVEN,
                   const codes_out& q = {}) {
  const std::size_t n = std::ranges::size(w);
  q.require_length(n);
  detail::require_groups(n, &layout, 1, frac_bits.size(), "frac_bits");
  detail::check(sc_choose_format(std::ranges::data(w), detail::dtype_of<W>, n, &layout, bits,
                                 is_signed, method, percentile, rounding, frac_bits.data(),
                                 q.data(), q.dtype()));
}

/* The result of choose_affine. T is the type of w. */
template <class T>
struct affine_parameters {
  T scale;
  std::int32_t zero_point;
};

/* The scale and the zero point for all elements. */
template <detail::floats W>
affine_parameters<std::ranges::range_value_t<W>> choose_affine(
    const W& w, int bits = 8, bool is_signed = true, bool is_symmetric = false,
    sc_choice_method method = SC_CHOICE_METHOD_MAX, double percentile = 99.99,
    sc_rounding rounding = SC_ROUNDING_NEAREST_EVEN, const codes_out& q = {}) {
  q.require_length(std::ranges::size(w));
  affine_parameters<std::ranges::range_value_t<W>> chosen{};
  detail::check(sc_choose_affine(std::ranges::data(w), detail::dtype_of<W>, std::ranges::size(w),
                                 nullptr, bits, is_signed, is_symmetric, method, percentile,
                                 rounding, &chosen.scale, &chosen.zero_point, q.data(), q.dtype()));
  return chosen;
}

/* `scale` and `zero_point` have one element for each group of the layout. */
template <detail::floats W>
void choose_affine(const W& w, const sc_layout& layout, int bits,
                   std::span<std::ranges::range_value_t<W>> scale,
                   std::span<std::int32_t> zero_point, bool is_signed = true,
                   bool is_symmetric = false, sc_choice_method method = SC_CHOICE_METHOD_MAX,
                   double percentile = 99.99, sc_rounding rounding = SC_ROUNDING_NEAREST_EVEN,
                   const codes_out& q = {}) {
  const std::size_t n = std::ranges::size(w);
  q.require_length(n);
  detail::require_groups(n, &layout, 1, scale.size(), "scale");
  detail::require_groups(n, &layout, 1, zero_point.size(), "zero_point");
  detail::check(sc_choose_affine(std::ranges::data(w), detail::dtype_of<W>, n, &layout, bits,
                                 is_signed, is_symmetric, method, percentile, rounding,
                                 scale.data(), zero_point.data(), q.data(), q.dtype()));
}

/* Sets the interrupt callback of this thread for its lifetime, and then restores the previous one.
 * An object must be destroyed on the thread that created it, in the reverse order of creation. */
class scoped_interrupt {
 public:
  explicit scoped_interrupt(sc_interrupt check, void* context = nullptr) {
    detail::check(sc_set_thread_interrupt(check, context, &previous_check_, &previous_context_));
  }
  ~scoped_interrupt() {
    /* It does not fail: the state of this thread exists. */
    static_cast<void>(
        sc_set_thread_interrupt(previous_check_, previous_context_, nullptr, nullptr));
  }
  scoped_interrupt(const scoped_interrupt&) = delete;
  scoped_interrupt& operator=(const scoped_interrupt&) = delete;

 private:
  sc_interrupt previous_check_ = nullptr;
  void* previous_context_ = nullptr;
};

}  // namespace secateur

#endif
