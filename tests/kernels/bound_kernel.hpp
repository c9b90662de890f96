// A kernel bound as the core would bind it: supports, packed, pack, bind, workspace, release.
#pragma once

#include "tests/kernels/describe.hpp"
#include "tests/kernels/guarded_buffer.hpp"
#include "tests/kernels/loaded_plugin.hpp"

#include <optional>
#include <string>
#include <vector>

namespace belay::kernel_tests {

// A broken rule: its short name, and the evidence.
struct Finding {
  std::string rule;
  std::string text;
};
using Findings = std::vector<Finding>;

// The answer of `supports`, asked twice; a finding when the answers differ or a NO has no reason.
[[nodiscard]] std::optional<belay_support_t> ask(const LoadedPlugin& plugin, const belay_op_t& op,
                                                 Findings& findings);

// Of the constants: the plugin's own when it wants one, or the file's in any case.
enum class Layout { kWanted, kFile };

class BoundKernel {
 public:
  // Packs and binds. kernel() is NULL, with findings, when a call fails.
  BoundKernel(const LoadedPlugin& plugin, const OpCase& op_case, Findings& findings,
              Layout layout = Layout::kWanted);
  ~BoundKernel();
  BoundKernel(const BoundKernel&) = delete;
  BoundKernel& operator=(const BoundKernel&) = delete;

  [[nodiscard]] belay_kernel_t* kernel() const { return kernel_; }
  // Bytes for `tokens` tokens; a finding when the call fails.
  [[nodiscard]] std::uint64_t workspace(std::uint64_t tokens, Findings& findings) const;
  // Whether the constants, their surroundings and the packed buffer are as they were after binding.
  void check_untouched(const OpCase& op_case, Findings& findings) const;

 private:
  [[nodiscard]] bool pack(const OpDescription& description, Findings& findings);

  const LoadedPlugin& plugin_;
  std::vector<GuardedBuffer> constants_;
  std::optional<GuardedBuffer> packed_;
  std::vector<std::uint8_t> packed_copy_;
  belay_kernel_t* kernel_ = nullptr;
};

}  // namespace belay::kernel_tests
