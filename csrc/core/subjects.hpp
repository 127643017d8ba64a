// The subjects: the folders of csrc/ that have kernels and bindings.
#pragma once

// SUBJECT(name, Kernels): the name of the folder, and the type of its kernels.
#define SECATEUR_SUBJECTS(SUBJECT)   \
  SUBJECT(core, CoreKernels)         \
  SUBJECT(select, SelectKernels)     \
  SUBJECT(prune, PruneKernels)       \
  SUBJECT(quantize, QuantizeKernels) \
  SUBJECT(pack, PackKernels)         \
  SUBJECT(stats, StatsKernels)       \
  SUBJECT(sketch, SketchKernels)     \
  SUBJECT(sparse, SparseKernels)
