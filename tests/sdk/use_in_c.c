/* What a plugin in plain C uses of the headers compiles there, without a warning. */
#include <belay/belay.h>

BELAY_PLUGIN_NOTE("test.in_c", "1.0.0");

belay_str_t belay_test_literal(void);
belay_str_t belay_test_literal(void) {
  belay_str_t id = BELAY_STR(BELAY_OP_LINEAR);
  return id;
}

belay_entry_fn belay_test_entry(belay_entry_fn entry);
belay_entry_fn belay_test_entry(belay_entry_fn entry) { return entry; }
