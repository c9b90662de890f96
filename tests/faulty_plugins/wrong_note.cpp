// Its note names another plugin than its manifest does.
#include "tests/faulty_plugins/adder.hpp"

BELAY_PLUGIN(faulty::Adder, "test.somebody_else", "1.0.0")
