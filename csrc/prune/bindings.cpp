// Python bindings of the pruning functions: top-k, threshold and N:M pruning, global pruning, block
// pruning, masks and soft thresholding.
#include <pybind11/stl.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/ceil_div.hpp"
#include "python/arguments.hpp"
#include "python/arrays.hpp"
#include "python/layouts.hpp"
#include "python/module.hpp"
#include "secateur/secateur.hpp"

namespace secateur::python {
namespace {

// allow_negative: the threshold applies to scores, which may be negative.
double checked_threshold(double limit, py::handle threshold, bool allow_negative = false) {
  if (std::isnan(limit) || (limit < 0 && !allow_negative)) {
    refuse("threshold", allow_negative ? "a number" : "a number, at least 0", threshold);
  }
  return limit;
}

// A threshold that elements are compared with.
double to_threshold(py::handle threshold, bool allow_negative = false) {
  return checked_threshold(to_lower_number("threshold", threshold), threshold, allow_negative);
}

// Packed masks: one bit for each element. With row_align, each row is padded to a multiple of 8
// bits.
struct PackedMasks {
  sc_bitorder bitorder;
  std::int32_t row_align;  // 0 or 8

  PackedMasks(py::handle row_align_, py::handle bitorder_)
      : bitorder(to_bitorder(bitorder_)), row_align(to_row_align(row_align_, false)) {}

  // The format of the core.
  [[nodiscard]] sc_mask_format format() const {
    return bitorder == SC_BITORDER_LITTLE ? SC_MASK_FORMAT_BITS_LITTLE : SC_MASK_FORMAT_BITS_BIG;
  }
  // Whether the rows of an array have padding, which the format of the core does not have.
  [[nodiscard]] bool has_padding(const py::array& array) const {
    return row_align != 0 && array.ndim() != 0 && array.shape(array.ndim() - 1) % 8 != 0;
  }
  // The shape of the packed mask of an array.
  [[nodiscard]] Shape shape(const Input& in) const {
    if (row_align == 0) {
      return {static_cast<py::ssize_t>((in.size() + 7) / 8)};
    }
    return aligned_rows(in.name(), shape_of(in.given()), 1, row_align);
  }
};

// How a function returns a mask: as bools, or packed.
class MaskFormat {
 public:
  MaskFormat(py::handle packed, py::handle row_align, py::handle bitorder)
      : bits_(row_align, bitorder), is_packed_(to_bool("packed", packed)) {
    if (bits_.row_align != 0 && !is_packed_) {
      refuse("row_align", "None unless packed is True", row_align);
    }
  }

  // Whether the core can write the mask of an array. Otherwise it writes bools, from which pack()
  // makes the mask.
  [[nodiscard]] bool suits_core(const Input& in) const {
    return !is_packed_ || !bits_.has_padding(in.given());
  }
  // The format and the memory of a mask that the core can write.
  [[nodiscard]] sc_mask_format format() const {
    return is_packed_ ? bits_.format() : SC_MASK_FORMAT_BOOLS;
  }
  [[nodiscard]] Result result(const Input& in) const {
    return is_packed_ ? Result(py::dtype(kUInt8.number), bits_.shape(in)) : bools(in);
  }
  // Memory for the bools of a mask.
  [[nodiscard]] static Result bools(const Input& in) {
    return {py::dtype(kBool.number), shape_of(in.given())};
  }
  // The mask of `in` in this format, from bools.
  [[nodiscard]] py::object pack(const py::object& bools, const Input& in) const {
    if (!is_packed_) {
      return bools;
    }
    Input mask("mask", bools, {kBool});
    Result packed(py::dtype(kUInt8.number), bits_.shape(in));
    const Shape shape = shape_of(in.given());
    mask.prepare();
    call(mask, "", [&, data = packed.data()] {
      return sc_pack_ints(mask.data(), SC_DTYPE_UINT8, mask.size(), 1, bits_.bitorder,
                          shape.empty() ? 0 : static_cast<std::size_t>(shape.back()),
                          bits_.row_align, data);
    });
    return packed.finish();
  }

