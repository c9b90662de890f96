// belay.compute/1 from C++: kernels as classes, and the table of functions made from an instance class. The
// wall against exceptions is in here, so a plugin's own code may throw off the hot path.
#pragma once

#include <belay/cpp/guard.hpp>
#include <belay/cpp/struct.hpp>
#include <belay/ext/compute.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string_view>

namespace belay::sdk {

// What every kernel has besides run. The host holds the belay_kernel_t inside and gives it back to release.
class KernelBase : public belay_kernel_t {
 public:
  KernelBase(const KernelBase&) = delete;
  KernelBase& operator=(const KernelBase&) = delete;
  virtual ~KernelBase() = default;

  // Bytes of workspace for a run with at most `tokens` tokens; must not shrink as tokens grow.
  [[nodiscard]] virtual uint64_t workspace(uint64_t tokens) const = 0;

 protected:
  explicit KernelBase(belay_run_fn function) noexcept : belay_kernel_t{sizeof(belay_kernel_t), 0, function} {}
};

// A kernel: `class Add final : public Kernel<Add>` with a method `belay_status_t run(const belay_run_t&)`,
// which the host reaches by one indirect call. Returns fail(run.error, ...) when it cannot.
template <class Self>
class Kernel : public KernelBase {
 protected:
  Kernel() noexcept : KernelBase(&invoke) {}

 private:
  static belay_status_t invoke(belay_kernel_t* kernel, const belay_run_t* run) noexcept {
    if (kernel == nullptr || !valid(run)) return BELAY_INVALID_ARGUMENT;
    return guard(run->error, [&] { return static_cast<Self*>(kernel)->run(*run); });
  }
};

using KernelPtr = std::unique_ptr<KernelBase>;

// An answer of `supports` in the making: YES until no() is called.
struct Support : belay_support_t {
  Support() noexcept : belay_support_t(plain_yes()) {}
  [[gnu::format(printf, 3, 4)]] bool no(belay_status_t why, const char* format, ...) noexcept {
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    yes = 0;
    reason = why;
    return false;
  }

 private:
  static belay_support_t plain_yes() noexcept {
    belay_support_t answer{};
    answer.struct_size = sizeof answer;
    answer.yes = 1;
    return answer;
  }
};

// What `fuse` is offered: steps that run one behind the other, on kernels of this plugin.
class Sequence {
 public:
  Sequence(const belay_step_t* steps, uint64_t count) noexcept : steps_(steps), count_(count) {}
  [[nodiscard]] uint64_t count() const noexcept { return count_; }
  [[nodiscard]] const belay_step_t& operator[](uint64_t i) const noexcept { return at(steps_, i); }
  [[nodiscard]] std::string_view id(uint64_t i) const noexcept { return view((*this)[i].op->id); }
  // The kernel that this plugin bound for step `i`, which it knows to be a Kernel.
  template <class Kernel>
  [[nodiscard]] Kernel& kernel(uint64_t i) const noexcept {
    return static_cast<Kernel&>(static_cast<KernelBase&>(*(*this)[i].kernel));
  }
  // Whether nothing reads any output of step `i` behind the first `taken` steps.
  [[nodiscard]] bool stays_inside(uint64_t i, uint64_t taken) const noexcept {
    for (uint64_t o = 0; o < (*this)[i].op->output_count; ++o) {
      if ((*this)[i].last_reads[o] >= taken) return false;
    }
    return true;
  }

 private:
  const belay_step_t* steps_;
  uint64_t count_;
};

// The table for an instance class with
//   Support supports(const belay_op_t&) const noexcept;
//   KernelPtr bind(const belay_op_t&, const void* buffer, uint64_t bytes);
// and, when it packs,
//   belay_packed_t packed(const belay_op_t&) const;
//   void pack(const belay_op_t&, void* buffer, uint64_t bytes) const;
// and, when it computes on packed constants in a device's memory,
//   KernelPtr bind_device(const belay_op_t&, uint64_t buffer, uint64_t offset, uint64_t bytes);
// and, when it has kernels that do the work of several (nullptr: not of these),
//   KernelPtr fuse(const Sequence&, uint64_t& taken);
template <class Instance>
class ComputeTable {
 public:
  static const belay_compute_t* get() noexcept { return &kTable; }

 private:
  static Instance& self(belay_instance_t* instance) noexcept {
    return *reinterpret_cast<Instance*>(instance);
  }

  static belay_status_t supports(belay_instance_t* instance, const belay_op_t* ops, uint64_t count,
                                 belay_support_t* answers, belay_error_t* error) noexcept {
    if (count == 0) return BELAY_OK;
    if (instance == nullptr || !valid(ops) || !valid(answers)) {
      return fail(error, BELAY_INVALID_ARGUMENT, "supports: a missing or too small argument");
    }
    return guard(error, [&] {
      for (uint64_t i = 0; i < count; ++i) {
        const Support answer = self(instance).supports(at(ops, i));
        write<belay_support_t>(&at(answers, i), answer);
      }
      return BELAY_OK;
    });
  }

