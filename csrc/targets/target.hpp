// Included by every file that is compiled once for each ISA. CMake defines two macros:
// SECATEUR_TARGET is the name of the ISA and of the namespace of its code; SECATEUR_LANES is the
// header of its vector operations.
#pragma once

#include SECATEUR_LANES
