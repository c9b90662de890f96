#include "tests/kernels/expect_pass.hpp"

#include "tests/kernels/check_case.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <cstdio>
#include <map>

namespace belay::kernel_tests {
namespace {

// Largest |error| / tolerance of each group, printed when the program ends.
class Observed {
 public:
  Observed() = default;
  Observed(const Observed&) = delete;
  Observed& operator=(const Observed&) = delete;
  ~Observed() {
    for (const auto& [name, row] : rows_) {
      std::printf("observed  %-40s %6zu cases, largest error %.3f of its tolerance\n", name.c_str(),
                  row.cases, row.largest);
    }
    for (const auto& [name, cases] : refused_)
      std::printf("not offered  %-37s %6zu cases\n", name.c_str(), cases);
  }
  void add(const std::string& name, double ratio) {
    Row& row = rows_[name];
    ++row.cases;
    row.largest = std::max(row.largest, ratio);
  }
  void refuse(const std::string& name) { ++refused_[name]; }

 private:
  struct Row {
    std::size_t cases = 0;
    double largest = 0.0;
  };
  std::map<std::string, Row> rows_;
  std::map<std::string, std::size_t> refused_;
};

}  // namespace

void expect_pass(const OpCase& op_case, const std::string& group, Need need) {
  static Observed observed;
  for (const auto& plugin : loaded_plugins()) {
    const std::string where = plugin->name() + ": " + op_case.label;
    INFO(where);  // also printed when a kernel crashes
    const Report report = check_case(*plugin, op_case);
    for (const Finding& finding : report.findings) FAIL_CHECK(where, ": ", finding.rule, ": ", finding.text);
    const std::string row = plugin->name() + " " + group;
    if (report.refused) {
      observed.refuse(row);
      if (need == Need::kMandatory && plugin->offers(op_case))
        FAIL_CHECK(where, ": refused: ", report.refusal);
    } else {
      observed.add(row, report.largest_ratio);
    }
  }
}

}  // namespace belay::kernel_tests