 private:
  PackedMasks bits_;
  bool is_packed_;
};

// The mask of a selection of elements or of blocks.
template <class Selection>
py::object write_mask(const MaskFormat& format, Selection& selection) {
  const Input& in = selection.in();
  const bool in_core = selection.order().empty() && format.suits_core(in);
  Result mask = in_core ? format.result(in) : MaskFormat::bools(in);
  const sc_mask_format core_format = in_core ? format.format() : SC_MASK_FORMAT_BOOLS;
  selection.set_order(mask);
  selection.run(mask.data(), &core_format);
  return in_core ? mask.finish() : format.pack(mask.finish(), in);
}

// Throws ValueError unless exactly one of the arguments is given. `pattern` is a tuple of N and M,
// or None.
void require_one_selection(py::handle k, py::handle sparsity, py::handle threshold,
                           py::handle pattern) {
  const auto is_given = [](py::handle option) { return option.is_none() ? 0 : 1; };
  if (is_given(k) + is_given(sparsity) + is_given(threshold) + is_given(pattern) != 1) {
    const py::object pattern_text =
        pattern.is_none()
            ? py::object(py::none())
            : py::object(py::str("{}:{}").format(pattern[py::int_(0)], pattern[py::int_(1)]));
    require_one(
        {{"k", k}, {"sparsity", sparsity}, {"threshold", threshold}, {"pattern", pattern_text}});
  }
}

// A selection of elements: the arguments that prune and prune_mask share, after
// require_one_selection.
class SelectionArguments {
 public:
  SelectionArguments(py::handle w, py::handle k, py::handle sparsity, py::handle threshold,
                     py::handle pattern, py::handle remainder, py::handle scores, py::handle axis,
                     py::handle nan)
      : keep_(k, sparsity),
        remainder_(to_choice("remainder", remainder, kRemainders)),
        axes_(axis),
        nan_(to_selection_nan(nan)),
        ranked_by_(scores),
        by_threshold_(!threshold.is_none()),
        limit_(by_threshold_ ? to_threshold(threshold, ranked_by_.are_values()) : 0),
        in_(floats(w)) {
    ranked_by_.require_fit(in_);
    if (!pattern.is_none()) {
      set_pattern(py::reinterpret_borrow<py::tuple>(pattern));
      return;
    }
    slices_.emplace(shape_of(in_.given()), axes_);
    order_ = by_threshold_ ? in_.memory_order() : slices_->order();
    kept_ = by_threshold_ ? 0 : keep_.of(slices_->length());
  }

  [[nodiscard]] const Input& in() const { return in_; }
  [[nodiscard]] const Input* scores() const { return ranked_by_.given(); }

  // The order of axes in which the core reads and writes; empty if it is that of w.
  [[nodiscard]] const AxisOrder& order() const { return order_; }

  // Makes the core write the result in that order. A threshold decides for each element whatever its
  // index is, so that the result may follow the memory of w.
  void set_order(Result& result) const {
    by_threshold_ ? result.follow(order_) : result.transpose(order_);
  }

  // Writes the kept elements to `out`, or their mask if `format` is not null.
  void run(void* out, const sc_mask_format* format) {
    call_selection(in_, &ranked_by_, order(), nan_, [&] {
      const void* const w = in_.data();
      const sc_dtype dtype = in_.core_dtype();
      const std::size_t n = in_.size();
      const sc_scores* const scores = ranked_by_.data();
      if (by_threshold_) {
        return format == nullptr
                   ? sc_prune_threshold(w, dtype, n, limit_, scores, nan_, out)
                   : sc_prune_mask_threshold(w, dtype, n, limit_, scores, nan_, out, *format);
      }
      const sc_layout* const layout = slices_->layout();
      if (of_ != 0) {
        return format == nullptr ? sc_prune_pattern(w, dtype, n, kept_, of_, remainder_, layout,
                                                    scores, nan_, out)
                                 : sc_prune_mask_pattern(w, dtype, n, kept_, of_, remainder_,
                                                         layout, scores, nan_, out, *format);
      }
      return format == nullptr
                 ? sc_prune(w, dtype, n, kept_, layout, scores, nan_, out)
                 : sc_prune_mask(w, dtype, n, kept_, layout, scores, nan_, out, *format);
    });
  }

