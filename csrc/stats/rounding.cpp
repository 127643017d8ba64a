#include "stats/rounding.hpp"

#include <cmath>

namespace secateur {
namespace {

struct Mode {
  GridRounding on_grid;
  Margins margins;
};

Mode mode_of(sc_rounding rounding) {
  constexpr Margin kNone{0, true};
  constexpr Margin kUpToHalf{0.5, true};
  constexpr Margin kBelowHalf{0.5, false};
  constexpr Margin kBelowOne{1, false};
  switch (rounding) {
    case SC_ROUNDING_NEAREST_AWAY:
      return {GridRounding::nearest, {kBelowHalf, kBelowHalf}};
    case SC_ROUNDING_NEAREST_ZERO:
      return {GridRounding::nearest, {kUpToHalf, kUpToHalf}};
    case SC_ROUNDING_NEAREST_DOWN:
      return {GridRounding::nearest, {kBelowHalf, kUpToHalf}};
    case SC_ROUNDING_FLOOR:
      return {GridRounding::down, {kNone, kBelowOne}};
    case SC_ROUNDING_CEIL:
      return {GridRounding::up, {kBelowOne, kNone}};
    case SC_ROUNDING_TRUNC:
      return {GridRounding::toward_zero, {kBelowOne, kBelowOne}};
    case SC_ROUNDING_AWAY:
      return {GridRounding::away, {kNone, kNone}};
    case SC_ROUNDING_NEAREST_EVEN:  // a tie beyond the even lowest integer is rounded to it
    case SC_ROUNDING_NEAREST_UP:
    case SC_ROUNDING_STOCHASTIC:
      break;
  }
  return {GridRounding::nearest, {kUpToHalf, kBelowHalf}};
}

}  // namespace

double round_by(sc_rounding rounding, double x) {
  const double nearest = std::nearbyint(x);
  const bool is_tie = std::abs(x - nearest) == 0.5;
  switch (rounding) {
    case SC_ROUNDING_NEAREST_AWAY:
      return std::round(x);
    case SC_ROUNDING_NEAREST_ZERO:
      return is_tie ? std::trunc(x) : nearest;
    case SC_ROUNDING_NEAREST_UP:
      return is_tie ? std::ceil(x) : nearest;
    case SC_ROUNDING_NEAREST_DOWN:
      return is_tie ? std::floor(x) : nearest;
    case SC_ROUNDING_FLOOR:
      return std::floor(x);
    case SC_ROUNDING_CEIL:
      return std::ceil(x);
    case SC_ROUNDING_TRUNC:
      return std::trunc(x);
    case SC_ROUNDING_AWAY:
      return std::copysign(std::ceil(std::abs(x)), x);
    case SC_ROUNDING_NEAREST_EVEN:
    case SC_ROUNDING_STOCHASTIC:
      break;
  }
  return nearest;
}

Margins margins_of(sc_rounding rounding) { return mode_of(rounding).margins; }

GridRounding grid_rounding(sc_rounding rounding) { return mode_of(rounding).on_grid; }

}  // namespace secateur
