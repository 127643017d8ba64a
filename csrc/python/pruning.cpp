// The elements that matter least become zero.
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "arguments.hpp"
#include "arrays.hpp"
#include "functions.hpp"
#include "secateur/secateur.h"

namespace secateur::python {
namespace {

double to_threshold(py::handle threshold) {
  const double limit = to_number("threshold", threshold);
  if (!(limit >= 0)) {
    refuse("threshold", "a number, at least 0", threshold);
  }
  return limit;
}

py::object prune(py::handle w, py::handle k, py::handle sparsity, py::handle threshold,
                 py::handle nan, py::handle out) {
  require_one({{"k", k}, {"sparsity", sparsity}, {"threshold", threshold}});
  const Kept keep(k, sparsity);
  const sc_nan policy = to_selecting_nan(nan);
  const bool by_threshold = !threshold.is_none();
  const double limit = by_threshold ? to_threshold(threshold) : 0;
  Input in = floats(w);
  const std::size_t kept = by_threshold ? 0 : keep.of(in.size());
  Result result(out, in.numpy_dtype(), in, true);
  in.settle();
  call(in, kSelectingRemedy, [&, data = result.data()] {
    return by_threshold
               ? sc_prune_threshold(in.data(), in.core_dtype(), in.size(), limit, policy, data)
               : sc_prune(in.data(), in.core_dtype(), in.size(), kept, policy, data);
  });
  return result.finish();
}

std::size_t pieces(std::size_t length, std::size_t each) {
  return length == 0 ? 0 : (length - 1) / each + 1;
}

// The rows and columns of a block, before any array is looked at.
std::pair<std::size_t, std::size_t> to_block(py::handle block) {
  if (!PyTuple_Check(block.ptr()) && !PyList_Check(block.ptr())) {
    throw py::type_error("block must be a tuple of two integers, got " + shown(block));
  }
  const py::tuple lengths(py::reinterpret_borrow<py::object>(block));
  std::int64_t length[2] = {0, 0};
  if (lengths.size() == 2) {
    length[0] = to_integer("block", lengths[0]);
    length[1] = to_integer("block", lengths[1]);
  }
  if (length[0] < 1 || length[1] < 1) {
    refuse("block", "two positive integers", block);
  }
  return {static_cast<std::size_t>(length[0]), static_cast<std::size_t>(length[1])};
}

// The blocks of the matrices that the last two axes are.
sc_blocks blocks_of(const Input& in, py::handle block, std::size_t rows, std::size_t columns,
                    sc_norm norm) {
  const Shape shape = shape_of(in.given());
  if (shape.size() < 2) {
    throw py::value_error("w must have at least two axes to have blocks, got shape " +
                          shown(in.given().attr("shape")));
  }
  const auto length = [&](std::size_t i) { return static_cast<std::size_t>(shape[i]); };
  sc_blocks blocks{1, length(shape.size() - 2), length(shape.size() - 1), rows, columns, norm};
  for (std::size_t i = 0; i + 2 < shape.size(); ++i) {
    blocks.matrices *= length(i);
  }
  if (in.size() != 0 && (rows > blocks.rows || columns > blocks.columns)) {
    refuse("block",
           "no larger than the last two axes, (" + std::to_string(blocks.rows) + ", " +
               std::to_string(blocks.columns) + ")",
           block);
  }
  return blocks;
}

py::object prune_blocks(py::handle w, py::handle k, py::handle sparsity, py::handle threshold,
                        py::handle block, py::handle norm, py::handle nan, py::handle out) {
  static constexpr Choice<sc_norm> kNorms[] = {
      {"l1", SC_NORM_L1}, {"l2", SC_NORM_L2}, {"max", SC_NORM_MAX}};
  require_one({{"k", k}, {"sparsity", sparsity}, {"threshold", threshold}});
  const Kept keep(k, sparsity);
  const sc_nan policy = to_selecting_nan(nan);
  const bool by_threshold = !threshold.is_none();
  const double limit = by_threshold ? to_threshold(threshold) : 0;
  const auto [rows, columns] = to_block(block);
  const sc_norm compared = norm.is_none() ? SC_NORM_L1 : to_choice("norm", norm, kNorms);
  Input in = floats(w);
  const sc_blocks blocks = blocks_of(in, block, rows, columns, compared);
  const std::size_t count = in.size() == 0 ? 0
                                           : blocks.matrices * pieces(blocks.rows, rows) *
                                                 pieces(blocks.columns, columns);
  const std::size_t kept = by_threshold ? 0 : keep.of(count);
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
  m.def("prune_blocks", &prune_blocks);
  m.def("apply_mask", &apply_mask);
  m.def("soft_threshold", &soft_threshold);
}

}  // namespace secateur::python
