// Calls every function of secateur.h with invalid arguments: with one replaced, with two replaced,
// and with outputs that overlap other memory. The function either refuses the call with a message
// and writes nothing, or accepts it because the values are valid together. No call crashes. Built
// with sanitizers (preset asan-ubsan), the test also detects accesses outside the arrays. It does
// not cover errors that no library can detect, such as an array that is shorter than n.
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "calls.hpp"

namespace {

using namespace calls;

constexpr std::size_t kMaxSize = std::numeric_limits<std::size_t>::max();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::int32_t kMaxInt = std::numeric_limits<std::int32_t>::max();
constexpr std::int32_t kMinInt = std::numeric_limits<std::int32_t>::min();

// Numbers of elements that no array has.
constexpr std::size_t kHuge[] = {kMaxSize, kMaxSize - 1, kMaxSize / 2 + 1, kMaxSize / 2,
                                 std::size_t{1} << 60};

// ---- Mutations -------------------------------------------------------------------------------

// Replaces an argument. If `refused`, the new value is invalid whatever the other arguments are;
// otherwise it may be valid.
struct Mutation {
  Field field;
  std::string label;
  bool refused;
  std::function<void(Arguments& a)> apply;
  bool is_combination = false;  // one of many combinations of sizes
};

class Mutations {
 public:
  Mutations() {
    add_pointers();
    add_enums();
    add_numbers();
    add_structs();
    add_elements();
  }

  [[nodiscard]] std::vector<const Mutation*> for_function(const Function& function) const {
    std::vector<const Mutation*> found;
    for (const Mutation& mutation : all_) {
      if (function.takes(mutation.field)) {
        found.push_back(&mutation);
      }
    }
    return found;
  }

 private:
  static bool contains(const std::vector<int>& values_, int value) {
    return std::find(values_.begin(), values_.end(), value) != values_.end();
  }

  template <class F>
  void add(Field field, const std::string& label, bool refused, const F& apply) {
    all_.push_back({field, label, refused, apply});
  }

  void add_pointers() {
    for (std::size_t i = 0; i < kPointers; ++i) {
      const auto field = static_cast<Field>(i);
      const Pointer& p = kPointerInfo[i];
      const std::string name(p.name);
      add(field, name + " null", !p.optional, [=](Arguments& a) { a.pointers[field] = nullptr; });
      add(field, name + " misaligned", p.alignment > 1,
          [=](Arguments& a) { a.pointers[field] = static_cast<char*>(a.pointers[field]) + 1; });
      add(field, name + " to the last address", true, [=, &p](Arguments& a) {
        a.pointers[field] = reinterpret_cast<void*>(std::uintptr_t{0} - p.alignment);
      });
    }
  }

  // Values of an enum whose enumerators are 0 to `most`. `refused_values` are invalid for this
  // field.
  template <class E>
  void add_enum(Field field, const char* name, E Arguments::* member, int most,
                const std::vector<int>& refused_values = {}) {
    std::vector<int> all{-1, most + 1, 99, kMaxInt, kMinInt};
    for (int value = 0; value <= most; ++value) {
      all.push_back(value);
    }
    for (const int value : all) {
      const bool refused = value < 0 || value > most || contains(refused_values, value);
      add(field, name + (" " + std::to_string(value)), refused,
          [=](Arguments& a) { a.*member = static_cast<E>(value); });
    }
  }

  void add_enums() {
    constexpr int kMaxDtype = SC_DTYPE_PACKED_BIG;
    const std::vector<int> floats{SC_DTYPE_FLOAT16, SC_DTYPE_BFLOAT16, SC_DTYPE_FLOAT32,
                                  SC_DTYPE_FLOAT64};
    std::vector<int> not_floats;
    for (int value = 0; value <= kMaxDtype; ++value) {
      if (!contains(floats, value)) {
        not_floats.push_back(value);
      }
    }
    add_enum(dtype, "dtype", &Arguments::dtype, kMaxDtype, not_floats);
    add_enum(w_hat_dtype, "w_hat_dtype", &Arguments::w_hat_dtype, kMaxDtype, not_floats);
    add_enum(q_dtype, "q_dtype", &Arguments::q_dtype, kMaxDtype, floats);
    add_enum(nan_policy, "nan", &Arguments::nan, SC_NAN_ZERO);
    add_enum(norm, "norm", &Arguments::norm, SC_NORM_MEAN);
    add_enum(method, "method", &Arguments::method, SC_CHOICE_METHOD_MSE);
    add_enum(rounding, "rounding", &Arguments::rounding, SC_ROUNDING_STOCHASTIC,
             {SC_ROUNDING_STOCHASTIC});
    add_enum(format, "format", &Arguments::format, SC_MASK_FORMAT_BITS_BIG);
    add_enum(order, "order", &Arguments::order, SC_ORDER_RANK);
    add_enum(remainder, "remainder", &Arguments::remainder, SC_REMAINDER_PAD);
    add_enum(bit_order, "bit_order", &Arguments::bit_order, SC_BITORDER_BIG);
  }

