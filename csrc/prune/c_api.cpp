// The C API of pruning: top-k, threshold and N:M pruning, global pruning, block pruning, masks and
// soft thresholding.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "core/dtypes.hpp"
#include "prune/block_pruning.hpp"
#include "prune/mask.hpp"
#include "prune/pattern.hpp"
#include "prune/soft_threshold.hpp"
#include "select/arguments.hpp"
#include "select/select.hpp"
#include "select/threshold.hpp"

namespace secateur::api {
namespace {

MemoryRange checked_mask(const void* mask, std::size_t n, sc_mask_format format,
                         const char* name = "mask") {
  if (format != SC_MASK_FORMAT_BOOLS && format != SC_MASK_FORMAT_BITS_LITTLE &&
      format != SC_MASK_FORMAT_BITS_BIG) {
    refuse("format", "bools, or bits in little or big order",
           std::to_string(static_cast<int>(format)));
  }
  return checked_array(name, mask, mask_bytes(n, format), 1);
}

// allow_negative: the threshold applies to scores that are values, which may be negative.
void require_threshold(double threshold, bool allow_negative = false) {
  if (std::isnan(threshold) || (threshold < 0 && !allow_negative)) {
    refuse("threshold", allow_negative ? "a number" : "a number, at least 0", text_of(threshold));
  }
}

// The largest key of the operand that does not exceed the threshold.
Key key_of_threshold(double threshold, const SelectionProblem& problem, const Operand& operand) {
  if (threshold < 0) {
    // A negative score of magnitude m has the key -key(m). It does not exceed the threshold if m is
    // at least -threshold. The key of the least such m follows that of the largest magnitude below
    // -threshold.
    const double less = std::nextafter(-threshold, 0);
    return -(key_of_threshold(less, operand.ranking_type()) + 1);
  }
  return key_of_threshold(threshold, operand.ranking_type()) + problem.order(operand).rotation;
}

// Checks the arguments that all pruning functions share, and returns the operand that they
// describe. `layout_memory` is the memory of the layout, which some functions also take.
Operand checked_pruning_operand(const void* w, sc_dtype dtype, std::size_t n,
                                const sc_scores* scores, sc_nan nan, void* out,
                                const MemoryRange& layout_memory = {}) {
  const MemoryRange in = checked_floats("w", w, n, dtype);
  const MemoryRange result = checked_floats("out", out, n, dtype);
  require_selection_nan(nan);
  Operand operand = checked_operand(w, dtype, n, scores);
  require_same_or_no_overlap(result, in);
  require_no_overlap({result},
                     {scores_of(operand), checked_optional("scores", scores), layout_memory});
  set_float_output(operand, out);
  return operand;
}

// The same for functions that write a mask. The operand has no output yet.
Operand checked_mask_operand(const void* w, sc_dtype dtype, std::size_t n, const sc_scores* scores,
                             sc_nan nan, const MemoryRange& mask,
                             const MemoryRange& layout_memory = {}) {
  const MemoryRange in = checked_floats("w", w, n, dtype);
  require_selection_nan(nan);
  Operand operand = checked_operand(w, dtype, n, scores);
  require_no_overlap({mask},
                     {in, scores_of(operand), checked_optional("scores", scores), layout_memory});
  return operand;
}

void require_pattern(std::size_t keep, std::size_t of, const Layout& slices) {
  if (of < 1 || of > kMaxGroupSize) {
    refuse("of", "1 to " + std::to_string(kMaxGroupSize), std::to_string(of));
  }
  if (keep < 1 || keep > of) {
    refuse("keep", "1 to " + std::to_string(of), std::to_string(keep));
  }
  if (slices.length % of != 0) {
    refuse("layout.length", "a multiple of " + std::to_string(of), std::to_string(slices.length));
  }
}

// Writes the elements above the threshold to the output of the operand.
void write_above_threshold(Operand& operand, double threshold, sc_nan nan) {
  require_threshold(threshold, operand.scores.kind == Scores::Kind::values);
  decide_streaming({&operand, 1});
  const SelectionProblem problem({&operand, 1}, nan);
  write_above(problem, key_of_threshold(threshold, problem, operand));
}

// ---- Several arrays ----------------------------------------------------------------------------

std::string member_name(std::size_t member) { return "members[" + std::to_string(member) + "]"; }

// `format` is null if the output is the kept elements.
Operand checked_member(const sc_member& member, std::size_t number, sc_nan nan,
                       const sc_mask_format* format) {
  try {
    if (format != nullptr) {
      return checked_mask_operand(member.w, member.dtype, member.n, member.scores, nan,
                                  checked_mask(member.out, member.n, *format, "out"));
    }
    return checked_pruning_operand(member.w, member.dtype, member.n, member.scores, nan,
                                   member.out);
  } catch (const Error& error) {
    throw Error(error.status(), member_name(number) + ": " + error.what());
  }
}

constexpr std::size_t kNoMember = std::numeric_limits<std::size_t>::max();

// The memory of an argument of one member or, with kNoMember, of an argument that all members
// share.
struct MemberExtent {
  MemoryRange memory;
  std::size_t member = kNoMember;

