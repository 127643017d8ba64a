// The table of this target, from the kernels. A target file defines SECATEUR_TARGET, includes its
// lanes and then this.
#pragma once

#include "kernels/fixed_point.hpp"
#include "kernels/mask.hpp"
#include "kernels/select.hpp"
#include "kernels/table.hpp"

namespace secateur::SECATEUR_TARGET {

#define SECATEUR_NAME_OF(target) #target
#define SECATEUR_NAME(target) SECATEUR_NAME_OF(target)

extern const KernelTable kernels;
constinit const KernelTable kernels = {
    .isa = SECATEUR_NAME(SECATEUR_TARGET),
    .keys = keys,
    .bisect = bisect,
    .count_above = count_above,
    .narrow = narrow,
    .run_spread = run_spread,
    // In the order of Form
    .scan = {scan_words<NoSink, false>, scan<FloatSink>, scan<BoolSink>, scan_words<BitSink, false>,
             scan<Int8Sink>, scan<UInt8Sink>, scan<Int16Sink>, scan<UInt16Sink>},
    .scan_edges = scan_words<NoSink, true>,
    .emit = {nullptr, emit<FloatSink>, emit<BoolSink>, emit_words<BitSink>, emit<Int8Sink>,
             emit<UInt8Sink>, emit<Int16Sink>, emit<UInt16Sink>},
    .max_magnitude = max_magnitude,
    .apply_bools = apply<BoolMask>,
    .apply_bits = apply<BitMask>,
    .quantize = {quantize<int8_t>, quantize<uint8_t>, quantize<int16_t>, quantize<uint16_t>},
    .fake_quantize = fake_quantize,
    .dequantize = {dequantize<int8_t>, dequantize<uint8_t>, dequantize<int16_t>,
                   dequantize<uint16_t>},
};

}  // namespace secateur::SECATEUR_TARGET
