#define SECATEUR_TARGET avx2

#include "lanes/avx2.hpp"

#include "kernels/make_table.hpp"
