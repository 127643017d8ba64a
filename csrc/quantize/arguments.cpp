#include "quantize/arguments.hpp"

#include <algorithm>
#include <string>

#include "quantize/parameters.hpp"

namespace secateur::api {

void require_in_range(const char* argument, std::int64_t received, std::int64_t least,
                      std::int64_t most) {
  if (received < least || received > most) {
    refuse(argument, std::to_string(least) + " to " + std::to_string(most),
           std::to_string(received));
  }
}

namespace {

void require_all_in_range(const char* argument, const std::int32_t* received, std::size_t count,
                          std::int32_t least, std::int32_t most) {
  if (!all_within(received, count, least, most)) {
    for (std::size_t i = 0; i < count; ++i) {
      require_in_range(argument, received[i], least, most);
    }
  }
}

// Sets the integers in use: qmin to qmax, or all of the width if both are 0.
void set_range(Scheme& scheme, std::int64_t qmin, std::int64_t qmax, const FormatNames& names) {
  const IntegerRange all = integer_range(scheme.bits, scheme.is_signed);
  scheme.lowest = all.lowest;
  scheme.highest = all.highest;
  if (qmin != 0 || qmax != 0) {
    // A zero point is an int32.
    require_in_range(names.qmin, qmin, scheme.lowest,
                     std::min<std::int64_t>(scheme.highest - 1, INT32_MAX));
    require_in_range(names.qmax, qmax, qmin + 1, scheme.highest);
    scheme.lowest = qmin;
    scheme.highest = qmax;
  }
}

CheckedFormat checked_fixed_point(const sc_format& fmt, const Layout& layout,
                                  const FormatNames& names, int max_bits) {
  require_in_range(names.bits, fmt.bits, 2, max_bits);
  Scheme scheme{fmt.bits, fmt.is_signed != 0, 0, 0, layout, fmt.frac_bits, nullptr, nullptr};
  set_range(scheme, 0, 0, names);
  const std::size_t count = layout.groups();
  const MemoryRange steps = checked_array(names.frac_bits, fmt.frac_bits, count);
  scheme.powers_fit_float =
      all_within(scheme.frac_bits, count, -kMaxFloatExponent, kMaxFloatExponent);
  if (!scheme.powers_fit_float) {
    require_all_in_range(names.frac_bits, scheme.frac_bits, count, -256, 256);
  }
  MemoryRange group_bits;
  if (fmt.group_bits != nullptr) {
    group_bits = checked_array(names.group_bits, fmt.group_bits, count);
    require_all_in_range(names.group_bits, fmt.group_bits, count, 2, fmt.bits);
    const bool all_are_equal = all_within(fmt.group_bits, count, fmt.bits, fmt.bits);
    scheme.group_bits = all_are_equal ? nullptr : fmt.group_bits;
  }
  return {scheme, {}, {}, steps, {}, group_bits};
}

template <class T>
void require_scales(const T* scales, std::size_t count, ScaleConstraint allowed,
                    const FormatNames& names) {
  if constexpr (sizeof(T) == sizeof(float)) {
    // Positive floats have the order of their bits. These are the least and the largest normal
    // ones.
    if (all_within(scales, count, 0x00800000, 0x7f7fffff)) {
      return;
    }
  }
  const T* const invalid =
      std::find_if_not(scales, scales + count, [&](T x) { return is_allowed(x, allowed); });
  if (invalid != scales + count) {
    refuse(names.scale, allowed == ScaleConstraint::finite ? "finite" : "positive and normal",
           text_of(*invalid));
  }
}

template <class T>
CheckedFormat checked_affine(const sc_format& fmt, const Layout& layout, ScaleConstraint allowed,
                             const FormatNames& names) {
  require_in_range(names.bits, fmt.bits, 1, kMaxCodeBits);
  Scheme scheme{fmt.bits, fmt.is_signed != 0, 0, 0, layout, nullptr, fmt.scale, fmt.zero_point};
  set_range(scheme, fmt.qmin, fmt.qmax, names);
  const std::size_t count = layout.groups();
  const auto* const scales = static_cast<const T*>(fmt.scale);
  const MemoryRange steps = checked_array(names.scale, scales, count);
  require_scales(scales, count, allowed, names);
  MemoryRange zero_points;
  if (fmt.zero_point != nullptr) {
    constexpr std::int64_t kLeast = INT32_MIN;
    constexpr std::int64_t kMost = INT32_MAX;
    zero_points = checked_array(names.zero_point, fmt.zero_point, count);
    require_all_in_range(names.zero_point, fmt.zero_point, count,
                         static_cast<std::int32_t>(std::clamp(scheme.lowest, kLeast, kMost)),
                         static_cast<std::int32_t>(std::clamp(scheme.highest, kLeast, kMost)));
  } else if (count != 0 && (scheme.lowest > 0 || scheme.highest < 0)) {
    refuse(names.zero_point, "given if 0 is not in the range of the format", "a null pointer");
  }
  return {scheme, {}, {}, steps, zero_points, {}};
}

}  // namespace

CheckedFormat checked_format(const sc_format* fmt, std::size_t n, sc_dtype floats,
                             ScaleConstraint allowed, const FormatNames& names, int max_bits) {
  const MemoryRange fmt_memory = checked_array(names.fmt, fmt, 1);
  require_in_range(names.is_signed, fmt->is_signed, 0, 1);
  const MemoryRange layout_memory = checked_optional(names.layout, fmt->layout);
  // Without elements, the layout may have any lengths: no element needs a parameter.
  const Layout layout = n == 0 ? Layout{} : checked_layout(names.layout, fmt->layout, n);
  CheckedFormat format{};
  switch (fmt->kind) {
    case SC_FORMAT_KIND_FIXED_POINT:
      format = checked_fixed_point(*fmt, layout, names, max_bits);
      break;
    case SC_FORMAT_KIND_AFFINE:
      format = floats == SC_DTYPE_FLOAT64 ? checked_affine<double>(*fmt, layout, allowed, names)
                                          : checked_affine<float>(*fmt, layout, allowed, names);
      break;
    default:
      refuse(names.kind, "fixed point or affine", std::to_string(static_cast<int>(fmt->kind)));
  }
  format.fmt = fmt_memory;
  format.layout = layout_memory;
  return format;
}

MemoryRange checked_codes(const Codes& q, std::size_t n, const Scheme& scheme, const char* name,
                          const char* format, int max_packed_bits) {
  const bool can_be_packed = scheme.bits <= max_packed_bits;
  if (q.are_packed() ? !can_be_packed : !holds_codes(q.dtype, scheme.bits, scheme.is_signed)) {
    std::vector<std::string> allowed;
    for (const DtypeInfo& info : kDtypes) {
      if (holds_codes(info.dtype, scheme.bits, scheme.is_signed)) {
        allowed.emplace_back(info.name);
      }
    }
    if (can_be_packed) {
      allowed.emplace_back("packed");
    }
    refuse(name, list_of(allowed) + " for this " + format, name_of(q.dtype));
  }
  return q.are_packed() ? checked_array(name, q.data, q.bytes(n, scheme), 1)
                        : checked_array(name, q.data, n, q.bytes(1, scheme));
}

}  // namespace secateur::api
