#define SECATEUR_TARGET scalar

#include "lanes/scalar.hpp"

#include "kernels/make_table.hpp"
