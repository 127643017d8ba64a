// The input of a selection: arrays (operands), and the values that rank their elements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/blocks.hpp"
#include "core/dtypes.hpp"
#include "core/kernel_table.hpp"
#include "core/scratch.hpp"
#include "secateur/secateur.h"
#include "select/output_conversion.hpp"

namespace secateur {

// Tuning: elements in a block whose ranking values are computed into scratch. They stay in L1.
inline constexpr std::size_t kComputedBlock = 4096;

// How elements of an array w rank. The ranking value of an element is its own magnitude, the value
// of a second array, the magnitude of its product with a factor, or the magnitude of its sum with
// an element of a second array of w's type, rounded to that type. Element i has the factor at index
// (i / repeat) % period. A larger ranking value ranks higher.
struct Scores {
  enum class Kind { magnitudes, values, products, sums };

  Kind kind = Kind::magnitudes;
  const void* data = nullptr;
  FloatType type = kFloat32;  // of `data`
  std::size_t period = 0;
  std::size_t repeat = 1;
};

// Copies the factors of the `count` elements from `index` on, one for each element.
void expand(const Scores& scores, std::size_t index, std::size_t count, unsigned char* out);

// One array or a slice of one, with its scores and its output.
struct Operand {
  const void* w;
  std::size_t n;
  FloatType type;  // of `w`
  Output out{};
  Scores scores{};
  std::size_t problem_offset = 0;  // index of the first element in the problem, across all operands
  std::size_t array_offset = 0;  // index of the first element in the array of which this is a slice
  // If set, converts the floats that are written; `out` then gives their OutputKind only.
  const OutputConversion* conversion = nullptr;

  // The type of the ranking values.
  [[nodiscard]] FloatType ranking_type() const;
  // Whether the operand has scores, from which its ranking values are computed.
  [[nodiscard]] bool has_scores() const { return scores.kind != Scores::Kind::magnitudes; }
  // Whether kernels rank the elements of w as they read them: without scores, or with factors of
  // w's type if that is also the type of the products.
  [[nodiscard]] bool kernels_rank_w() const {
    return !has_scores() || (scores.kind == Scores::Kind::products &&
                             type.kind == scores.type.kind && type.kind == ranking_type().kind);
  }
  // Whether kernels can compute the ranking values from the scores. False without scores. prepare()
  // may still compute keys of values into scratch, if the output has elements of another width.
  [[nodiscard]] bool scores_suit_kernels() const {
    return has_scores() && (scores.kind == Scores::Kind::values || kernels_rank_w());
  }
  // Whether the results are integers.
  [[nodiscard]] bool writes_integers() const {
    return conversion != nullptr || out.kind == OutputKind::integers;
  }
  // The results, and the bytes of each; 0 where several results share a byte.
  [[nodiscard]] unsigned char* results() const {
    return static_cast<unsigned char*>(conversion != nullptr ? conversion->data : out.data);
  }
  [[nodiscard]] std::size_t result_bytes() const {
    return conversion != nullptr              ? conversion->bytes_each
           : out.kind == OutputKind::integers ? out.target->bytes
                                              : bytes_of(out.kind, type.bytes);
  }
  [[nodiscard]] std::size_t scores_bytes() const {
    return (scores.kind == Scores::Kind::products ? scores.period : n) * scores.type.bytes;
  }
  [[nodiscard]] const unsigned char* at(std::size_t i) const {
    return static_cast<const unsigned char*>(w) + i * type.bytes;
  }
  // The score of element i, or the number that is added to it.
  [[nodiscard]] const unsigned char* score_at(std::size_t i) const {
    return static_cast<const unsigned char*>(scores.data) + (array_offset + i) * scores.type.bytes;
  }
  // The memory from which the ranking value of element i is computed: its score, or w itself.
  [[nodiscard]] const unsigned char* ranking_data(std::size_t i) const {
    return scores.kind == Scores::Kind::values ? score_at(i) : at(i);
  }
  // Prefetches the elements or scores [i, i + count), and what they are multiplied by or added to.
  // They span at most two cache lines of each array.
  void prefetch(std::size_t i, std::size_t count) const {
    const auto prefetch_ends = [&](const unsigned char* data, std::size_t bytes_each) {
      __builtin_prefetch(data);
      __builtin_prefetch(data + count * bytes_each - 1);
    };
    prefetch_ends(ranking_data(i),
                  scores.kind == Scores::Kind::values ? scores.type.bytes : type.bytes);
    if (scores.kind == Scores::Kind::products) {
      const std::size_t factor = (array_offset + i) / scores.repeat % scores.period;
      prefetch_ends(static_cast<const unsigned char*>(scores.data) + factor * scores.type.bytes,
                    scores.type.bytes);
    } else if (scores.kind == Scores::Kind::sums) {
      prefetch_ends(score_at(i), scores.type.bytes);
    }
  }
};

// The operands of one selection. Their elements form one sequence, in the order of the operands,
// and rank against each other. Ranking values become keys, integers in the same order. If all
// operands rank in the same way by floats of one type, the keys of the problem are keys of that
// type. Otherwise they are keys of float64, which holds all values exactly; each operand then also
// has keys of its own type.
class SelectionProblem {
 public:
  // Sets the `problem_offset` of the operands.
  SelectionProblem(std::span<Operand> operands, sc_nan nan);

