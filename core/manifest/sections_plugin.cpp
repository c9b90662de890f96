#include "core/base/format.hpp"
#include "core/manifest/sections.hpp"
#include "core/manifest/syntax.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace belay::manifest {
namespace {

using Predicate = bool (*)(std::string_view);

// The string under `key`, which must satisfy `valid`; else an M that says what is allowed.
const std::string* checked(TableReader& in, std::string_view key, Predicate valid, std::string_view allowed) {
  const std::string* text = in.string(key);
  if (text == nullptr || valid(*text)) return text;
  const toml::Value& value = *in.get(key);
  in.add(severity::kManifest, finding::kValue, key, value.at,
         format("found {}; allowed is {}", found(value), allowed));
  return nullptr;
}

const std::string* required(TableReader& in, std::string_view key, Predicate valid,
                            std::string_view allowed) {
  return in.require(key) == nullptr ? nullptr : checked(in, key, valid, allowed);
}

constexpr std::string_view kInnerPath =
    "a path inside the manifest's folder: relative, without \"..\" or control characters";

void read_abi_number(TableReader& in, std::string_view key, std::uint16_t& out) {
  if (in.require(key) == nullptr) return;
  if (const auto number = in.integer(key, 0, std::numeric_limits<std::uint16_t>::max())) {
    out = static_cast<std::uint16_t>(*number);
  }
}

}  // namespace

void read_plugin(TableReader& in, Manifest& out) {
  const auto semver = [](std::string_view text) { return parse_semver(text).has_value(); };
  const auto id = [](std::string_view text) {
    return is_plugin_id(text) && text != "core";
  };  // "core" is Belay's own
  if (const auto* text = required(
          in, "id", id, "[a-z][a-z0-9_-]* with more parts behind dots, at most 128 bytes, not \"core\"")) {
    out.id = *text;
  }
  if (const auto* text = required(in, "version", semver, "a semantic version such as \"0.3.1\"")) {
    out.version = *parse_semver(*text);
  }
  out.name = in.display("name");
  out.description = in.display("description");
  out.url = in.display("url");
  out.license = in.display("license");
  if (const auto* text = required(in, "library", is_inner_path, kInnerPath)) out.library = *text;
  if (const auto* text = checked(in, "signature", is_inner_path, kInnerPath)) out.signature = *text;
  if (const auto* text = checked(in, "sha256", is_sha256, "64 lower-case hexadecimal digits"))
    out.sha256 = *text;
  if (in.get("sha256") == nullptr) {
    in.add(severity::kWarning, finding::kMissing, "sha256", in.at(),
           "the library's content is not pinned; the build fills this in beside each library");
  }
}

void read_abi(TableReader& in, Manifest& out) {
  read_abi_number(in, "major", out.abi_major);
  read_abi_number(in, "min_minor", out.abi_min_minor);
  read_abi_number(in, "built_minor", out.abi_built_minor);
  if (out.abi_min_minor > out.abi_built_minor) {
    in.add(severity::kManifest, finding::kRange, "min_minor", in.at(),
           format("found min_minor {} above built_minor {}; it must not be", out.abi_min_minor,
                  out.abi_built_minor));
  }
}

void read_select(TableReader& in, Manifest& out) {
  static constexpr std::array<std::string_view, 2> kIsolations = {"inproc", "worker"};
  out.priority = static_cast<std::int32_t>(in.integer("priority", -1000, 1000).value_or(0));
  for (const toml::Value& slot : in.strings("exclusive", 8)) {
    if (!is_slot_name(*slot.string())) {
      in.add(severity::kManifest, finding::kValue, "exclusive", slot.at,
             format("found {}; a slot's name has 1 to 64 letters, digits, '_', '.' or '-'", found(slot)));
    } else if (std::find(out.exclusive.begin(), out.exclusive.end(), *slot.string()) != out.exclusive.end()) {
      in.add(severity::kWarning, finding::kDuplicate, "exclusive", slot.at,
             format("found {} twice; once is enough", found(slot)));
    } else {
      out.exclusive.push_back(*slot.string());
    }
  }
  out.isolation =
      in.choice("isolation", kIsolations).value_or(0) == 0 ? Isolation::kInproc : Isolation::kWorker;
}

void read_runtime(TableReader& in, Runtime& out) {
  static constexpr std::array<std::string_view, 4> kOpenmp = {"none", "gomp", "iomp5", "libomp"};
  static constexpr std::array<std::string_view, 2> kThreads = {"host", "own"};
  out.openmp = kOpenmp[in.choice("openmp", kOpenmp).value_or(0)];
  out.threads = kThreads[in.choice("threads", kThreads).value_or(0)];
  out.unload_safe = in.boolean("unload_safe").value_or(false);
  out.device_alloc_in_run = in.boolean("device_alloc_in_run").value_or(false);
  for (const toml::Value& library : in.strings("needs", 64)) {
    if (is_file_name(*library.string())) {
      out.needs.push_back(*library.string());
    } else {
      in.add(
          severity::kManifest, finding::kValue, "needs", library.at,
          format("found {}; allowed is a library's file name such as \"libopenblas.so.0\"", found(library)));
    }
  }
}

void read_probe(TableReader& in, Probe& out) {
  out.timeout_ms = static_cast<std::uint32_t>(in.integer("timeout_ms", 100, 60000).value_or(5000));
  out.known_answer = in.boolean("known_answer").value_or(true);
  for (const toml::Value& name : in.strings("env_allow", 16)) {
    const std::string& text = *name.string();
    // These change which code the loader runs, so no manifest may ask for them.
    const bool loader = text.starts_with("LD_") || text == "GLIBC_TUNABLES";
    if (is_variable_name(text) && !loader) {
      out.env_allow.push_back(text);
    } else {
      in.add(
          severity::kManifest, finding::kValue, "env_allow", name.at,
          format("found {}; allowed is the name of an environment variable, but not LD_* or GLIBC_TUNABLES",
                 found(name)));
    }
  }
}

}  // namespace belay::manifest
