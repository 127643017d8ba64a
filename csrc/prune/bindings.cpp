// Python bindings of the pruning functions of one array: top-k, threshold, N:M and block pruning,
// and soft thresholding.
#include "prune/bindings.hpp"

#include <pybind11/stl.h>

#include <cmath>
#include <cstddef>
#include <optional>
#include <string>

#include "core/ceil_div.hpp"
#include "prune/block_argument.hpp"
#include "prune/mask_bindings.hpp"
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
double to_threshold(py::handle threshold, bool allow_negative) {
  return checked_threshold(to_lower_number("threshold", threshold), threshold, allow_negative);
}

// The mask of a selection of elements or of blocks.
template <class Selection>
py::object write_mask(const MaskFormat& format, Selection& selection) {
  const Input& in = selection.in();
  const bool in_core = selection.order().empty() && format.suits_core(in);
  Result mask = in_core ? format.result(in) : MaskFormat::bools(in);
  const sc_mask_format core_format = in_core ? format.core() : SC_MASK_FORMAT_BOOLS;
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

// The arguments that selections of elements and of blocks share, except the array: reading them may
// run code of the caller, so it precedes all checks of arrays.
struct SelectionOptions {
  SelectionOptions(py::handle k, py::handle sparsity, py::handle threshold,
                   py::handle scores_argument, py::handle axis, py::handle nan_name,
                   bool selects_blocks)
      : keep(k, sparsity),
        axes(axis),
        nan(to_selection_nan(nan_name)),
        scores(scores_argument),
        by_threshold(!threshold.is_none()),
        limit(by_threshold ? to_threshold(threshold, scores.are_values() && !selects_blocks) : 0) {}

  KeepCount keep;
  Axes axes;
  sc_nan nan;
  ScoresArgument scores;
  bool by_threshold;
  double limit;
};

// A selection of elements: the arguments that prune and prune_mask share, after
// require_one_selection.
class SelectionArguments {
 public:
  SelectionArguments(py::handle w, py::handle k, py::handle sparsity, py::handle threshold,
                     py::handle pattern, py::handle remainder, py::handle scores, py::handle axis,
                     py::handle nan)
      : options_(k, sparsity, threshold, scores, axis, nan, false),
        remainder_(to_choice("remainder", remainder, kRemainders)),
        in_(floats(w)) {
    options_.scores.require_fit(in_);
    if (!pattern.is_none()) {
      set_pattern(py::reinterpret_borrow<py::tuple>(pattern));
      return;
    }
    slices_.emplace(shape_of(in_.given()), options_.axes);
    order_ = options_.by_threshold ? in_.memory_order() : slices_->order();
    keep_count_ = options_.by_threshold ? 0 : options_.keep.of(slices_->length());
  }

  [[nodiscard]] const Input& in() const { return in_; }
  [[nodiscard]] const Input* scores() const { return options_.scores.given(); }

  // The order of axes in which the core reads and writes; empty if it is that of w.
  [[nodiscard]] const AxisOrder& order() const { return order_; }

  // Makes the core write the result in that order. A threshold decides for each element whatever
  // its index is, so that the result may follow the memory of w.
  void set_order(Result& result) const {
    options_.by_threshold ? result.follow(order_) : result.transpose(order_);
  }

  // Writes the kept elements to `out`, or their mask if `format` is not null.
  void run(void* out, const sc_mask_format* format) {
    const sc_nan nan = options_.nan;
    call_selection(in_, &options_.scores, order(), nan, [&] {
      const void* const w = in_.data();
      const sc_dtype dtype = in_.core_dtype();
      const std::size_t n = in_.size();
      const sc_scores* const scores = options_.scores.data();
      if (options_.by_threshold) {
        return call_prune(sc_prune_threshold, sc_prune_mask_threshold, format, w, dtype, n,
                          options_.limit, scores, nan, out);
      }
      const sc_layout* const layout = slices_->layout();
      if (pattern_m_ != 0) {
        return call_prune(sc_prune_pattern, sc_prune_mask_pattern, format, w, dtype, n, pattern_n_,
                          pattern_m_, remainder_, layout, scores, nan, out);
      }
      return call_prune(sc_prune, sc_prune_mask, format, w, dtype, n, keep_count_, layout, scores,
                        nan, out);
    });
  }

 private:
  void set_pattern(const py::tuple& pattern) {
    pattern_n_ = pattern[0].cast<std::size_t>();
    pattern_m_ = pattern[1].cast<std::size_t>();
    if (in_.given().ndim() == 0) {
      throw py::value_error("w must have an axis for a pattern to run along, got shape ()");
    }
    const Shape shape = shape_of(in_.given());
    const py::ssize_t last = in_.given().ndim() - 1;
    const Axes& axes = options_.axes;
    axes.is_given() ? slices_.emplace(shape, axes) : slices_.emplace(shape, last);
    order_ = slices_->order();
    if (slices_->length() % pattern_m_ != 0 && remainder_ == SC_REMAINDER_RAISE) {
      const py::object axis =
          axes.is_given() ? py::cast(axes.normalized(last + 1)) : py::cast(Shape{last});
      const bool is_single = py::len(axis) == 1;
      throw py::value_error(
          "w must have a multiple of " + std::to_string(pattern_m_) + " elements along " +
          (is_single ? "axis " + shown(axis[py::int_(0)]) : "axes " + shown(py::tuple(axis))) +
          ", got shape " + shown(in_.given().attr("shape")) +
          "; remainder='keep' and remainder='pad' say what to do with the last ones");
    }
  }

  static constexpr Choice<sc_remainder> kRemainders[] = {
      {"raise", SC_REMAINDER_RAISE}, {"keep", SC_REMAINDER_KEEP}, {"pad", SC_REMAINDER_PAD}};

  SelectionOptions options_;
  sc_remainder remainder_;  // with a pattern
  Input in_;
  std::optional<Slices> slices_;
  AxisOrder order_;
  std::size_t keep_count_ = 0;                 // of each slice
  std::size_t pattern_n_ = 0, pattern_m_ = 0;  // 0 without a pattern
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

// A selection of blocks: the arguments that prune_blocks and prune_mask_blocks share, after
// require_one_selection.
class BlockSelectionArguments {
 public:
  BlockSelectionArguments(py::handle w, py::handle k, py::handle sparsity, py::handle threshold,
                          py::handle block, py::handle norm, py::handle scores, py::handle axis,
                          py::handle nan)
      : options_(k, sparsity, threshold, scores, axis, nan, true),
        block_(block, norm),
        in_(floats(w)),
        layout_(block_.layout_of(in_)),
        slices_(shape_of_norms(), options_.axes) {
    options_.scores.require_fit(in_);
    if (!slices_.order().empty()) {
      refuse("axis", "adjacent axes with block", options_.axes.given());
    }
    keep_count_ = options_.by_threshold ? 0 : options_.keep.of(slices_.length());
  }

  [[nodiscard]] const Input& in() const { return in_; }
  [[nodiscard]] const Input* scores() const { return options_.scores.given(); }

  // Results have the order of w.
  [[nodiscard]] static AxisOrder order() { return {}; }
  static void set_order(Result& /*result*/) {}

  // Writes the kept elements to `out`, or their mask if `format` is not null.
  void run(void* out, const sc_mask_format* format) {
    const sc_nan nan = options_.nan;
    call_selection(in_, &options_.scores, {}, nan, [&] {
      const void* const w = in_.data();
      const sc_dtype dtype = in_.core_dtype();
      const std::size_t n = in_.size();
      const sc_scores* const scores = options_.scores.data();
      if (options_.by_threshold) {
        return call_prune(sc_prune_blocks_threshold, sc_prune_mask_blocks_threshold, format, w,
                          dtype, n, &layout_, block_.norm, options_.limit, scores, nan, out);
      }
      return call_prune(sc_prune_blocks, sc_prune_mask_blocks, format, w, dtype, n, &layout_,
                        block_.norm, keep_count_, slices_.layout(), scores, nan, out);
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

  SelectionOptions options_;
  BlockArgument block_;
  Input in_;
  sc_layout layout_;
  Slices slices_;
  std::size_t keep_count_ = 0;
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
  m.def("prune_blocks", &prune_blocks);
  m.def("prune_mask", &prune_mask);
  m.def("prune_mask_blocks", &prune_mask_blocks);
  m.def("soft_threshold", &soft_threshold);
  define_masks(m);
  define_prune_global(m);
}

}  // namespace secateur::python
