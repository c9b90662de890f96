#include "tests/kernels/bound_kernel.hpp"

#include "core/base/format.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace belay::kernel_tests {
namespace {

belay_error_t empty_error() {
  belay_error_t error{};
  error.struct_size = sizeof error;
  return error;
}

void report(Findings& findings, const char* call, belay_status_t status, const belay_error_t& error) {
  findings.push_back({"status", fmt::format("{} returned {}: {}", call, status, error.message)});
}

bool terminated(const char* text, std::size_t size) { return std::memchr(text, 0, size) != nullptr; }

}  // namespace

std::optional<belay_support_t> ask(const LoadedPlugin& plugin, const belay_op_t& op, Findings& findings) {
  belay_support_t answers[2]{};
  belay_error_t error = empty_error();
  for (belay_support_t& answer : answers) {
    answer.struct_size = sizeof answer;
    const belay_status_t status = plugin.compute().supports(plugin.instance(), &op, 1, &answer, &error);
    if (status != BELAY_OK) {
      report(findings, "supports", status, error);
      return std::nullopt;
    }
  }
  const belay_support_t& answer = answers[0];
  if (std::memcmp(&answers[0], &answers[1], sizeof answer) != 0)
    findings.push_back({"supports", "two answers differ"});
  if (!terminated(answer.detail, sizeof answer.detail))
    findings.push_back({"supports", "detail is not terminated"});
  if (answer.yes != 0 && answer.cost_ns == 0) findings.push_back({"supports", "YES with a cost of 0"});
  if (answer.yes != 0 && answer.reason != BELAY_OK)
    findings.push_back({"supports", "YES with a reason against it"});
  if (answer.yes == 0 && (answer.reason == BELAY_OK || answer.detail[0] == '\0')) {
    findings.push_back({"supports", "NO without a reason and a detail"});
  }
  return answer;
}

BoundKernel::BoundKernel(const LoadedPlugin& plugin, const OpCase& op_case, Findings& findings, Layout layout)
    : plugin_(plugin) {
  std::vector<void*> data;
  for (const Operand& constant : op_case.constants) {
    constants_.emplace_back(constant.bytes, Placement::kAtPageEnd);
    data.push_back(constant.shape.empty() ? nullptr : constants_.back().data());
  }
  OpDescription description(op_case, data);
  if (layout == Layout::kWanted && !pack(description, findings)) return;
  belay_error_t error = empty_error();
  const void* buffer = packed_ ? packed_->data() : nullptr;
  const belay_status_t status = plugin.compute().bind(plugin.instance(), description.get(), buffer,
                                                      packed_copy_.size(), &kernel_, &error);
  if (status != BELAY_OK) {
    report(findings, "bind", status, error);
    kernel_ = nullptr;
  }
  // The descriptors need not live on: make sure that nobody looks.
  for (belay_tensor_t& constant : description.constants) std::memset(&constant, 0xEB, sizeof constant);
  for (belay_tensor_t& input : description.inputs) std::memset(&input, 0xEB, sizeof input);
}

BoundKernel::~BoundKernel() { plugin_.compute().release(kernel_); }

bool BoundKernel::pack(const OpDescription& description, Findings& findings) {
  belay_packed_t form{};
  form.struct_size = sizeof form;
  belay_error_t error = empty_error();
  belay_status_t status = plugin_.compute().packed(plugin_.instance(), description.get(), &form, &error);
  if (status != BELAY_OK) return report(findings, "packed", status, error), false;
  if (form.layout == BELAY_LAYOUT_ROW) return true;
  if (!std::has_single_bit(form.alignment))
    return findings.push_back({"status", "packed: bad alignment"}), false;
  packed_.emplace(form.bytes, Placement::kAligned);
  status = plugin_.compute().pack(plugin_.instance(), description.get(), packed_->data(), form.bytes, &error);
  if (status != BELAY_OK) return report(findings, "pack", status, error), false;
  packed_copy_.assign(packed_->bytes().begin(), packed_->bytes().end());
  return true;
}

std::uint64_t BoundKernel::workspace(std::uint64_t tokens, Findings& findings) const {
  std::uint64_t bytes = 0;
  belay_error_t error = empty_error();
  const belay_status_t status = plugin_.compute().workspace(kernel_, tokens, &bytes, &error);
  if (status != BELAY_OK) report(findings, "workspace", status, error);
  return bytes;
}

void BoundKernel::check_untouched(const OpCase& op_case, Findings& findings) const {
  for (std::size_t i = 0; i < constants_.size(); ++i) {
    const bool same = std::equal(op_case.constants[i].bytes.begin(), op_case.constants[i].bytes.end(),
                                 constants_[i].data());
    if (!same || !constants_[i].intact())
      findings.push_back({"constant_changed", fmt::format("constant {}", i)});
  }
  if (!packed_) return;
  const bool same = std::equal(packed_copy_.begin(), packed_copy_.end(), packed_->data());
  if (!same) findings.push_back({"constant_changed", "the packed buffer changed after pack"});
  if (!packed_->intact()) findings.push_back({"canary", "pack wrote beside its buffer"});
}

}  // namespace belay::kernel_tests
