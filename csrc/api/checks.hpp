// What every function of the C API does with its arguments: refuse those that the core cannot take, and turn
// whatever goes wrong into a status.
#pragma once

#include <cstddef>
#include <exception>
#include <new>
#include <string>

#include "kernels/float_state.hpp"
#include "ops/cells.hpp"
#include "ops/slices.hpp"
#include "ops/source.hpp"
#include "runtime/error.hpp"
#include "secateur/secateur.h"

namespace secateur::api {

// Keeps the message for sc_last_error.
sc_status failed(sc_status status, const char* message) noexcept;

template <class F>
sc_status guarded(const F& body) noexcept {
  try {
    const FloatState float_state;  // counts, thresholds and estimates are sums in double
    body();
    return SC_OK;
  } catch (const Error& error) {
    return failed(error.status(), error.what());
  } catch (const std::bad_alloc&) {
    return failed(SC_ERROR_MEMORY, "out of scratch memory");
  } catch (const std::exception& error) {
    return failed(SC_ERROR_INTERNAL, error.what());
  } catch (...) {
    return failed(SC_ERROR_INTERNAL, "an unknown exception");
  }
}

[[noreturn]] void refuse(const char* argument, const std::string& allowed, const std::string& came,
                         sc_status status = SC_ERROR_ARGUMENT);

std::string name_of(sc_dtype dtype);

void require_array(const char* argument, const void* data, std::size_t n, std::size_t bytes_each);

// Any type of float.
void require_floats(const char* argument, const void* data, std::size_t n, sc_dtype dtype);

// `out` may be `w` only where elements are of the same size, so that each is read before its place
// is written.
void require_apart(const char* argument, const void* out, std::size_t out_bytes, const void* in,
                   std::size_t in_bytes, bool may_be_same = false);

void require_k(std::size_t k, std::size_t least, std::size_t n);

void require_selecting(sc_nan nan);

// A mask of n elements, to be read or written beside floats.
void require_mask(const void* mask, std::size_t n, sc_mask_format format);

Cells require_cells(const sc_cells* cells, std::size_t n);

Slices require_slices(const sc_slices* slices, std::size_t n);

// The source that these arguments of a function make. `argument` names the scores.
Source require_source(const void* w, sc_dtype dtype, std::size_t n, const sc_scores* scores,
                      const char* argument = "scores");

// What is written must not change what ranks it.
void require_apart_from_scores(const char* argument, const void* out, std::size_t out_bytes,
                               const Source& source);

// Gives a source the form that its floats are written as, and its place.
void write_floats(Source& source, void* out);

}  // namespace secateur::api
