// What ThreadSanitizer has to know to take fibers for threads: which of them runs, and what orders them.
// Nothing without BELAY_EMULATOR_RACES. The emulator itself is not instrumented (its own state is no
// kernel's), the kernels are.
#pragma once

#ifdef BELAY_EMULATOR_RACES
#include <sanitizer/tsan_interface.h>
#endif

namespace belay::emulator {

#ifdef BELAY_EMULATOR_RACES
// What the running thread did so far comes before what others do after their happens_after of the same
// address.
inline void happens_before(void* at) { __tsan_release(at); }
inline void happens_after(void* at) { __tsan_acquire(at); }

inline void* new_fiber() { return __tsan_create_fiber(0); }
inline void* running_fiber() { return __tsan_get_current_fiber(); }
// The switch itself orders nothing: two threads that only take turns still race.
inline void about_to_run(void* fiber) { __tsan_switch_to_fiber(fiber, __tsan_switch_to_fiber_no_sync); }
inline void end_fiber(void* fiber) { __tsan_destroy_fiber(fiber); }
#else
inline void happens_before(void*) {}
inline void happens_after(void*) {}
inline void* new_fiber() { return nullptr; }
inline void* running_fiber() { return nullptr; }
inline void about_to_run(void*) {}
inline void end_fiber(void*) {}
#endif

}  // namespace belay::emulator
