// Python bindings of the pruning functions: top-k, threshold and N:M pruning, global pruning, block
// pruning, masks and soft thresholding.
#include <pybind11/stl.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "python/arguments.hpp"
#include "python/arrays.hpp"
#include "python/module.hpp"
#include "secateur/secateur.h"

namespace secateur::python {
namespace {

py::object prune_pattern(Input& in, Scores& ranked_by, const py::tuple& pattern, const Axis& along,
                         sc_nan nan, py::handle out) {
  const auto keep = pattern[0].cast<std::size_t>();
  const auto of = pattern[1].cast<std::size_t>();
  if (in.given().ndim() == 0) {
    throw py::value_error("w must have an axis for a pattern to run along, got shape ()");
  }
  const py::ssize_t given_axis = along.in(in.given().ndim());
  const py::ssize_t axis = given_axis == kNoAxis ? in.given().ndim() - 1 : given_axis;
  const Slices slices(shape_of(in.given()), axis);
  if (slices.core.length % of != 0) {
    throw py::value_error("w must have a multiple of " + std::to_string(of) +
                          " elements along axis " + std::to_string(axis) + ", got shape " +
                          shown(in.given().attr("shape")) +
                          "; pad it with zeros, or prune a slice of it");
  }
  Result result(out, in.numpy_dtype(), in, true, ranked_by.array());
  in.settle();
  ranked_by.settle();
  call(in, kSelectingRemedy, [&, data = result.data()] {
    return sc_prune_pattern(in.data(), in.core_dtype(), in.size(), keep, of, slices.data(),
                            ranked_by.data(), nan, data);
  });
  return result.finish();
}

// allow_negative: the threshold applies to scores that are values, which may be negative.
double require_threshold(double limit, py::handle threshold, bool allow_negative = false) {
  if (std::isnan(limit) || (limit < 0 && !allow_negative)) {
    refuse("threshold", allow_negative ? "a number" : "a number, at least 0", threshold);
  }
  return limit;
}

// A threshold that elements are compared with.
double to_threshold(py::handle threshold, bool allow_negative = false) {
  return require_threshold(to_lower_number("threshold", threshold), threshold, allow_negative);
}

py::object prune(py::handle w, py::handle k, py::handle sparsity, py::handle threshold,
                 py::handle pattern, py::handle scores, py::handle axis, py::handle nan,
                 py::handle out) {
  const auto is_given = [](py::handle option) { return option.is_none() ? 0 : 1; };
  if (is_given(k) + is_given(sparsity) + is_given(threshold) + is_given(pattern) != 1) {
    const py::object pattern_text =
        pattern.is_none()
            ? py::object(py::none())
            : py::object(py::str("{}:{}").format(pattern[py::int_(0)], pattern[py::int_(1)]));
    require_one(
        {{"k", k}, {"sparsity", sparsity}, {"threshold", threshold}, {"pattern", pattern_text}});
  }
  const Kept keep(k, sparsity);
  const Axis along(axis);
  const sc_nan policy = to_selecting_nan(nan);
  const bool by_threshold = !threshold.is_none();
  Scores ranked_by(scores);
  const double limit = by_threshold ? to_threshold(threshold, ranked_by.are_values()) : 0;
  Input in = floats(w);
  ranked_by.require_fit(in);
  if (!pattern.is_none()) {
    return prune_pattern(in, ranked_by, py::reinterpret_borrow<py::tuple>(pattern), along, policy,
                         out);
  }
  const Slices slices(shape_of(in.given()), along.in(in.given().ndim()));
  const std::size_t kept = by_threshold ? 0 : keep.of(length_along(in, slices));
  Result result(out, in.numpy_dtype(), in, true, ranked_by.array());
  in.settle();
  ranked_by.settle();
  call(in, kSelectingRemedy, [&, data = result.data()] {
    return by_threshold ? sc_prune_threshold(in.data(), in.core_dtype(), in.size(), limit,
                                             ranked_by.data(), policy, data)
                        : sc_prune(in.data(), in.core_dtype(), in.size(), kept, slices.data(),
                                   ranked_by.data(), policy, data);
  });
  return result.finish();
}

// One of the arrays of prune_global.
struct Member {
  Input in;
  Scores scores;
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
    if (const std::size_t position = message.find("scores"); position != std::string::npos) {
      message.insert(position + std::string_view("scores").size(), "[0]");
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
  throw py::value_error(message + "; " + kSelectingRemedy);
}

// Each list has one item per array. An item of `scores` is a description of scores or None. An item
// of `outs` is an output array or None. A label, such as "[0]", identifies the array in error
// messages.
py::list prune_global(const py::list& arrays, const py::list& scores, const py::list& outs,
                      const std::vector<std::string>& labels, py::handle k, py::handle sparsity,
                      py::handle nan) {
  require_one({{"k", k}, {"sparsity", sparsity}});
  const Kept keep(k, sparsity);
  const sc_nan policy = to_selecting_nan(nan);
  // All inputs are converted to arrays before any output is checked, because a conversion may run
  // the caller's code.
  std::vector<Member> members;
  members.reserve(labels.size());
  std::size_t n = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    Scores ranked_by(scores[i], "scores" + labels[i]);
    Input in = floats(arrays[i], "arrays" + labels[i]);
    ranked_by.require_fit(in);
    n += in.size();
    members.push_back({std::move(in), std::move(ranked_by)});
  }
  const std::size_t kept = keep.of(n);
  std::vector<Result> results;
  results.reserve(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const Input& in = members[i].in;
    results.emplace_back(outs[i], in.numpy_dtype(), in, true, members[i].scores.array(),
                         "out" + labels[i]);
  }
  std::vector<sc_member> core;
  core.reserve(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    Member& member = members[i];
    member.in.settle();
    member.scores.settle();
    core.push_back({member.in.data(), member.in.core_dtype(), member.in.size(),
                    member.scores.data(), results[i].data()});
  }
  const sc_status status =
      without_gil(n, [&] { return sc_prune_global(core.data(), core.size(), kept, policy); });
  if (status != SC_OK) {
    check_members(status, labels);
  }
  py::list finished;
  for (Result& result : results) {
    finished.append(result.finish());
  }
  return finished;
}

std::size_t blocks_along(std::size_t length, std::size_t block_length) {
  return length == 0 ? 0 : (length - 1) / block_length + 1;
}

// The argument `block`. It is parsed before any array is checked, because parsing may run the
// caller's code.
struct Block {
  py::object rows, columns;
  std::int64_t row_count, column_count;

