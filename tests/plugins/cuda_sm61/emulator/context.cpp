#include "tests/plugins/cuda_sm61/emulator/context.hpp"

#include "tests/plugins/cuda_sm61/emulator/races.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace belay::emulator {

namespace {

void before_switch([[maybe_unused]] Context& from, const Context& to, [[maybe_unused]] bool last) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(last ? nullptr : &from.fake_stack, to.stack, to.stack_bytes);
#endif
  about_to_run(to.fiber);
}

// `to` goes on; what was left was `from`.
void after_switch([[maybe_unused]] void* fake_stack, [[maybe_unused]] Context& from) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack, &from.stack, &from.stack_bytes);
#endif
}

}  // namespace

#ifndef BELAY_EMULATOR_UCONTEXT
// Saves the registers that a function must keep, changes the stack, restores them.
extern "C" void belay_emulator_switch(void** save, void* load);
asm(R"(
  .text
  .globl belay_emulator_switch
  .hidden belay_emulator_switch
  .type belay_emulator_switch,@function
belay_emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size belay_emulator_switch, .-belay_emulator_switch
)");

void prepare(Context& context, std::byte* stack, std::size_t bytes, void (*entry)()) {
  context.stack = stack;
  context.stack_bytes = bytes;
  if (context.fiber == nullptr) context.fiber = new_fiber();
  void** top = reinterpret_cast<void**>(stack + bytes);
  *--top = nullptr;  // the return address of `entry`, which makes its frame aligned
  *--top = reinterpret_cast<void*>(entry);
  for (int saved = 0; saved < 6; ++saved) *--top = nullptr;
  context.stack_pointer = top;
}

void switch_to(Context& from, Context& to, bool last) {
  before_switch(from, to, last);
  belay_emulator_switch(&from.stack_pointer, to.stack_pointer);
  after_switch(from.fake_stack, to);
}
#else
void prepare(Context& context, std::byte* stack, std::size_t bytes, void (*entry)()) {
  context.stack = stack;
  context.stack_bytes = bytes;
  if (context.fiber == nullptr) context.fiber = new_fiber();
  getcontext(&context.saved);
  context.saved.uc_stack.ss_sp = stack;
  context.saved.uc_stack.ss_size = bytes;
  context.saved.uc_link = nullptr;
  makecontext(&context.saved, entry, 0);
}

void switch_to(Context& from, Context& to, bool last) {
  before_switch(from, to, last);
  swapcontext(&from.saved, &to.saved);
  after_switch(from.fake_stack, to);
}
#endif

void entered(Context& from) { after_switch(nullptr, from); }

std::vector<std::byte*>& stacks(std::size_t count, std::size_t bytes) {
  struct Pool {
    std::vector<std::byte*> stacks;
    std::size_t mapped = 0;
    ~Pool() {
      for (std::byte* stack : stacks) munmap(stack - (mapped - bytes()), mapped);
    }
    [[nodiscard]] std::size_t bytes() const {
      return mapped - static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    }
  };
  static thread_local Pool pool;
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  pool.mapped = bytes + page;
  while (pool.stacks.size() < count) {
    void* mapping = mmap(nullptr, pool.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) throw std::bad_alloc();
    mprotect(mapping, page, PROT_NONE);
    pool.stacks.push_back(static_cast<std::byte*>(mapping) + page);
  }
  return pool.stacks;
}

}  // namespace belay::emulator