  [[nodiscard]] std::uintptr_t begin() const {
    return reinterpret_cast<std::uintptr_t>(memory.data);
  }
  [[nodiscard]] std::uintptr_t end() const { return begin() + memory.bytes; }
  [[nodiscard]] std::string name() const {
    return (member == kNoMember ? "" : member_name(member) + ".") + memory.name;
  }
};

[[noreturn]] void refuse_overlap(const MemberExtent& output, const MemberExtent& other) {
  throw Error(SC_ERROR_ARGUMENT, output.name() + " must not overlap " + other.name());
}

// Checks outputs against each other and against the inputs of other members. checked_member has
// checked each output against the inputs of its own member. There may be thousands of members, so
// the outputs are sorted by address.
void require_members_apart(std::span<const sc_member> members, std::span<const Operand> operands,
                           const sc_mask_format* format) {
  std::vector<MemberExtent> outputs;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const Operand& operand = operands[i];
    if (operand.n != 0) {
      const std::size_t bytes =
          format != nullptr ? mask_bytes(operand.n, *format) : operand.n * operand.type.bytes;
      outputs.push_back({{"out", members[i].out, bytes}, i});
    }
  }
  std::sort(outputs.begin(), outputs.end(),
            [](const MemberExtent& a, const MemberExtent& b) { return a.begin() < b.begin(); });
  for (std::size_t i = 1; i < outputs.size(); ++i) {
    if (overlap(outputs[i].memory, outputs[i - 1].memory)) {
      refuse_overlap(outputs[i], outputs[i - 1]);
    }
  }
  const auto require_apart_from_others = [&](const MemberExtent& input) {
    auto output = std::upper_bound(
        outputs.begin(), outputs.end(), input.begin(),
        [](std::uintptr_t begin, const MemberExtent& other) { return begin < other.end(); });
    for (; output != outputs.end() && overlap(output->memory, input.memory); ++output) {
      if (output->member != input.member) {
        refuse_overlap(*output, input);
      }
    }
  };
  require_apart_from_others({{"members", members.data(), members.size_bytes()}});
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const Operand& operand = operands[i];
    require_apart_from_others({{"w", operand.w, operand.n * operand.type.bytes}, i});
    require_apart_from_others({scores_of(operand), i});
    require_apart_from_others({checked_optional("scores", members[i].scores), i});
  }
}

// Checks the arguments of the functions for several arrays, and returns the operands that they
// describe.
std::vector<Operand> checked_members(const sc_member* members, std::size_t count, std::size_t k,
                                     sc_nan nan, const sc_mask_format* format) {
  checked_array("members", members, count);
  require_selection_nan(nan);
  std::vector<Operand> operands;
  operands.reserve(count);
  std::size_t n = 0;
  for (std::size_t i = 0; i < count; ++i) {
    operands.push_back(checked_member(members[i], i, nan, format));
    if (__builtin_add_overflow(n, members[i].n, &n)) {
      refuse("members", "of at most SIZE_MAX elements in all", "more");
    }
  }
  require_members_apart({members, count}, operands, format);
  require_k(k, 0, n);
  return operands;
}

