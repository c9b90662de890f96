// Stacks that a thread of the operating system can switch between: eight instructions on x86-64, ucontext
// elsewhere. AddressSanitizer is told of every switch.
#pragma once

#include <cstddef>
#include <vector>

#if !defined(__x86_64__) || defined(BELAY_EMU_UCONTEXT)
#define BELAY_EMULATOR_UCONTEXT 1
#include <ucontext.h>
#endif

namespace belay::emulator {

struct Context {
#ifdef BELAY_EMULATOR_UCONTEXT
  ucontext_t saved{};
#else
  void* stack_pointer = nullptr;
#endif
  const void* stack = nullptr;  // lowest address
  std::size_t stack_bytes = 0;
  void* fake_stack = nullptr;  // AddressSanitizer's
  void* fiber = nullptr;       // ThreadSanitizer's
};

// Makes `context` begin in `entry` on `stack` when it is first switched to. `entry` must not return.
void prepare(Context& context, std::byte* stack, std::size_t bytes, void (*entry)());
// Saves where the caller is in `from` and goes on in `to`. `last`: `from` is never switched to again.
void switch_to(Context& from, Context& to, bool last = false);
// The first call of every entry: `from` is the context that it was switched to from.
void entered(Context& from);

// Stacks for `count` contexts, each with an unreadable page below it. Kept for the next user of this thread.
std::vector<std::byte*>& stacks(std::size_t count, std::size_t bytes);

}  // namespace belay::emulator
