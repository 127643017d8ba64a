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

template <class T>
inline constexpr sc_dtype dtype = std::is_same_v<T, float>          ? SC_FLOAT32
                                  : std::is_same_v<T, std::int8_t>  ? SC_INT8
                                  : std::is_same_v<T, std::uint8_t> ? SC_UINT8
                                  : std::is_same_v<T, std::int16_t> ? SC_INT16
                                                                    : SC_UINT16;

template <class Q>
concept integer = std::is_same_v<Q, std::int8_t> || std::is_same_v<Q, std::uint8_t> ||
                  std::is_same_v<Q, std::int16_t> || std::is_same_v<Q, std::uint16_t>;

/* A vector, an array or a span of integers. */
template <class R>
concept integers = std::ranges::contiguous_range<R> && std::ranges::sized_range<R> &&
                   integer<std::ranges::range_value_t<R>>;

template <class R>
inline constexpr sc_dtype dtype_of = dtype<std::ranges::range_value_t<R>>;
}  // namespace detail

inline float kth_magnitude(std::span<const float> w, std::size_t k, sc_nan nan = SC_NAN_RAISE) {
  float value = 0;
  detail::check(sc_kth_magnitude(w.data(), SC_FLOAT32, w.size(), k, nan, &value));
  return value;
}

inline void topk_mask(std::span<const float> w, std::size_t k, std::span<bool> mask,
                      sc_nan nan = SC_NAN_RAISE) {
  const std::size_t n = detail::length(w.size(), mask.size(), "mask");
  detail::check(sc_topk_mask(w.data(), SC_FLOAT32, n, k, nan, mask.data(), SC_MASK_BOOLS));
}

inline void prune(std::span<const float> w, std::size_t k, std::span<float> out,
                  sc_nan nan = SC_NAN_RAISE) {
  const std::size_t n = detail::length(w.size(), out.size(), "out");
  detail::check(sc_prune(w.data(), SC_FLOAT32, n, k, nan, out.data()));
}

inline void prune_threshold(std::span<const float> w, double threshold, std::span<float> out,
                            sc_nan nan = SC_NAN_RAISE) {
  const std::size_t n = detail::length(w.size(), out.size(), "out");
  detail::check(sc_prune_threshold(w.data(), SC_FLOAT32, n, threshold, nan, out.data()));
}

inline void apply_mask(std::span<const float> w, std::span<const bool> mask, std::span<float> out) {
  const std::size_t n = detail::length(w.size(), out.size(), "out");
  detail::length(n, mask.size(), "mask");
  detail::check(sc_apply_mask(w.data(), SC_FLOAT32, n, mask.data(), SC_MASK_BOOLS, out.data()));
}

template <detail::integers Q>
void quantize(std::span<const float> w, const sc_fixed_point& fmt, Q&& q,
              const sc_quantize_options& options = {}) {
  const std::size_t n = detail::length(w.size(), std::ranges::size(q), "q");
  detail::check(sc_quantize(w.data(), SC_FLOAT32, n, &fmt, &options, std::ranges::data(q),
                            detail::dtype_of<Q>));
}

template <detail::integers Q>
void dequantize(const Q& q, const sc_fixed_point& fmt, std::span<float> out) {
  const std::size_t n = detail::length(std::ranges::size(q), out.size(), "out");
  detail::check(
      sc_dequantize(std::ranges::data(q), detail::dtype_of<Q>, n, &fmt, out.data(), SC_FLOAT32));
}

inline void fake_quantize(std::span<const float> w, const sc_fixed_point& fmt, std::span<float> out,
                          const sc_quantize_options& options = {}) {
  const std::size_t n = detail::length(w.size(), out.size(), "out");
  detail::check(sc_fake_quantize(w.data(), SC_FLOAT32, n, &fmt, &options, out.data()));
}

template <detail::integers Q>
void prune_quantize(std::span<const float> w, std::size_t k, const sc_fixed_point& fmt, Q&& q,
                    const sc_quantize_options& options = {}) {
  const std::size_t n = detail::length(w.size(), std::ranges::size(q), "q");
  detail::check(sc_prune_quantize(w.data(), SC_FLOAT32, n, k, &fmt, &options, std::ranges::data(q),
                                  detail::dtype_of<Q>));
}

}  // namespace secateur::cpp

#endif
