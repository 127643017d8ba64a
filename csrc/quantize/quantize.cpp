#include "quantize/quantize.hpp"

#include <atomic>
#include <optional>

#include "core/blocks.hpp"
#include "quantize/stages.hpp"
#include "select/operand.hpp"
#include "select/select.hpp"

namespace secateur {
namespace {

// The blocks of an array that threads share. If results bypass the caches, blocks align the results
// to cache lines, so that whole lines are written. Otherwise blocks align the elements, so that no
// vector crosses a cache line; but if runs of elements share parameters, blocks begin with the
// array, as the runs do.
template <class C>
Blocks blocks_of(const void* w, FloatType type, std::size_t n, const void* out,
                 std::size_t bits_each, bool stream, const StageParameters<C>& parameters) {
  if (stream) {
    return {w, n, out, bits_each, kLargeBlock};
  }
  // Blocks of packed codes must not share a byte.
  const bool from_begin = bits_each % 8 != 0 || parameters.factors().are_in_runs();
  return {w, n, w, from_begin ? 0 : 8 * type.bytes};
}

// Quantizes all elements, and calls write(writer, codes, part) for each chunk. Each thread has a
// writer of its own, the result of make_writer(). Throws Error if the options refuse an element.
template <class C, class MakeWriter, class Write>
void quantize_all(const QuantizePlan<C>& plan, const Blocks& blocks, const void* w, FloatType type,
                  std::size_t n, const sc_quantize_options& options, const MakeWriter& make_writer,
                  const Write& write) {
  struct State {
    Quantizer<C> quantize;
    decltype(make_writer()) writer;
  };
  SharedStatus shared_status;
  share_chunks(blocks, n * type.bytes, plan.direction, [&] {
    return State{{plan, shared_status}, make_writer()};
  }, [&](State& state, const Part& part) {
    write(state.writer, state.quantize(part, part.begin), part);
  });
  shared_status.check(w, type, n, n, options);
}

// Quantizes the floats that a selection writes.
template <class C>
class QuantizeConversion final : public OutputConversion {
 public:
  QuantizeConversion(const QuantizePlan<C>& plan, const Scheme& scheme, const Codes& q, bool stream)
      : plan_(plan), scheme_(scheme), q_(q), stream_(stream) {
    data = q.data;
    bytes_each = q.are_packed() ? 0 : q.bytes(1, scheme);
    needs_final_selection = plan.refuses_overflow || plan.parameters.zero_points() != nullptr;
  }

  [[nodiscard]] std::unique_ptr<Writer> writer() const override {
    return std::make_unique<QuantizeWriter>(*this);
  }

  mutable SharedStatus shared_status;

 private:
  class QuantizeWriter final : public Writer {
   public:
    explicit QuantizeWriter(const QuantizeConversion& conversion)
        : conversion_(conversion),
          quantize_(conversion.plan_, conversion.shared_status),
          storage_(conversion.q_, conversion.scheme_) {}
    void write(const void* floats, std::size_t begin, std::size_t count) override {
      const FloatState float_state(conversion_.plan_.direction);
      for_chunks({floats, 0, count, count}, begin, 0, [&](const Part& chunk, std::size_t index) {
        storage_.store_codes(quantize_(chunk, index), chunk.end - chunk.begin, index,
                             conversion_.stream_);
      });
    }

   private:
    const QuantizeConversion& conversion_;
    Quantizer<C> quantize_;
    CodeStorage storage_;
  };

