// A sound plugin, linked with an executable stack.
#include "tests/faulty_plugins/adder.hpp"

BELAY_PLUGIN(faulty::Adder, "test.executable_stack", "1.0.0")
