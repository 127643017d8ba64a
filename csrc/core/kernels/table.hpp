// Kernels that several subjects use: conversion between floating-point types, products, sums, the
// largest magnitude, and transposition.
#pragma once

#include "core/kernel_types.hpp"

namespace secateur {

// out[0] receives the result of the first element of the part.
struct ConvertKernels {
  // Exact, except that a signaling NaN may become quiet. to_float32 is null for float64.
  void (*to_float32)(const Part& x, float* out);
  void (*to_float64)(const Part& x, double* out);
};

struct CoreKernels {
  // Orders the streaming stores of this thread before its later stores, as other threads see them.
  void (*fence)();
  ByFloat<ConvertKernels> convert;
  // Multiplies the elements of a part by those of b. b[0] and out[0] correspond to the first
  // element of the part. If both factors are NaN, the product is the NaN of a, made quiet.
  void (*multiply_float32)(Part a, const float* b, float* out);
  void (*multiply_float64)(Part a, const double* b, double* out);
  // Adds the elements of a part and those of b, and rounds once. b[0] and out[0] correspond to the
  // first element of the part; out may be b. A sum that is NaN is the positive NaN with only
  // the quiet bit set.
  ByFloat<void (*)(Part a, const void* b, void* out)> add;
  ByWidth<Key (*)(Part w)> max_magnitude;
  // Transposes a matrix of elements of 1, 2, 4 or 8 bytes, in this order. Strides are in elements.
  void (*transpose[4])(const void* from, size_t from_stride, size_t rows, size_t columns, void* to,
                       size_t to_stride);
};

}  // namespace secateur