  const QuantizePlan<C>& plan_;
  const Scheme& scheme_;
  Codes q_;
  bool stream_;
};

// The target of the fused kernels, or nullopt if they do not support this plan and type of codes.
template <class C>
std::optional<IntegerTarget> integer_target_of(const QuantizePlan<C>& plan, const Codes& q) {
  const DtypeInfo codes = dtype_info(q.dtype);
  const bool is_supported = codes.bits == 8 || codes.bits == 16;
  if (!is_supported || !plan.is_fusible || sizeof(C) != sizeof(float)) {
    return std::nullopt;
  }
  const Parameters<C>& factors = plan.parameters.factors();
  return IntegerTarget{static_cast<float>(plan.rule.lowest),
                       static_cast<float>(plan.rule.highest),
                       plan.parameters.scaling() == Scaling::divide,
                       static_cast<std::uint32_t>(codes.bytes()),
                       codes.is_signed,
                       factors.size() == 1 ? static_cast<float>(*factors.values()) : 0,
                       static_cast<std::uint32_t>(plan.direction)};
}

// Quantizes with the fused kernel. The codes of NaN are unspecified.
class FusedQuantizer {
 public:
  FusedQuantizer(const QuantizePlan<float>& plan, const IntegerTarget& target, FloatType type,
                 const Output& out)
      : target_(target),
        kernel_(kernels().quantize.quantize[type.kind]),
        out_(out),
        factors_(plan.parameters.factors()) {
    if (plan.parameters.zero_points() != nullptr) {
      zero_points_.emplace(*plan.parameters.zero_points());
    }
  }

  // Quantizes a part whose first aligned element follows `head` others. Returns whether it has no
  // NaN.
  bool operator()(const Part& part, std::size_t head) {
    Key largest = 0;
    for (std::size_t begin = part.begin; begin != part.end; head = 0) {
      const std::size_t count = next_count(begin, part.end - begin, head);
      largest = std::max(largest, write({part.array, begin, begin + count, part.n}));
      begin += count;
    }
    return largest <= kFloat32.infinity;
  }

 private:
  // The number of elements, of `left` from `begin` on, for the next call of the kernel: the
  // unaligned head, as in for_chunks(); else a chunk, or all of them if all share the same
  // parameters.
  std::size_t next_count(std::size_t begin, std::size_t left, std::size_t head) {
    const std::size_t most = head != 0 ? head : factors_.run_left(begin) >= left ? left : kChunk;
    return std::min(left, most);
  }

  Key write(const Part& part) {
    const std::size_t count = part.end - part.begin;
    const ParameterView<float> factors = factors_(part.begin, count);
    // Zero points have the same layout as the factors, so the same indices are valid.
    const float* const zero_points =
        zero_points_ ? (*zero_points_)(part.begin, count).values : nullptr;
    return kernel_(part, target_, factors, zero_points, out_);
  }