  template <class T, class Values>
  void add_each(Field field, const char* name, T Arguments::* member, bool refused,
                const Values& values) {
    for (const T value : values) {
      add(field, name + (" " + std::to_string(value)), refused,
          [=](Arguments& a) { a.*member = value; });
    }
  }

  void add_numbers() {
    using Sizes = std::initializer_list<std::size_t>;
    using Ints = std::initializer_list<std::int32_t>;
    using Doubles = std::initializer_list<double>;
    add_each(n, "n", &Arguments::n, true, kHuge);
    add_each(n, "n", &Arguments::n, false, Sizes{0, 1, 8});
    add_each(k, "k", &Arguments::k, true, kHuge);
    add_each(k, "k", &Arguments::k, false, Sizes{0, 1, 2, 4, kN});
    add_each(count, "count", &Arguments::count, true, kHuge);
    add_each(count, "count", &Arguments::count, false, Sizes{0, 1});
    for (const auto& [field, name, member] :
         {std::tuple{keep, "keep", &Arguments::keep}, std::tuple{of, "of", &Arguments::of}}) {
      add_each(field, name, member, true, kHuge);
      add_each(field, name, member, true, Sizes{0, 33});
      add_each(field, name, member, false, Sizes{1, 2, 4});
    }
    add_each(bits, "bits", &Arguments::bits, true, Ints{0, -1, 9, 32, kMaxInt, kMinInt});
    add_each(bits, "bits", &Arguments::bits, false, Ints{1, 2, 8});
    add_each(row_length, "row_length", &Arguments::row_length, false, kHuge);
    add_each(row_align, "row_align", &Arguments::row_align, true,
             Ints{-8, 1, 16, 64, kMaxInt, kMinInt});
    add_each(row_align, "row_align", &Arguments::row_align, false, Ints{8});
    add_each(fixed_bits, "bits", &Arguments::fixed_bits, true,
             Ints{0, -1, 1, 33, kMaxInt, kMinInt});
    add_each(fixed_bits, "bits", &Arguments::fixed_bits, false, Ints{2, 17, 32});
    add_each(affine_bits, "bits", &Arguments::affine_bits, true,
             Ints{0, -1, 1, 17, 33, kMaxInt, kMinInt});
    add_each(affine_bits, "bits", &Arguments::affine_bits, false, Ints{2, 16});
    for (const auto& [field, name, member] :
         {std::tuple{is_signed, "is_signed", &Arguments::is_signed},
          std::tuple{is_symmetric, "is_symmetric", &Arguments::is_symmetric},
          std::tuple{sign_extend, "sign_extend", &Arguments::sign_extend}}) {
      add_each(field, name, member, true, Ints{-1, 2, kMaxInt, kMinInt});
      add_each(field, name, member, false, Ints{0, 1});
    }
    add_each(percentile, "percentile", &Arguments::percentile, true,
             Doubles{kNaN, -0.1, 100.1, kInfinity, -kInfinity});
    add_each(percentile, "percentile", &Arguments::percentile, false, Doubles{0, -0.0, 50, 100});
    add_each(threshold, "threshold", &Arguments::threshold, true, Doubles{kNaN, -1, -kInfinity});
    add_each(threshold, "threshold", &Arguments::threshold, false, Doubles{0, -0.0, kInfinity});
    add_each(sparsity, "sparsity", &Arguments::sparsity, true,
             Doubles{kNaN, -1, 2, kInfinity, -kInfinity});
    add_each(threads, "threads", &Arguments::threads, true, kHuge);
    add_each(threads, "threads", &Arguments::threads, true, Sizes{SC_MAX_THREADS + 1});
  }

