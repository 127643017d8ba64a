// Operations on the bits of floats.
#pragma once

#include "core/kernels/float_types.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

template <class T>
SECATEUR_INLINE Vec<Integer<T>> bits_of(Vec<T> x) {
  return BitCast<Integer<T>>(x);
}
template <class T>
SECATEUR_INLINE Vec<T> magnitude(Vec<T> x) {
  return BitCast<T>(And(bits_of(x), Set(kMagnitudeMask<Integer<T>>)));
}
template <class T>
SECATEUR_INLINE Vec<T> sign_from(Vec<T> x, Vec<T> magnitude) {
  const auto sign = static_cast<Integer<T>>(~kMagnitudeMask<Integer<T>>);
  return BitCast<T>(Xor(And(bits_of(x), Set(sign)), bits_of(magnitude)));
}
template <class T>
SECATEUR_INLINE Vec<T> only_where(Mask<Integer<T>> m, Vec<T> x) {
  return BitCast<T>(IfThenElseZero(m, bits_of(x)));
}

}  // namespace
}  // namespace secateur::SECATEUR_TARGET
