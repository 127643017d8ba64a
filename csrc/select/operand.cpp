#include "select/operand.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <string>

#include "core/dispatch.hpp"
#include "core/error.hpp"
#include "core/nan.hpp"

namespace secateur {
namespace {

bool by_values(const Operand& operand) { return operand.scores.kind == Scores::Kind::values; }

// ---- Conversion of keys to float64 -----------------------------------------------------------

// The bits of the float64 with the same value. NaN keep their order; their payload moves to the
// upper bits of the mantissa.
Key widened(Key magnitude, FloatType type) {
  const int mantissa_bits = type.mantissa_bits;
  const int shift = kFloat64.mantissa_bits - mantissa_bits;
  const Key exponent = magnitude >> mantissa_bits;
  const Key bias = type.bias();
  if (magnitude > type.largest_number()) {
    return ((magnitude - type.infinity) << shift) + kFloat64.infinity;
  }
  if (shift == 0) {
    return magnitude;
  }
  if (exponent == 0) {
    return std::bit_cast<Key>(
        std::ldexp(static_cast<double>(magnitude), static_cast<int>(1 - bias) - mantissa_bits));
  }
  return (magnitude << shift) + ((kFloat64.bias() - bias) << (shift + mantissa_bits));
}

// ---- Ranking values --------------------------------------------------------------------------

// A part of floats of the type `from`, converted to `type`, which holds their values: the part
// itself if the types are the same, otherwise in `scratch`.
Part as_type(const KernelTable& table, FloatType type, const Part& part, FloatType from,
             void* scratch) {
  if (type.kind == from.kind) {
    return part;
  }
  const ConvertKernels& kernels = table.core.convert[from.kind];
  type.kind == Float::float64 ? kernels.to_float64(part, static_cast<double*>(scratch))
                              : kernels.to_float32(part, static_cast<float*>(scratch));
  return {scratch, 0, part.end - part.begin, part.end - part.begin};
}

const void* begin_of(const Part& part, std::size_t bytes_each) {
  return static_cast<const unsigned char*>(part.array) + part.begin * bytes_each;
}

// The factors of the elements [begin, end): a part of the scores if they are consecutive there,
// otherwise copied to `scratch`.
Part factors_of(const Operand& operand, std::size_t begin, std::size_t end,
                unsigned char* scratch) {
  const Scores& scores = operand.scores;
  const std::size_t first = scores.repeat == 1 ? (operand.array_offset + begin) % scores.period : 0;
  if (scores.repeat == 1 && end - begin <= scores.period - first) {
    return {scores.data, first, first + end - begin, scores.period};
  }
  expand(scores, operand.array_offset + begin, end - begin, scratch);
  return {scratch, 0, end - begin, end - begin};
}

void multiply(const KernelTable& table, FloatType type, const Part& a, const void* b, void* out) {
  if (type.kind == Float::float64) {
    table.core.multiply_float64(a, static_cast<const double*>(b), static_cast<double*>(out));
  } else {
    table.core.multiply_float32(a, static_cast<const float*>(b), static_cast<float*>(out));
  }
}

// Computes the products of the elements [begin, end) and their factors. It works in pieces that
// stay in L1.
void compute_products(const KernelTable& table, const Operand& operand, std::size_t begin,
                      std::size_t end, unsigned char* products) {
  constexpr std::size_t kPiece = 1024;
  alignas(kLine) unsigned char factors[kPiece * sizeof(double)];
  alignas(kLine) unsigned char wide[2][kPiece * sizeof(double)];
  const FloatType type = operand.ranking_type();
  for (std::size_t i = begin; i < end; i += kPiece) {
    const std::size_t piece_end = std::min(i + kPiece, end);
    const Part w =
        as_type(table, type, {operand.w, i, piece_end, operand.n}, operand.type, wide[0]);
    const Part x = as_type(table, type, factors_of(operand, i, piece_end, factors),
                           operand.scores.type, wide[1]);
    multiply(table, type, w, begin_of(x, type.bytes), products + (i - begin) * type.bytes);
  }
}

std::string name_of(const SelectionProblem& problem, const Operand& operand) {
  const auto numbered = [&](std::string name, const char* of_several) {
    if (!problem.is_one()) {
      name = of_several;
      name += '[';
      name += std::to_string(&operand - problem.operands().data());
      name += ']';
    }
    return name;
  };
  if (by_values(operand)) {
    return numbered("scores", "scores");
  }
  std::string name = numbered("w", "arrays");
  if (operand.scores.kind == Scores::Kind::sums) {
    return name + " + residual";
  }
  if (operand.has_scores()) {
    name += " * ";
    name += numbered("factors", "factors");
  }
  return name;
}

}  // namespace

void expand(const Scores& scores, std::size_t index, std::size_t count, unsigned char* out) {
  const std::size_t bytes = scores.type.bytes;
  const auto* const data = static_cast<const unsigned char*>(scores.data);
  while (count != 0) {
    const std::size_t factor = index / scores.repeat % scores.period;
    std::size_t length = 0;
    if (scores.repeat == 1) {
      length = std::min(count, scores.period - factor);
      std::memcpy(out, data + factor * bytes, length * bytes);
    } else {
      length = std::min(count, scores.repeat - index % scores.repeat);
      for (std::size_t i = 0; i < length; ++i) {
        std::memcpy(out + i * bytes, data + factor * bytes, bytes);
      }
    }
    index += length;
    out += length * bytes;
    count -= length;
  }
}

FloatType Operand::ranking_type() const {
  switch (scores.kind) {
    case Scores::Kind::magnitudes:
    case Scores::Kind::sums:
      break;
    case Scores::Kind::values:
      return scores.type;
    case Scores::Kind::products:
      return type.kind == Float::float64 || scores.type.kind == Float::float64 ? kFloat64
                                                                               : kFloat32;
  }
  return type;
}

SelectionProblem::SelectionProblem(std::span<Operand> operands, sc_nan nan)
    : operands_(operands),
      refuses_nan_(nan == SC_NAN_RAISE),
      nan_low_(nan == SC_NAN_PRUNE || nan == SC_NAN_ZERO),
      key_type_(operands.front().ranking_type()),
      table_(secateur::kernels()) {
  const bool first_by_values = by_values(operands.front());
  for (Operand& operand : operands) {
    operand.problem_offset = n_;
    n_ += operand.n;
    has_scores_ = has_scores_ || operand.has_scores();
    has_values_ = has_values_ || by_values(operand);
    is_uniform_ = is_uniform_ && operand.ranking_type().kind == key_type_.kind &&
                  by_values(operand) == first_by_values;
  }
  if (!is_uniform_) {
    key_type_ = kFloat64;
  }
}

std::size_t SelectionProblem::bytes() const {
  std::size_t bytes = 0;
  for (const Operand& operand : operands_) {
    bytes += operand.n * operand.type.bytes;
  }
  return bytes;
}

const Operand& SelectionProblem::operand_of(std::size_t i) const {
  // If several operands begin at i, all but the last of them are empty.
  const auto past = std::upper_bound(
      operands_.begin(), operands_.end(), i,
      [](std::size_t place, const Operand& operand) { return place < operand.problem_offset; });
  return *(past - 1);
}

RankKey SelectionProblem::rank_key(const Operand& operand) const {
  const FloatType type = operand.scores.type;
  return {
      operand.scores.kind == Scores::Kind::values ? RankKey::Kind::value : RankKey::Kind::product,
      nan_low_,
      type.infinity,
      nullptr,
      0,
      0};
}

Order SelectionProblem::order(const Operand& operand) const {
  if (by_values(operand)) {
    return kIdentityOrder;
  }
  const FloatType type = operand.ranking_type();
  return {nan_low_ ? type.most - type.infinity : 0, type.most};
}

const void* SelectionProblem::bits(const Operand& operand, std::size_t begin, std::size_t end,
                                   void* scratch) const {
  switch (operand.scores.kind) {
    case Scores::Kind::magnitudes:
      return operand.at(begin);
    case Scores::Kind::values:
      compute_ranking_bits(operand, {operand.ranking_data(0), begin, end, operand.n}, nullptr,
                           scratch);
      break;
    case Scores::Kind::products:
      compute_products(table_, operand, begin, end, static_cast<unsigned char*>(scratch));
      break;
    case Scores::Kind::sums:
      table_.core.add[operand.type.kind]({operand.w, begin, end, operand.n},
                                         operand.score_at(begin), scratch);
      break;
  }
  return scratch;
}

void SelectionProblem::compute_ranking_bits(const Operand& operand, const Part& part,
                                            const void* factors, void* out) const {
  switch (operand.scores.kind) {
    case Scores::Kind::magnitudes:
    case Scores::Kind::sums:  // bits() computes them, as kernels do not compute them on the fly
      break;
    case Scores::Kind::values:
      kernels(operand).value_keys(part, operand.scores.type.infinity, nan_low_, out);
      break;
    case Scores::Kind::products:
      multiply(table_, operand.ranking_type(), part, factors, out);
      break;
  }
}

const void* SelectionProblem::candidate_bits(const Operand& operand, const RankKey& rank_key,
                                             Collected candidates, std::size_t count,
                                             void* scratch) const {
  if (rank_key.kind == RankKey::Kind::magnitude) {
    return candidates.bits;
  }
  const std::size_t bytes = operand.ranking_type().bytes;
  auto* const factors = static_cast<unsigned char*>(scratch) + count * bytes;
  for (std::size_t i = 0; rank_key.kind == RankKey::Kind::product && i < count; ++i) {
    const std::size_t factor = (rank_key.phase + candidates.offsets[i]) % rank_key.period;
    std::memcpy(factors + i * bytes,
                static_cast<const unsigned char*>(rank_key.factors) + factor * bytes, bytes);
  }
  compute_ranking_bits(operand, {candidates.bits, 0, count, count}, factors, scratch);
  return scratch;
}

template <class K>
Key SelectionProblem::keys(const Operand& operand, const void* bits, std::size_t count,
                           K* keys) const {
  const ElementKernels& element_kernels = kernels(operand);
  if (is_uniform_ || operand.ranking_type().bytes == sizeof(K)) {
    const Key largest = element_kernels.keys(bits, count, order(operand), keys);
    for (std::size_t i = 0; !is_uniform_ && i < count; ++i) {
      keys[i] = static_cast<K>(to_common(operand, keys[i]));
    }
    return largest;
  }
  // Keys of 32 bits go to the second half of the output and are then widened in order. A wide key
  // never overwrites a narrow key that is still to be read.
  auto* const narrow =
      reinterpret_cast<unsigned char*>(keys) + count * (sizeof(K) - sizeof(std::int32_t));
  const Key largest = element_kernels.keys(bits, count, order(operand), narrow);
  for (std::size_t i = 0; i < count; ++i) {
    std::int32_t own_key = 0;
    std::memcpy(&own_key, narrow + i * sizeof own_key, sizeof own_key);
    keys[i] = static_cast<K>(to_common(operand, own_key));
  }
  return largest;
}
template Key SelectionProblem::keys(const Operand&, const void*, std::size_t, std::int32_t*) const;
template Key SelectionProblem::keys(const Operand&, const void*, std::size_t, std::int64_t*) const;

Key SelectionProblem::least_of(const Operand& operand) const {
  return by_values(operand) ? -operand.ranking_type().most : 0;
}

Key SelectionProblem::to_common(const Operand& operand, Key own_key) const {
  const FloatType type = operand.ranking_type();
  // The key of a NaN that ranks low, from the bits of its magnitude.
  const auto low_nan = [&](Key magnitude) {
    return widened(magnitude, type) - kFloat64.infinity - 1 - (has_values_ ? kFloat64.most : 0);
  };
  if (by_values(operand)) {
    if (nan_low_ && own_key < -type.infinity) {
      return low_nan(own_key + type.most + type.infinity + 1);
    }
    return own_key < 0 ? -widened(-own_key, type) : widened(own_key, type);
  }
  const Order own_order = order(operand);
  const Key magnitude = (own_key - own_order.rotation) & own_order.mask;
  if (nan_low_ && magnitude > type.infinity) {
    return low_nan(magnitude);
  }
  const Key rotation = nan_low_ && !has_values_ ? kFloat64.most - kFloat64.infinity : 0;
  return widened(magnitude, type) + rotation;
}

// The largest of the operand's own keys that is at most the common key. If none is, the key below
// all its keys.
Key SelectionProblem::from_common(const Operand& operand, Key common_key) const {
  Key low = least_of(operand) - 1;
  Key high = operand.ranking_type().most;
  while (low < high) {
    const auto gap = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
    const Key middle = high - static_cast<Key>(gap / 2);
    if (to_common(operand, middle) <= common_key) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

Selection SelectionProblem::local(const Operand& operand, Selection selection) const {
  const std::size_t tie_end =
      std::min(selection.tie_end - std::min(selection.tie_end, operand.problem_offset), operand.n);
  if (is_uniform_) {
    return {selection.threshold, tie_end};
  }
  const Key own_key = from_common(operand, selection.threshold);
  const bool has_threshold =
      own_key >= least_of(operand) && to_common(operand, own_key) == selection.threshold;
  return {own_key, has_threshold ? tie_end : 0};
}

void SelectionProblem::refuse_nan() const {
  const ScratchBuffer scratch(*this);
  for (const Operand& operand : operands_) {
    const bool has_values = operand.scores.kind == Scores::Kind::values;
    NaNs found{0, operand.n};
    for (std::size_t begin = 0; begin < operand.n; begin += kBlock) {
      check_interrupts();
      const std::size_t end = std::min(begin + kBlock, operand.n);
      const FloatType type = operand.ranking_type();
      const void* const floats =
          has_values ? operand.ranking_data(begin)
                     : bits(operand, begin, end, scratch.alias_safe(operand.ranking_data(begin)));
      const NaNs in_block = find_nan(floats, end - begin, type);
      found.first = found.count == 0 ? begin + in_block.first : found.first;
      found.count += in_block.count;
    }
    if (found.count != 0) {
      secateur::refuse_nan(found, name_of(*this, operand).c_str());
    }
  }
  throw_input_changed();
}

bool SelectionProblem::is_in_place() const {
  return std::any_of(operands_.begin(), operands_.end(), [](const Operand& operand) {
    return operand.n != 0 && operand.out.data == operand.w;
  });
}

void SelectionProblem::begin_in_place_write() const {
  if (!is_in_place()) {
    return;
  }
  if (refuses_nan_) {
    check_nan();
  }
  forbid_interrupts();
}

void SelectionProblem::check_nan() const {
  const OperandBlocks parts(*this);
  Tasks tasks(parts.count());
  std::atomic<bool> nan{false};
  share(tasks, bytes(), [&] {
    const ScratchBuffer scratch(*this);
    for (std::size_t i = 0; tasks.take(i);) {
      const auto [number, part] = parts[i];
      const Operand& operand = operands_[number];
      const void* const ranked =
          bits(operand, part.begin, part.end, scratch.alias_safe(operand.ranking_data(part.begin)));
      if (kernels(operand).count_above(ranked, part.end - part.begin, order(operand),
                                       operand.ranking_type().infinity) != 0) {
        nan.store(true);
        tasks.stop();
      }
    }
  });
  if (nan.load()) {
    refuse_nan();
  }
}

void decide_streaming(std::span<Operand> operands) {
  std::size_t traffic = 0;
  for (const Operand& operand : operands) {
    traffic += operand.n * (operand.type.bytes + operand.result_bytes());
  }
  for (Operand& operand : operands) {
    operand.out.stream = worth_streaming(operand.w, operand.out.data, traffic);
  }
}

ScratchBuffer::ScratchBuffer(const SelectionProblem& problem) {
  if (problem.has_scores()) {
    // The first block may be longer than the others.
    data_.emplace(kBlock + 2 * kWord + kPage / sizeof(std::int64_t));
    begin_ = reinterpret_cast<unsigned char*>(data_->data());
  }
}

void* ScratchBuffer::alias_safe(const void* source) const {
  if (begin_ == nullptr) {
    return nullptr;
  }
  const auto target = reinterpret_cast<std::uintptr_t>(source) + kPage / 2;
  return begin_ + (target - reinterpret_cast<std::uintptr_t>(begin_)) % kPage / kLine * kLine;
}

PreparedBlock prepare(const SelectionProblem& problem, const Operand& operand, const Part& part,
                      const Output& out, const ScratchBuffer& scratch) {
  Output output = out;
  output.unranked = operand.w;
  if (!operand.has_scores()) {
    return {part, {}, output, 0};
  }
  // Kernels do not compute keys of scores on the fly if they write elements of another width. That
  // would double the code for each width.
  const bool is_same_width = out.kind == OutputKind::none || out.kind == OutputKind::bools ||
                             out.kind == OutputKind::bits ||
                             operand.type.bytes == operand.scores.type.bytes;
  if (operand.scores.kind == Scores::Kind::values && is_same_width) {
    return {{operand.ranking_data(0), part.begin, part.end, part.n},
            problem.rank_key(operand),
            output,
            0};
  }
  void* const computed = scratch.alias_safe(operand.at(part.begin));
  if (operand.kernels_rank_w()) {
    const Scores& scores = operand.scores;
    RankKey products = problem.rank_key(operand);
    if (scores.repeat == 1) {
      products.factors = scores.data;
      products.period = scores.period;
      products.phase = (operand.array_offset + part.begin) % scores.period;
    } else {
      products.factors = computed;
      products.period = part.end - part.begin;
      expand(scores, operand.array_offset + part.begin, products.period,
             static_cast<unsigned char*>(computed));
    }
    return {part, products, output, 0};
  }
  const std::size_t count = part.end - part.begin;
  if (out.kind != OutputKind::none) {
    output.data =
        static_cast<unsigned char*>(out.data) +
        (out.kind == OutputKind::bits ? part.begin / 8
                                      : part.begin * bytes_of(out.kind, operand.type.bytes));
    output.unranked = operand.at(part.begin);
  }
  return {{problem.bits(operand, part.begin, part.end, computed), 0, count, count},
          {},
          output,
          part.begin};
}

OutputStage::OutputStage(const SelectionProblem& problem)
    : writer_(problem.is_one() && problem.first_operand().conversion != nullptr
                  ? problem.first_operand().conversion->writer()
                  : nullptr),
      floats_(writer_ ? kComputedBlock + 2 * kWord : 0) {}

PreparedBlock OutputStage::redirect(const Operand& operand, const Part& part,
                                    PreparedBlock block) const {
  if (!writer_) {
    return block;
  }
  const auto at_begin = [&](const void* array, std::size_t bytes_each) {
    return static_cast<const unsigned char*>(array) + block.part.begin * bytes_each;
  };
  if (block.index_shift == 0) {
    block.part = {at_begin(block.part.array, operand.ranking_type().bytes), 0,
                  part.end - part.begin, block.part.n - block.part.begin};
    block.out.unranked = operand.at(part.begin);
    block.index_shift = part.begin;
  }
  block.out.data = floats_.data();
  block.out.stream = false;
  return block;
}

Blocks OperandBlocks::blocks(const Operand& operand) {
  const bool uses_scratch =
      (operand.has_scores() && !operand.scores_suit_kernels()) || operand.conversion;
  return {operand.w, operand.n, operand.results(), 8 * operand.result_bytes(),
          uses_scratch ? kComputedBlock : kBlock};
}

OperandBlocks::OperandBlocks(const SelectionProblem& problem) : operands_(problem.operands()) {
  if (problem.is_one()) {
    count_ = blocks(problem.first_operand()).count();
    return;
  }
  count_ = 0;
  ends_.reserve(operands_.size());
  for (const Operand& operand : operands_) {
    count_ += operand.n == 0 ? 0 : blocks(operand).count();
    ends_.push_back(count_);
  }
}

OperandBlocks::Item OperandBlocks::operator[](std::size_t i) const {
  if (ends_.empty()) {
    return {0, blocks(operands_.front())[i]};
  }
  const auto found = std::upper_bound(ends_.begin(), ends_.end(), i);
  const auto number = static_cast<std::size_t>(found - ends_.begin());
  return {number, blocks(operands_[number])[i - (number == 0 ? 0 : ends_[number - 1])]};
}

}  // namespace secateur
