// The operators of this plugin: one row each, found by id. A row's functions are pure and may be called from
// any thread.
#pragma once

#include <belay/cpp/compute.hpp>
#include <belay/cpp/host.hpp>

#include <string_view>

namespace belay::BELAY_ISA {

struct OpRow {
  std::string_view id;
  // Fills answer.cost_ns, or says no with a reason.
  bool (*supports)(const belay_op_t& op, sdk::Support& answer);
  // A kernel for an op that supports() accepted, whose constants have data. Throws when memory is short.
  sdk::KernelPtr (*bind)(sdk::Host host, const belay_op_t& op);
  // For ops whose constants may be packed: how many bytes that takes (0: these are not), doing it, and a
  // kernel over the result.
  uint64_t (*packed_bytes)(const belay_op_t& op) = nullptr;
  belay_status_t (*pack)(sdk::Host host, const belay_op_t& op, void* to) = nullptr;
  sdk::KernelPtr (*bind_packed)(sdk::Host host, const belay_op_t& op, const void* packed) = nullptr;
};

extern const OpRow kEmbed;
extern const OpRow kLinear;
extern const OpRow kRmsNorm;
extern const OpRow kLayerNorm;
extern const OpRow kRope;
extern const OpRow kKvWrite;
extern const OpRow kAttention;
extern const OpRow kSiluMul;
extern const OpRow kGelu;
extern const OpRow kAdd;

// One kernel for the linear layers that a sequence begins with, when two or more share their input and are
// computed in one way; else nullptr. `taken`: how many.
sdk::KernelPtr join_linears(const sdk::Sequence& steps, uint64_t& taken);

// nullptr when the op is not offered.
const OpRow* find_op(std::string_view id);

}  // namespace belay::BELAY_ISA
