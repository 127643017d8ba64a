// The kernel table of one ISA. Compiled once for each ISA.
#include "core/kernel_table.hpp"

namespace secateur::SECATEUR_TARGET {

#define SECATEUR_NAME_OF(target) #target
#define SECATEUR_NAME(target) SECATEUR_NAME_OF(target)

#define SECATEUR_SUBJECT(name, Kernels) extern const Kernels name##_kernels;
SECATEUR_SUBJECTS(SECATEUR_SUBJECT)
#undef SECATEUR_SUBJECT

extern const KernelTable kernels;
constinit const KernelTable kernels = {.isa = SECATEUR_NAME(SECATEUR_TARGET),
#define SECATEUR_SUBJECT(name, Kernels) .name = name##_kernels,
                                       SECATEUR_SUBJECTS(SECATEUR_SUBJECT)
#undef SECATEUR_SUBJECT
};

}  // namespace secateur::SECATEUR_TARGET
