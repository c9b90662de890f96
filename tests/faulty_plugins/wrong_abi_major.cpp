// Built for ABI 2, and says so in its note and its manifest.
#include "tests/faulty_plugins/adder.hpp"

#undef BELAY_ABI_MAJOR
#define BELAY_ABI_MAJOR 2u
BELAY_PLUGIN(faulty::Adder, "test.wrong_abi_major", "1.0.0")