 private:
  void set_pattern(const py::tuple& pattern) {
    kept_ = pattern[0].cast<std::size_t>();
    of_ = pattern[1].cast<std::size_t>();
    if (in_.given().ndim() == 0) {
      throw py::value_error("w must have an axis for a pattern to run along, got shape ()");
    }
    const Shape shape = shape_of(in_.given());
    const py::ssize_t last = in_.given().ndim() - 1;
    axes_.is_given() ? slices_.emplace(shape, axes_) : slices_.emplace(shape, last);
    order_ = slices_->order();
    if (slices_->length() % of_ != 0 && remainder_ == SC_REMAINDER_RAISE) {
      const py::object axis =
          axes_.is_given() ? py::cast(axes_.normalized(last + 1)) : py::cast(Shape{last});
      const bool is_single = py::len(axis) == 1;
      throw py::value_error(
          "w must have a multiple of " + std::to_string(of_) + " elements along " +
          (is_single ? "axis " + shown(axis[py::int_(0)]) : "axes " + shown(py::tuple(axis))) +
          ", got shape " + shown(in_.given().attr("shape")) +
          "; remainder='keep' and remainder='pad' say what to do with the last ones");
    }
  }

  static constexpr Choice<sc_remainder> kRemainders[] = {
      {"raise", SC_REMAINDER_RAISE}, {"keep", SC_REMAINDER_KEEP}, {"pad", SC_REMAINDER_PAD}};

  KeepCount keep_;
  sc_remainder remainder_;  // with a pattern
  Axes axes_;
  sc_nan nan_;
  ScoresArgument ranked_by_;
  bool by_threshold_;
  double limit_;
  Input in_;
  std::optional<Slices> slices_;
  AxisOrder order_;
  std::size_t kept_ = 0;  // with a pattern, of each group
  std::size_t of_ = 0;    // members of a group of the pattern; 0 without a pattern
};

py::object prune(py::handle w, py::handle k, py::handle sparsity, py::handle threshold,
                 py::handle pattern, py::handle remainder, py::handle scores, py::handle axis,
                 py::handle nan, py::handle out) {
  require_one_selection(k, sparsity, threshold, pattern);
  SelectionArguments selection(w, k, sparsity, threshold, pattern, remainder, scores, axis, nan);
  Result result(out, selection.in().numpy_dtype(), selection.in(), true, selection.scores());
  selection.set_order(result);
  selection.run(result.data(), nullptr);
  return result.finish();
}

py::object prune_mask(py::handle w, py::handle k, py::handle sparsity, py::handle threshold,
                      py::handle pattern, py::handle remainder, py::handle scores, py::handle axis,
                      py::handle packed, py::handle row_align, py::handle bitorder,
                      py::handle nan) {
  require_one_selection(k, sparsity, threshold, pattern);
  const MaskFormat format(packed, row_align, bitorder);
  SelectionArguments selection(w, k, sparsity, threshold, pattern, remainder, scores, axis, nan);
  return write_mask(format, selection);
}

// The arguments `block` and `norm`. They are parsed before any array is checked, because parsing may
// run the caller's code.
struct Block {
  py::object rows, columns;
  std::int64_t row_count, column_count;
  sc_norm norm;

  Block(py::handle block, py::handle norm_name)
      : norm(norm_name.is_none() ? SC_NORM_L1 : to_choice("norm", norm_name, kNorms)) {
    static constexpr char kAllowed[] = "a tuple of two positive integers";
    if (!PyTuple_Check(block.ptr()) && !PyList_Check(block.ptr())) {
      throw py::type_error(std::string("block must be ") + kAllowed + ", got " + shown(block));
    }
    const py::tuple lengths(py::reinterpret_borrow<py::object>(block));
    if (lengths.size() != 2) {
      refuse("block", kAllowed, block);
    }
    rows = lengths[0];
    columns = lengths[1];
    row_count = to_integer("block[0]", rows);
    column_count = to_integer("block[1]", columns);
  }