  // All combinations of some sizes in the given members of a struct.
  template <class T>
  void add_size_combinations(Field field, std::initializer_list<std::size_t T::*> members) {
    constexpr std::size_t kSizes[] = {
        0, 1, 2, std::size_t{1} << 60, kMaxSize / 2 + 1, kMaxSize - 1, kMaxSize};
    std::size_t combinations = 1;
    for (std::size_t i = 0; i < members.size(); ++i) {
      combinations *= std::size(kSizes);
    }
    for (std::size_t number = 0; number < combinations; ++number) {
      const std::vector<std::size_t T::*> each_member(members);
      const auto apply = [=](Arguments& a) {
        std::size_t left = number;
        for (const auto member : each_member) {
          a.block<T>(field)->*member = kSizes[left % std::size(kSizes)];
          left /= std::size(kSizes);
        }
      };
      const std::string label = kPointerInfo[field].name + (" of sizes " + std::to_string(number));
      all_.push_back({field, label, false, apply, true});
    }
  }

  // Layouts of many sizes.
  void add_layouts(Field field) {
    constexpr std::size_t kSizes[] = {
        0, 1, 2, std::size_t{1} << 60, kMaxSize / 2 + 1, kMaxSize - 1, kMaxSize};
    for (const std::size_t length : kSizes) {
      for (const std::size_t inner : kSizes) {
        for (const std::size_t block : kSizes) {
          for (const std::size_t inner_block : {std::size_t{0}, std::size_t{1}, kMaxSize}) {
            for (const std::int32_t shared : {0, 1}) {
              all_.push_back({field, kPointerInfo[field].name + std::string(" of any sizes"), false,
                              [=](Arguments& a) {
                *a.block<sc_layout>(field) = {length, inner, block, inner_block, shared};
              }, true});
            }
          }
        }
      }
    }
  }

  // Each value in one member of a struct.
  template <class T, class V>
  void add_values(Field field, const char* name, V T::* member, bool refused,
                  std::initializer_list<V> values) {
    for (const V value : values) {
      add(field, kPointerInfo[field].name + std::string(name) + " " + std::to_string(value),
          refused, [=](Arguments& a) { a.block<T>(field)->*member = value; });
    }
  }

  // Values of an enum member that are not enumerators. `first` is the first number after the last
  // enumerator.
  template <class T, class E>
  void add_undeclared_enum_values(Field field, const char* name, E T::* member, int first) {
    for (const int value : {-1, first, 99, kMaxInt, kMinInt}) {
      add(field, kPointerInfo[field].name + std::string(name) + " " + std::to_string(value), true,
          [=](Arguments& a) { a.block<T>(field)->*member = static_cast<E>(value); });
    }
  }

