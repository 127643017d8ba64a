// Python bindings of pruning among several arrays: prune_global and prune_mask_global.
#include <pybind11/stl.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "prune/bindings.hpp"
#include "prune/block_argument.hpp"
#include "prune/mask_bindings.hpp"
#include "python/arguments.hpp"
#include "python/arrays.hpp"
#include "python/layouts.hpp"
#include "secateur/secateur.hpp"

namespace secateur::python {
namespace {

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
// Each list has one item per array. An item of `scores` is a description of scores or None, and one
// of `max_sparsity` a number from 0 to 1. A label, such as "[0]", identifies the array in error
// messages.
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
    std::size_t min_kept = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      Member& member = members_[i];
      std::size_t own = member.in.size();
      if (block_) {
        member.blocks = block_->layout_of(member.in);
        own = own == 0 ? 0 : count_groups(own, &member.blocks);
      }
      check(sc_keep_count(own, max_sparsity[i], &member.min_kept), "");
      count += own;
      min_kept += member.min_kept;
    }
    keep_count_ = keep.of(count);
    if (keep_count_ < min_kept) {
      refuse_count(keep, min_kept, count);
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
        return call_prune(sc_prune_global_blocks, sc_prune_mask_global_blocks, format, core.data(),
                          size, block_->norm, keep_count_, nan_);
      }
      return call_prune(sc_prune_global, sc_prune_mask_global, format, core.data(), size,
                        keep_count_, nan_);
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
  // Throws the error for arguments that keep fewer than min_kept, which max_sparsity keeps of
  // `count` elements or blocks.
  [[noreturn]] void refuse_count(const KeepCount& keep, std::size_t min_kept,
                                 std::size_t count) const {
    const std::string all = std::to_string(count) + (block_ ? " blocks" : " elements");
    if (!keep.k.is_none()) {
      throw py::value_error("k must be at least " + std::to_string(min_kept) +
                            " with this max_sparsity, which keeps that many of the " + all +
                            ", got " + shown(keep.k) + "; raise k or max_sparsity");
    }
    throw py::value_error(
        "sparsity must remove at most " + std::to_string(count - min_kept) + " of the " + all +
        " with this max_sparsity, got " + shown(keep.sparsity) + ", which removes " +
        std::to_string(count - keep_count_) + "; lower sparsity or raise max_sparsity");
  }

  const std::vector<std::string>& labels_;
  sc_nan nan_ = SC_NAN_RAISE;
  std::optional<BlockArgument> block_;
  std::vector<Member> members_;
  std::size_t n_ = 0;
  std::size_t keep_count_ = 0;
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
  const sc_mask_format core_format = in_core ? format.core() : SC_MASK_FORMAT_BOOLS;
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

}  // namespace

void define_prune_global(py::module_& m) {
  m.def("prune_global", &prune_global);
  m.def("prune_mask_global", &prune_mask_global);
}

}  // namespace secateur::python
