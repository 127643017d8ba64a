// Interrupts a call each time that it runs the callback. Either the call fails and leaves an array
// that it was to change in place unmodified, or it stops running the callback and completes its
// work.
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "core/interrupt.hpp"
#include "require.hpp"
#include "secateur/secateur.h"

namespace {

constexpr std::size_t kRows = 640;
constexpr std::size_t kColumns = 480;
// Too large for the in-cache algorithm, and large enough for two threads.
constexpr std::size_t kSize = kRows * kColumns;

bool rounds_to_nearest() {
  const volatile double one = 1;
  const volatile double tiny = 0x1p-60;
  return one - tiny == one && one + tiny == one;
}

// A callback that interrupts the call when it runs for the interrupt_at-th time, counted from 0.
struct Callback {
  std::size_t interrupt_at = SIZE_MAX;
  std::size_t runs = 0;
  std::function<void()> act = [] {};
  pthread_t caller = pthread_self();

  static int run(void* context) {
    auto& callback = *static_cast<Callback*>(context);
    require(pthread_equal(pthread_self(), callback.caller) != 0, "it runs on the calling thread");
    require(rounds_to_nearest(), "it runs in the default floating-point environment");
    callback.act();
    return callback.runs++ == callback.interrupt_at ? 1 : 0;
  }
};

std::vector<float> make_weights() {
  std::vector<float> w(kSize);
  std::uint32_t state = 1;
  for (float& x : w) {
    state = state * 1664525u + 1013904223u;
    x = static_cast<float>(static_cast<std::int32_t>(state)) / 1073741824.0f;
  }
  return w;
}

const std::vector<float> weights = make_weights();
constexpr std::int32_t kFracBits = 5;
constexpr sc_format kFormat{
    SC_FORMAT_KIND_FIXED_POINT, 8, 1, nullptr, &kFracBits, nullptr, nullptr, 0, 0, nullptr};
constexpr float kScale = 0.03f;
constexpr std::int32_t kZeroPoint = 5;
constexpr sc_format kAffine{SC_FORMAT_KIND_AFFINE, 8, 1, nullptr, nullptr, &kScale,
                            &kZeroPoint,           0, 0, nullptr};

// The arrays that a call reads and writes.
struct Arrays {
  std::vector<float> w = weights;
  std::vector<std::uint8_t> bytes = std::vector<std::uint8_t>(kSize * sizeof(double));

