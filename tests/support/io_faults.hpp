// The system's calls by which files are read and written by range, in the place of the C library's: each is
// counted, but for those on libraries, and one of them can be made to fail. For programs that link
// io_faults.cpp; what they load by dlopen has the same calls when the program exports its symbols.
#pragma once

#include <cstdint>

namespace belay::test {

// From now on the call with that number, from 1, gives `result`: -errno, or fewer bytes than were asked for.
// 0: none does.
void fail_io(int number, std::int64_t result);
// The calls since then; no more are counted or made to fail.
int end_io_faults();

}  // namespace belay::test
