// Never returns from dlopen: a constructor of the library spins.
#include "tests/faulty_plugins/adder.hpp"

namespace {
__attribute__((constructor)) void before_anybody_asked() {
  if (faulty::nowhere == nullptr) faulty::hang();
}
}  // namespace

BELAY_PLUGIN(faulty::Adder, "test.hang_in_static_init", "1.0.0")