// The blocks that a layout describes: the whole array as a row if it is null.
Layout checked_blocks(const sc_layout* layout, std::size_t n, sc_norm norm) {
  const Layout blocks =
      layout == nullptr ? Layout{1, 1, n, 1, n, false} : checked_layout("layout", layout, n);
  if (blocks.shared) {
    refuse("layout.shared", "0 for blocks that are pruned", "1");
  }
  if (norm < SC_NORM_L1 || norm > SC_NORM_MEAN) {
    refuse("norm", "l1, l2, max or mean", std::to_string(static_cast<int>(norm)));
  }
  return blocks;
}

}  // namespace
}  // namespace secateur::api

using namespace secateur;
using namespace secateur::api;

sc_status sc_prune(const void* w, sc_dtype dtype, size_t n, size_t k, const sc_layout* layout,
                   const sc_scores* scores, sc_nan nan, void* out) {
  return guarded([&] {
    const MemoryRange layout_memory = checked_optional("layout", layout);
    Operand operand = checked_pruning_operand(w, dtype, n, scores, nan, out, layout_memory);
    const Layout slices = checked_slices(layout, n);
    require_k(k, 0, slices.length);
    write_topk_of_slices(operand, slices, nan, k);
  });
}

sc_status sc_prune_threshold(const void* w, sc_dtype dtype, size_t n, double threshold,
                             const sc_scores* scores, sc_nan nan, void* out) {
  return guarded([&] {
    Operand operand = checked_pruning_operand(w, dtype, n, scores, nan, out);
    write_above_threshold(operand, threshold, nan);
  });
}

sc_status sc_prune_global(const sc_member* members, size_t count, size_t k, sc_nan nan) {
  return guarded([&] {
    std::vector<Operand> operands = checked_members(members, count, k, nan, nullptr);
    if (count != 0) {
      decide_streaming(operands);
      write_topk(SelectionProblem(operands, nan), k);
    }
  });
}

sc_status sc_prune_blocks(const void* w, sc_dtype dtype, size_t n, const sc_layout* layout,
                          sc_norm norm, size_t k, sc_nan nan, void* out) {
  return guarded([&] {
    const Layout blocks = checked_blocks(layout, n, norm);
    checked_pruning_operand(w, dtype, n, nullptr, nan, out, checked_optional("layout", layout));
    require_k(k, 0, blocks.groups());
    prune_blocks(w, dtype, blocks, norm, k, nan, {OutputKind::floats, out, false});
  });
}

sc_status sc_prune_blocks_threshold(const void* w, sc_dtype dtype, size_t n,
                                    const sc_layout* layout, sc_norm norm, double threshold,
                                    sc_nan nan, void* out) {
  return guarded([&] {
    const Layout blocks = checked_blocks(layout, n, norm);
    checked_pruning_operand(w, dtype, n, nullptr, nan, out, checked_optional("layout", layout));
    require_threshold(threshold);
    prune_blocks_above(w, dtype, blocks, norm, key_of_threshold(threshold, kFloat64), nan,
                       {OutputKind::floats, out, false});
  });
}

sc_status sc_soft_threshold(const void* w, sc_dtype dtype, size_t n, double threshold, void* out) {
  return guarded([&] {
    const MemoryRange in = checked_floats("w", w, n, dtype);
    const MemoryRange result = checked_floats("out", out, n, dtype);
    require_threshold(threshold);
    require_same_or_no_overlap(result, in);
    soft_threshold(w, dtype, n, threshold, out);
  });
}

sc_status sc_prune_pattern(const void* w, sc_dtype dtype, size_t n, size_t keep, size_t of,
                           const sc_layout* layout, const sc_scores* scores, sc_nan nan,
                           void* out) {
  return guarded([&] {
    const MemoryRange layout_memory = checked_optional("layout", layout);
    const Operand operand = checked_pruning_operand(w, dtype, n, scores, nan, out, layout_memory);
    const Layout slices = checked_slices(layout, n);
    require_pattern(keep, of, slices);
    prune_pattern(operand, {keep, of}, slices.inner, nan);
  });
}

sc_status sc_prune_mask(const void* w, sc_dtype dtype, size_t n, size_t k, const sc_layout* layout,
                        const sc_scores* scores, sc_nan nan, void* mask, sc_mask_format format) {
  return guarded([&] {
    const MemoryRange layout_memory = checked_optional("layout", layout);
    Operand operand = checked_mask_operand(w, dtype, n, scores, nan, checked_mask(mask, n, format),
                                           layout_memory);
    const Layout slices = checked_slices(layout, n);
    require_k(k, 0, slices.length);
    const MaskWriter writer(mask, n, format, slices.outer * slices.inner == 1);
    operand.out = writer.output();
    write_topk_of_slices(operand, slices, nan, k);
    writer.finish();
  });
}