  // The blocks of the matrices that the last two axes form. The core cuts off larger ones.
  [[nodiscard]] sc_layout layout_of(const Input& in) const {
    const Shape shape = shape_of(in.given());
    if (shape.size() < 2) {
      throw py::value_error(in.name() + " must have at least two axes to have blocks, got shape " +
                            shown(in.given().attr("shape")));
    }
    const auto length = static_cast<std::size_t>(shape[shape.size() - 2]);
    const auto inner = static_cast<std::size_t>(shape.back());
    // to_integer() returns INT64_MAX for larger integers, so the limit must be smaller.
    constexpr std::size_t kMax = INT64_MAX - 1;
    return {length, inner, in_range("block[0]", row_count, 1, kMax, rows),
            in_range("block[1]", column_count, 1, kMax, columns), 0};
  }

 private:
  static constexpr Choice<sc_norm> kNorms[] = {
      {"l1", SC_NORM_L1}, {"l2", SC_NORM_L2}, {"max", SC_NORM_MAX}, {"mean", SC_NORM_MEAN}};
};

// One of the arrays of prune_global.
struct Member {
  Input in;
  ScoresArgument scores;
  sc_layout blocks{};
  std::size_t min_kept = 0;
};

// Throws the exception for a failed sc_prune_global. The core names an array by its index; the
// message of the exception names it by its label.
void check_members(sc_status status, const std::vector<std::string>& labels) {
  if (status != SC_ERROR_NAN) {
    return check(status, "");
  }
  std::string message = last_error();
  if (labels.size() == 1) {  // the core gives no index if there is only one array
    if (message.front() == 'w') {
      message.replace(0, 1, "arrays[0]");
    }
    for (const std::string_view name : {"scores", "factors"}) {
      if (const std::size_t position = message.find(name); position != std::string::npos) {
        message.insert(position + name.size(), "[0]");
      }
    }
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    std::string number("[");
    number.append(std::to_string(i)).append("]");
    if (const std::size_t first = message.find(number); first != std::string::npos) {
      for (std::size_t position = first; position != std::string::npos;
           position = message.find(number, position + labels[i].size())) {
        message.replace(position, number.size(), labels[i]);
      }
      break;
    }
  }
  throw py::value_error(message + "; " + kSelectionRemedy);
}

// A selection among several arrays: the arguments that prune_global and prune_mask_global share.
// Each list has one item per array. An item of `scores` is a description of scores or None, and one of
// `max_sparsity` a number from 0 to 1. A label, such as "[0]", identifies the array in error messages.
class GlobalSelectionArguments {
 public:
  GlobalSelectionArguments(const py::list& arrays, const py::list& scores,
                           const std::vector<std::string>& labels, py::handle k,
                           py::handle sparsity, py::handle block, py::handle norm,
                           const std::vector<double>& max_sparsity, py::handle nan)
      : labels_(labels) {
    require_one({{"k", k}, {"sparsity", sparsity}});
    const KeepCount keep(k, sparsity);
    nan_ = to_selection_nan(nan);
    if (!block.is_none()) {
      block_.emplace(block, norm);
    }
    // All inputs are converted to arrays before any output is checked, because a conversion may run
    // the caller's code.
    members_.reserve(labels.size());
    for (std::size_t i = 0; i < labels.size(); ++i) {
      ScoresArgument ranked_by(scores[i], labels[i]);
      Input in = floats(arrays[i], "arrays" + labels[i]);
      ranked_by.require_fit(in);
      n_ += in.size();
      members_.push_back({std::move(in), std::move(ranked_by), {}, 0});
    }
    std::size_t count = 0;
    std::size_t least = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      Member& member = members_[i];
      std::size_t own = member.in.size();
      if (block_) {
        member.blocks = block_->layout_of(member.in);
        own = own == 0 ? 0 : count_groups(own, &member.blocks);
      }
      check(sc_keep_count(own, max_sparsity[i], &member.min_kept), "");
      count += own;
      least += member.min_kept;
    }
    kept_ = keep.of(count);
    if (kept_ < least) {
      refuse_count(keep, least, count);
    }
  }

