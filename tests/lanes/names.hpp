// The names of the lane operations, as the files of csrc/lanes define them.
#pragma once

#include <string>
#include <vector>

// Compares the names that the contract lists (at the head of scalar.hpp), those that each file of the
// directory defines, and those of the tests. Returns what is missing or superfluous, one line each.
std::vector<std::string> compare_names(const std::string& directory,
                                       const std::vector<std::string>& tests);