  void add_structs() {
    for (const Field field : {slice_layout, group_layout, block_layout, norm_slices}) {
      add_size_combinations<sc_layout>(field, {&sc_layout::length, &sc_layout::inner,
                                               &sc_layout::block, &sc_layout::inner_block});
      add_values<sc_layout, std::int32_t>(field, ".shared", &sc_layout::shared, true,
                                          {-1, 2, kMaxInt, kMinInt});
      add_values<sc_layout, std::int32_t>(field, ".shared", &sc_layout::shared,
                                          field != group_layout, {1});
    }
    add_values<sc_layout, std::size_t>(slice_layout, ".block", &sc_layout::block, true, {1, 3});
    for (const Field field : {members, mask_members, block_members, mask_block_members}) {
      add_values<sc_member, std::size_t>(field, "[0].min_kept", &sc_member::min_kept, true,
                                         {3, kN + 1, kMaxSize});  // k is 3, and the other has 1
    }
    add_size_combinations<sc_scores>(scores, {&sc_scores::period, &sc_scores::repeat});
    for (const Field field : {format_layout, compared_layout}) {
      add_layouts(field);
      add_values<sc_layout, std::int32_t>(field, ".shared", &sc_layout::shared, true,
                                          {-1, 2, kMaxInt, kMinInt});
      add_values<sc_layout, std::size_t>(field, ".length", &sc_layout::length, true,
                                         {0, 5, kN + 1, kMaxSize});
      add_values<sc_layout, std::size_t>(field, ".inner", &sc_layout::inner, true,
                                         {0, 3, kN + 1, kMaxSize});
    }

    add_undeclared_enum_values(scores, ".scoring", &sc_scores::scoring, SC_SCORING_PRODUCTS + 1);
    add_undeclared_enum_values(scores, ".dtype", &sc_scores::dtype, SC_DTYPE_INT8);
    add(scores, "scores as values", false,
        [](Arguments& a) { a.block<sc_scores>(scores)->scoring = SC_SCORING_VALUES; });
    add_values<sc_scores, std::size_t>(scores, ".period", &sc_scores::period, true,
                                       {0, kMaxSize / 2, kMaxSize});
    add_values<sc_scores, std::size_t>(scores, ".repeat", &sc_scores::repeat, true, {0});
    add_values<sc_key_range, std::uint64_t>(range, ".first", &sc_key_range::first, true,
                                            {kN, UINT64_MAX, UINT64_MAX / 2});
    add_values<sc_key_range, std::uint64_t>(range, ".last", &sc_key_range::last, true,
                                            {UINT64_MAX, UINT64_MAX - 1, UINT64_MAX / 2 + 1});
    add_undeclared_enum_values(options, ".rounding", &sc_quantize_options::rounding,
                               SC_ROUNDING_STOCHASTIC + 1);
    add_undeclared_enum_values(options, ".overflow", &sc_quantize_options::overflow,
                               SC_OVERFLOW_RAISE + 1);
    add_undeclared_enum_values(options, ".nan", &sc_quantize_options::nan, SC_NAN_KEEP);

    for (const Field field : {fixed_point, affine, compared_fixed_point, compared_affine}) {
      using Ints = std::initializer_list<std::int32_t>;
      const bool is_affine = field == affine || field == compared_affine;
      const std::int32_t too_narrow = is_affine ? 0 : 1;
      add_undeclared_enum_values(field, ".kind", &sc_format::kind, SC_FORMAT_KIND_AFFINE + 1);
      add_undeclared_enum_values(field, ".kind", &sc_format::kind, 0);
      add_values(field, ".bits", &sc_format::bits, true,
                 Ints{-1, 0, too_narrow, 33, kMaxInt, kMinInt});
      add_values(field, ".bits", &sc_format::bits, false, Ints{1, 2, 4, 16, 17, 32});
      add_values(field, ".is_signed", &sc_format::is_signed, true, Ints{-1, 2, kMaxInt, kMinInt});
      // Fixed point ignores the range.
      constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
      constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
      add_values(field, ".qmin", &sc_format::qmin, is_affine,
                 std::initializer_list<std::int64_t>{-129, 100, 101, kMin, kMax});
      add_values(field, ".qmax", &sc_format::qmax, is_affine,
                 std::initializer_list<std::int64_t>{-101, -100, 128, kMin, kMax});
      add_values(field, ".qmin", &sc_format::qmin, false,
                 std::initializer_list<std::int64_t>{-128, -1, 0});
      add_values(field, ".qmax", &sc_format::qmax, false,
                 std::initializer_list<std::int64_t>{0, 2, 3, 127});
    }
  }

  template <class T>
  void add_element(Field field, std::initializer_list<T> values) {
    for (const T value : values) {
      add(field, kPointerInfo[field].name + (" with " + std::to_string(value)), true,
          [=](Arguments& a) { a.block<T>(field)[3] = value; });
    }
  }

  void add_elements() {
    add_element<std::int32_t>(frac_bits, {-257, 257, kMaxInt, kMinInt});
    add_element<std::int32_t>(group_bits, {1, 9, 0, -1, kMaxInt, kMinInt});
    add_element<std::int32_t>(zero_point, {-101, 101, kMaxInt, kMinInt});
    add_element<double>(scale, {kNaN, kInfinity, -kInfinity});
    for (const double value : {0.0, -1.0, 5e-324}) {  // sc_dequantize takes any finite scale
      add(scale, "fmt.scale with " + std::to_string(value), false,
          [=](Arguments& a) { a.block<double>(scale)[3] = value; });
    }
  }

