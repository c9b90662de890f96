// A profile as TOML: the file that people write for a machine that is not here (`--hardware FILE`), and the
// form in which the host hands its own profile to child processes. Pure; any thread.
#pragma once

#include "core/base/status.hpp"
#include "core/hardware/profile.hpp"

#include <string>
#include <string_view>

namespace belay::hardware {

// [cpu], [memory], [[gpus]] and [[storage]]; what is absent is unknown, but absent `os` and `cpu.arch` mean
// this build's. An unknown key, a wrong type or a number out of range is a kUsage error that begins with
// "name:line:column: key".
[[nodiscard]] Result<Profile> read_profile(std::string_view text, std::string_view name_for_messages);

// read_profile() of it gives the same profile again.
[[nodiscard]] std::string write_profile(const Profile& profile);

}  // namespace belay::hardware