  [[nodiscard]] std::span<const Operand> operands() const { return operands_; }
  [[nodiscard]] std::size_t size() const { return n_; }
  [[nodiscard]] std::size_t bytes() const;  // of all arrays, without scores
  // The operand that holds the element at index i of the problem.
  [[nodiscard]] const Operand& operand_of(std::size_t i) const;
  [[nodiscard]] static bool is_in(const Operand& operand, std::size_t i) {
    return i - operand.problem_offset < operand.n;  // if i is smaller, the difference wraps around
  }
  // The first operand; the only one where is_one().
  [[nodiscard]] const Operand& first_operand() const { return operands_.front(); }
  [[nodiscard]] bool is_one() const { return operands_.size() == 1; }
  [[nodiscard]] const KernelTable& table() const { return table_; }
  [[nodiscard]] bool refuses_nan() const { return refuses_nan_; }
  [[nodiscard]] FloatType key_type() const { return key_type_; }
  // Whether all elements rank by their own magnitudes and have the same type.
  [[nodiscard]] bool is_plain() const { return is_uniform_ && !has_scores_; }
  // Whether an operand has scores.
  [[nodiscard]] bool has_scores() const { return has_scores_; }
  // The largest and the smallest key that can occur.
  [[nodiscard]] Key most() const { return key_type_.most; }
  [[nodiscard]] Key least() const { return has_values_ ? -key_type_.most : 0; }

  [[nodiscard]] const ElementKernels& kernels(const Operand& operand) const {
    return table_.select.elements[operand.ranking_type().bytes];
  }
  // How kernels convert the bits of ranking values to keys of the operand's own type.
  [[nodiscard]] Order order(const Operand& operand) const;
  // How kernels compute ranking values on the fly, without the factors of a block.
  [[nodiscard]] RankKey rank_key(const Operand& operand) const;
  // The bits of the ranking values of the elements [begin, end): a pointer into w, or computed into
  // `scratch`, which holds them all. For scores of the kind `values`, the bits are keys already.
  [[nodiscard]] const void* bits(const Operand& operand, std::size_t begin, std::size_t end,
                                 void* scratch) const;
  // Computes the bits of ranking values from elements and their factors, one for each element, or
  // from scores. `out` may be the memory of the elements. Without scores it does nothing.
  void compute_ranking_bits(const Operand& operand, const Part& part, const void* factors,
                            void* out) const;
  // The bits of the ranking values of candidates. If kernels computed the values on the fly, they
  // are computed again into `scratch`, which holds twice as many; otherwise they are the collected
  // bits.
  [[nodiscard]] const void* candidate_bits(const Operand& operand, const RankKey& rank_key,
                                           Collected candidates, std::size_t count,
                                           void* scratch) const;
  // Writes the problem's keys of ranking values, stored as K. Returns the largest of the operand's
  // own keys.
  template <class K>
  Key keys(const Operand& operand, const void* bits, std::size_t count, K* keys) const;
  // The part of a selection that lies in the operand, with the operand's own keys and indices.
  [[nodiscard]] Selection local(const Operand& operand, Selection selection) const;

