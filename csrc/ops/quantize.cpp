#include "ops/quantize.hpp"

#include <atomic>
#include <optional>

#include "ops/blocks.hpp"
#include "ops/select.hpp"
#include "ops/source.hpp"
#include "ops/stages.hpp"

namespace secateur {
namespace {

// body(stage, index of its first element) for the stages of a part, which begins with element `first`, `head`
// elements before one that is aligned. These are a stage of their own, so that no kernel sets some apart: its
// vectors would not begin where runs of parameters do. The upper 32 bits of an index are the same throughout a stage.
template <class Body>
void for_stages(const Part& part, std::size_t first, std::size_t head, const Body& body) {
  constexpr std::uint64_t kLower = 0xffffffff;
  std::uint64_t length = head != 0 ? head : kStage;
  for (std::size_t begin = part.begin, end = 0; begin < part.end; begin = end) {
    const std::uint64_t index = first + (begin - part.begin);
    const std::uint64_t most = kLower - (index & kLower) + 1;
    end = std::min<std::uint64_t>(part.end, begin + std::min(length, most));
    body(Part{part.array, begin, end, part.n}, index);
    const std::uint64_t cut_off = most < length ? (length - most) % kWord : 0;
    length = cut_off != 0 ? cut_off : kStage;
  }
}

// Where results bypass the caches they are aligned, so that they go in whole lines; and else the elements, of
// which every vector would lie in two lines, unless runs of them share parameters, which begin with the array.
template <class C>
Blocks blocks_of(const void* w, FloatType type, std::size_t n, const void* out,
                 std::size_t bits_each, bool stream, const Steps<C>& steps) {
  if (stream) {
    return {w, n, out, bits_each, kLargeBlock};
  }
  const bool from_begin =
      bits_each < 8 || steps.factors().are_of_runs();  // nor may blocks share a byte
  return {w, n, w, from_begin ? 0 : 8 * type.bytes};
}

// body(state, stage) for all stages of an array, on as many threads as the bytes are worth, each with a state
// that make() gives it, and rounding in that direction.
template <class Make, class Body>
void share_stages(const Blocks& blocks, std::size_t bytes, Direction direction, const Make& make,
                  const Body& body) {
  Tasks tasks(blocks.count());
  share(tasks, bytes, [&] {
    const FloatState float_state(direction);
    auto state = make();
    for (std::size_t block = 0; tasks.take(block);) {
      const Part part = blocks[block];
      const std::size_t head = part.begin == 0 ? blocks.head() : 0;
      for_stages(part, part.begin, head,
                 [&](const Part& stage, std::size_t) { body(state, stage); });
    }
  });
}

// Quantizes all elements; put(state, q, part) has their integers, with a state that make() gives.
template <class C, class Make, class Put>
void quantize_all(const Quantizing<C>& how, const Blocks& blocks, const void* w, FloatType type,
                  std::size_t n, const sc_quantize_options& options, const Make& make,
                  const Put& put) {
  struct State {
    Quantizer<C> quantize;
    decltype(make()) sink;
  };
  Findings findings;
  share_stages(blocks, n * type.bytes, how.direction,
               [&] { return State{{how, findings}, make()}; }, [&](State& state, const Part& part) {
    put(state.sink, state.quantize(part, part.begin), part);
  });
  findings.check(w, type, n, options);
}

// Floats that a selection has written, quantized.
template <class C>
class Quantization final : public Conversion {
 public:
  Quantization(const Quantizing<C>& how, const Scheme& scheme, const Codes& q, bool stream)
      : how_(how), scheme_(scheme), q_(q), stream_(stream) {
    data = q.data;
    bytes_each = q.are_packed() ? 0 : q.bytes(1, scheme);
    refuses = how.refuses_overflow;
  }

  [[nodiscard]] std::unique_ptr<Hand> hand() const override {
    return std::make_unique<Quantized>(*this);
  }

  mutable Findings findings;

