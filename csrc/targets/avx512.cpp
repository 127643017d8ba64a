#define SECATEUR_TARGET avx512

#include "lanes/avx512.hpp"

#include "kernels/make_table.hpp"