  [[nodiscard]] bool is_nan(const Operand& operand, Key own_key) const {
    return refuses_nan_ && own_key > operand.ranking_type().infinity;
  }
  // Finds the first operand that has NaN. Throws an error with their number and the index of the
  // first.
  [[noreturn]] void refuse_nan() const;
  // Calls refuse_nan() if an operand has NaN.
  void check_nan() const;
  // Whether an operand is written in place.
  [[nodiscard]] bool is_in_place() const;
  // To be called before writing. If an operand is written in place, checks for NaN that are
  // refused, and forbids interrupts from then on.
  void begin_in_place_write() const;

 private:
  // The smallest of the operand's own keys.
  [[nodiscard]] Key least_of(const Operand& operand) const;
  // Conversion of keys of the operand to keys of float64, and back. Used if is_uniform_ is false.
  [[nodiscard]] Key to_common(const Operand& operand, Key own_key) const;
  [[nodiscard]] Key from_common(const Operand& operand, Key common_key) const;

  std::span<const Operand> operands_;
  std::size_t n_ = 0;
  bool has_values_ = false;  // an operand has scores of the kind `values`
  bool has_scores_ = false;  // an operand has scores
  bool is_uniform_ = true;   // the problem's keys are the operands' own keys
  bool refuses_nan_;
  bool nan_low_;  // NaN rank below all numbers
  FloatType key_type_;
  const KernelTable& table_;
};

// Decides, by the bytes read and written in all, whether results bypass the caches.
void decide_streaming(std::span<Operand> operands);

// Scratch memory for the ranking values of one block; empty if no operand has scores.
class ScratchBuffer {
 public:
  explicit ScratchBuffer(const SelectionProblem& problem);
  // Uses memory of the caller: kPage bytes more than the ranking values of a block take.
  explicit ScratchBuffer(unsigned char* memory) : begin_(memory) {}

  static constexpr std::size_t kPage = 4096;

  // The scratch for values computed from the elements at `source`. A load waits for an earlier
  // store if its address equals that of the store in the low 12 bits, or is slightly higher there
  // (4K aliasing). Modulo the page size, the scratch therefore begins half a page away from
  // `source`.
  [[nodiscard]] void* alias_safe(const void* source) const;

 private:
  std::optional<Buffer<std::int64_t>> data_;
  unsigned char* begin_ = nullptr;
};

// The arguments with which a kernel processes a part of an operand. The kernel reads the ranking
// values from `part` or computes them on the fly. If they are in scratch, or the output is, index i
// of `part` is index i + index_shift of the operand.
struct PreparedBlock {
  Part part;
  RankKey rank_key;
  Output out;
  std::size_t index_shift;
};
PreparedBlock prepare(const SelectionProblem& problem, const Operand& operand, const Part& part,
                      const Output& out, const ScratchBuffer& scratch);

// The output of one thread. If the operand has a conversion, kernels write floats to scratch, and
// convert() writes the results. Otherwise kernels write the results.
class OutputStage {
 public:
  explicit OutputStage(const SelectionProblem& problem);

  // The same block with its output in scratch, if there is a conversion.
  [[nodiscard]] PreparedBlock redirect(const Operand& operand, const Part& part,
                                       PreparedBlock block) const;
  // Writes the results of a part after the kernel has written its floats, if there is a conversion.
  void convert(const Part& part) const {
    if (writer_) {
      writer_->write(floats_.data(), part.begin, part.end - part.begin);
    }
  }

 private:
  std::unique_ptr<OutputConversion::Writer> writer_;
  Buffer<std::int64_t> floats_;
};

// The blocks of all operands, in one sequence.
class OperandBlocks {
 public:
  explicit OperandBlocks(const SelectionProblem& problem);

  struct Item {
    std::size_t operand;
    Part part;
  };
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] Item operator[](std::size_t i) const;

  static Blocks blocks(const Operand& operand);

 private:
  std::span<const Operand> operands_;
  std::vector<std::size_t> ends_;  // of the blocks of each operand; empty for a single operand
  std::size_t count_;
};

}  // namespace secateur
