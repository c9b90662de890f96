// The program that a probe starts in these tests, in place of `belay --internal-probe`.
#include "core/registry/probe.hpp"
#include "core/registry/probe_child.hpp"

#include <string_view>

int main(int argc, char** argv) {
  if (argc != 2 || std::string_view(argv[1]) != belay::registry::kProbeArgument) return 64;
  return belay::registry::probe_child_main();
}
