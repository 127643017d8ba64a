// Rounding modes, as the choice and the comparison of formats need them: the integers of single
// numbers and the numbers whose integers are in a range. Stochastic rounding is not among them.
#pragma once

#include "secateur/secateur.h"
#include "stats/kernels/table.hpp"

namespace secateur {

// Rounds to an integer. Requires that the thread rounds to nearest even.
double round_by(sc_rounding rounding, double x);

// Numbers up to `distance` beyond an end of the range are rounded to that end; `is_included` tells
// whether the number at exactly `distance` is.
struct Margin {
  double distance;
  bool is_included;
};

// The margins of a range whose lowest integer is even and whose highest integer is odd, as those of
// all integers of a width are.
struct Margins {
  Margin below, above;
};
Margins margins_of(sc_rounding rounding);

GridRounding grid_rounding(sc_rounding rounding);

}  // namespace secateur
