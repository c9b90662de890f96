#include "core/manifest/parse.hpp"

#include "core/base/format.hpp"
#include "core/base/mapped_file.hpp"
#include "core/manifest/sections.hpp"

#include <algorithm>

namespace belay::manifest {
namespace {

constexpr std::int64_t kSchema = 1;

// False: nothing else of the file can be understood.
bool read_schema(TableReader& in) {
  const toml::Value* value = in.require("schema");
  if (value == nullptr || value->integer() == nullptr || *value->integer() <= kSchema) {
    return in.integer("schema", kSchema, kSchema).has_value();
  }
  in.add(severity::kManifest, finding::kNewerSchema, "schema", value->at,
         format("found {}; this Belay knows {}, a newer belay is needed", found(*value), kSchema));
  return false;
}

void require_table(TableReader& in, std::string_view key, const TableReader::Read& read) {
  if (in.table(key, read)) return;
  in.add(severity::kManifest, finding::kMissing, key, in.at(),
         format("the table [{}] is required and absent", key));
}

void read_all(TableReader& in, Manifest& out) {
  require_table(in, "plugin", [&](TableReader& table) { read_plugin(table, out); });
  require_table(in, "abi", [&](TableReader& table) { read_abi(table, out); });
  const SelfNames self(&out.id, 1);
  in.table("select", [&](TableReader& table) { read_select(table, out); });
  in.table("requires", [&](TableReader& table) { read_requires(table, self, out.requires_); });
  in.tables("conflicts", [&](TableReader& table) { read_conflict(table, self, out.conflicts); });
  in.tables("synergies", [&](TableReader& table) { read_synergy(table, self, out.synergies); });
  in.tables("provides", [&](TableReader& table) { read_provides(table, out.provides); });
  if (out.provides.empty()) {
    in.add(severity::kPlugin, finding::kNothingProvided, "provides", in.at(),
           "no valid [[provides]] entry is left; a plugin offers at least one operator");
  }
  in.table("runtime", [&](TableReader& table) { read_runtime(table, out.runtime); });
  in.table("probe", [&](TableReader& table) { read_probe(table, out.probe); });
  in.tables("optimization", [&](TableReader& table) { read_optimization(table, out.id, out.optimizations); });
}

// The first finding of a severity, and how many more there are.
std::optional<Refusal> refusal_of(char severity, std::string id, const std::vector<Diagnostic>& all,
                                  const std::filesystem::path& file) {
  const auto same = [&](const Diagnostic& finding) { return finding.severity == severity; };
  const auto first = std::find_if(all.begin(), all.end(), same);
  if (first == all.end()) return std::nullopt;
  const auto more = std::count_if(first + 1, all.end(), same);
  const auto code = first->code == finding::kNewerSchema ? reason::kNewerSchema : reason::kBadManifest;
  const std::string rest = more == 0 ? "" : format(" And {} more.", more);
  return Refusal{std::move(id), Stage::kParse, std::string(code), first->text(file) + rest};
}

Parsed conclude(Manifest manifest, Findings findings) {
  Parsed out;
  const std::filesystem::path& file = manifest.file;
  out.diagnostics = findings.take();
  out.refusal = refusal_of(severity::kManifest, file.filename().string(), out.diagnostics, file);
  if (out.refusal) return out;
  out.refusal = refusal_of(severity::kPlugin, manifest.id, out.diagnostics, file);
  out.manifest = std::move(manifest);
  return out;
}

}  // namespace

Parsed parse_manifest(std::string_view text, const std::filesystem::path& file, bool strict) {
  Manifest manifest;
  manifest.file = file;
  Findings findings(strict);
  const auto document = toml::parse(text);
  if (const auto* error = std::get_if<toml::ParseError>(&document)) {
    findings.add(severity::kManifest, finding::kSyntax, error->at, "", error->message);
  } else {
    TableReader in(std::get<toml::Table>(document), "", {1, 1}, findings);
    if (read_schema(in)) {
      read_all(in, manifest);
      in.report_unknown_keys();
    }
  }
  return conclude(std::move(manifest), std::move(findings));
}

Parsed load_manifest(const std::filesystem::path& file, bool strict) {
  const auto text = read_file(file, toml::Limits{}.max_bytes);
  if (text.ok()) return parse_manifest(*text, file, strict);
  Manifest manifest;
  manifest.file = file;
  Findings findings(strict);
  findings.add(severity::kManifest, finding::kUnreadable, {0, 0}, "", text.error().message);
  return conclude(std::move(manifest), std::move(findings));
}

}  // namespace belay::manifest
