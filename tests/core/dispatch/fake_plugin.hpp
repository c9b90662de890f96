// A plugin made of settings: what it supports, how it packs, and which of its runs fail. Each run adds its
// mark to the output.
#pragma once

#include "core/dispatch/backend.hpp"

#include <cstring>
#include <memory>
#include <set>
#include <string>

namespace belay::test {

struct FakePlugin {
  float mark = 1;  // what a run writes
  bool opens = true;
  bool supports = true;
  std::uint32_t layout = 0;
  std::uint64_t alignment = 64;
  std::uint64_t packed_bytes = 100;
  std::uint32_t packing_is_optional = 0;
  std::set<int> failing_runs = {};  // by their order, from 0
  belay_status_t status = BELAY_INTERNAL;
  std::int32_t scope = BELAY_SCOPE_OP;
  std::uint64_t fuses = 0;       // so many steps at once, where there are as many
  std::uint64_t says_taken = 0;  // what it says of them when that is not the truth
  int runs = 0;
  int fused_runs = 0;
  int packs = 0;
  int binds = 0;
  int live_kernels = 0;
};

struct FakeKernel {
  belay_kernel_t head;
  FakePlugin* plugin;
  std::uint64_t steps = 1;
};

inline FakePlugin& plugin_of(belay_instance_t* instance) { return *reinterpret_cast<FakePlugin*>(instance); }

inline belay_status_t fake_run(belay_kernel_t* kernel, const belay_run_t* run) {
  FakePlugin& plugin = *reinterpret_cast<FakeKernel*>(kernel)->plugin;
  plugin.fused_runs += reinterpret_cast<FakeKernel*>(kernel)->steps > 1 ? 1 : 0;
  auto* out = static_cast<float*>(run->outputs[run->output_count - 1]->data);
  if (plugin.failing_runs.count(plugin.runs++) != 0) {
    *out = -1;  // a failing run may leave anything in its outputs
    run->error->code = plugin.status;
    run->error->scope = plugin.scope;
    std::strcpy(run->error->message, "as told");
    return plugin.status;
  }
  *out = plugin.mark;
  return BELAY_OK;
}

inline const belay_compute_t* fake_table() {
  static const belay_compute_t table = {
      sizeof(belay_compute_t),
      0,
      [](belay_instance_t* instance, const belay_op_t*, std::uint64_t count, belay_support_t* answers,
         belay_error_t*) {
        for (std::uint64_t i = 0; i < count; ++i) {
          answers[i].yes = plugin_of(instance).supports ? 1 : 0;
          answers[i].reason = BELAY_UNSUPPORTED;
          std::strcpy(answers[i].detail, "not this one");
        }
        return belay_status_t{BELAY_OK};
      },
      [](belay_instance_t* instance, const belay_op_t*, belay_packed_t* packed, belay_error_t*) {
        packed->layout = plugin_of(instance).layout;
        packed->bytes = plugin_of(instance).packed_bytes;
        packed->optional = plugin_of(instance).packing_is_optional;
        packed->alignment = plugin_of(instance).alignment;
        return belay_status_t{BELAY_OK};
      },
      [](belay_instance_t* instance, const belay_op_t*, void* buffer, std::uint64_t bytes, belay_error_t*) {
        std::memset(buffer, 7, bytes);
        ++plugin_of(instance).packs;
        return belay_status_t{BELAY_OK};
      },
      [](belay_instance_t* instance, const belay_op_t*, const void*, std::uint64_t, belay_kernel_t** kernel,
         belay_error_t*) {
        ++plugin_of(instance).binds;
        ++plugin_of(instance).live_kernels;
        auto* made = new FakeKernel{{sizeof(belay_kernel_t), 0, &fake_run}, &plugin_of(instance)};
        *kernel = &made->head;
        return belay_status_t{BELAY_OK};
      },
      [](const belay_kernel_t*, std::uint64_t tokens, std::uint64_t* bytes, belay_error_t*) {
        *bytes = tokens * 8;
        return belay_status_t{BELAY_OK};
      },
      [](belay_kernel_t* kernel) {
        auto* fake = reinterpret_cast<FakeKernel*>(kernel);
        --fake->plugin->live_kernels;
        delete fake;
      },
      nullptr,
      [](belay_instance_t* instance, const belay_step_t*, std::uint64_t count, std::uint64_t* taken,
         belay_kernel_t** kernel, belay_error_t*) {
        FakePlugin& plugin = plugin_of(instance);
        *taken = 0;
        *kernel = nullptr;
        if (plugin.fuses < 2 || plugin.fuses > count) return belay_status_t{BELAY_OK};
        ++plugin.live_kernels;
        *taken = plugin.says_taken != 0 ? plugin.says_taken : plugin.fuses;
        *kernel = &(new FakeKernel{{sizeof(belay_kernel_t), 0, &fake_run}, &plugin, plugin.fuses})->head;
        return belay_status_t{BELAY_OK};
      }};
  return &table;
}

inline std::unique_ptr<dispatch::Backend> fake_backend(std::string id, FakePlugin& plugin) {
  return std::make_unique<dispatch::Backend>(
      std::move(id), BELAY_NUMERICS_F32, [&plugin]() -> Result<dispatch::Compute> {
        if (!plugin.opens) return Error{ErrorCode::kNoPlugin, "would not open"};
        return dispatch::Compute{fake_table(), reinterpret_cast<belay_instance_t*>(&plugin)};
      });
}

}  // namespace belay::test
