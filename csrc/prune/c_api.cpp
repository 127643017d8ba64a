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
#include "select/min_kept.hpp"
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
// describe. `layouts` is the memory of the layouts that some functions also take.
Operand checked_pruning_operand(const void* w, sc_dtype dtype, std::size_t n,
                                const sc_scores* scores, sc_nan nan, void* out,
                                std::initializer_list<MemoryRange> layouts = {}) {
  const MemoryRange in = checked_floats("w", w, n, dtype);
  const MemoryRange result = checked_floats("out", out, n, dtype);
  require_selection_nan(nan);
  Operand operand = checked_operand(w, dtype, n, scores);
  require_same_or_no_overlap(result, in);
  require_no_overlap({result}, {scores_of(operand), checked_optional("scores", scores)});
  require_no_overlap({result}, layouts);
  set_float_output(operand, out);
  return operand;
}

// The same for functions that write a mask. The operand has no output yet.
Operand checked_mask_operand(const void* w, sc_dtype dtype, std::size_t n, const sc_scores* scores,
                             sc_nan nan, const MemoryRange& mask,
                             std::initializer_list<MemoryRange> layouts = {}) {
  const MemoryRange in = checked_floats("w", w, n, dtype);
  require_selection_nan(nan);
  Operand operand = checked_operand(w, dtype, n, scores);
  require_no_overlap({mask}, {in, scores_of(operand), checked_optional("scores", scores)});
  require_no_overlap({mask}, layouts);
  return operand;
}

PatternGroups checked_pattern(std::size_t keep, std::size_t of, sc_remainder remainder,
                              const Layout& slices) {
  if (of < 1 || of > kMaxGroupSize) {
    refuse("of", "1 to " + std::to_string(kMaxGroupSize), std::to_string(of));
  }
  if (keep < 1 || keep > of) {
    refuse("keep", "1 to " + std::to_string(of), std::to_string(keep));
  }
  if (remainder < SC_REMAINDER_RAISE || remainder > SC_REMAINDER_PAD) {
    refuse("remainder", "raise, keep or pad", std::to_string(static_cast<int>(remainder)));
  }
  const std::size_t last = slices.length % of;
  if (last != 0 && remainder == SC_REMAINDER_RAISE) {
    refuse("layout.length", "a multiple of " + std::to_string(of), std::to_string(slices.length));
  }
  const std::size_t kept_of_last = remainder == SC_REMAINDER_KEEP ? last : std::min(keep, last);
  return {{keep, of}, slices.length, slices.inner, {kept_of_last, last}};
}

// Writes the elements above the threshold to the output of the operand.
void write_above_threshold(Operand& operand, double threshold, sc_nan nan) {
  require_threshold(threshold, operand.scores.kind == Scores::Kind::values);
  decide_streaming({&operand, 1});
  const SelectionProblem problem({&operand, 1}, nan);
  write_above(problem, key_of_threshold(threshold, problem, operand));
}

// The slices of the norms of blocks, in each of which k are kept; one slice if `slices` is null.
Layout checked_block_slices(const sc_layout* slices, const Layout& blocks, std::size_t k) {
  const Layout checked = checked_slices(slices, count_blocks(blocks), "slices");
  require_k(k, 0, checked.length);
  return checked;
}

// ---- Several arrays ----------------------------------------------------------------------------

std::string member_name(std::size_t member) { return "members[" + std::to_string(member) + "]"; }

// What several arrays keep and how it is written.
struct GlobalOptions {
  sc_nan nan;
  const sc_mask_format* format;  // null if the output is the kept elements
  const sc_norm* norm;           // null if elements compete, not blocks
};

// The arrays of a global selection. `counts` are their numbers of elements, or of blocks.
struct Members {
  std::vector<Operand> operands;
  std::vector<Layout> blocks;  // empty if elements compete
  std::vector<std::size_t> counts, min_kept;

  void add(const sc_member& member, const GlobalOptions& options);
};

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