  explicit Block(py::handle block) {
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

  // The blocks of the matrices that the last two axes form.
  [[nodiscard]] sc_blocks blocks_of(const Input& in, sc_norm norm) const {
    const Shape shape = shape_of(in.given());
    if (shape.size() < 2) {
      throw py::value_error("w must have at least two axes to have blocks, got shape " +
                            shown(in.given().attr("shape")));
    }
    const auto length = [&](std::size_t i) { return static_cast<std::size_t>(shape[i]); };
    // in_range gets INT64_MAX for larger numbers.
    constexpr std::size_t kMaxOfEmpty = INT64_MAX - 1;
    const auto max_length = [&](std::size_t i) { return in.size() == 0 ? kMaxOfEmpty : length(i); };
    const std::size_t axis = shape.size() - 2;
    sc_blocks blocks{1, length(axis), length(axis + 1), 0, 0, norm};
    blocks.block_rows = in_range("block[0]", row_count, 1, max_length(axis), rows);
    blocks.block_columns = in_range("block[1]", column_count, 1, max_length(axis + 1), columns);
    for (std::size_t i = 0; i < axis; ++i) {
      blocks.matrices *= length(i);
    }
    return blocks;
  }
};

std::size_t count_blocks(const sc_blocks& blocks) {
  return blocks.matrices * blocks_along(blocks.rows, blocks.block_rows) *
         blocks_along(blocks.columns, blocks.block_columns);
}

py::object prune_blocks(py::handle w, py::handle k, py::handle sparsity, py::handle threshold,
                        py::handle block, py::handle norm, py::handle nan, py::handle out) {
  static constexpr Choice<sc_norm> kNorms[] = {
      {"l1", SC_NORM_L1}, {"l2", SC_NORM_L2}, {"max", SC_NORM_MAX}};
  require_one(
      {{"k", k}, {"sparsity", sparsity}, {"threshold", threshold}, {"pattern", py::none()}});
  const Kept keep(k, sparsity);
  const sc_nan policy = to_selecting_nan(nan);
  const bool by_threshold = !threshold.is_none();
  const double limit = by_threshold ? to_threshold(threshold) : 0;
  const Block block_shape(block);
  const sc_norm chosen_norm = norm.is_none() ? SC_NORM_L1 : to_choice("norm", norm, kNorms);
  Input in = floats(w);
  const sc_blocks blocks = block_shape.blocks_of(in, chosen_norm);
  const std::size_t kept = by_threshold ? 0 : keep.of(count_blocks(blocks));
  Result result(out, in.numpy_dtype(), in, true);
  in.settle();
  call(in, kSelectingRemedy, [&, data = result.data()] {
    return by_threshold
               ? sc_prune_blocks_threshold(in.data(), in.core_dtype(), &blocks, limit, policy, data)
               : sc_prune_blocks(in.data(), in.core_dtype(), &blocks, kept, policy, data);
  });
  return result.finish();
}

py::object apply_mask(py::handle w, py::handle mask, py::handle out) {
  // Both arguments are converted to arrays before either is checked, because a conversion may run
  // the caller's code.
  const py::array w_array = as_array("w", w);
  const py::array mask_array = as_array("mask", mask);
  Input in = floats(w_array);
  Input mask_input("mask", mask_array, {kBool, kUInt8});
  const bool is_bool_mask = mask_input.is(kBool);
  if (is_bool_mask) {
    mask_input.require_shape(shape_of(in.given()), "that of w");
  } else {
    mask_input.require_shape({static_cast<py::ssize_t>((in.size() + 7) / 8)},
                             "one bit for each element of w");
  }
  Result result(out, in.numpy_dtype(), in, true, &mask_input);
  in.settle();
  mask_input.settle();
  call(in, "", [&, data = result.data()] {
    return sc_apply_mask(in.data(), in.core_dtype(), in.size(), mask_input.data(),
                         is_bool_mask ? SC_MASK_BOOLS : SC_MASK_BITS, data);
  });
  return result.finish();
}

py::object soft_threshold(py::handle w, py::handle threshold, py::handle out) {
  const double limit = require_threshold(to_number("threshold", threshold), threshold);
  Input in = floats(w);
  Result result(out, in.numpy_dtype(), in, true);
  in.settle();
  call(in, "", [&, data = result.data()] {
    return sc_soft_threshold(in.data(), in.core_dtype(), in.size(), limit, data);
  });
  return result.finish();
}

py::object topk_mask(py::handle w, py::handle k, py::handle sparsity, py::handle scores,
                     py::handle axis, py::handle packed, py::handle nan) {
  require_one({{"k", k}, {"sparsity", sparsity}});
  const Kept keep(k, sparsity);
  const Axis along(axis);
  const sc_nan policy = to_selecting_nan(nan);
  const bool returns_bits = to_bool("packed", packed);
  Scores ranked_by(scores);
  Input in = floats(w);
  ranked_by.require_fit(in);
  const Slices slices(shape_of(in.given()), along.in(in.given().ndim()));
  const std::size_t kept = keep.of(length_along(in, slices));
  const bool writes_bools = !returns_bits || !slices.whole;
  Result mask = writes_bools ? Result(py::dtype(kBool.number), shape_of(in.given()))
                             : Result(py::dtype(kUInt8.number),
                                      {static_cast<py::ssize_t>((in.size() + 7) / 8)});
  in.settle();
  ranked_by.settle();
  call(in, kSelectingRemedy, [&, data = mask.data()] {
    return sc_topk_mask(in.data(), in.core_dtype(), in.size(), kept, slices.data(),
                        ranked_by.data(), policy, data,
                        writes_bools ? SC_MASK_BOOLS : SC_MASK_BITS);
  });
  if (returns_bits && writes_bools) {
    return py::module_::import("numpy").attr("packbits")(
        mask.finish(), py::arg("axis") = py::none(), py::arg("bitorder") = "little");
  }
  return mask.finish();
}

}  // namespace

void define_prune(py::module_& m) {
  m.def("prune", &prune);
  m.def("prune_global", &prune_global);
  m.def("prune_blocks", &prune_blocks);
  m.def("topk_mask", &topk_mask);
  m.def("apply_mask", &apply_mask);
  m.def("soft_threshold", &soft_threshold);
}

}  // namespace secateur::python