 private:
  class Quantized final : public Hand {
   public:
    explicit Quantized(const Quantization& all)
        : all_(all), quantize_(all.how_, all.findings), store_(all.q_, all.scheme_) {}
    void write(const void* floats, std::size_t begin, std::size_t count) override {
      const FloatState float_state(all_.how_.direction);
      for_stages({floats, 0, count, count}, begin, 0, [&](const Part& stage, std::size_t index) {
        store_.put(quantize_(stage, index), stage.end - stage.begin, index, all_.stream_);
      });
    }

   private:
    const Quantization& all_;
    Quantizer<C> quantize_;
    Store store_;
  };

  const Quantizing<C>& how_;
  const Scheme& scheme_;
  Codes q_;
  bool stream_;
};

// What kernels write without stages between, if it is that.
template <class C>
std::optional<Integral> integral_of(const Quantizing<C>& how, const Codes& q) {
  const bool is_wide = q.dtype == SC_INT16 || q.dtype == SC_UINT16;
  const bool is_signed = q.dtype == SC_INT8 || q.dtype == SC_INT16;
  const bool holds = is_wide || is_signed || q.dtype == SC_UINT8;
  if (!holds || !how.is_plain || sizeof(C) != sizeof(float)) {
    return std::nullopt;
  }
  const Parameters<C>& factors = how.steps.factors();
  return Integral{static_cast<float>(how.rule.lowest),
                  static_cast<float>(how.rule.highest),
                  how.steps.scaling() == Scaling::divide,
                  is_wide ? 2u : 1u,
                  is_signed,
                  factors.size() == 1 ? static_cast<float>(*factors.values()) : 0,
                  static_cast<std::uint32_t>(how.direction)};
}

// Floats to such integers. Those that are made of NaN are wrong.
class AtOnce {
 public:
  AtOnce(const Quantizing<float>& how, const Integral& integral, FloatType type, const Output& out)
      : integral_(integral),
        kernel_(kernels_of(kernels(), type.kind).quantize),
        out_(out),
        factors_(how.steps.factors()) {
    if (how.steps.zero_points() != nullptr) {
      zero_points_.emplace(*how.steps.zero_points());
    }
  }

  // Returns whether there was no NaN.
  bool operator()(const Part& part, std::size_t head) {
    Key largest = 0;
    for (std::size_t begin = part.begin; begin != part.end; head = 0) {
      const std::size_t count = next(begin, part.end - begin, head);
      largest = std::max(largest, write({part.array, begin, begin + count, part.n}));
      begin += count;
    }
    return largest <= kFloat32.infinity;
  }

 private:
  // How many of those that are left go to the kernel now, from `begin` on, which `head` precede one that is
  // aligned: these, as stages do; then a stage, or all where all have the same parameters.
  std::size_t next(std::size_t begin, std::size_t left, std::size_t head) {
    const std::size_t most = head != 0 ? head : factors_.alike(begin) >= left ? left : kStage;
    return std::min(left, most);
  }

  Key write(const Part& part) {
    const std::size_t count = part.end - part.begin;
    const Spread<float> factors = factors_(part.begin, count);
    // Which lie as the factors do, being of the same granularity
    const float* const zero_points =
        zero_points_ ? (*zero_points_)(part.begin, count).values : nullptr;
    return kernel_(part, integral_, factors, zero_points, out_);
  }

