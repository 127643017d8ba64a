#include "stats/calibration.hpp"

namespace secateur {

Calibration Calibration::part(const GroupParts::Part& part) const {
  Calibration calibration = *this;
  calibration.groups = part.groups;
  calibration.w = static_cast<const unsigned char*>(w) + part.first_element * type.bytes;
  if (q.data != nullptr) {
    calibration.q.data =
        static_cast<unsigned char*>(q.data) + part.first_element * dtype_info(q.dtype).bytes();
  }
  return calibration;
}

}  // namespace secateur
