// Compares sc_count_magnitudes with counting keys one by one. The hash of the checksum is
// unspecified, so this only checks that the checksums of two parts add up to the checksum of the
// whole.
#include "fuzz.hpp"

namespace {

using namespace fuzz;

// Keys as secateur.h defines them.
std::vector<std::uint64_t> keys_of(const Bytes& w, const FloatType& type, std::size_t n,
                                   sc_nan nan) {
  const std::uint64_t most = type.sign() - 1;
  std::vector<std::uint64_t> keys(n);
  for (std::size_t i = 0; i < n; ++i) {
    keys[i] = bits_at(w, i, type.bytes) & most;
    if (nan == SC_NAN_PRUNE) {
      keys[i] = (keys[i] + (most - type.infinity())) & most;
    }
  }
  return keys;
}

int shift_of(const sc_key_range& range) {
  int shift = 0;
  while ((range.last - range.first) >> shift >= SC_MAX_BINS) {
    ++shift;
  }
  return shift;
}

void fuzz_counts(Draw& draw) {
  const FloatType& type = draw.float_type();
  const std::size_t n = draw.size();
  const Bytes w = draw.floats(type, n);
  const sc_nan nan = draw.selection_nan();
  const std::vector<std::uint64_t> keys = keys_of(w, type, n, nan);
  const std::uint64_t most = type.sign() - 1;
  sc_key_range range{0, most};
  if (!draw.once_in(16)) {  // around one of the keys, in fewer than SC_MAX_BINS bins
    const std::uint64_t key = n != 0 ? keys[draw.in<std::size_t>(0, n - 1)] : 0;
    const std::uint32_t span = draw.once_in(8) ? 70'000 : 300;
    range.first = key - std::min<std::uint64_t>(key, draw.in<std::uint32_t>(0, span));
    range.last = std::min(most, key + draw.in<std::uint32_t>(0, span));
  } else if (draw.coin()) {
    range.first = draw.in<std::uint64_t>(0, most);
    range.last = draw.in<std::uint64_t>(range.first, most);
  }
  const int shift = shift_of(range);
  const std::size_t bins = ((range.last - range.first) >> shift) + 1;

  // The counts and the totals are in one array, which begins with random contents.
  const Bytes begin = draw.bytes((bins + 3) * sizeof(std::uint64_t), draw.offset(8));
  Bytes expected = begin;
  const auto add = [&](std::size_t index, std::uint64_t more) {
    expected.set(index, expected.get<std::uint64_t>(index) + more);
  };
  bool has_nan = false;
  for (std::size_t i = 0; i < n; ++i) {
    has_nan = has_nan || is_nan(bits_at(w, i, type.bytes), type);
    const std::uint64_t key = keys[i];
    if (key > range.last) {
      add(bins, 1);
    } else if (key < range.first) {
      add(bins + 1, 1);
    } else {
      add((key - range.first) >> shift, 1);
    }
  }
  const bool refuses = nan == SC_NAN_RAISE && has_nan;
  const std::size_t part = draw.in<std::size_t>(0, n);
  const auto count = [&](std::size_t first, std::size_t last, Bytes& counts) {
    auto* const data = reinterpret_cast<std::uint64_t*>(counts.data());
    return sc_count_magnitudes(w.data() + first * type.bytes, type.dtype, last - first, &range, nan,
                               data, reinterpret_cast<sc_key_totals*>(data + bins));
  };
  for (const char* isa : isas()) {
    require(sc_set_isa(isa) == SC_OK, "the ISA is set");
    require(sc_set_num_threads(draw.in<std::size_t>(1, 3)) == SC_OK, "the threads are set");
    Bytes counts = begin;
    require(count(0, n, counts) == (refuses ? SC_ERROR_NAN : SC_OK), "the status is as expected");
    if (refuses) {
      require(counts == begin, "counts are left unmodified");
      continue;
    }
    Bytes by_parts = begin;
    require(count(0, part, by_parts) == SC_OK && count(part, n, by_parts) == SC_OK,
            "parts are counted");
    require(by_parts == counts, "parts add up");
    if (isa == isas()[0]) {
      expected.set(bins + 2, counts.get<std::uint64_t>(bins + 2));
    }
    require(counts == expected, "counted as one by one, the same on every ISA");
  }
}

// Calls with one invalid argument are refused, and write nothing.
void fuzz_refusals(Draw& draw) {
  const FloatType& type = draw.float_type();
  const auto n = draw.in<std::size_t>(1, 100);
  const std::uint64_t most = type.sign() - 1;
  sc_key_range range{0, 99};
  const Bytes w = draw.floats(type, n);
  Bytes memory = draw.bytes(8 * 104);  // the counts, the totals, and space to misalign them
  const Bytes before = memory;
  unsigned char* counts = memory.data();
  unsigned char* totals = memory.data() + 8 * 100;
  sc_dtype dtype = type.dtype;
  sc_nan nan = SC_NAN_KEEP;
  const char* what = "";
  switch (draw.in<int>(0, 4)) {
    case 0:
      what = "a range that ends before it begins is refused";
      range = {draw.in<std::uint64_t>(1, most), 0};
      break;
    case 1:
      what = "a range past the last key is refused";
      range.last = draw.in<std::uint64_t>(most + 1, UINT64_MAX);
      break;
    case 2:
      what = "another dtype is refused";
      dtype = static_cast<sc_dtype>(draw.one_of<int>({0, SC_DTYPE_INT8, 99}));
      break;
    case 3:
      what = "another NaN policy is refused";
      nan = static_cast<sc_nan>(draw.one_of({3, 99, -1}));
      break;
    default:
      what = "a misaligned result is refused";
      (draw.coin() ? counts : totals) += draw.in<std::size_t>(1, 7);
  }
  const sc_status status =
      sc_count_magnitudes(w.data(), dtype, n, &range, nan, reinterpret_cast<std::uint64_t*>(counts),
                          reinterpret_cast<sc_key_totals*>(totals));
  require(is_refusal(status), what);
  require(memory == before, "nothing is written when an argument is refused");
}

// Outputs that overlap the elements and each other.
void fuzz_overlaps(Draw& draw) {
  const FloatType& type = draw.float_type();
  const auto n = draw.in<std::size_t>(1, 100);
  const auto bins = draw.in<std::size_t>(1, 100);
  OverlapArena arena(draw, 4096, 1);
  const OverlapArena::Region w = arena.take(n * type.bytes);
  const OverlapArena::Region counts = arena.take(bins * sizeof(std::uint64_t));
  const OverlapArena::Region totals = arena.take(sizeof(sc_key_totals));
  const sc_key_range range{0, bins - 1};
  arena.check(sc_count_magnitudes(w.data, type.dtype, n, &range, SC_NAN_KEEP,
                                  reinterpret_cast<std::uint64_t*>(counts.data),
                                  reinterpret_cast<sc_key_totals*>(totals.data)),
              counts.overlaps(w) || totals.overlaps(w) || totals.overlaps(counts));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Draw draw(data, size);
  switch (draw.in<int>(0, 5)) {
    case 0:
      fuzz_overlaps(draw);
      break;
    case 1:
      fuzz_refusals(draw);
      break;
    default:
      fuzz_counts(draw);
  }
  return 0;
}
