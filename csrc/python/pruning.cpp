// The elements that matter least become zero.
#include <pybind11/stl.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "arrays.hpp"
#include "functions.hpp"
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
  const py::ssize_t given = along.in(in.given().ndim());
  const py::ssize_t axis = given == kNoAxis ? in.given().ndim() - 1 : given;
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

// `any`: negative ones too, as values may be.
double to_threshold(py::handle threshold, bool any = false) {
  const double limit = to_number("threshold", threshold);
  if (std::isnan(limit) || (limit < 0 && !any)) {
    refuse("threshold", any ? "a number" : "a number, at least 0", threshold);
  }
  return limit;
}

py::object prune(py::handle w, py::handle k, py::handle sparsity, py::handle threshold,
                 py::handle pattern, py::handle scores, py::handle axis, py::handle nan,
                 py::handle out) {
  const auto given = [](py::handle option) { return option.is_none() ? 0 : 1; };
  if (given(k) + given(sparsity) + given(threshold) + given(pattern) != 1) {
    const py::object written =
        pattern.is_none()
            ? py::object(py::none())
            : py::object(py::str("{}:{}").format(pattern[py::int_(0)], pattern[py::int_(1)]));
    require_one({{"k", k}, {"sparsity", sparsity}, {"threshold", threshold}, {"pattern", written}});
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

// One of the arrays that are pruned together.
struct Member {
  Input in;
  Scores scores;
};

// The core numbers the members; here they may have names.
void check_members(sc_status status, const std::vector<std::string>& labels) {
  std::string message = sc_last_error();
  if (status != SC_ERROR_NAN) {
    return check(status, "");
  }
  if (labels.size() == 1) {  // the only one has no number
    if (message.front() == 'w') {
      message.replace(0, 1, "arrays[0]");
    }
    if (const std::size_t at = message.find("scores"); at != std::string::npos) {
      message.insert(at + std::string_view("scores").size(), "[0]");
    }
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    std::string number("[");
    number.append(std::to_string(i)).append("]");
    if (const std::size_t at = message.find(number); at != std::string::npos) {
      for (std::size_t place = at; place != std::string::npos;
           place = message.find(number, place + labels[i].size())) {
        message.replace(place, number.size(), labels[i]);
      }
      break;
    }
  }
  throw py::value_error(message + "; " + kSelectingRemedy);
}

// Lists of as many arrays, descriptions of scores and outputs (or None), and of labels.
py::list prune_global(const py::list& arrays, const py::list& scores, const py::list& outs,
                      const std::vector<std::string>& labels, py::handle k, py::handle sparsity,
                      py::handle nan) {
  require_one({{"k", k}, {"sparsity", sparsity}});
  const Kept keep(k, sparsity);
  const sc_nan policy = to_selecting_nan(nan);
  // All become arrays, which may run code of the caller's, before any place to write to is looked at.
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

std::size_t pieces(std::size_t length, std::size_t each) {
  return length == 0 ? 0 : (length - 1) / each + 1;
}

// The rows and columns of a block, taken apart before any array is looked at.
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

  // Those of the matrices that the last two axes are.
  [[nodiscard]] sc_blocks of(const Input& in, sc_norm norm) const {
    const Shape shape = shape_of(in.given());
    if (shape.size() < 2) {
      throw py::value_error("w must have at least two axes to have blocks, got shape " +
                            shown(in.given().attr("shape")));
    }
    const auto length = [&](std::size_t i) { return static_cast<std::size_t>(shape[i]); };
    const auto most = [&](std::size_t i) { return in.size() == 0 ? INT64_MAX : length(i); };
    const std::size_t axis = shape.size() - 2;
    sc_blocks blocks{1, length(axis), length(axis + 1), 0, 0, norm};
    blocks.block_rows = in_range("block[0]", row_count, 1, most(axis), rows);
    blocks.block_columns = in_range("block[1]", column_count, 1, most(axis + 1), columns);
    for (std::size_t i = 0; i < axis; ++i) {
      blocks.matrices *= length(i);
    }
    return blocks;
  }
};

std::size_t count_of(const sc_blocks& blocks) {
  return blocks.matrices * pieces(blocks.rows, blocks.block_rows) *
         pieces(blocks.columns, blocks.block_columns);
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
  const Block shape(block);
  const sc_norm compared = norm.is_none() ? SC_NORM_L1 : to_choice("norm", norm, kNorms);
  Input in = floats(w);
  const sc_blocks blocks = shape.of(in, compared);
  const std::size_t kept = by_threshold ? 0 : keep.of(count_of(blocks));
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
  // Both become arrays before either is looked at.
  const py::array w_array = as_array("w", w);
  const py::array mask_array = as_array("mask", mask);
  Input in = floats(w_array);
  Input kept("mask", mask_array, {kBool, kUInt8});
  const bool bools = kept.is(kBool);
  if (bools) {
    kept.require_shape(shape_of(in.given()), "that of w");
  } else {
    kept.require_shape({static_cast<py::ssize_t>((in.size() + 7) / 8)},
                       "one bit for each element of w");
  }
  Result result(out, in.numpy_dtype(), in, true, &kept);
  in.settle();
  kept.settle();
  call(in, "", [&, data = result.data()] {
    return sc_apply_mask(in.data(), in.core_dtype(), in.size(), kept.data(),
                         bools ? SC_MASK_BOOLS : SC_MASK_BITS, data);
  });
  return result.finish();
}

py::object soft_threshold(py::handle w, py::handle threshold, py::handle out) {
  const double limit = to_threshold(threshold);
  Input in = floats(w);
  Result result(out, in.numpy_dtype(), in, true);
  in.settle();
  call(in, "", [&, data = result.data()] {
    return sc_soft_threshold(in.data(), in.core_dtype(), in.size(), limit, data);
  });
  return result.finish();
}

}  // namespace

void define_pruning(py::module_& m) {
  m.def("prune", &prune);
  m.def("prune_global", &prune_global);
  m.def("prune_blocks", &prune_blocks);
  m.def("apply_mask", &apply_mask);
  m.def("soft_threshold", &soft_threshold);
}

}  // namespace secateur::python
