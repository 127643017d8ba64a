// The elements that matter least become zero.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "api/checks.hpp"
#include "ops/float_type.hpp"
#include "ops/mask.hpp"
#include "ops/pattern.hpp"
#include "ops/select.hpp"
#include "ops/soft_threshold.hpp"
#include "ops/threshold.hpp"
#include "ops/tiles.hpp"

namespace secateur::api {
namespace {

// `any`: negative ones too, as values may be.
void require_threshold(double threshold, bool any = false) {
  if (std::isnan(threshold) || (threshold < 0 && !any)) {
    refuse("threshold", any ? "a number" : "a number, at least 0", std::to_string(threshold));
  }
}

// The largest of a source's keys that does not exceed the threshold.
Key key_of_threshold(double threshold, const Scope& scope, const Source& source) {
  if (threshold < 0) {  // the least magnitude that is not below that of the threshold, downwards
    const double before = std::nextafter(-threshold, 0);
    return -(key_of_threshold(before, source.ranked_type()) + 1);
  }
  return key_of_threshold(threshold, source.ranked_type()) + scope.order(source).rotation;
}

// The arguments that functions that prune have in common.
Source require_pruning(const void* w, sc_dtype dtype, std::size_t n, const sc_scores* scores,
                       sc_nan nan, void* out) {
  require_floats("w", w, n, dtype);
  require_floats("out", out, n, dtype);
  require_selecting(nan);
  Source source = require_source(w, dtype, n, scores);
  const std::size_t bytes = n * source.type.bytes;
  require_apart("out", out, bytes, w, bytes, true);
  require_apart_from_scores("out", out, bytes, source);
  write_floats(source, out);
  return source;
}

struct Extent {
  std::uintptr_t begin, end;
  std::size_t member;
};

// The outputs share memory with nothing but each with its own array.
void require_outputs_apart(std::span<const Source> sources) {
  std::vector<Extent> outputs;
  const auto extent = [](const void* data, std::size_t bytes, std::size_t member) {
    const auto begin = reinterpret_cast<std::uintptr_t>(data);
    return Extent{begin, begin + bytes, member};
  };
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const Source& source = sources[i];
    if (source.n != 0) {
      outputs.push_back(extent(source.out.data, source.n * source.type.bytes, i));
    }
  }
  std::sort(outputs.begin(), outputs.end(),
            [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
  for (std::size_t i = 1; i < outputs.size(); ++i) {
    if (outputs[i].begin < outputs[i - 1].end) {
      refuse("out", "apart from the outputs of other members", "memory that overlaps one");
    }
  }
  const auto require_apart_from_others = [&](const Extent& input) {
    auto output = std::upper_bound(
        outputs.begin(), outputs.end(), input.begin,
        [](std::uintptr_t begin, const Extent& other) { return begin < other.end; });
    for (; output != outputs.end() && output->begin < input.end; ++output) {
      if (output->member != input.member) {
        refuse("out", "apart from the inputs of other members", "memory that overlaps one");
      }
    }
  };
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const Source& source = sources[i];
    require_apart_from_others(extent(source.w, source.n * source.type.bytes, i));
    if (source.is_made()) {
      require_apart_from_others(extent(source.scores.data, source.scores_bytes(), i));
    }
  }
}

// How many elements the matrices have.
std::size_t require_blocks(const sc_blocks* blocks) {
  if (blocks == nullptr) {
    refuse("blocks", "matrices and their blocks", "a null pointer");
  }
  std::size_t n = 0;
  if (__builtin_mul_overflow(blocks->matrices, blocks->rows, &n) ||
      __builtin_mul_overflow(n, blocks->columns, &n)) {
    refuse("blocks", "those of matrices in memory", "more elements than there are addresses");
  }
  const auto require_fit = [n](const char* argument, std::size_t length, std::size_t most) {
    if (length == 0 || (n != 0 && length > most)) {
      refuse(argument, "1 to " + std::to_string(most), std::to_string(length));
    }
  };
  require_fit("blocks.block_rows", blocks->block_rows, blocks->rows);
  require_fit("blocks.block_columns", blocks->block_columns, blocks->columns);
  if (blocks->norm != SC_NORM_L1 && blocks->norm != SC_NORM_L2 && blocks->norm != SC_NORM_MAX) {
    refuse("blocks.norm", "l1, l2 or max", std::to_string(static_cast<int>(blocks->norm)));
  }
  return n;
}

}  // namespace
}  // namespace secateur::api

