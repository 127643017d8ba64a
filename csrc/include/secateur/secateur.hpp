/* secateur.h for C++20: spans instead of pointers, exceptions instead of statuses. Header only. What
 * each function does is documented there. */
#ifndef SECATEUR_SECATEUR_HPP
#define SECATEUR_SECATEUR_HPP

#include <cstddef>
#include <cstdint>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "secateur/secateur.h"

namespace secateur::cpp {

/* What a call that fails throws; what() is sc_last_error(). */
class error : public std::runtime_error {
 public:
  explicit error(sc_status status) : std::runtime_error(sc_last_error()), status_(status) {}
  [[nodiscard]] sc_status status() const noexcept { return status_; }

 private:
  sc_status status_;
};

namespace detail {
inline void check(sc_status status) {
  if (status != SC_OK) {
    throw error(status);
  }
}

/* The core is told one length: all spans of a call must have it. */
inline std::size_t length(std::size_t n, std::size_t other, const char* argument) {
  if (n != other) {
    throw std::invalid_argument(std::string(argument) + " must have " + std::to_string(n) +
                                " elements, got " + std::to_string(other));
  }
  return n;
}

inline std::size_t elements(const sc_blocks& blocks) {
  return blocks.matrices * blocks.rows * blocks.columns;
}

inline std::size_t packed_bytes(std::size_t n, int bits) {
  return (n * static_cast<std::size_t>(bits) + 7) / 8;
}

template <class T>
inline constexpr sc_dtype dtype = std::is_same_v<T, float>           ? SC_FLOAT32
                                  : std::is_same_v<T, double>        ? SC_FLOAT64
                                  : std::is_same_v<T, std::int8_t>   ? SC_INT8
                                  : std::is_same_v<T, std::uint8_t>  ? SC_UINT8
                                  : std::is_same_v<T, std::int16_t>  ? SC_INT16
                                  : std::is_same_v<T, std::uint16_t> ? SC_UINT16
                                  : std::is_same_v<T, std::int32_t>  ? SC_INT32
                                                                     : SC_UINT32;

template <class Q>
concept integer = std::is_same_v<Q, std::int8_t> || std::is_same_v<Q, std::uint8_t> ||
                  std::is_same_v<Q, std::int16_t> || std::is_same_v<Q, std::uint16_t> ||
                  std::is_same_v<Q, std::int32_t> || std::is_same_v<Q, std::uint32_t>;

/* A vector, an array or a span of integers. */
template <class R>
concept integers = std::ranges::contiguous_range<R> && std::ranges::sized_range<R> &&
                   integer<std::ranges::range_value_t<R>>;

template <class R>
concept byte_integers = integers<R> && sizeof(std::ranges::range_value_t<R>) == 1;

template <class R>
concept floats = std::ranges::contiguous_range<R> && std::ranges::sized_range<R> &&
                 (std::is_same_v<std::ranges::range_value_t<R>, float> ||
                  std::is_same_v<std::ranges::range_value_t<R>, double>);

template <class R, class W>
concept floats_as =
    floats<R> && std::is_same_v<std::ranges::range_value_t<R>, std::ranges::range_value_t<W>>;

template <class R>
inline constexpr sc_dtype dtype_of = dtype<std::ranges::range_value_t<R>>;
}  // namespace detail

/* Floats are floats or doubles; 16-bit floats, for which C++20 has no type, are for secateur.h. */

template <detail::floats W>
std::ranges::range_value_t<W> kth_magnitude(const W& w, std::size_t k, sc_nan nan = SC_NAN_RAISE) {
  std::ranges::range_value_t<W> value = 0;
  detail::check(sc_kth_magnitude(std::ranges::data(w), detail::dtype_of<W>, std::ranges::size(w), k,
                                 nullptr, nan, &value));
  return value;
}

template <detail::floats W>
void topk_mask(const W& w, std::size_t k, std::span<bool> mask, sc_nan nan = SC_NAN_RAISE) {
  const std::size_t n = detail::length(std::ranges::size(w), mask.size(), "mask");
  detail::check(sc_topk_mask(std::ranges::data(w), detail::dtype_of<W>, n, k, nullptr, nullptr, nan,
                             mask.data(), SC_MASK_BOOLS));
}

/* `counts` must have one for each bin of the range; SC_MAX_BINS are enough for all. */
template <detail::floats W>
void count_magnitudes(const W& w, const sc_key_range& range, std::span<std::uint64_t> counts,
                      sc_tally& tally, sc_nan nan = SC_NAN_RAISE) {
  detail::check(sc_count_magnitudes(std::ranges::data(w), detail::dtype_of<W>, std::ranges::size(w),
                                    &range, nan, counts.data(), &tally));
}

template <detail::floats W, detail::floats_as<W> Out>
void prune(const W& w, std::size_t k, Out&& out, sc_nan nan = SC_NAN_RAISE) {
  const std::size_t n = detail::length(std::ranges::size(w), std::ranges::size(out), "out");
  detail::check(sc_prune(std::ranges::data(w), detail::dtype_of<W>, n, k, nullptr, nullptr, nan,
                         std::ranges::data(out)));
}

template <detail::floats W, detail::floats_as<W> Out>
void prune_threshold(const W& w, double threshold, Out&& out, sc_nan nan = SC_NAN_RAISE) {
  const std::size_t n = detail::length(std::ranges::size(w), std::ranges::size(out), "out");
  detail::check(sc_prune_threshold(std::ranges::data(w), detail::dtype_of<W>, n, threshold, nullptr,
                                   nan, std::ranges::data(out)));
}

template <detail::floats W, detail::floats_as<W> Out>
void prune_pattern(const W& w, std::size_t keep, std::size_t of, const sc_slices& slices, Out&& out,
                   sc_nan nan = SC_NAN_RAISE) {
  const std::size_t n = detail::length(std::ranges::size(w), std::ranges::size(out), "out");
  detail::check(sc_prune_pattern(std::ranges::data(w), detail::dtype_of<W>, n, keep, of, &slices,
                                 nullptr, nan, std::ranges::data(out)));
}

template <detail::floats W, detail::floats_as<W> Out>
void apply_mask(const W& w, std::span<const bool> mask, Out&& out) {
  const std::size_t n = detail::length(std::ranges::size(w), std::ranges::size(out), "out");
  detail::length(n, mask.size(), "mask");
  detail::check(sc_apply_mask(std::ranges::data(w), detail::dtype_of<W>, n, mask.data(),
                              SC_MASK_BOOLS, std::ranges::data(out)));
}

template <detail::floats W, detail::floats_as<W> Out>
void prune_blocks(const W& w, const sc_blocks& blocks, std::size_t k, Out&& out,
                  sc_nan nan = SC_NAN_RAISE) {
  const std::size_t n = detail::length(detail::elements(blocks), std::ranges::size(w), "w");
  detail::length(n, std::ranges::size(out), "out");
  detail::check(sc_prune_blocks(std::ranges::data(w), detail::dtype_of<W>, &blocks, k, nan,
                                std::ranges::data(out)));
}

template <detail::floats W, detail::floats_as<W> Out>
void prune_blocks_threshold(const W& w, const sc_blocks& blocks, double threshold, Out&& out,
                            sc_nan nan = SC_NAN_RAISE) {
  const std::size_t n = detail::length(detail::elements(blocks), std::ranges::size(w), "w");
  detail::length(n, std::ranges::size(out), "out");
  detail::check(sc_prune_blocks_threshold(std::ranges::data(w), detail::dtype_of<W>, &blocks,
                                          threshold, nan, std::ranges::data(out)));
}

template <detail::floats W, detail::floats_as<W> Out>
void soft_threshold(const W& w, double threshold, Out&& out) {
  const std::size_t n = detail::length(std::ranges::size(w), std::ranges::size(out), "out");
  detail::check(sc_soft_threshold(std::ranges::data(w), detail::dtype_of<W>, n, threshold,
                                  std::ranges::data(out)));
}

/* Integers are one by one, in the type that holds those of the format; what is packed or narrower than a
 * byte in the same pass is for secateur.h. */

template <detail::floats W, detail::integers Q>
void quantize(const W& w, const sc_fixed_point& fmt, Q&& q,
              const sc_quantize_options& options = {}) {
  const std::size_t n = detail::length(std::ranges::size(w), std::ranges::size(q), "q");
  detail::check(sc_quantize(std::ranges::data(w), detail::dtype_of<W>, n, &fmt, &options,
                            std::ranges::data(q), detail::dtype_of<Q>));
}

template <detail::integers Q, detail::floats Out>
void dequantize(const Q& q, const sc_fixed_point& fmt, Out&& out) {
  const std::size_t n = detail::length(std::ranges::size(q), std::ranges::size(out), "out");
  detail::check(sc_dequantize(std::ranges::data(q), detail::dtype_of<Q>, n, &fmt,
                              std::ranges::data(out), detail::dtype_of<Out>));
}

template <detail::floats W, detail::floats_as<W> Out>
void fake_quantize(const W& w, const sc_fixed_point& fmt, Out&& out,
                   const sc_quantize_options& options = {}) {
  const std::size_t n = detail::length(std::ranges::size(w), std::ranges::size(out), "out");
  detail::check(sc_fake_quantize(std::ranges::data(w), detail::dtype_of<W>, n, &fmt, &options,
                                 std::ranges::data(out)));
}

template <detail::floats W, detail::integers Q>
void prune_quantize(const W& w, std::size_t k, const sc_fixed_point& fmt, Q&& q,
                    const sc_quantize_options& options = {}) {
  const std::size_t n = detail::length(std::ranges::size(w), std::ranges::size(q), "q");
  detail::check(sc_prune_quantize(std::ranges::data(w), detail::dtype_of<W>, n, k, &fmt, &options,
                                  std::ranges::data(q), detail::dtype_of<Q>));
}

/* The scales of `fmt` are of the type of the floats. */
template <detail::floats W, detail::integers Q>
void quantize_affine(const W& w, const sc_affine& fmt, Q&& q, sc_nan nan = SC_NAN_RAISE) {
  const std::size_t n = detail::length(std::ranges::size(w), std::ranges::size(q), "q");
  detail::check(sc_quantize_affine(std::ranges::data(w), detail::dtype_of<W>, n, &fmt, nan,
                                   std::ranges::data(q), detail::dtype_of<Q>));
}

template <detail::integers Q, detail::floats Out>
void dequantize_affine(const Q& q, const sc_affine& fmt, Out&& out) {
  const std::size_t n = detail::length(std::ranges::size(q), std::ranges::size(out), "out");
  detail::check(sc_dequantize_affine(std::ranges::data(q), detail::dtype_of<Q>, n, &fmt,
                                     std::ranges::data(out), detail::dtype_of<Out>));
}

/* `packed` must have the bytes that so many integers take: (n * bits + 7) / 8. */
template <detail::byte_integers Q>
void pack_ints(const Q& q, int bits, std::span<std::uint8_t> packed,
               sc_bit_order order = SC_LOW_FIRST) {
  const std::size_t n = std::ranges::size(q);
  detail::length(detail::packed_bytes(n, bits), packed.size(), "packed");
  detail::check(
      sc_pack_ints(std::ranges::data(q), detail::dtype_of<Q>, n, bits, order, packed.data()));
}

template <detail::byte_integers Q>
void unpack_ints(std::span<const std::uint8_t> packed, int bits, Q&& q,
                 sc_bit_order order = SC_LOW_FIRST) {
  const std::size_t n = std::ranges::size(q);
  detail::length(detail::packed_bytes(n, bits), packed.size(), "packed");
  detail::check(
      sc_unpack_ints(packed.data(), n, bits, order, std::ranges::data(q), detail::dtype_of<Q>));
}

/* Of the whole arrays; of cells, sc_compare tells. */
template <detail::floats W, detail::floats Other>
sc_error_sums compare(const W& w, const Other& w_hat, const sc_fixed_point* fmt = nullptr) {
  const std::size_t n = detail::length(std::ranges::size(w), std::ranges::size(w_hat), "w_hat");
  sc_error_sums sums{};
  detail::check(sc_compare(std::ranges::data(w), detail::dtype_of<W>, std::ranges::data(w_hat),
                           detail::dtype_of<Other>, n, nullptr, fmt, nullptr, &sums));
  return sums;
}

struct limits {
  double lowest, highest;
};

template <detail::floats W>
limits find_range(const W& w) {
  limits range{};
  detail::check(sc_find_ranges(std::ranges::data(w), detail::dtype_of<W>, std::ranges::size(w),
                               nullptr, &range.lowest, &range.highest));
  return range;
}

template <detail::floats W>
sc_rounding_sums sum_rounding_errors(const W& w, const sc_grid& grid, double ratio = 2) {
  sc_rounding_sums sums{};
  detail::check(sc_sum_rounding_errors(std::ranges::data(w), detail::dtype_of<W>,
                                       std::ranges::size(w), nullptr, &grid, ratio, &sums));
  return sums;
}

}  // namespace secateur::cpp

#endif
