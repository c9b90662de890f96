"""The parts of tools/bench, one question a file."""