using namespace secateur;
using namespace secateur::api;

sc_status sc_prune(const void* w, sc_dtype dtype, size_t n, size_t k, const sc_slices* slices,
                   const sc_scores* scores, sc_nan nan, void* out) {
  return guarded([&] {
    Source source = require_pruning(w, dtype, n, scores, nan, out);
    const Slices along = require_slices(slices, n);
    require_k(k, 0, along.length);
    write_topk(source, along, nan, k);
  });
}

sc_status sc_prune_threshold(const void* w, sc_dtype dtype, size_t n, double threshold,
                             const sc_scores* scores, sc_nan nan, void* out) {
  return guarded([&] {
    Source source = require_pruning(w, dtype, n, scores, nan, out);
    require_threshold(threshold, source.scores.kind == Scores::Kind::values);
    decide_streaming({&source, 1});
    const Scope scope({&source, 1}, nan);
    write_above(scope, key_of_threshold(threshold, scope, source));
  });
}

sc_status sc_prune_global(const sc_member* members, size_t count, size_t k, sc_nan nan) {
  return guarded([&] {
    require_array("members", members, count, alignof(sc_member));
    require_selecting(nan);
    std::vector<Source> sources;
    sources.reserve(count);
    std::size_t n = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const sc_member& m = members[i];
      sources.push_back(require_pruning(m.w, m.dtype, m.n, m.scores, nan, m.out));
      n += m.n;
    }
    require_outputs_apart(sources);
    require_k(k, 0, n);
    if (count != 0) {
      decide_streaming(sources);
      write_topk(Scope(sources, nan), k);
    }
  });
}

sc_status sc_prune_blocks(const void* w, sc_dtype dtype, const sc_blocks* blocks, size_t k,
                          sc_nan nan, void* out) {
  return guarded([&] {
    require_pruning(w, dtype, require_blocks(blocks), nullptr, nan, out);
    require_k(k, 0, tiles(tiling_of(*blocks)));
    prune_tiles(w, dtype, *blocks, k, nan, out);
  });
}

sc_status sc_prune_blocks_threshold(const void* w, sc_dtype dtype, const sc_blocks* blocks,
                                    double threshold, sc_nan nan, void* out) {
  return guarded([&] {
    require_pruning(w, dtype, require_blocks(blocks), nullptr, nan, out);
    require_threshold(threshold);
    prune_tiles_above(w, dtype, *blocks, key_of_threshold(threshold, kFloat64), nan, out);
  });
}

sc_status sc_soft_threshold(const void* w, sc_dtype dtype, size_t n, double threshold, void* out) {
  return guarded([&] {
    require_floats("w", w, n, dtype);
    require_floats("out", out, n, dtype);
    require_threshold(threshold);
    require_apart("out", out, n * float_type(dtype).bytes, w, n * float_type(dtype).bytes, true);
    soft_threshold(w, dtype, n, threshold, out);
  });
}

sc_status sc_prune_pattern(const void* w, sc_dtype dtype, size_t n, size_t keep, size_t of,
                           const sc_slices* slices, const sc_scores* scores, sc_nan nan,
                           void* out) {
  return guarded([&] {
    const Source source = require_pruning(w, dtype, n, scores, nan, out);
    if (of < 1 || of > kMostMembers) {
      refuse("of", "1 to " + std::to_string(kMostMembers), std::to_string(of));
    }
    if (keep < 1 || keep > of) {
      refuse("keep", "1 to " + std::to_string(of), std::to_string(keep));
    }
    const Slices along = require_slices(slices, n);
    if (along.length % of != 0) {
      refuse("slices->length", "a multiple of " + std::to_string(of), std::to_string(along.length));
    }
    prune_pattern(source, {keep, of}, along.inner, nan);
  });
}

sc_status sc_apply_mask(const void* w, sc_dtype dtype, size_t n, const void* mask,
                        sc_mask_format format, void* out) {
  return guarded([&] {
    require_floats("w", w, n, dtype);
    require_mask(mask, n, format);
    require_floats("out", out, n, dtype);
    require_apart("out", out, n * float_type(dtype).bytes, w, n * float_type(dtype).bytes, true);
    require_apart("out", out, n * float_type(dtype).bytes, mask, mask_bytes(n, format));
    apply_mask(w, float_type(dtype), n, mask, format, out);
  });
}