  static belay_status_t packed(belay_instance_t* instance, const belay_op_t* op, belay_packed_t* packed,
                               belay_error_t* error) noexcept {
    if (instance == nullptr || !valid(op) || !valid(packed)) {
      return fail(error, BELAY_INVALID_ARGUMENT, "packed: a missing or too small argument");
    }
    return guard(error, [&] {
      belay_packed_t answer{sizeof(belay_packed_t), 0, 0, 1, 0, 0};
      if constexpr (kPacks) answer = self(instance).packed(*op);
      write(packed, answer);
      return BELAY_OK;
    });
  }

  static belay_status_t pack(belay_instance_t* instance, const belay_op_t* op, void* buffer, uint64_t bytes,
                             belay_error_t* error) noexcept {
    if (instance == nullptr || !valid(op) || (buffer == nullptr && bytes > 0)) {
      return fail(error, BELAY_INVALID_ARGUMENT, "pack: a missing or too small argument");
    }
    if constexpr (kPacks) {
      return guard(error, [&] {
        self(instance).pack(*op, buffer, bytes);
        return BELAY_OK;
      });
    } else {
      return fail(error, BELAY_UNSUPPORTED, "pack: this plugin computes on the file's own layout");
    }
  }

  static belay_status_t bind(belay_instance_t* instance, const belay_op_t* op, const void* buffer,
                             uint64_t bytes, belay_kernel_t** kernel, belay_error_t* error) noexcept {
    if (instance == nullptr || !valid(op) || kernel == nullptr) {
      return fail(error, BELAY_INVALID_ARGUMENT, "bind: a missing or too small argument");
    }
    *kernel = nullptr;
    return guard(error, [&] {
      *kernel = self(instance).bind(*op, buffer, bytes).release();
      return BELAY_OK;
    });
  }

  static belay_status_t workspace(const belay_kernel_t* kernel, uint64_t tokens, uint64_t* bytes,
                                  belay_error_t* error) noexcept {
    if (kernel == nullptr || bytes == nullptr) {
      return fail(error, BELAY_INVALID_ARGUMENT, "workspace: a missing argument");
    }
    return guard(error, [&] {
      *bytes = static_cast<const KernelBase*>(kernel)->workspace(tokens);
      return BELAY_OK;
    });
  }

  static void release(belay_kernel_t* kernel) noexcept { delete static_cast<KernelBase*>(kernel); }

  static belay_status_t bind_device(belay_instance_t* instance, const belay_op_t* op, uint64_t buffer,
                                    uint64_t offset, uint64_t bytes, belay_kernel_t** kernel,
                                    belay_error_t* error) noexcept {
    if (instance == nullptr || !valid(op) || kernel == nullptr) {
      return fail(error, BELAY_INVALID_ARGUMENT, "bind_device: a missing or too small argument");
    }
    *kernel = nullptr;
    return guard(error, [&] {
      *kernel = self(instance).bind_device(*op, buffer, offset, bytes).release();
      return BELAY_OK;
    });
  }

  static belay_status_t fuse(belay_instance_t* instance, const belay_step_t* steps, uint64_t count,
                             uint64_t* taken, belay_kernel_t** kernel, belay_error_t* error) noexcept {
    if (instance == nullptr || count == 0 || !valid(steps) || taken == nullptr || kernel == nullptr) {
      return fail(error, BELAY_INVALID_ARGUMENT, "fuse: a missing or too small argument");
    }
    *taken = 0;
    *kernel = nullptr;
    return guard(error, [&] {
      *kernel = self(instance).fuse(Sequence(steps, count), *taken).release();
      return BELAY_OK;
    });
  }

  static constexpr auto fuse_entry() {
    if constexpr (requires(Instance & i, const Sequence& steps, uint64_t& taken) { i.fuse(steps, taken); }) {
      return &fuse;
    } else {
      return static_cast<decltype(&fuse)>(nullptr);
    }
  }

  static constexpr auto bind_device_entry() {
    if constexpr (requires(Instance & i, const belay_op_t& op) { i.bind_device(op, 0, 0, 0); }) {
      return &bind_device;
    } else {
      return static_cast<decltype(&bind_device)>(nullptr);
    }
  }

  static constexpr bool kPacks = requires(const Instance& i, const belay_op_t& op) { i.packed(op); };
  static constexpr belay_compute_t kTable = {
      sizeof(belay_compute_t), 0,           &supports, &packed, &pack, &bind, &workspace, &release,
      bind_device_entry(),     fuse_entry()};
};

}  // namespace belay::sdk
