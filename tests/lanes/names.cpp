#include "names.hpp"

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>

namespace {

using Names = std::set<std::string>;

void add_matches(Names& names, const std::string& text, const std::regex& pattern) {
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) {
    names.insert((*match)[1]);
  }
}

struct LaneFile {
  Names defined;
  Names contract;  // names at the beginning of the lines of comments
};

LaneFile read_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  LaneFile names;
  std::string code;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("//   ")) {
      static const std::regex constant("^//   (k[A-Z]\\w*)");
      static const std::regex operation("\\b([A-Z]\\w+)(?:<\\w+>)?\\(");
      add_matches(names.contract, line, constant);
      // A line lists operations before its text. Two spaces, or a bracket and a space, separate
      // them.
      static const std::regex operations("^//   ((?:[A-Z]\\w+(?:<\\w+>)?\\([^)]*\\)(?:, )?)+).*");
      std::smatch match;
      if (std::regex_match(line, match, operations)) {
        add_matches(names.contract, match[1], operation);
      }
    }
    code += line.substr(0, line.find("//")) + "\n";
  }
  static const std::regex function(
      "(?:SECATEUR_INLINE|constexpr)\\s[\\w<>:&*\\s]*?\\s([A-Z]\\w*)(?:<\\w+>)?\\(");
  static const std::regex constant("inline constexpr (?:size_t|bool) (k[A-Z]\\w*)");
  add_matches(names.defined, code, function);
  add_matches(names.defined, code, constant);
  return names;
}

void report_missing(std::vector<std::string>& problems, const Names& names, const Names& from,
                    const std::string& problem) {
  for (const std::string& name : names) {
    if (!from.contains(name)) {
      problems.push_back(name + ": " + problem);
    }
  }
}

// Removes the operations that are undefined for one lane.
Names without_permutations(Names names) {
  for (const char* name :
       {"InterleaveLower", "InterleaveUpper", "InterleaveEvenBlocks", "InterleaveOddBlocks"}) {
    names.erase(name);
  }
  return names;
}

}  // namespace

std::vector<std::string> compare_names(const std::string& directory,
                                       const std::vector<std::string>& tests) {
  const std::filesystem::path lanes(directory);
  const Names tested(tests.begin(), tests.end());
  const Names contract = read_file(lanes / "scalar.hpp").contract;
  Names common = read_file(lanes / "common.hpp").defined;
  common.erase("kVectorsOfGroup");  // kGroup uses it

  std::vector<std::string> problems;
  if (contract.size() < 60) {
    problems.emplace_back("the contract in scalar.hpp cannot be read");
  }
  Names known = contract;
  known.insert(common.begin(), common.end());
  report_missing(problems, known, tested, "has no test");
  report_missing(problems, tested, known, "is tested, but not in the contract in scalar.hpp");
  for (const auto& entry : std::filesystem::directory_iterator(lanes)) {
    const std::string file = entry.path().filename().string();
    if (file == "common.hpp") {
      continue;
    }
    const Names defined = read_file(entry.path()).defined;
    const Names wanted = file == "scalar.hpp" ? without_permutations(contract) : contract;
    report_missing(problems, wanted, defined, "is missing in " + file);
    report_missing(problems, defined, contract,
                   "is defined in " + file + ", but not in the contract in scalar.hpp");
  }
  return problems;
}