sc_status sc_prune_mask_threshold(const void* w, sc_dtype dtype, size_t n, double threshold,
                                  const sc_scores* scores, sc_nan nan, void* mask,
                                  sc_mask_format format) {
  return guarded([&] {
    Operand operand = checked_mask_operand(w, dtype, n, scores, nan, checked_mask(mask, n, format));
    const MaskWriter writer(mask, n, format, true);
    operand.out = writer.output();
    write_above_threshold(operand, threshold, nan);
    writer.finish();
  });
}

sc_status sc_prune_mask_global(const sc_member* members, size_t count, size_t k, sc_nan nan,
                               sc_mask_format format) {
  return guarded([&] {
    checked_mask(nullptr, 0, format);
    std::vector<Operand> operands = checked_members(members, count, k, nan, &format);
    for (std::size_t i = 0; i < count; ++i) {
      operands[i].out = MaskWriter(members[i].out, members[i].n, format, true).output();
    }
    if (count != 0) {
      decide_streaming(operands);
      write_topk(SelectionProblem(operands, nan), k);
    }
    for (std::size_t i = 0; i < count; ++i) {
      MaskWriter(members[i].out, members[i].n, format, true).finish();
    }
  });
}

sc_status sc_prune_mask_pattern(const void* w, sc_dtype dtype, size_t n, size_t keep, size_t of,
                                const sc_layout* layout, const sc_scores* scores, sc_nan nan,
                                void* mask, sc_mask_format format) {
  return guarded([&] {
    const MemoryRange layout_memory = checked_optional("layout", layout);
    Operand operand = checked_mask_operand(w, dtype, n, scores, nan, checked_mask(mask, n, format),
                                           layout_memory);
    const Layout slices = checked_slices(layout, n);
    require_pattern(keep, of, slices);
    const MaskWriter writer(mask, n, format, can_write_bits({keep, of}, slices.inner));
    operand.out = writer.output();
    prune_pattern(operand, {keep, of}, slices.inner, nan);
    writer.finish();
  });
}

sc_status sc_prune_mask_blocks(const void* w, sc_dtype dtype, size_t n, const sc_layout* layout,
                               sc_norm norm, size_t k, sc_nan nan, void* mask,
                               sc_mask_format format) {
  return guarded([&] {
    const Layout blocks = checked_blocks(layout, n, norm);
    checked_mask_operand(w, dtype, n, nullptr, nan, checked_mask(mask, n, format),
                         checked_optional("layout", layout));
    require_k(k, 0, blocks.groups());
    const MaskWriter writer(mask, n, format, true);
    prune_blocks(w, dtype, blocks, norm, k, nan, writer.output());
    writer.finish();
  });
}

sc_status sc_prune_mask_blocks_threshold(const void* w, sc_dtype dtype, size_t n,
                                         const sc_layout* layout, sc_norm norm, double threshold,
                                         sc_nan nan, void* mask, sc_mask_format format) {
  return guarded([&] {
    const Layout blocks = checked_blocks(layout, n, norm);
    checked_mask_operand(w, dtype, n, nullptr, nan, checked_mask(mask, n, format),
                         checked_optional("layout", layout));
    require_threshold(threshold);
    const MaskWriter writer(mask, n, format, true);
    prune_blocks_above(w, dtype, blocks, norm, key_of_threshold(threshold, kFloat64), nan,
                       writer.output());
    writer.finish();
  });
}

sc_status sc_apply_mask(const void* w, sc_dtype dtype, size_t n, const void* mask,
                        sc_mask_format format, void* out) {
  return guarded([&] {
    const MemoryRange in = checked_floats("w", w, n, dtype);
    const MemoryRange kept = checked_mask(mask, n, format);
    const MemoryRange result = checked_floats("out", out, n, dtype);
    require_same_or_no_overlap(result, in);
    require_no_overlap({result}, {kept});
    apply_mask(w, float_type(dtype), n, mask, format, out);
  });
}
