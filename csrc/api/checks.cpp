#include "api/checks.hpp"

#include <cstdint>
#include <cstdio>
#include <limits>

#include "ops/float_type.hpp"

namespace secateur::api {
namespace {
thread_local char last_error[512] = "";
}

sc_status failed(sc_status status, const char* message) noexcept {
  std::snprintf(last_error, sizeof last_error, "%s", message);
  return status;
}

void refuse(const char* argument, const std::string& allowed, const std::string& came,
            sc_status status) {
  throw Error(status, std::string(argument) + " must be " + allowed + ", got " + came);
}

std::string name_of(sc_dtype dtype) {
  switch (dtype) {
    case SC_FLOAT32:
      return "float32";
    case SC_INT8:
      return "int8";
    case SC_UINT8:
      return "uint8";
    case SC_INT16:
      return "int16";
    case SC_UINT16:
      return "uint16";
    case SC_FLOAT64:
      return "float64";
    case SC_FLOAT16:
      return "float16";
    case SC_BFLOAT16:
      return "bfloat16";
    case SC_INT32:
      return "int32";
    case SC_UINT32:
      return "uint32";
    case SC_PACKED_LOW_FIRST:
      return "packed low first";
    case SC_PACKED_HIGH_FIRST:
      return "packed high first";
    case SC_INT4:
      return "int4";
    case SC_UINT4:
      return "uint4";
    case SC_INT2:
      return "int2";
    case SC_UINT2:
      return "uint2";
  }
  return "sc_dtype " + std::to_string(static_cast<int>(dtype));
}

void require_array(const char* argument, const void* data, std::size_t n, std::size_t bytes_each) {
  if (n > std::numeric_limits<std::size_t>::max() / 16) {
    refuse("n", "a number of elements in memory", std::to_string(n));
  }
  if (n != 0 && data == nullptr) {
    refuse(argument, "an array", "a null pointer");
  }
  if (reinterpret_cast<std::uintptr_t>(data) % bytes_each != 0) {
    refuse(argument, "aligned to its elements of " + std::to_string(bytes_each) + " bytes",
           "another address");
  }
}

void require_floats(const char* argument, const void* data, std::size_t n, sc_dtype dtype) {
  if (dtype != SC_FLOAT32 && dtype != SC_FLOAT64 && dtype != SC_FLOAT16 && dtype != SC_BFLOAT16) {
    refuse(argument, "float16, bfloat16, float32 or float64", name_of(dtype), SC_ERROR_UNSUPPORTED);
  }
  require_array(argument, data, n, float_type(dtype).bytes);
}

void require_apart(const char* argument, const void* out, std::size_t out_bytes, const void* in,
                   std::size_t in_bytes, bool may_be_same) {
  const auto a = reinterpret_cast<std::uintptr_t>(out);
  const auto b = reinterpret_cast<std::uintptr_t>(in);
  const bool overlap = out_bytes != 0 && in_bytes != 0 && a < b + in_bytes && b < a + out_bytes;
  if (overlap && (!may_be_same || a != b)) {
    refuse(argument, may_be_same ? "the input itself or apart from it" : "apart from the input",
           "memory that overlaps it");
  }
}

void require_k(std::size_t k, std::size_t least, std::size_t n) {
  if (k < least || k > n) {
    refuse("k", std::to_string(least) + " to " + std::to_string(n), std::to_string(k));
  }
}

void require_selecting(sc_nan nan) {
  if (nan != SC_NAN_RAISE && nan != SC_NAN_KEEP && nan != SC_NAN_PRUNE) {
    refuse("nan", "raise, keep or prune", std::to_string(static_cast<int>(nan)));
  }
}

void require_mask(const void* mask, std::size_t n, sc_mask_format format) {
  require_array("mask", mask, n, 1);
  if (format != SC_MASK_BOOLS && format != SC_MASK_BITS) {
    refuse("format", "bools or bits", std::to_string(static_cast<int>(format)));
  }
}

Slices require_slices(const sc_slices* slices, std::size_t n) {
  if (slices == nullptr) {
    return {1, n, 1};
  }
  std::size_t each = 0;
  if (__builtin_mul_overflow(slices->length, slices->inner, &each) ||
      (each == 0 ? n != 0 : n % each != 0)) {
    refuse(
        "slices", "of a shape that divides n = " + std::to_string(n),
        "length " + std::to_string(slices->length) + " and inner " + std::to_string(slices->inner));
  }
  return {each == 0 ? 0 : n / each, slices->length, slices->inner};
}

Cells require_cells(const sc_cells* cells, std::size_t n) {
  if (cells == nullptr) {
    return {1, 1, n, 0};
  }
  const sc_slices slices{cells->length, cells->inner};
  const auto [outer, length, inner] = require_slices(&slices, n);
  if (cells->group_size == 0 && length == 1) {
    return {1, 1, n, 0};
  }
  return {outer, length, inner, cells->group_size};
}

Source require_source(const void* w, sc_dtype dtype, std::size_t n, const sc_scores* scores,
                      const char* argument) {
  Source source{w, n, float_type(dtype)};
  if (scores == nullptr) {
    return source;
  }
  const bool values = scores->scoring == SC_SCORE_VALUES;
  if (!values && scores->scoring != SC_SCORE_PRODUCTS) {
    refuse("scoring", "values or products", std::to_string(static_cast<int>(scores->scoring)));
  }
  if (!values && n != 0 && (scores->period == 0 || scores->repeat == 0)) {
    refuse("period and repeat", "at least 1", "0");
  }
  require_floats(argument, scores->data, values ? n : scores->period, scores->dtype);
  if (n == 0 && !values) {
    return source;  // nothing has a factor
  }
  source.scores = {values ? Scores::Kind::values : Scores::Kind::products, scores->data,
                   float_type(scores->dtype), scores->period, scores->repeat};
  return source;
}

void require_apart_from_scores(const char* argument, const void* out, std::size_t out_bytes,
                               const Source& source) {
  if (source.is_made()) {
    require_apart(argument, out, out_bytes, source.scores.data, source.scores_bytes());
  }
}

void write_floats(Source& source, void* out) {
  const Form form = source.ranks_itself() ? Form::floats : others_of(source.type.bytes);
  source.out = {form, out, false, source.w};
}

}  // namespace secateur::api

const char* sc_last_error(void) { return secateur::api::last_error; }
const char* sc_version(void) { return SECATEUR_VERSION; }