  const Integral& integral_;
  FloatKernels::Quantize kernel_;
  Output out_;
  Beside<float> factors_;
  std::optional<Beside<float>> zero_points_;
};

// Whether that is how they are quantized, and there was no NaN.
template <class C>
bool quantize_at_once(const Quantizing<C>& how, const Blocks& blocks, FloatType type,
                      const Codes& q, std::size_t bytes, bool stream) {
  const auto integral = integral_of(how, q);
  if constexpr (sizeof(C) == sizeof(float)) {
    if (integral) {
      Output out{};
      out.data = q.data;
      out.stream = stream;
      std::atomic<bool> has_nan{false};
      Tasks tasks(blocks.count());
      share(tasks, bytes, [&] {
        const FloatState float_state(how.direction);
        AtOnce quantize(how, *integral, type, out);
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

bool may_refuse(const sc_quantize_options& options) {
  return options.nan == SC_NAN_RAISE || options.overflow == SC_OVERFLOW_RAISE;
}

}  // namespace

std::size_t Codes::bits_each(const Scheme& scheme) const {
  switch (dtype) {
    case SC_PACKED_LOW_FIRST:
    case SC_PACKED_HIGH_FIRST:
      return static_cast<std::size_t>(scheme.bits);
    case SC_INT16:
    case SC_UINT16:
      return 16;
    case SC_INT32:
    case SC_UINT32:
      return 32;
    default:
      return 8;
  }
}

void quantize(const void* w, FloatType type, std::size_t n, const Scheme& scheme,
              const sc_quantize_options& options, const Codes& q) {
  const bool stream = worth_streaming(w, q.data, n * type.bytes + q.bytes(n, scheme));
  with_computed(type, scheme, [&](auto zero) {
    const Quantizing<decltype(zero)> how(type, n, scheme, options);
    const Blocks blocks = blocks_of(w, type, n, q.data, q.bits_each(scheme), stream, how.steps);
    if (quantize_at_once(how, blocks, type, q, n * type.bytes, stream)) {
      return;
    }
    quantize_all(how, blocks, w, type, n, options, [&] { return Store(q, scheme); },
                 [&](Store& store, std::int32_t* codes, const Part& part) {
      store.put(codes, part.end - part.begin, part.begin, stream);
    });
  });
}

void fake_quantize(const void* w, FloatType type, std::size_t n, const Scheme& scheme,
                   const sc_quantize_options& options, void* out) {
  const bool stream = worth_streaming(w, out, 2 * n * type.bytes);
  with_computed(type, scheme, [&](auto zero) {
    using C = decltype(zero);
    const Quantizing<C> how(type, n, scheme, options);
    const Blocks blocks = blocks_of(w, type, n, out, 8 * type.bytes, stream, how.steps);
    if (out == w && may_refuse(options)) {
      struct Nothing {};
      quantize_all(how, blocks, w, type, n, options, [] { return Nothing{}; },
                   [](Nothing, std::int32_t*, const Part&) {});
    }
    const Dequantizing<C> back(scheme, n, type);
    quantize_all(how, blocks, w, type, n, options, [&] { return Dequantizer<C>(back); },
                 [&](Dequantizer<C>& dequantize, std::int32_t* codes, const Part& part) {
      const FloatState to_nearest;
      dequantize(codes, part.end - part.begin, part.begin, stream, out);
    });
  });
}

void dequantize(const Codes& q, std::size_t n, const Scheme& scheme, void* out, FloatType type) {
  const bool stream = worth_streaming(q.data, out, q.bytes(n, scheme) + n * type.bytes);
  with_computed(type, scheme, [&](auto zero) {
    using C = decltype(zero);
    struct State {
      Store store;
      Dequantizer<C> dequantize;
    };
    const Dequantizing<C> how(scheme, n, type);
    share_stages(Blocks(q.data, n, out, 8 * type.bytes, stream ? kLargeBlock : kBlock),
                 n * type.bytes, Direction::nearest, [&] {
      return State{Store(q, scheme), Dequantizer<C>(how)};
    }, [&](State& state, const Part& part) {
      const std::size_t count = part.end - part.begin;
      state.dequantize(state.store.get(part.begin, count, n), count, part.begin, stream, out);
    });
  });
}

void prune_quantize(const void* w, FloatType type, std::size_t n, std::size_t k,
                    const Scheme& scheme, const sc_quantize_options& options, const Codes& q) {
  const bool stream = worth_streaming(w, q.data, n * type.bytes + q.bytes(n, scheme));
  with_computed(type, scheme, [&](auto zero) {
    using C = decltype(zero);
    const Quantizing<C> how(type, n, scheme, options);
    Source source{w, n, type};
    const auto integral = integral_of(how, q);
    if (integral && type.kind == Float::float32 && how.steps.factors().size() == 1) {
      source.out = {Form::integers, q.data, stream, nullptr, &*integral};
      write_topk(Scope({&source, 1}, options.nan), k);
      return;
    }
    const Quantization<C> quantization(how, scheme, q, stream);
    source.out.form = Form::floats;
    source.conversion = &quantization;
    write_topk(Scope({&source, 1}, options.nan), k);
    quantization.findings.check(w, type, n, options);
  });
}

}  // namespace secateur
