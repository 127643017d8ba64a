// The names of the lane operations, as the files of csrc/lanes define them.
#pragma once

#include <string>
#include <vector>

// Compares the names in the contract (at the head of scalar.hpp), the names that each file of the
// directory defines, and the names of the tests. Returns a line for each missing or superfluous
// name.
std::vector<std::string> compare_names(const std::string& directory,
                                       const std::vector<std::string>& tests);
