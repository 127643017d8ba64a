#include "select/min_kept.hpp"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <vector>

#include "core/blocks.hpp"
#include "core/error.hpp"
#include "select/select.hpp"

namespace secateur {
namespace {

// The number of elements of a part that a selection keeps, given by the operand's own keys and
// indices.
std::size_t count_kept(const SelectionProblem& problem, const Operand& operand, const Part& part,
                       Selection local, const ScratchBuffer& scratch) {
  const auto* const bits = static_cast<const unsigned char*>(problem.bits(
      operand, part.begin, part.end, scratch.alias_safe(operand.ranking_data(part.begin))));
  const auto count_above = [&](std::size_t begin, std::size_t end, Key key) {
    return begin == end
               ? 0
               : problem.kernels(operand).count_above(bits + begin * operand.ranking_type().bytes,
                                                      end - begin, problem.order(operand), key);
  };
  const std::size_t length = part.end - part.begin;
  // Up to here, ties are kept.
  const std::size_t ties = std::min(local.tie_end - std::min(local.tie_end, part.begin), length);
  return (ties == 0 ? 0 : count_above(0, ties, local.threshold - 1)) +
         count_above(ties, length, local.threshold);
}

// The number of elements of each operand that a selection keeps.
std::vector<std::size_t> count_kept(const SelectionProblem& problem, Selection selection) {
  std::vector<std::atomic<std::size_t>> kept(problem.operands().size());
  const OperandBlocks parts(problem);
  Tasks tasks(parts.count());
  share(tasks, problem.bytes(), [&] {
    const ScratchBuffer scratch(problem);
    for (std::size_t i = 0; tasks.take(i);) {
      const auto [number, part] = parts[i];
      const Operand& operand = problem.operands()[number];
      kept[number] +=
          count_kept(problem, operand, part, problem.local(operand, selection), scratch);
    }
  });
  return {kept.begin(), kept.end()};
}

Selection find_topk_of(Operand operand, sc_nan nan, std::size_t k) {
  const SelectionProblem problem({&operand, 1}, nan);
  return problem.local(operand, find_topk(problem, k));
}

}  // namespace

// If fewer elements of an operand than its minimum are among the k largest of all, it keeps exactly
// its minimum. Keeping the minimum takes more of k than the operand won. The others share less, so
// the threshold can only rise, and no further element of this operand can exceed it. The others
// compete again without it, until each keeps its minimum.
void write_topk(std::span<Operand> operands, sc_nan nan, std::span<const std::size_t> min_kept,
                std::size_t k) {
  const SelectionProblem all(operands, nan);
  if (std::all_of(min_kept.begin(), min_kept.end(), [](std::size_t least) { return least == 0; })) {
    return write_topk(all, k);
  }
  std::vector<Selection> selections(operands.size());
  std::vector<std::size_t> contenders(operands.size());  // indices of operands
  std::iota(contenders.begin(), contenders.end(), std::size_t{0});
  std::size_t share = k;  // of the contenders together
  for (bool is_final = false; !is_final && !contenders.empty();) {
    std::vector<Operand> contending;
    contending.reserve(contenders.size());
    for (const std::size_t i : contenders) {
      contending.push_back(operands[i]);
    }
    const SelectionProblem problem(contending, nan);
    const Selection selection = find_topk(problem, share);
    const std::vector<std::size_t> kept = count_kept(problem, selection);
    if (std::accumulate(kept.begin(), kept.end(), std::size_t{0}) != share) {
      throw_input_changed();
    }
    std::vector<std::size_t> remaining;
    for (std::size_t j = 0; j < contenders.size(); ++j) {
      const std::size_t i = contenders[j];
      if (kept[j] < min_kept[i]) {
        selections[i] = find_topk_of(operands[i], nan, min_kept[i]);
        share -= min_kept[i];
      } else {
        selections[i] = problem.local(contending[j], selection);
        remaining.push_back(i);
      }
    }
    is_final = remaining.size() == contenders.size();
    contenders = std::move(remaining);
  }
  write_selections(all, selections, k);
}

}  // namespace secateur
