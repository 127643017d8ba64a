// Helpers of every C API function: argument checks, and the conversion of exceptions to a status.
#pragma once

#include <pthread.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <limits>
#include <new>
#include <string>
#include <vector>

#include "core/dtypes.hpp"
#include "core/error.hpp"
#include "core/float_state.hpp"
#include "core/interrupt.hpp"
#include "core/layout.hpp"
#include "core/thread_state.hpp"
#include "secateur/secateur.h"

namespace secateur::api {

// Stores the message for sc_last_error and returns the status. Precondition: the state of this
// thread exists.
sc_status store_error(sc_status status, const char* message) noexcept;

// Runs body() and converts an exception to its status.
template <class F>
sc_status status_of(ThreadState& caller, const F& body) noexcept {
  try {
    const FloatState float_state;  // body() computes counts, thresholds and estimates in double
    const InterruptibleCall call(caller);
    body();
    return SC_OK;
  } catch (const Error& error) {
    return store_error(error.status(), error.what());
  } catch (const std::bad_alloc&) {
    return store_error(SC_ERROR_MEMORY, "out of scratch memory");
  } catch (const std::exception& error) {
    return store_error(SC_ERROR_INTERNAL, error.what());
  } catch (...) {
    return store_error(SC_ERROR_INTERNAL, "an unknown exception");
  }
}

// Runs the body of a C API function. Every C API function that can fail uses it. Thread
// cancellation is disabled during the call: cancellation unwinds the stack, and the process ends if
// a catch (...) stops the unwinding. A pending cancellation of asynchronous type takes effect in
// the last pthread_setcancelstate.
template <class F>
sc_status guarded(const F& body) {
  int cancel_state = PTHREAD_CANCEL_ENABLE;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
  ThreadState* const caller = thread_state_or_null();
  const sc_status status = caller == nullptr ? SC_ERROR_MEMORY : status_of(*caller, body);
  pthread_setcancelstate(cancel_state, nullptr);
  return status;
}

// Throws an Error that says "<argument> must be <allowed>, got <received>".
[[noreturn]] void refuse(const char* argument, const std::string& allowed,
                         const std::string& received, sc_status status = SC_ERROR_ARGUMENT);

std::string name_of(sc_dtype dtype);

// The names as "a, b or c".
std::string list_of(const std::vector<std::string>& names);

// The list of the dtypes that is_allowed accepts.
std::string dtype_names(bool (*is_allowed)(const DtypeInfo&));

// The shortest decimal number that is read as `number`, whatever the locale; "nan" for every NaN.
std::string text_of(float number);
std::string text_of(double number);

// The name of an array argument and the memory range that the array occupies.
struct MemoryRange {
  const char* name = nullptr;
  const void* data = nullptr;
  std::size_t bytes = 0;
};

// The maximum number of elements. It exceeds the memory of any machine. The core stores at most 512
// bytes per element, so no byte count and no rounded-up element count overflows.
inline constexpr std::size_t kMaxElements = std::numeric_limits<std::size_t>::max() / 512;

// Checks an array of n elements. Throws Error if n exceeds kMaxElements, if n is not 0 and `data`
// is null, if `data` is not aligned to `alignment` (a power of two), or if the array ends beyond
// the address space.
MemoryRange checked_memory(const char* argument, const void* data, std::size_t n,
                           std::size_t element_bytes, std::size_t alignment);

// The same for elements that must be aligned to their own size.
inline MemoryRange checked_array(const char* argument, const void* data, std::size_t n,
                                 std::size_t element_bytes) {
  return checked_memory(argument, data, n, element_bytes, element_bytes);
}

template <class T>
MemoryRange checked_array(const char* argument, const T* data, std::size_t n) {
  return checked_memory(argument, data, n, sizeof(T), alignof(T));
}

// The same for a pointer to one struct, which may be null.
template <class T>
MemoryRange checked_optional(const char* argument, const T* data) {
  return checked_array(argument, data, data == nullptr ? 0 : 1);
}

// The same for an array of any floating-point dtype.
MemoryRange checked_floats(const char* argument, const void* data, std::size_t n, sc_dtype dtype);

bool overlap(const MemoryRange& a, const MemoryRange& b);

// Throws Error if an output overlaps an input or another output.
void require_no_overlap(std::initializer_list<MemoryRange> outputs,
                        std::initializer_list<MemoryRange> inputs);

// Throws Error if `out` overlaps `w` and does not begin at the same address. For operations whose
// input and output elements have the same size: they read each element before they overwrite it.
void require_same_or_no_overlap(const MemoryRange& out, const MemoryRange& w);

// Throws Error unless `flag` is 0 or 1.
void require_flag(const char* argument, std::int32_t flag);

// Throws Error unless min_k <= k <= n.
void require_k(std::size_t k, std::size_t min_k, std::size_t n);

// Throws Error unless `nan` is a NaN policy of selection.
void require_selection_nan(sc_nan nan);

// The groups of an array of n elements; the whole array is one group if `layout` is null. Throws
// Error if the layout does not fit n.
Layout checked_layout(const char* argument, const sc_layout* layout, std::size_t n);

}  // namespace secateur::api