  std::vector<Mutation> all_;
};

// ---- Checks ----------------------------------------------------------------------------------

int failures = 0;

void fail(const Function& function, const std::string& what, const std::string& how) {
  ++failures;
  std::fprintf(stderr, "%s, %s: %s (%s)\n", function.name, what.c_str(), how.c_str(),
               sc_last_error());
}

bool is_refusal(sc_status status) {
  return status == SC_ERROR_ARGUMENT || status == SC_ERROR_UNSUPPORTED || status == SC_ERROR_NAN ||
         status == SC_ERROR_OVERFLOW;
}

// Makes a call that may be accepted or refused, and returns its status.
sc_status call(const Function& function, Arguments& a, const std::string& what) {
  a.link();
  const sc_status status = function.call(a);
  if (status != SC_OK && (!is_refusal(status) || std::string_view(sc_last_error()).empty())) {
    fail(function, what, "neither accepted nor refused, but " + std::to_string(status));
  }
  return status;
}

// Whether a message begins with the name of an argument, such as "members[0]: w must be ".
bool begins_with_name(const std::string& message) {
  const std::size_t end = message.find(" must ");
  std::string_view name = std::string_view(message).substr(0, end);
  const std::size_t label = name.find("]: ");  // of a member
  name.remove_prefix(label == name.npos ? 0 : label + 3);
  return end != std::string::npos && !name.empty() &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.[]") == name.npos;
}

// Makes a call that must be refused, and returns its message.
std::string refusal(const Function& function, Arguments& a, const std::string& what) {
  sc_set_num_threads(0);  // fails, and so replaces the last message
  const std::string previous = sc_last_error();
  a.link();
  const std::vector<unsigned char> before = a.contents();
  if (call(function, a, what) == SC_OK) {
    fail(function, what, "accepted");
  } else if (sc_last_error() == previous) {
    fail(function, what, "no message");
  } else if (!begins_with_name(sc_last_error())) {
    fail(function, what, "no name of an argument at the beginning of the message");
  }
  if (a.contents() != before) {
    fail(function, what, "something was written");
  }
  return sc_last_error();
}

void test_one_bad(const Function& function, const std::vector<const Mutation*>& mutations) {
  Arguments a;
  for (const Mutation* mutation : mutations) {
    a.reset();
    mutation->apply(a);
    if (mutation->refused) {
      refusal(function, a, mutation->label);
    } else {
      call(function, a, mutation->label);
    }
  }
}

void test_two_bad(const Function& function, const std::vector<const Mutation*>& mutations) {
  Arguments a;
  for (const Mutation* first : mutations) {
    for (const Mutation* second : mutations) {
      // Combinations of sizes are numerous. They are combined only with n: most are valid for n =
      // 0.
      const bool combined =
          !second->is_combination && (!first->is_combination || second->field == n);
      if (first->field == second->field || !combined) {
        continue;
      }
      a.reset();
      first->apply(a);
      second->apply(a);
      call(function, a, first->label + ", " + second->label);
    }
  }
}

bool names_both(const std::string& message, const std::string& a, const std::string& b) {
  static const std::string kSeparator = " must not overlap ";
  const std::size_t place = message.find(kSeparator);
  if (place == std::string::npos) {
    return false;
  }
  const std::string left = message.substr(0, place);
  const std::string right = message.substr(place + kSeparator.size());
  const auto has = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  return (has(left, a) && has(right, b)) || (has(left, b) && has(right, a));
}

// Moves an output to the beginning of other memory, to its end, and to just before it.
void test_overlap(const Function& function, const Memory& output, const Memory& other) {
  const std::size_t step = kPointerInfo[output.field].alignment;
  const auto last = static_cast<std::ptrdiff_t>((other.bytes - 1) / step * step);
  const std::string what =
      kPointerInfo[output.field].name + std::string(" over ") + kPointerInfo[other.field].name;
  Arguments a;
  for (const std::ptrdiff_t offset :
       {std::ptrdiff_t{0}, last, -static_cast<std::ptrdiff_t>(step)}) {
    const bool in_place = offset == 0 && output.same_as == other.field;
    if (in_place || (offset < 0 && output.bytes <= step)) {
      continue;
    }
    a.reset();
    a.pointers[output.field] = static_cast<char*>(a.pointers[other.field]) + offset;
    const std::string message = refusal(function, a, what);
    if (!names_both(message, kPointerInfo[output.field].name, kPointerInfo[other.field].name)) {
      fail(function, what, "both must be named");
    }
  }
}

void test_overlaps(const Function& function) {
  for (const Memory& output : function.outputs) {
    for (const auto& memories : {function.inputs, function.outputs}) {
      for (const Memory& other : memories) {
        if (other.field != output.field) {
          test_overlap(function, output, other);
        }
      }
    }
  }
}

void require(bool holds, const char* what) {
  if (!holds) {
    ++failures;
    std::fprintf(stderr, "failed: %s\n", what);
  }
}

}  // namespace

int main() {
  const Mutations mutations;
  for (const Function& function : functions()) {
    Arguments good;
    if (call(function, good, "good arguments") != SC_OK) {
      fail(function, "good arguments", "refused");
    }
    test_one_bad(function, mutations.for_function(function));
    test_two_bad(function, mutations.for_function(function));
    test_overlaps(function);
  }
  require(sc_set_isa(nullptr) != SC_OK && sc_set_isa("") != SC_OK && sc_set_isa("mmx") != SC_OK,
          "an ISA that there is not");
  require(sc_isas(nullptr, kMaxSize) >= 1, "ISAs without names");
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