  [[nodiscard]] const std::vector<Member>& members() const { return members_; }

  // Writes the kept elements to the results, or their masks if `format` is not null.
  py::list run(std::vector<Result> results, const sc_mask_format* format) {
    std::vector<sc_member> core;
    core.reserve(members_.size());
    for (std::size_t i = 0; i < members_.size(); ++i) {
      Member& member = members_[i];
      member.in.prepare();
      member.scores.prepare();
      core.push_back({member.in.data(), member.in.core_dtype(), member.in.size(),
                      member.scores.data(), results[i].data(), block_ ? &member.blocks : nullptr,
                      member.min_kept});
    }
    const std::size_t size = core.size();
    const sc_status status = without_gil(n_, [&] {
      if (block_) {
        return format == nullptr
                   ? sc_prune_global_blocks(core.data(), size, block_->norm, kept_, nan_)
                   : sc_prune_mask_global_blocks(core.data(), size, block_->norm, kept_, nan_,
                                                 *format);
      }
      return format == nullptr ? sc_prune_global(core.data(), size, kept_, nan_)
                               : sc_prune_mask_global(core.data(), size, kept_, nan_, *format);
    });
    if (status != SC_OK) {
      check_members(status, labels_);
    }
    py::list finished;
    for (Result& result : results) {
      finished.append(result.finish());
    }
    return finished;
  }

 private:
  // Throws the error for arguments that keep fewer than the `least` of `count` elements or blocks that
  // max_sparsity keeps.
  [[noreturn]] void refuse_count(const KeepCount& keep, std::size_t least,
                                 std::size_t count) const {
    const std::string all = std::to_string(count) + (block_ ? " blocks" : " elements");
    if (!keep.k.is_none()) {
      throw py::value_error("k must be at least " + std::to_string(least) +
                            " with this max_sparsity, which keeps that many of the " + all +
                            ", got " + shown(keep.k) + "; raise k or max_sparsity");
    }
    throw py::value_error("sparsity must remove at most " + std::to_string(count - least) +
                          " of the " + all + " with this max_sparsity, got " +
                          shown(keep.sparsity) + ", which removes " +
                          std::to_string(count - kept_) + "; lower sparsity or raise max_sparsity");
  }

  const std::vector<std::string>& labels_;
  sc_nan nan_ = SC_NAN_RAISE;
  std::optional<Block> block_;
  std::vector<Member> members_;
  std::size_t n_ = 0;
  std::size_t kept_ = 0;
};

// An item of `outs` is an output array or None.
py::list prune_global(const py::list& arrays, const py::list& scores, const py::list& outs,
                      const std::vector<std::string>& labels, py::handle k, py::handle sparsity,
                      py::handle block, py::handle norm, const std::vector<double>& max_sparsity,
                      py::handle nan) {
  GlobalSelectionArguments selection(arrays, scores, labels, k, sparsity, block, norm, max_sparsity,
                                     nan);
  std::vector<Result> results;
  results.reserve(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const Member& member = selection.members()[i];
    results.emplace_back(outs[i], member.in.numpy_dtype(), member.in, true, member.scores.given(),
                         "out" + labels[i]);
  }
  return selection.run(std::move(results), nullptr);
}

py::list prune_mask_global(const py::list& arrays, const py::list& scores,
                           const std::vector<std::string>& labels, py::handle k,
                           py::handle sparsity, py::handle block, py::handle norm,
                           const std::vector<double>& max_sparsity, py::handle packed,
                           py::handle row_align, py::handle bitorder, py::handle nan) {
  const MaskFormat format(packed, row_align, bitorder);
  GlobalSelectionArguments selection(arrays, scores, labels, k, sparsity, block, norm, max_sparsity,
                                     nan);
  const std::vector<Member>& members = selection.members();
  const bool in_core = std::ranges::all_of(
      members, [&](const Member& member) { return format.suits_core(member.in); });
  const sc_mask_format core_format = in_core ? format.format() : SC_MASK_FORMAT_BOOLS;
  std::vector<Result> results;
  results.reserve(members.size());
  for (const Member& member : members) {
    results.push_back(in_core ? format.result(member.in) : MaskFormat::bools(member.in));
  }
  py::list masks = selection.run(std::move(results), &core_format);
  for (std::size_t i = 0; !in_core && i < members.size(); ++i) {
    masks[i] = format.pack(masks[i], members[i].in);
  }
  return masks;
}

// A selection of blocks: the arguments that prune_blocks and prune_mask_blocks share, after
// require_one_selection.
class BlockSelectionArguments {
 public:
  BlockSelectionArguments(py::handle w, py::handle k, py::handle sparsity, py::handle threshold,
                          py::handle block, py::handle norm, py::handle scores, py::handle axis,
                          py::handle nan)
      : keep_(k, sparsity),
        axes_(axis),
        nan_(to_selection_nan(nan)),
        ranked_by_(scores),
        by_threshold_(!threshold.is_none()),
        limit_(by_threshold_ ? to_threshold(threshold) : 0),
        block_(block, norm),
        in_(floats(w)),
        layout_(block_.layout_of(in_)),
        slices_(shape_of_norms(), axes_) {
    ranked_by_.require_fit(in_);
    if (!slices_.order().empty()) {
      refuse("axis", "adjacent axes with block", axes_.given());
    }
    kept_ = by_threshold_ ? 0 : keep_.of(slices_.length());
  }