  [[nodiscard]] void* out() { return bytes.data(); }
  bool operator==(const Arrays&) const = default;
};

struct Operation {
  const char* name;
  std::function<sc_status(Arrays& arrays)> call;
};

sc_status prune_rows(Arrays& a, std::size_t length, std::size_t inner, const sc_scores* scores) {
  const sc_layout slices{length, inner, 0, 1, 0};
  return sc_prune(a.w.data(), SC_DTYPE_FLOAT32, kSize, length / 3, &slices, scores, SC_NAN_RAISE,
                  a.w.data());
}

const sc_scores kScores{SC_SCORING_PRODUCTS, SC_DTYPE_FLOAT32, weights.data(), 1000, 7};
const sc_layout kBlocksOf4By4{kRows, kColumns, 4, 4, 0};
const sc_quantize_options kStochastic{SC_ROUNDING_STOCHASTIC, SC_OVERFLOW_SATURATE, SC_NAN_RAISE, 1,
                                      0};
const sc_quantize_options kFloor{SC_ROUNDING_FLOOR, SC_OVERFLOW_SATURATE_ZERO, SC_NAN_RAISE, 0, 0};

const sc_layout kByColumn{kColumns, 1, 1, 0, 1};

sc_status choose_affine_of_columns(Arrays& a, sc_choice_method method) {
  auto* const scale = static_cast<float*>(a.out());
  return sc_choose_affine(a.w.data(), SC_DTYPE_FLOAT32, kSize, &kByColumn, 4, 1, 0, method, 90,
                          SC_ROUNDING_NEAREST_EVEN, scale,
                          reinterpret_cast<std::int32_t*>(scale + kColumns), nullptr,
                          SC_DTYPE_INT8);
}

sc_status topk_with_residual(Arrays& a, std::size_t k, const sc_layout* slices) {
  static std::vector<float> values(kSize);
  static std::vector<std::int64_t> indices(kSize);
  return sc_topk_with_residual(weights.data(), a.w.data(), SC_DTYPE_FLOAT32, kSize, k, slices,
                               SC_NAN_RAISE, SC_ORDER_RANK, values.data(), indices.data());
}

const Operation kInPlace[] = {
    {"topk with a residual", [](Arrays& a) { return topk_with_residual(a, kSize / 3, nullptr); }},
    {"few of topk with a residual",
     [](Arrays& a) { return topk_with_residual(a, kSize / 1000, nullptr); }},
    {"topk of rows with a residual",
     [](Arrays& a) {
  const sc_layout rows{kColumns, 1, 0, 1, 0};
  return topk_with_residual(a, 2, &rows);
}},
    {"prune",
     [](Arrays& a) {
  return sc_prune(a.w.data(), SC_DTYPE_FLOAT32, kSize, kSize / 3, nullptr, nullptr, SC_NAN_RAISE,
                  a.w.data());
}},
    {"prune by scores",
     [](Arrays& a) {
  return sc_prune(a.w.data(), SC_DTYPE_FLOAT32, kSize, kSize / 3, nullptr, &kScores, SC_NAN_KEEP,
                  a.w.data());
}},
    {"prune by threshold",
     [](Arrays& a) {
  return sc_prune_threshold(a.w.data(), SC_DTYPE_FLOAT32, kSize, 0.7, nullptr, SC_NAN_RAISE,
                            a.w.data());
}},
    {"prune several",
     [](Arrays& a) {
  float* const w = a.w.data();
  const sc_member members[] = {
      {w, SC_DTYPE_FLOAT32, 1000, nullptr, w, nullptr, 0},
      {w + 1000, SC_DTYPE_FLOAT32, kSize - 1000, nullptr, w + 1000, nullptr, 0}};
  return sc_prune_global(members, 2, kSize / 3, SC_NAN_RAISE);
}},
    {"prune several, a minimum of each",
     [](Arrays& a) {
  float* const w = a.w.data();
  const sc_member members[] = {
      {w, SC_DTYPE_FLOAT32, kSize / 2, nullptr, w, nullptr, kSize / 6 + 1},
      {w + kSize / 2, SC_DTYPE_FLOAT32, kSize / 2, nullptr, w + kSize / 2, nullptr, kSize / 8}};
  return sc_prune_global(members, 2, kSize / 3, SC_NAN_RAISE);
}},
    {"prune short rows", [](Arrays& a) { return prune_rows(a, kColumns, 1, nullptr); }},
    {"prune rows by scores", [](Arrays& a) { return prune_rows(a, kColumns, 1, &kScores); }},
    {"prune long rows", [](Arrays& a) { return prune_rows(a, kSize / 2, 1, nullptr); }},
    {"prune columns", [](Arrays& a) { return prune_rows(a, kRows, kColumns, nullptr); }},
    {"prune columns by scores", [](Arrays& a) { return prune_rows(a, kRows, kColumns, &kScores); }},
    {"prune long columns", [](Arrays& a) { return prune_rows(a, kSize / 3, 3, nullptr); }},
    {"prune pattern",
     [](Arrays& a) {
  return sc_prune_pattern(a.w.data(), SC_DTYPE_FLOAT32, kSize, 2, 4, SC_REMAINDER_RAISE, nullptr,
                          nullptr, SC_NAN_RAISE, a.w.data());
}},
    {"prune pattern by scores",
     [](Arrays& a) {
  return sc_prune_pattern(a.w.data(), SC_DTYPE_FLOAT32, kSize, 2, 4, SC_REMAINDER_RAISE, nullptr,
                          &kScores, SC_NAN_RAISE, a.w.data());
}},
    {"prune blocks",
     [](Arrays& a) {
  return sc_prune_blocks(a.w.data(), SC_DTYPE_FLOAT32, kSize, &kBlocksOf4By4, SC_NORM_L2, 1000,
                         nullptr, nullptr, SC_NAN_RAISE, a.w.data());
}},
    {"prune blocks by scores",
     [](Arrays& a) {
  return sc_prune_blocks(a.w.data(), SC_DTYPE_FLOAT32, kSize, &kBlocksOf4By4, SC_NORM_L2, 1000,
                         nullptr, &kScores, SC_NAN_RAISE, a.w.data());
}},
    {"prune blocks of several",
     [](Arrays& a) {
  const sc_member member{a.w.data(), SC_DTYPE_FLOAT32, kSize, nullptr,
                         a.w.data(), &kBlocksOf4By4,   900};
  return sc_prune_global_blocks(&member, 1, SC_NORM_L2, 1000, SC_NAN_RAISE);
}},
    {"prune blocks by threshold",
     [](Arrays& a) {
  return sc_prune_blocks_threshold(a.w.data(), SC_DTYPE_FLOAT32, kSize, &kBlocksOf4By4, SC_NORM_L2,
                                   4, nullptr, SC_NAN_RAISE, a.w.data());
}},
    {"fake_quantize",
     [](Arrays& a) {
  return sc_fake_quantize(a.w.data(), SC_DTYPE_FLOAT32, kSize, &kFormat, &kFloor, a.w.data());
}},
    {"fake_quantize affine",
     [](Arrays& a) {
  return sc_fake_quantize(a.w.data(), SC_DTYPE_FLOAT32, kSize, &kAffine, &kFloor, a.w.data());
}},
};

// Operations that write elements in their first pass over the array.
const Operation kInPlaceSinglePass[] = {
    {"apply_mask",
     [](Arrays& a) {
  return sc_apply_mask(a.w.data(), SC_DTYPE_FLOAT32, kSize, weights.data(),
                       SC_MASK_FORMAT_BITS_LITTLE, a.w.data());
}},
    {"soft_threshold",
     [](Arrays& a) {
  return sc_soft_threshold(a.w.data(), SC_DTYPE_FLOAT32, kSize, 0.25, a.w.data());
}},
    {"prune, NaN kept",
     [](Arrays& a) {
  return sc_prune_threshold(a.w.data(), SC_DTYPE_FLOAT32, kSize, 0.7, nullptr, SC_NAN_KEEP,
                            a.w.data());
}},
};

const Operation kOutOfPlace[] = {
    {"kth_magnitude",
     [](Arrays& a) {
  return sc_kth_magnitude(a.w.data(), SC_DTYPE_FLOAT32, kSize, kSize / 3, nullptr, SC_NAN_RAISE,
                          a.out());
}},
    {"kth_magnitude of rows",
     [](Arrays& a) {
  const sc_layout slices{kColumns, 1, 0, 1, 0};
  return sc_kth_magnitude(a.w.data(), SC_DTYPE_FLOAT32, kSize, 5, &slices, SC_NAN_RAISE, a.out());
}},
    {"topk",
     [](Arrays& a) {
  constexpr std::size_t k = kSize / 3;
  return sc_topk(a.w.data(), SC_DTYPE_FLOAT32, kSize, k, nullptr, nullptr, SC_NAN_RAISE,
                 SC_ORDER_RANK, a.out(),
                 reinterpret_cast<std::int64_t*>(a.bytes.data() + k * sizeof(float)));
}},
    {"prune_mask",
     [](Arrays& a) {
  return sc_prune_mask(a.w.data(), SC_DTYPE_FLOAT32, kSize, kSize / 3, nullptr, nullptr,
                       SC_NAN_RAISE, a.out(), SC_MASK_FORMAT_BITS_LITTLE);
}},
    {"prune",
     [](Arrays& a) {
  return sc_prune(a.w.data(), SC_DTYPE_FLOAT32, kSize, kSize / 3, nullptr, nullptr, SC_NAN_RAISE,
                  a.out());
}},
    {"apply_mask",
     [](Arrays& a) {
  return sc_apply_mask(a.w.data(), SC_DTYPE_FLOAT32, kSize, weights.data(),
                       SC_MASK_FORMAT_BITS_LITTLE, a.out());
}},
    {"quantize",
     [](Arrays& a) {
  return sc_quantize(a.w.data(), SC_DTYPE_FLOAT32, kSize, &kFormat, nullptr, a.out(),
                     SC_DTYPE_INT8);
}},
    {"quantize by a draw",
     [](Arrays& a) {
  return sc_quantize(a.w.data(), SC_DTYPE_FLOAT32, kSize, &kFormat, &kStochastic, a.out(),
                     SC_DTYPE_INT8);
}},
    {"quantize downwards",
     [](Arrays& a) {
  return sc_quantize(a.w.data(), SC_DTYPE_FLOAT32, kSize, &kFormat, &kFloor, a.out(),
                     SC_DTYPE_INT8);
}},
    {"quantize affine",
     [](Arrays& a) {
  return sc_quantize(a.w.data(), SC_DTYPE_FLOAT32, kSize, &kAffine, nullptr, a.out(),
                     SC_DTYPE_INT8);
}},
    {"quantize affine by a draw",
     [](Arrays& a) {
  return sc_quantize(a.w.data(), SC_DTYPE_FLOAT32, kSize, &kAffine, &kStochastic, a.out(),
                     SC_DTYPE_INT8);
}},
    {"prune_quantize affine",
     [](Arrays& a) {
  return sc_prune_quantize(a.w.data(), SC_DTYPE_FLOAT32, kSize, kSize / 3, &kAffine, &kFloor,
                           a.out(), SC_DTYPE_INT8);
}},
    {"prune_quantize",
     [](Arrays& a) {
  return sc_prune_quantize(a.w.data(), SC_DTYPE_FLOAT32, kSize, kSize / 3, &kFormat, &kFloor,
                           a.out(), SC_DTYPE_INT8);
}},
    {"dequantize",
     [](Arrays& a) {
  return sc_dequantize(a.w.data(), SC_DTYPE_INT8, kSize, &kFormat, 0, a.out(), SC_DTYPE_FLOAT32);
}},
    {"requantize",
     [](Arrays& a) {
  return sc_requantize(a.w.data(), SC_DTYPE_INT8, kSize, &kFormat, 0, &kFormat, &kFloor, a.out(),
                       SC_DTYPE_INT8);
}},
    {"pack_ints",
     [](Arrays& a) {
  const std::vector<std::int8_t> codes(4 * kSize, 3);
  return sc_pack_ints(codes.data(), SC_DTYPE_INT8, codes.size(), 4, SC_BITORDER_LITTLE, 0, 0,
                      a.out());
}},
    {"unpack_ints",
     [](Arrays& a) {
  return sc_unpack_ints(a.w.data(), 2 * kSize, 4, SC_BITORDER_LITTLE, 0, 0, a.out(), SC_DTYPE_INT8);
}},
    {"encode_bitmask",
     [](Arrays& a) {
  std::size_t count = 0;
  std::vector<std::uint8_t> bitmask(kSize / 8 + 1);
  return sc_encode_bitmask(a.w.data(), sizeof(float), kSize, kSize, nullptr, bitmask.data(),
                           a.out(), kSize, &count);
}},
    {"decode_bitmask",
     [](Arrays& a) {
  const std::vector<std::uint8_t> bitmask(kSize / 8, 1);
  return sc_decode_bitmask(bitmask.data(), a.w.data(), bitmask.size(), sizeof(float),
                           8 * bitmask.size(), 8 * bitmask.size(), a.out());
}},
    {"count_bitmask",
     [](Arrays& a) {
  std::size_t count = 0;
  const std::vector<std::uint8_t> bitmask(kSize, 1);
  return sc_count_bitmask(bitmask.data(), kSize, 1, &count, static_cast<std::int64_t*>(a.out()));
}},
    {"encode_gaps",
     [](Arrays& a) {
  std::size_t count = 0;
  const std::vector<std::uint8_t> bitmask(kSize, 0x11);
  return sc_encode_gaps(bitmask.data(), 8 * kSize, 8 * kSize, a.out(), 2 * kSize, &count);
}},
    {"decode_gaps",
     [](Arrays& a) {
  const std::vector<std::uint8_t> zeros(kSize, 0);
  return sc_decode_gaps(zeros.data(), kSize, kSize, kSize, a.out());
}},
    {"compare",
     [](Arrays& a) {
  return sc_compare(a.w.data(), SC_DTYPE_FLOAT32, a.w.data(), SC_DTYPE_FLOAT32, kSize, nullptr,
                    &kFormat, SC_ROUNDING_FLOOR, static_cast<sc_error_sums*>(a.out()));
}},
    {"choose_format by max",
     [](Arrays& a) {
  return sc_choose_format(a.w.data(), SC_DTYPE_FLOAT32, kSize, nullptr, 8, 1, SC_CHOICE_METHOD_MAX,
                          0, SC_ROUNDING_AWAY, static_cast<std::int32_t*>(a.out()), nullptr,
                          SC_DTYPE_INT8);
}},
    {"choose_format of columns by a percentile",
     [](Arrays& a) {
  return sc_choose_format(a.w.data(), SC_DTYPE_FLOAT32, kSize, &kByColumn, 8, 1,
                          SC_CHOICE_METHOD_PERCENTILE, 90, SC_ROUNDING_NEAREST_EVEN,
                          static_cast<std::int32_t*>(a.out()), nullptr, SC_DTYPE_INT8);
}},
    {"choose_format by mse",  // from a sample
     [](Arrays& a) {
  return sc_choose_format(a.w.data(), SC_DTYPE_FLOAT32, kSize, nullptr, 3, 1, SC_CHOICE_METHOD_MSE,
                          0, SC_ROUNDING_NEAREST_EVEN, static_cast<std::int32_t*>(a.out()), nullptr,
                          SC_DTYPE_INT8);
}},
    {"choose_affine of columns by max",
     [](Arrays& a) { return choose_affine_of_columns(a, SC_CHOICE_METHOD_MAX); }},
    {"choose_affine of columns by a percentile",
     [](Arrays& a) { return choose_affine_of_columns(a, SC_CHOICE_METHOD_PERCENTILE); }},
    {"choose_affine of columns by mse",
     [](Arrays& a) { return choose_affine_of_columns(a, SC_CHOICE_METHOD_MSE); }},
};

sc_status call(const Operation& operation, Arrays& arrays, Callback& callback) {
  require(sc_set_thread_interrupt(&Callback::run, &callback, nullptr, nullptr));
  const sc_status status = operation.call(arrays);
  require(sc_set_thread_interrupt(nullptr, nullptr, nullptr, nullptr));
  return status;
}

// The next run of the callback to interrupt at: each of the first ones, and fewer of the later
// ones.
std::size_t next(std::size_t interrupt_at) { return interrupt_at + 1 + interrupt_at / 4; }

// Interrupts an operation at one run of the callback after another, until the operation completes.
// Returns the number of interruptions.
std::size_t interrupt_everywhere(const Operation& operation, bool in_place) {
  Arrays expected;
  require(operation.call(expected));
  std::size_t interrupted = 0;
  for (std::size_t interrupt_at = 0;; interrupt_at = next(interrupt_at)) {
    Arrays arrays;
    Callback callback{.interrupt_at = interrupt_at};
    const sc_status status = call(operation, arrays, callback);
    require(callback.runs == interrupt_at + (status == SC_OK ? 0 : 1) || status == SC_OK,
            "the callback does not run after it has interrupted the call");
    if (status == SC_OK) {
      require(arrays == expected, operation.name);
      return interrupted;
    }
    require(status == SC_ERROR_INTERRUPTED, "the status of an interrupted call");
    require(std::string(sc_last_error()).find("interrupted") != std::string::npos, "its message");
    require(!in_place || arrays.w == weights, operation.name);
    ++interrupted;
  }
}

void calls_are_interrupted_or_complete() {
  for (const Operation& operation : kInPlace) {
    require(interrupt_everywhere(operation, true) != 0, operation.name);
  }
  for (const Operation& operation : kInPlaceSinglePass) {
    require(interrupt_everywhere(operation, true) == 0, operation.name);
  }
  for (const Operation& operation : kOutOfPlace) {
    require(interrupt_everywhere(operation, false) != 0, operation.name);
  }
}

void counts_are_left_unmodified() {
  const sc_key_range range{0, 0x7fffffff};
  std::vector<std::uint64_t> counts(SC_MAX_BINS, 5);
  const std::vector<std::uint64_t> before = counts;
  sc_key_totals totals{1, 2, 3};
  Callback callback{.interrupt_at = 0};
  const Operation count{"count_magnitudes", [&](Arrays& a) {
    return sc_count_magnitudes(a.w.data(), SC_DTYPE_FLOAT32, kSize, &range, SC_NAN_RAISE,
                               counts.data(), &totals);
  }};
  Arrays arrays;
  require(call(count, arrays, callback) == SC_ERROR_INTERRUPTED, "counting is interrupted");
  require(counts == before && totals.above == 1 && totals.below == 2 && totals.checksum == 3,
          "counts are left unmodified");
}

// The number of times that a call on a single thread runs the callback.
std::size_t count_runs(const Operation& operation, sc_status expected = SC_OK,
                       const std::vector<float>& w = weights) {
  require(sc_set_num_threads(1));
  Arrays arrays;
  arrays.w = w;
  Callback callback;
  require(call(operation, arrays, callback) == expected, operation.name);
  return callback.runs;
}

void work_that_is_not_shared_is_interrupted_too() {
  constexpr std::size_t kBlocks = kSize / 16384;
  constexpr std::size_t k = kSize / 2;
  std::vector<float> with_nan = weights;
  with_nan.back() = std::numeric_limits<float>::quiet_NaN();
  for (const Operation& operation : {kInPlace[0], kOutOfPlace[0]}) {
    require(count_runs(operation, SC_ERROR_NAN, with_nan) >= 2 * kBlocks, "the search for NaN");
  }
  const Operation quantize_nan{"quantize NaN", [&](Arrays& a) {
    return sc_quantize(with_nan.data(), SC_DTYPE_FLOAT32, kSize, &kFormat, &kStochastic, a.out(),
                       SC_DTYPE_INT8);
  }};
  require(count_runs(quantize_nan, SC_ERROR_NAN) >= 2 * kBlocks, "the search for NaN to quantize");

  const auto topk = [](sc_order order) {
    return Operation{"topk", [order](Arrays& a) {
      auto* const indices = reinterpret_cast<std::int64_t*>(a.bytes.data());
      std::vector<float> values(k);
      return sc_topk(a.w.data(), SC_DTYPE_FLOAT32, kSize, k, nullptr, nullptr, SC_NAN_RAISE, order,
                     values.data(), indices);
    }};
  };
  require(count_runs(topk(SC_ORDER_RANK)) >= count_runs(topk(SC_ORDER_INDEX)) + 2 * kBlocks,
          "sorting");

  const Operation few_groups{"formats of two channels", [](Arrays& a) {
    const sc_layout channels{2, 4, 1, 0, 1};
    return sc_choose_format(a.w.data(), SC_DTYPE_FLOAT32, kSize, &channels, 8, 1,
                            SC_CHOICE_METHOD_MAX, 0, SC_ROUNDING_NEAREST_EVEN,
                            static_cast<std::int32_t*>(a.out()), nullptr, SC_DTYPE_INT8);
  }};
  require(count_runs(few_groups) >= kSize / 8, "groups with many rows per task");

  const Operation transposed{"kth_magnitude of five columns", [](Arrays& a) {
    const sc_layout slices{60000, 5, 0, 1, 0};
    return sc_kth_magnitude(a.w.data(), SC_DTYPE_FLOAT32, 300000, 5, &slices, SC_NAN_RAISE,
                            a.out());
  }};
  require(count_runs(transposed) >= 4, "transposing");

  const Operation too_large{"pack what does not fit", [](Arrays& a) {
    std::vector<std::int8_t> codes(4 * kSize);
    codes.back() = 8;
    return sc_pack_ints(codes.data(), SC_DTYPE_INT8, codes.size(), 4, SC_BITORDER_LITTLE, 0, 0,
                        a.out());
  }};
  require(count_runs(too_large, SC_ERROR_ARGUMENT) >= 2 * kBlocks,
          "the search for what does not fit");
}

// The callback may call functions of the library, which use several threads.
void a_callback_may_make_calls() {
  Arrays expected;
  require(kInPlace[0].call(expected));
  Arrays outer;
  Callback callback;
  std::size_t calls = 0;
  callback.act = [&] {
    Arrays inner;
    require(kInPlace[0].call(inner));
    require(inner == expected, "the inner call");
    ++calls;
  };
  require(call(kInPlace[0], outer, callback));
  require(outer == expected && calls != 0, "the outer call");
}

// A callback of a thread and its context.
struct Setting {
  sc_interrupt check = nullptr;
  void* context = nullptr;
  bool operator==(const Setting&) const = default;
};

// Changes the setting of this thread and returns the previous one.
Setting exchange(const Setting& setting) {
  Setting previous{&Callback::run, &previous};
  require(
      sc_set_thread_interrupt(setting.check, setting.context, &previous.check, &previous.context));
  return previous;
}

// Returns the setting of this thread.
Setting current() {
  const Setting setting = exchange({});
  exchange(setting);
  return setting;
}

void a_previous_callback_can_be_restored() {
  require(current() == Setting{}, "there is no callback by default");
  Callback host{.interrupt_at = 0};
  Callback guest;
  const Setting of_host{&Callback::run, &host};
  const Setting of_guest{&Callback::run, &guest};
  require(exchange(of_host) == Setting{}, "the host sets its callback");
  require(exchange(of_guest) == of_host, "the guest gets the callback of the host");
  Arrays arrays;
  require(kOutOfPlace[0].call(arrays));
  require(guest.runs != 0 && host.runs == 0, "calls run the callback of the guest");
  require(exchange(of_host) == of_guest, "the guest restores the callback of the host");
  require(kOutOfPlace[0].call(arrays) == SC_ERROR_INTERRUPTED, "calls run that of the host");
  require(host.runs == 1 && current() == of_host, "an interrupted call leaves it in place");

  void* context = nullptr;
  require(sc_set_thread_interrupt(&Callback::run, &guest, nullptr, &context));
  require(context == &host, "the previous context alone");
  sc_interrupt check = nullptr;
  require(sc_set_thread_interrupt(&Callback::run, &host, &check, nullptr));
  require(check == &Callback::run, "the previous callback alone");
  require(sc_set_thread_interrupt(nullptr, nullptr, reinterpret_cast<sc_interrupt*>(&context),
                                  &context) == SC_ERROR_ARGUMENT,
          "outputs that overlap");
  require(std::string(sc_last_error()) == "previous_context must not overlap previous_check",
          "both are named");
  require(current() == of_host, "a call that fails changes nothing");
  exchange({});
}

// A call keeps the callback with which it began. What the callback sets is for later calls.
void a_callback_may_set_the_callback() {
  Callback first;
  Callback second;
  const Setting of_first{&Callback::run, &first};
  const Setting of_second{&Callback::run, &second};
  Arrays arrays;

  first.act = [&] {
    if (first.runs == 0) {
      require(exchange(of_second) == of_first, "the callback that runs is the previous one");
      Arrays inner;
      require(kOutOfPlace[0].call(inner));
      require(second.runs == 0, "calls of a callback run no callback");
    }
  };
  exchange(of_first);
  require(kOutOfPlace[0].call(arrays));
  require(first.runs != 0 && second.runs == 0, "the call keeps its callback");
  require(current() == of_second, "the next call has the new one");
  const std::size_t runs = first.runs;
  require(kOutOfPlace[0].call(arrays));
  require(first.runs == runs && second.runs != 0, "the next call runs the new one");

  Callback last{.interrupt_at = 0};
  last.act = [] { exchange({}); };
  exchange({&Callback::run, &last});
  require(kOutOfPlace[0].call(arrays) == SC_ERROR_INTERRUPTED, "a callback that removes itself");
  require(current() == Setting{} && last.runs == 1, "it is removed");
  require(kOutOfPlace[0].call(arrays));
  require(last.runs == 1, "it does not run again");
}

// If the callback forks and returns in the child, the child has no helper threads.
void a_fork_in_the_callback_is_an_error_in_the_child() {
  require(sc_set_num_threads(2));
  Callback callback;
  const pid_t parent = getpid();
  pid_t child = 0;
  callback.act = [&] {
    if (getpid() == parent && child == 0) {
      child = fork();
    }
  };
  Arrays arrays;
  const sc_status status = call(kOutOfPlace[0], arrays, callback);
  if (getpid() != parent) {
    const bool right = status == SC_ERROR_INTERNAL &&
                       std::string(sc_last_error()).find("forked") != std::string::npos &&
                       kOutOfPlace[0].call(arrays) == SC_OK;
    _exit(right ? EXIT_SUCCESS : EXIT_FAILURE);
  }
  require(status);
  int outcome = 0;
  require(waitpid(child, &outcome, 0) == child && outcome == 0, "an error in the child");
}

}  // namespace

int main() {
  secateur::interrupt_period = std::chrono::nanoseconds(0);
  for (const std::size_t threads : {1u, 3u}) {
    require(sc_set_num_threads(threads));
    calls_are_interrupted_or_complete();
    counts_are_left_unmodified();
    a_callback_may_make_calls();
    a_previous_callback_can_be_restored();
    a_callback_may_set_the_callback();
  }
  work_that_is_not_shared_is_interrupted_too();
  a_fork_in_the_callback_is_an_error_in_the_child();
  return EXIT_SUCCESS;
}