void Members::add(const sc_member& member, const GlobalOptions& options) {
  const MemoryRange layout = checked_optional("layout", member.layout);
  operands.push_back(options.format != nullptr
                         ? checked_mask_operand(
                               member.w, member.dtype, member.n, member.scores, options.nan,
                               checked_mask(member.out, member.n, *options.format, "out"), {layout})
                         : checked_pruning_operand(member.w, member.dtype, member.n, member.scores,
                                                   options.nan, member.out, {layout}));
  if (options.norm != nullptr) {
    blocks.push_back(checked_blocks(member.layout, member.n, *options.norm));
    counts.push_back(count_blocks(blocks.back()));
  } else {
    if (member.layout != nullptr) {
      refuse("layout", "null where elements are pruned", "a layout");
    }
    counts.push_back(member.n);
  }
  if (member.min_kept > counts.back()) {
    refuse("min_kept", "at most " + std::to_string(counts.back()), std::to_string(member.min_kept));
  }
  min_kept.push_back(member.min_kept);
}

// Calls check() and prefixes its errors with the name of a member.
template <class Check>
void with_member_name(std::size_t number, const Check& check) {
  try {
    check();
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
    require_apart_from_others({checked_optional("layout", members[i].layout), i});
  }
}

// The sum of sizes that describe `members`.
std::size_t checked_sum(std::span<const std::size_t> sizes) {
  std::size_t sum = 0;
  for (const std::size_t size : sizes) {
    if (__builtin_add_overflow(sum, size, &sum)) {
      refuse("members", "of at most SIZE_MAX elements in all", "more");
    }
  }
  return sum;
}

// Checks the arguments of the functions for several arrays, and returns what they describe.
Members checked_members(const sc_member* members, std::size_t count, std::size_t k,
                        const GlobalOptions& options) {
  checked_array("members", members, count);
  require_selection_nan(options.nan);
  Members checked;
  for (std::size_t i = 0; i < count; ++i) {
    with_member_name(i, [&] { checked.add(members[i], options); });
  }
  require_members_apart({members, count}, checked.operands, options.format);
  require_k(k, checked_sum(checked.min_kept), checked_sum(checked.counts));
  return checked;
}

// Prunes the members: their elements, or their blocks.
void prune_global(const sc_member* members, std::size_t count, std::size_t k,
                  const GlobalOptions& options) {
  if (options.format != nullptr) {
    checked_mask(nullptr, 0, *options.format);
  }
  if (options.norm != nullptr) {
    checked_blocks(nullptr, 0, *options.norm);
  }
  Members checked = checked_members(members, count, k, options);
  if (count == 0) {
    return;
  }
  const auto mask_of = [&](std::size_t i) {
    return MaskWriter(members[i].out, members[i].n, *options.format, true);
  };
  for (std::size_t i = 0; options.format != nullptr && i < count; ++i) {
    checked.operands[i].out = mask_of(i).output();
  }
  if (options.norm != nullptr) {
    prune_blocks(checked.operands, checked.blocks, *options.norm, checked.min_kept, k, options.nan);
  } else {
    decide_streaming(checked.operands);
    write_topk(checked.operands, options.nan, checked.min_kept, k);
  }
  for (std::size_t i = 0; options.format != nullptr && i < count; ++i) {
    mask_of(i).finish();
  }
}

}  // namespace
}  // namespace secateur::api

using namespace secateur;
using namespace secateur::api;

