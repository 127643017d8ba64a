// A selection terminates after a bounded number of passes even if its input changes before each
// pass, and returns the right number of elements or an error. Page protection makes the changes
// deterministic: whenever a pass starts to read the first part of the input, a signal handler fills
// the whole input with other values.
#include <secateur/secateur.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string_view>

namespace {

constexpr std::size_t kSize = std::size_t{1} << 18;  // too large for the in-cache algorithm
constexpr std::size_t kParts = 4;
constexpr unsigned kTimeout = 60;  // seconds; a call takes milliseconds

float* input;
std::size_t size, part_size;  // of the input
std::uint32_t state;          // of the generator of fill values
bool is_constant;             // whether the input is filled with equal values
std::size_t fills;            // how often the handler has filled it

void protect(std::size_t part, std::size_t count, int protection) {
  if (mprotect(input + part * part_size, count * part_size * sizeof(float), protection) != 0) {
    _exit(EXIT_FAILURE);
  }
}

std::uint32_t next() { return state = state * 1664525u + 1013904223u; }

// No value is 0, so that zeros in a result are removed elements.
void fill() {
  const auto value = [] { return static_cast<float>((next() >> 8) + 1); };
  if (is_constant) {
    std::fill_n(input, size, value());
  } else {
    std::generate_n(input, size, value);
  }
}

// Makes the accessed part accessible. The part before it stays accessible, since a vector may lie
// in both.
void on_fault(int, siginfo_t* info, void*) {
  const auto* const address = static_cast<const float*>(info->si_addr);
  if (address < input || address >= input + size) {
    _exit(EXIT_FAILURE);
  }
  const std::size_t part = static_cast<std::size_t>(address - input) / part_size;
  protect(0, kParts, PROT_READ | PROT_WRITE);
  if (part == 0) {
    ++fills;
    fill();
  }
  protect(part + 1, kParts - part - 1, PROT_NONE);
  protect(0, part == 0 ? 0 : part - 1, PROT_NONE);
}

[[noreturn]] void fail(const char* name, std::size_t k, const char* what, std::size_t number) {
  std::fprintf(stderr, "%s, %zu elements, k = %zu: %s %zu (%s)\n", name, size, k, what, number,
               sc_last_error());
  std::exit(EXIT_FAILURE);
}

// An operation that keeps k elements of the input, or of each slice of it, and writes to `out`.
struct Operation {
  const char* name;
  bool in_place;
  std::function<sc_status(std::size_t k, float* out)> call;
  std::function<std::size_t(const float* out)> count = nullptr;  // of kept elements; by default,
                                                                 // of elements that are not 0
  std::size_t slice = 0;                                         // its length; 0: the whole array
};

std::size_t count_nonzero(const float* values, std::size_t count) {
  return count - static_cast<std::size_t>(std::count(values, values + count, 0.0f));
}

std::size_t count_bytes(const float* out) {
  const auto* const bools = reinterpret_cast<const std::uint8_t*>(out);
  return static_cast<std::size_t>(std::count(bools, bools + size, std::uint8_t{1}));
}

std::size_t count_bits(const float* out) {
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(out);
  std::size_t count = 0;
  for (std::size_t i = 0; i < size / 8; ++i) {
    count += static_cast<std::size_t>(std::popcount(bytes[i]));
  }
  return count;
}

const sc_format& integers() {
  static const std::int32_t kFracBits = 0;  // no value becomes 0
  static const sc_format format{.kind = SC_FORMAT_KIND_FIXED_POINT,
                                .bits = 32,
                                .is_signed = 1,
                                .layout = nullptr,
                                .frac_bits = &kFracBits,
                                .scale = nullptr,
                                .zero_point = nullptr,
                                .qmin = 0,
                                .qmax = 0,
                                .group_bits = nullptr};
  return format;
}

sc_status prune(std::size_t k, const sc_layout* slices, float* out) {
  return sc_prune(input, SC_DTYPE_FLOAT32, size, k, slices, nullptr, SC_NAN_KEEP, out);
}

const Operation* operations(std::size_t& count) {
  constexpr sc_dtype kType = SC_DTYPE_FLOAT32;
  static const auto values = [] { return sc_scores{SC_SCORING_VALUES, kType, input, 0, 1}; };
  static const auto products = [] { return sc_scores{SC_SCORING_PRODUCTS, kType, input, size, 1}; };
  static float ones[kSize];
  std::fill_n(ones, kSize, 1.0f);
  // Two thirds of the array may be as one, and members may take other numbers than k in all.
  static const auto global = [](std::size_t k, std::size_t least, float* out) {
    const std::size_t half = size / 2;
    const sc_member members[] = {
        {input, kType, half, nullptr, out, nullptr, 0},
        {input + half, kType, half, nullptr, out + half, nullptr, std::min({least, k, half})}};
    return sc_prune_global(members, 2, k, SC_NAN_KEEP);
  };
  static const Operation all[] = {
      {"prune", false, [](std::size_t k, float* out) { return prune(k, nullptr, out); }},
      {"prune in place", true, [](std::size_t k, float*) { return prune(k, nullptr, input); }},
      {"prune by values", false,
       [](std::size_t k, float* out) {
    const sc_scores scores = values();
    return sc_prune(ones, kType, size, k, nullptr, &scores, SC_NAN_KEEP, out);
  }},
      {"prune by products", false,
       [](std::size_t k, float* out) {
    const sc_scores scores = products();
    return sc_prune(ones, kType, size, k, nullptr, &scores, SC_NAN_KEEP, out);
  }},
      {"prune_mask", false,
       [](std::size_t k, float* out) {
    return sc_prune_mask(input, kType, size, k, nullptr, nullptr, SC_NAN_KEEP, out,
                         SC_MASK_FORMAT_BOOLS);
  }, count_bytes},
      {"prune_mask, bits", false,
       [](std::size_t k, float* out) {
    return sc_prune_mask(input, kType, size, k, nullptr, nullptr, SC_NAN_KEEP, out,
                         SC_MASK_FORMAT_BITS_LITTLE);
  }, count_bits},
      {"prune_global", false, [](std::size_t k, float* out) { return global(k, 0, out); }},
      {"prune_global in place", true, [](std::size_t k, float*) { return global(k, 0, input); }},
      {"prune_global, minimum", false,
       [](std::size_t k, float* out) { return global(k, size / 3, out); }},
      {"prune_global, minimum, in place", true,
       [](std::size_t k, float*) { return global(k, size / 3, input); }},
      {"prune_blocks", false,
       [](std::size_t k, float* out) {
    const sc_layout single{size, 1, 1, 1, 0};
    return sc_prune_blocks(input, kType, size, &single, SC_NORM_L1, k, nullptr, nullptr,
                           SC_NAN_KEEP, out);
  }},
      {"prune_quantize", false,
       [](std::size_t k, float* out) {
    return sc_prune_quantize(input, kType, size, k, &integers(), nullptr, out, SC_DTYPE_INT32);
  },
       [](const float* out) {
    const auto* const codes = reinterpret_cast<const std::int32_t*>(out);
    return size - static_cast<std::size_t>(std::count(codes, codes + size, 0));
  }},
      {"topk", false,
       [](std::size_t k, float* out) {
    static std::int64_t indices[kSize];
    std::fill_n(out, kSize, 0.0f);
    const sc_status status =
        sc_topk(input, kType, size, k, nullptr, nullptr, SC_NAN_KEEP, SC_ORDER_INDEX, out, indices);
    // Each index occurs once.
    if (status == SC_OK &&
        std::adjacent_find(indices, indices + k, std::greater_equal()) != indices + k) {
      fail("topk", k, "indices do not ascend", 0);
    }
    return status;
  }},
      {"rows", false,
       [](std::size_t k, float* out) {
    const sc_layout rows{1024, 1, 0, 1, 0};
    return prune(k, &rows, out);
  }, nullptr, 1024},
      {"rows in place", true,
       [](std::size_t k, float*) {
    const sc_layout rows{1024, 1, 0, 1, 0};
    return prune(k, &rows, input);
  }, nullptr, 1024},
      {"short rows", false,
       [](std::size_t k, float* out) {
    const sc_layout rows{64, 1, 0, 1, 0};
    return prune(k, &rows, out);
  }, nullptr, 64},
      {"pattern", false,
       [](std::size_t k, float* out) {
    return sc_prune_pattern(input, kType, size, k, 16, SC_REMAINDER_RAISE, nullptr, nullptr,
                            SC_NAN_KEEP, out);
  }, nullptr, 16},
      {"columns", false,
       [](std::size_t k, float* out) {
    const sc_layout columns{256, size / 256, 0, 1, 0};
    return prune(k, &columns, out);
  },
       [](const float* out) {
    // The number in each column, if it is the same in all.
    const std::size_t width = size / 256;
    std::size_t first = 0;
    for (std::size_t column = 0; column < width; ++column) {
      std::size_t kept = 0;
      for (std::size_t row = 0; row < 256; ++row) {
        kept += out[row * width + column] == 0 ? 0 : 1;
      }
      first = column == 0 ? kept : first;
      if (kept != first) {
        return size;
      }
    }
    return first;
  }, 256},
  };
  count = std::size(all);
  return all;
}

// Makes a call while the input changes, and checks the number of kept elements.
void check(const Operation& operation, std::size_t k, std::uint32_t seed, float* out) {
  alarm(kTimeout);
  protect(0, kParts, PROT_READ | PROT_WRITE);
  state = seed;
  fill();
  fills = 0;
  protect(0, kParts, PROT_NONE);
  const sc_status status = operation.call(k, out);
  protect(0, kParts, PROT_READ | PROT_WRITE);
  if (fills == 0) {
    fail(operation.name, k, "the input has not changed", fills);
  }
  if (status == SC_ERROR_CHANGED) {
    return;
  }
  if (status != SC_OK) {
    fail(operation.name, k, "status", static_cast<std::size_t>(status));
  }
  const float* const result = operation.in_place ? input : out;
  if (operation.count != nullptr || operation.slice == 0) {
    const std::size_t kept =
        operation.count != nullptr ? operation.count(result) : count_nonzero(result, size);
    if (kept != k) {
      fail(operation.name, k, "kept", kept);
    }
    return;
  }
  for (std::size_t i = 0; i < size; i += operation.slice) {
    if (const std::size_t kept = count_nonzero(result + i, operation.slice); kept != k) {
      fail(operation.name, k, "of a slice, kept", kept);
    }
  }
}

}  // namespace

int main() {
  void* const memory = mmap(nullptr, kSize * sizeof(float), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return EXIT_FAILURE;
  }
  input = static_cast<float*>(memory);
  struct sigaction action{};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, nullptr);
  if (sc_set_num_threads(1) != SC_OK) {
    return EXIT_FAILURE;
  }
  static float out[kSize];
  std::size_t count = 0;
  const Operation* const all = operations(count);
  for (const std::size_t elements : {kSize, kSize / 8}) {  // from memory, and in cache
    size = elements;
    part_size = size / kParts;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t length = all[i].slice == 0 ? size : all[i].slice;
      for (std::uint32_t seed = 0; seed < 6; ++seed) {
        is_constant = seed % 2 == 0;
        for (const std::size_t k :
             {std::size_t{0}, std::size_t{1}, length / 3, length - 1, length}) {
          if (k != 0 || std::string_view(all[i].name) != "pattern") {
            check(all[i], k, seed, out);
          }
        }
      }
    }
  }
  return EXIT_SUCCESS;
}