  [[nodiscard]] const Input& in() const { return in_; }
  [[nodiscard]] const Input* scores() const { return ranked_by_.given(); }

  // Results have the order of w.
  [[nodiscard]] static AxisOrder order() { return {}; }
  static void set_order(Result& /*result*/) {}

  // Writes the kept elements to `out`, or their mask if `format` is not null.
  void run(void* out, const sc_mask_format* format) {
    call_selection(in_, &ranked_by_, {}, nan_, [&] {
      const void* const w = in_.data();
      const sc_dtype dtype = in_.core_dtype();
      const std::size_t n = in_.size();
      const sc_scores* const scores = ranked_by_.data();
      if (by_threshold_) {
        return format == nullptr
                   ? sc_prune_blocks_threshold(w, dtype, n, &layout_, block_.norm, limit_, scores,
                                               nan_, out)
                   : sc_prune_mask_blocks_threshold(w, dtype, n, &layout_, block_.norm, limit_,
                                                    scores, nan_, out, *format);
      }
      return format == nullptr ? sc_prune_blocks(w, dtype, n, &layout_, block_.norm, kept_,
                                                 slices_.layout(), scores, nan_, out)
                               : sc_prune_mask_blocks(w, dtype, n, &layout_, block_.norm, kept_,
                                                      slices_.layout(), scores, nan_, out, *format);
    });
  }

 private:
  // The shape of w with the numbers of blocks in place of the last two lengths.
  [[nodiscard]] Shape shape_of_norms() const {
    Shape shape = shape_of(in_.given());
    const auto count = [](py::ssize_t length, std::size_t size) {
      return static_cast<py::ssize_t>(ceil_div(static_cast<std::size_t>(length), size));
    };
    shape[shape.size() - 2] = count(shape[shape.size() - 2], layout_.block);
    shape.back() = count(shape.back(), layout_.inner_block);
    return shape;
  }

