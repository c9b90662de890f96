// Dies of SIGSEGV inside dlopen: a constructor of the library faults.
#include "tests/faulty_plugins/adder.hpp"

namespace {
__attribute__((constructor)) void before_anybody_asked() { *faulty::unmapped = 1; }
}  // namespace

BELAY_PLUGIN(faulty::Adder, "test.crash_in_static_init", "1.0.0")
