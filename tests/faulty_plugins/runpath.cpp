// A sound plugin, linked with a RUNPATH of /tmp, where anybody may put a library.
#include "tests/faulty_plugins/adder.hpp"

BELAY_PLUGIN(faulty::Adder, "test.runpath", "1.0.0")