  KeepCount keep_;
  Axes axes_;
  sc_nan nan_;
  ScoresArgument ranked_by_;
  bool by_threshold_;
  double limit_;
  Block block_;
  Input in_;
  sc_layout layout_;
  Slices slices_;
  std::size_t kept_ = 0;
};

py::object prune_blocks(py::handle w, py::handle k, py::handle sparsity, py::handle threshold,
                        py::handle block, py::handle norm, py::handle scores, py::handle axis,
                        py::handle nan, py::handle out) {
  require_one_selection(k, sparsity, threshold, py::none());
  BlockSelectionArguments selection(w, k, sparsity, threshold, block, norm, scores, axis, nan);
  Result result(out, selection.in().numpy_dtype(), selection.in(), true, selection.scores());
  selection.run(result.data(), nullptr);
  return result.finish();
}

py::object prune_mask_blocks(py::handle w, py::handle k, py::handle sparsity, py::handle threshold,
                             py::handle block, py::handle norm, py::handle scores, py::handle axis,
                             py::handle packed, py::handle row_align, py::handle bitorder,
                             py::handle nan) {
  require_one_selection(k, sparsity, threshold, py::none());
  const MaskFormat format(packed, row_align, bitorder);
  BlockSelectionArguments selection(w, k, sparsity, threshold, block, norm, scores, axis, nan);
  return write_mask(format, selection);
}

// The bools of a packed mask whose rows have padding.
py::array unpacked_bools(const Input& mask, const Input& w, const PackedMasks& bits) {
  Result bools = MaskFormat::bools(w);
  const auto row_length = static_cast<std::size_t>(shape_of(w.given()).back());
  call(w, "", [&, data = bools.data()] {
    return sc_unpack_ints(mask.data(), w.size(), 1, bits.bitorder, row_length, bits.row_align, data,
                          SC_DTYPE_UINT8);
  });
  return bools.finish().cast<py::array>();
}

py::object apply_mask(py::handle w, py::handle mask, py::handle row_align, py::handle bitorder,
                      py::handle out) {
  const PackedMasks bits(row_align, bitorder);
  // Both arguments are converted to arrays before either is checked, because a conversion may run
  // the caller's code.
  const py::array w_array = as_array("w", w);
  const py::array mask_array = as_array("mask", mask);
  Input in = floats(w_array);
  Input mask_input("mask", mask_array, {kBool, kUInt8},
                   [](const py::dtype&) { return "; mask != 0 makes a mask of bool"; });
  bool is_bool_mask = mask_input.is(kBool);
  if (!is_bool_mask) {
    const bool has_shape_of_w = shape_of(mask_input.given()) == shape_of(in.given());
    mask_input.require_shape(bits.shape(in),
                             has_shape_of_w ? "for packed bits (mask != 0 makes a mask of bool)"
                             : bits.row_align == 0 ? "one bit for each element of w"
                                                   : "that of w's packed rows");
  } else if (bits.row_align != 0) {
    refuse("row_align", "None for a mask of bool", row_align);
  } else {
    mask_input.require_shape(shape_of(in.given()), "that of w");
  }
  const AxisOrder order = is_bool_mask ? in.memory_order() : AxisOrder{};
  Result result(out, in.numpy_dtype(), in, true, &mask_input);
  result.follow(order);
  in.transpose(order);
  mask_input.transpose(order);
  in.prepare();
  mask_input.prepare();
  if (bits.has_padding(in.given())) {
    is_bool_mask = true;
    mask_input = Input("mask", unpacked_bools(mask_input, in, bits), {kBool});
    mask_input.prepare();
  }
  call(in, "", [&, data = result.data()] {
    return sc_apply_mask(in.data(), in.core_dtype(), in.size(), mask_input.data(),
                         is_bool_mask ? SC_MASK_FORMAT_BOOLS : bits.format(), data);
  });
  return result.finish();
}

py::object soft_threshold(py::handle w, py::handle threshold, py::handle out) {
  const double limit = checked_threshold(to_number("threshold", threshold), threshold);
  Input in = floats(w);
  const AxisOrder order = in.memory_order();
  Result result(out, in.numpy_dtype(), in, true);
  result.follow(order);
  in.transpose(order);
  in.prepare();
  call(in, "", [&, data = result.data()] {
    return sc_soft_threshold(in.data(), in.core_dtype(), in.size(), limit, data);
  });
  return result.finish();
}

}  // namespace

void define_prune(py::module_& m) {
  m.def("prune", &prune);
  m.def("prune_global", &prune_global);
  m.def("prune_blocks", &prune_blocks);
  m.def("prune_mask", &prune_mask);
  m.def("prune_mask_global", &prune_mask_global);
  m.def("prune_mask_blocks", &prune_mask_blocks);
  m.def("apply_mask", &apply_mask);
  m.def("soft_threshold", &soft_threshold);
}

}  // namespace secateur::python
