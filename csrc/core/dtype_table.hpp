// The table of dtypes. Types, kernel tables, checks, messages and the lists of Python follow from
// it. It consists of macros, so that the files that are compiled once for each ISA can include it.
//
// secateur.h defines the constants SC_DTYPE_*. Builds with SECATEUR_WERROR check that the table has
// all of them (name_of in core/arguments.cpp).
#pragma once

// Calls FLOAT(type, name, constant, exponent_bits, mantissa_bits, has_infinity) for each
// floating-point dtype, in the order of error messages. `type` is the C++ type that kernels use,
// and the suffix of a Dtype constant of the bindings (kFloat16). The bits of the mantissa are those
// that are stored. Dtypes have subnormal numbers and the exponents of IEEE 754. Where they have no
// infinity, only the largest magnitude is NaN.
#define SECATEUR_FLOATS(FLOAT)                    \
  FLOAT(Float16, float16, FLOAT16, 5, 10, true)   \
  FLOAT(BFloat16, bfloat16, BFLOAT16, 8, 7, true) \
  FLOAT(Float32, float32, FLOAT32, 8, 23, true)   \
  FLOAT(Float64, float64, FLOAT64, 11, 52, true)

// Calls INTEGER(type, name, constant, bits, is_signed) for each integer dtype, in the order of
// error messages. `type` is the suffix of a Dtype constant of the bindings (kInt8). Dtypes of fewer
// than 8 bits take one byte for each element.
#define SECATEUR_INTEGERS(INTEGER)           \
  INTEGER(Int8, int8, INT8, 8, true)         \
  INTEGER(UInt8, uint8, UINT8, 8, false)     \
  INTEGER(Int16, int16, INT16, 16, true)     \
  INTEGER(UInt16, uint16, UINT16, 16, false) \
  INTEGER(Int4, int4, INT4, 4, true)         \
  INTEGER(UInt4, uint4, UINT4, 4, false)     \
  INTEGER(Int2, int2, INT2, 2, true)         \
  INTEGER(UInt2, uint2, UINT2, 2, false)     \
  INTEGER(Int32, int32, INT32, 32, true)     \
  INTEGER(UInt32, uint32, UINT32, 32, false) \
  INTEGER(Int64, int64, INT64, 64, true)     \
  INTEGER(UInt64, uint64, UINT64, 64, false)

// Calls PACKED(name, constant) for each bit order of bit-packed integers.
#define SECATEUR_PACKED(PACKED)          \
  PACKED("packed little", PACKED_LITTLE) \
  PACKED("packed big", PACKED_BIG)
