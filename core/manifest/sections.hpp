// The sections of a manifest, one reader each. Only for parse.cpp and its siblings.
#pragma once

#include "core/manifest/manifest.hpp"
#include "core/manifest/table_reader.hpp"

#include <span>
#include <string>
#include <vector>

namespace belay::manifest {

// The names by which a plugin or optimization would refer to itself.
using SelfNames = std::span<const std::string>;

// sections_plugin.cpp
void read_plugin(TableReader& in, Manifest& out);
void read_abi(TableReader& in, Manifest& out);
void read_select(TableReader& in, Manifest& out);
void read_runtime(TableReader& in, Runtime& out);
void read_probe(TableReader& in, Probe& out);

// sections_requires.cpp
void read_requires(TableReader& in, SelfNames self, Requires& out);
std::vector<PluginRef> read_plugin_refs(TableReader& in, std::string_view key, SelfNames self);
std::uint64_t read_mib(TableReader& in, std::string_view key);

// sections_relations.cpp
void read_conflict(TableReader& in, SelfNames self, std::vector<Conflict>& out);
void read_synergy(TableReader& in, SelfNames self, std::vector<Synergy>& out);

// sections_offers.cpp
void read_provides(TableReader& in, std::vector<Provides>& out);
void read_optimization(TableReader& in, const std::string& plugin, std::vector<Optimization>& out);

}  // namespace belay::manifest