sc_status sc_prune(const void* w, sc_dtype dtype, size_t n, size_t k, const sc_layout* layout,
                   const sc_scores* scores, sc_nan nan, void* out) {
  return guarded([&] {
    const MemoryRange layout_memory = checked_optional("layout", layout);
    Operand operand = checked_pruning_operand(w, dtype, n, scores, nan, out, {layout_memory});
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
  return guarded([&] { prune_global(members, count, k, {nan, nullptr, nullptr}); });
}

sc_status sc_prune_global_blocks(const sc_member* members, size_t count, sc_norm norm, size_t k,
                                 sc_nan nan) {
  return guarded([&] { prune_global(members, count, k, {nan, nullptr, &norm}); });
}

sc_status sc_prune_blocks(const void* w, sc_dtype dtype, size_t n, const sc_layout* layout,
                          sc_norm norm, size_t k, const sc_layout* slices, const sc_scores* scores,
                          sc_nan nan, void* out) {
  return guarded([&] {
    const Layout blocks = checked_blocks(layout, n, norm);
    const Operand operand = checked_pruning_operand(
        w, dtype, n, scores, nan, out,
        {checked_optional("layout", layout), checked_optional("slices", slices)});
    prune_blocks(operand, blocks, norm, checked_block_slices(slices, blocks, k), k, nan);
  });
}

sc_status sc_prune_blocks_threshold(const void* w, sc_dtype dtype, size_t n,
                                    const sc_layout* layout, sc_norm norm, double threshold,
                                    const sc_scores* scores, sc_nan nan, void* out) {
  return guarded([&] {
    const Layout blocks = checked_blocks(layout, n, norm);
    const Operand operand = checked_pruning_operand(w, dtype, n, scores, nan, out,
                                                    {checked_optional("layout", layout)});
    require_threshold(threshold);
    prune_blocks_above(operand, blocks, norm, key_of_threshold(threshold, kFloat64), nan);
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
                           sc_remainder remainder, const sc_layout* layout, const sc_scores* scores,
                           sc_nan nan, void* out) {
  return guarded([&] {
    const MemoryRange layout_memory = checked_optional("layout", layout);
    const Operand operand = checked_pruning_operand(w, dtype, n, scores, nan, out, {layout_memory});
    prune_pattern(operand, checked_pattern(keep, of, remainder, checked_slices(layout, n)), nan);
  });
}

sc_status sc_prune_mask(const void* w, sc_dtype dtype, size_t n, size_t k, const sc_layout* layout,
                        const sc_scores* scores, sc_nan nan, void* mask, sc_mask_format format) {
  return guarded([&] {
    const MemoryRange layout_memory = checked_optional("layout", layout);
    Operand operand = checked_mask_operand(w, dtype, n, scores, nan, checked_mask(mask, n, format),
                                           {layout_memory});
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
  return guarded([&] { prune_global(members, count, k, {nan, &format, nullptr}); });
}

sc_status sc_prune_mask_global_blocks(const sc_member* members, size_t count, sc_norm norm,
                                      size_t k, sc_nan nan, sc_mask_format format) {
  return guarded([&] { prune_global(members, count, k, {nan, &format, &norm}); });
}

sc_status sc_prune_mask_pattern(const void* w, sc_dtype dtype, size_t n, size_t keep, size_t of,
                                sc_remainder remainder, const sc_layout* layout,
                                const sc_scores* scores, sc_nan nan, void* mask,
                                sc_mask_format format) {
  return guarded([&] {
    const MemoryRange layout_memory = checked_optional("layout", layout);
    Operand operand = checked_mask_operand(w, dtype, n, scores, nan, checked_mask(mask, n, format),
                                           {layout_memory});
    const PatternGroups groups = checked_pattern(keep, of, remainder, checked_slices(layout, n));
    const MaskWriter writer(mask, n, format, can_write_bits(groups));
    operand.out = writer.output();
    prune_pattern(operand, groups, nan);
    writer.finish();
  });
}

sc_status sc_prune_mask_blocks(const void* w, sc_dtype dtype, size_t n, const sc_layout* layout,
                               sc_norm norm, size_t k, const sc_layout* slices,
                               const sc_scores* scores, sc_nan nan, void* mask,
                               sc_mask_format format) {
  return guarded([&] {
    const Layout blocks = checked_blocks(layout, n, norm);
    Operand operand = checked_mask_operand(
        w, dtype, n, scores, nan, checked_mask(mask, n, format),
        {checked_optional("layout", layout), checked_optional("slices", slices)});
    const Layout norm_slices = checked_block_slices(slices, blocks, k);
    const MaskWriter writer(mask, n, format, true);
    operand.out = writer.output();
    prune_blocks(operand, blocks, norm, norm_slices, k, nan);
    writer.finish();
  });
}

sc_status sc_prune_mask_blocks_threshold(const void* w, sc_dtype dtype, size_t n,
                                         const sc_layout* layout, sc_norm norm, double threshold,
                                         const sc_scores* scores, sc_nan nan, void* mask,
                                         sc_mask_format format) {
  return guarded([&] {
    const Layout blocks = checked_blocks(layout, n, norm);
    Operand operand = checked_mask_operand(w, dtype, n, scores, nan, checked_mask(mask, n, format),
                                           {checked_optional("layout", layout)});
    require_threshold(threshold);
    const MaskWriter writer(mask, n, format, true);
    operand.out = writer.output();
    prune_blocks_above(operand, blocks, norm, key_of_threshold(threshold, kFloat64), nan);
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
