#include "core/arguments.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <locale>
#include <sstream>
#include <string_view>
#include <vector>

namespace secateur::api {
namespace {
// The length of the longest prefix of UTF-8 text that fits into `max_bytes` bytes and does not
// split a character.
std::size_t utf8_prefix_length(std::string_view text, std::size_t max_bytes) noexcept {
  constexpr std::size_t kMaxContinuationBytes = 3;  // of one character
  if (text.size() <= max_bytes) {
    return text.size();
  }
  for (std::size_t length = max_bytes; length + kMaxContinuationBytes >= max_bytes; --length) {
    const bool is_continuation = (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80;
    if (!is_continuation) {
      return length;
    }
  }
  return max_bytes;  // not UTF-8
}

// std::to_chars does not convert floats on all supported versions of macOS. Streams, unlike printf,
// do not depend on the locale of the program.
template <class T>
std::string shortest_text_of(T number) {
  if (std::isnan(number)) {
    return "nan";
  }
  std::string text;
  for (int digits = 1; digits <= std::numeric_limits<T>::max_digits10; ++digits) {
    std::stringstream stream;
    stream.imbue(std::locale::classic());
    stream.precision(digits);
    stream << number;
    text = stream.str();
    T read = 0;
    stream >> read;
    if (!stream.fail() && read == number) {
      break;
    }
  }
  return text;
}

}  // namespace

sc_status store_error(sc_status status, const char* message) noexcept {
  char (&text)[sizeof ThreadState::last_error] = thread_state_or_null()->last_error;
  const std::size_t length = utf8_prefix_length(message, sizeof text - 1);
  std::memcpy(text, message, length);
  text[length] = '\0';
  return status;
}

void refuse(const char* argument, const std::string& allowed, const std::string& received,
            sc_status status) {
  throw Error(status, std::string(argument) + " must be " + allowed + ", got " + received);
}

std::string name_of(sc_dtype dtype) {
  // Without a default: with SECATEUR_WERROR, the compiler refuses a table that lacks a constant.
  switch (dtype) {
#define SECATEUR_CASE(type, name, constant, ...) \
  case SC_DTYPE_##constant:                      \
    return #name;
#define SECATEUR_PACKED_CASE(name, constant) \
  case SC_DTYPE_##constant:                  \
    return name;
    SECATEUR_FLOATS(SECATEUR_CASE)
    SECATEUR_INTEGERS(SECATEUR_CASE)
    SECATEUR_PACKED(SECATEUR_PACKED_CASE)
#undef SECATEUR_CASE
#undef SECATEUR_PACKED_CASE
  }
  return "sc_dtype " + std::to_string(static_cast<int>(dtype));
}

std::string list_of(const std::vector<std::string>& names) {
  std::string list;
  for (std::size_t i = 0; i < names.size(); ++i) {
    list += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
  }
  return list;
}

std::string dtype_names(bool (*is_allowed)(const DtypeInfo&)) {
  std::vector<std::string> names;
  for (const DtypeInfo& info : kDtypes) {
    if (is_allowed(info)) {
      names.emplace_back(info.name);
    }
  }
  return list_of(names);
}

std::string text_of(float number) { return shortest_text_of(number); }
std::string text_of(double number) { return shortest_text_of(number); }

MemoryRange checked_memory(const char* argument, const void* data, std::size_t n,
                           std::size_t element_bytes, std::size_t alignment) {
  if (n > kMaxElements) {
    refuse(argument, "of at most " + std::to_string(kMaxElements) + " elements", std::to_string(n));
  }
  if (n != 0 && data == nullptr) {
    refuse(argument, "given", "a null pointer");
  }
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  if ((begin & (alignment - 1)) != 0) {
    refuse(argument, "aligned to " + std::to_string(alignment) + " bytes", "another address");
  }
  const std::size_t bytes = n * element_bytes;
  if (begin > std::numeric_limits<std::uintptr_t>::max() - bytes) {
    refuse(argument, "within the address space", "an array that ends beyond it");
  }
  return {argument, data, bytes};
}

MemoryRange checked_floats(const char* argument, const void* data, std::size_t n, sc_dtype dtype) {
  if (!is_float(dtype)) {
    refuse(argument, dtype_names(is_float), name_of(dtype), SC_ERROR_UNSUPPORTED);
  }
  return checked_array(argument, data, n, float_type(dtype).bytes);
}

bool overlap(const MemoryRange& a, const MemoryRange& b) {
  const auto a_begin = reinterpret_cast<std::uintptr_t>(a.data);
  const auto b_begin = reinterpret_cast<std::uintptr_t>(b.data);
  return a.bytes != 0 && b.bytes != 0 && a_begin < b_begin + b.bytes && b_begin < a_begin + a.bytes;
}

void require_no_overlap(std::initializer_list<MemoryRange> outputs,
                        std::initializer_list<MemoryRange> inputs) {
  const auto check_pair = [](const MemoryRange& output, const MemoryRange& other) {
    if (overlap(output, other)) {
      throw Error(SC_ERROR_ARGUMENT, std::string(output.name) + " must not overlap " + other.name);
    }
  };
  for (const MemoryRange* output = outputs.begin(); output != outputs.end(); ++output) {
    for (const MemoryRange& input : inputs) {
      check_pair(*output, input);
    }
    for (const MemoryRange* other = outputs.begin(); other != output; ++other) {
      check_pair(*output, *other);
    }
  }
}

void require_same_or_no_overlap(const MemoryRange& out, const MemoryRange& w) {
  if (out.data != w.data && overlap(out, w)) {
    throw Error(SC_ERROR_ARGUMENT, std::string(out.name) + " must not overlap " + w.name +
                                       ", unless it is " + w.name + " itself");
  }
}

void require_k(std::size_t k, std::size_t min_k, std::size_t n) {
  if (k < min_k || k > n) {
    refuse("k", std::to_string(min_k) + " to " + std::to_string(n), std::to_string(k));
  }
}

void require_flag(const char* argument, std::int32_t flag) {
  if (flag != 0 && flag != 1) {
    refuse(argument, "0 or 1", std::to_string(flag));
  }
}

void require_selection_nan(sc_nan nan) {
  if (nan != SC_NAN_RAISE && nan != SC_NAN_KEEP && nan != SC_NAN_PRUNE) {
    refuse("nan", "raise, keep or prune", std::to_string(static_cast<int>(nan)));
  }
}

Layout checked_layout(const char* argument, const sc_layout* layout, std::size_t n) {
  if (layout == nullptr) {
    return Layout::whole(n);
  }
  checked_optional(argument, layout);
  const auto [length, inner, block, inner_block, shared] = *layout;
  std::size_t outer = 0;  // without elements, lengths may have any value, and products may wrap
  if (n != 0) {
    std::size_t matrix = 0;
    if (__builtin_mul_overflow(length, inner, &matrix) || matrix == 0 || n % matrix != 0) {
      refuse(argument, "one whose length * inner divides n = " + std::to_string(n),
             "length " + std::to_string(length) + " and inner " + std::to_string(inner));
    }
    outer = n / matrix;
  }
  require_flag((std::string(argument) + ".shared").c_str(), shared);
  const auto block_length = [](std::size_t given, std::size_t axis) {
    return given == 0 ? axis : std::min(given, std::max<std::size_t>(axis, 1));
  };
  const Layout checked{
      outer,      length, inner, block_length(block, length), block_length(inner_block, inner),
      shared != 0};
  std::size_t groups = 0;  // of a matrix
  if (n == 0 && checked.shared &&
      (__builtin_mul_overflow(checked.blocks_down(), checked.blocks_across(), &groups) ||
       groups > kMaxElements)) {
    refuse(argument, "one of at most " + std::to_string(kMaxElements) + " groups",
           "length " + std::to_string(length) + " and inner " + std::to_string(inner));
  }
  return checked;
}

}  // namespace secateur::api