  const IntegerTarget& target_;
  QuantizeKernels::Quantize kernel_;
  Output out_;
  ParameterCursor<float> factors_;
  std::optional<ParameterCursor<float>> zero_points_;
};

// Quantizes with the fused kernel if it supports the plan. Returns false if it does not, or if
// there are NaN, whose codes are then unspecified.
template <class C>
bool quantize_fused(const QuantizePlan<C>& plan, const Blocks& blocks, FloatType type,
                    const Codes& q, std::size_t bytes, bool stream) {
  const auto target = integer_target_of(plan, q);
  if constexpr (sizeof(C) == sizeof(float)) {
    if (target) {
      Output out{};
      out.data = q.data;
      out.stream = stream;
      std::atomic<bool> has_nan{false};
      Tasks tasks(blocks.count());
      share(tasks, bytes, [&] {
        const FloatState float_state(plan.direction);
        FusedQuantizer quantize(plan, *target, type, out);
        for (std::size_t block = 0; tasks.take(block);) {
          if (!quantize(blocks[block], block == 0 ? blocks.head() : 0)) {
            has_nan.store(true, std::memory_order_relaxed);
          }
        }
      });
      return !has_nan.load();
    }
  }
  return false;
}

bool may_raise(const sc_quantize_options& options) {
  return options.nan == SC_NAN_RAISE || options.overflow == SC_OVERFLOW_RAISE;
}

}  // namespace

std::size_t Codes::bits_each(const Scheme& scheme) const {
  return are_packed() ? static_cast<std::size_t>(scheme.bits) : 8 * dtype_info(dtype).bytes();
}

void quantize(const void* w, FloatType type, std::size_t n, const Scheme& scheme,
              const sc_quantize_options& options, const Codes& q) {
  quantize_part(w, type, n, scheme, options, q,
                worth_streaming(w, q.data, n * type.bytes + q.bytes(n, scheme)));
}

void quantize_part(const void* w, FloatType type, std::size_t n, const Scheme& scheme,
                   const sc_quantize_options& options, const Codes& q, bool stream) {
  with_compute_type(type, scheme, [&](auto zero) {
    const QuantizePlan<decltype(zero)> plan(type, scheme, options);
    const Blocks blocks =
        blocks_of(w, type, n, q.data, q.bits_each(scheme), stream, plan.parameters);
    if (quantize_fused(plan, blocks, type, q, n * type.bytes, stream)) {
      return;
    }
    quantize_all(plan, blocks, w, type, n, options, [&] { return CodeStorage(q, scheme); },
                 [&](CodeStorage& storage, std::int32_t* codes, const Part& part) {
      storage.store_codes(codes, part.end - part.begin, part.begin, stream);
    });
  });
}

void fake_quantize(const void* w, FloatType type, std::size_t n, const Scheme& scheme,
                   const sc_quantize_options& options, void* out) {
  const bool stream = worth_streaming(w, out, 2 * n * type.bytes);
  with_compute_type(type, scheme, [&](auto zero) {
    using C = decltype(zero);
    const QuantizePlan<C> plan(type, scheme, options);
    const Blocks blocks = blocks_of(w, type, n, out, 8 * type.bytes, stream, plan.parameters);
    // In place, elements that the options refuse must be found before the first write.
    if (out == w && may_raise(options)) {
      struct Nothing {};
      quantize_all(plan, blocks, w, type, n, options, [] { return Nothing{}; },
                   [](Nothing, std::int32_t*, const Part&) {});
    }
    begin_writing(w, out);
    const DequantizePlan<C> dequantize_plan(scheme, type);
    quantize_all(plan, blocks, w, type, n, options, [&] { return Dequantizer<C>(dequantize_plan); },
                 [&](Dequantizer<C>& dequantize, std::int32_t* codes, const Part& part) {
      const FloatState to_nearest;
      dequantize(codes, part.end - part.begin, part.begin, stream, out);
    });
  });
}

void dequantize(const Codes& q, std::size_t n, const Scheme& scheme, void* out, FloatType type) {
  const bool stream = worth_streaming(q.data, out, q.bytes(n, scheme) + n * type.bytes);
  with_compute_type(type, scheme, [&](auto zero) {
    using C = decltype(zero);
    struct State {
      CodeStorage storage;
      CodeRange range;
      Dequantizer<C> dequantize;
    };
    const DequantizePlan<C> plan(scheme, type);
    SharedStatus shared_status;
    share_chunks(Blocks(q.data, n, out, 8 * type.bytes, stream ? kLargeBlock : kBlock),
                 n * type.bytes, Direction::nearest, [&] {
      return State{{q, scheme}, {scheme, q, shared_status}, Dequantizer<C>(plan)};
    }, [&](State& state, const Part& part) {
      const std::size_t count = part.end - part.begin;
      std::int32_t* const codes = state.storage.load_codes(part.begin, count, n, &state.range);
      state.dequantize(codes, count, part.begin, stream, out);
    });
    shared_status.check_codes(q, n, scheme, "fmt");
  });
}

void prune_quantize(const void* w, FloatType type, std::size_t n, std::size_t k,
                    const Scheme& scheme, const sc_quantize_options& options, const Codes& q) {
  const bool stream = worth_streaming(w, q.data, n * type.bytes + q.bytes(n, scheme));
  with_compute_type(type, scheme, [&](auto zero) {
    using C = decltype(zero);
    const QuantizePlan<C> plan(type, scheme, options);
    Operand operand{w, n, type};
    // Fast path: the kernels of selection write the codes if they multiply all elements by the same
    // factor and add no zero point.
    const auto target = integer_target_of(plan, q);
    const bool multiplies_by_one_factor = target && !target->divides &&
                                          plan.parameters.factors().size() == 1 &&
                                          plan.parameters.zero_points() == nullptr;
    if (multiplies_by_one_factor && type.kind == Float::float32) {
      operand.out = {OutputKind::integers, q.data, stream, nullptr, &*target};
      write_topk(SelectionProblem({&operand, 1}, options.nan), k);
      return;
    }
    const QuantizeConversion<C> conversion(plan, scheme, q, stream);
    operand.out.kind = OutputKind::floats;
    operand.conversion = &conversion;
    write_topk(SelectionProblem({&operand, 1}, options.nan), k);
    conversion.shared_status.check(w, type, n, k, options);
  });
}

}  // namespace secateur
