// The table of the kernels of sparse encodings. Compiled once for each ISA.
#include "sparse/kernels/table.hpp"

#include "sparse/kernels/bitmask.hpp"
#include "sparse/kernels/gaps.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

template <class E>
constexpr BitmaskKernels bitmask_kernels() {
  return {.encode = encode_bitmask<E>, .decode = decode_bitmask<E>};
}

}  // namespace

extern const SparseKernels sparse_kernels;
constinit const SparseKernels sparse_kernels = {.bitmask = {{},
                                                            bitmask_kernels<int8_t>(),
                                                            bitmask_kernels<int16_t>(),
                                                            {},
                                                            bitmask_kernels<int32_t>(),
                                                            {},
                                                            {},
                                                            {},
                                                            bitmask_kernels<int64_t>()},
                                                .encode_gaps = encode_gaps};

}  // namespace secateur::SECATEUR_TARGET
