#include "core/registry/probe_cache.hpp"

#include "core/base/format.hpp"
#include "core/base/mapped_file.hpp"
#include "core/base/sha256.hpp"
#include "core/registry/probe_protocol.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace belay::registry {
namespace {

constexpr const char* kSchema = "belay.probe_cache/1";
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 20U;
constexpr std::size_t kMaxEntries = 256;
constexpr std::int64_t kRefusalLifeS = 3600;

bool may_be_kept(const Objection& objection) {
  constexpr std::array<std::string_view, 5> kPassing = {
      reason::kProbeFailed, reason::kNoDriver, reason::kNoDevice, reason::kDriverTooOld, reason::kDeviceBusy};
  return std::find(kPassing.begin(), kPassing.end(), objection.reason) == kPassing.end();
}

}  // namespace

// The length in front keeps one value from being taken for two.
void add_to_key(std::string& key, std::string_view name, std::string_view value) {
  key += format("{}={}:{}\n", name, value.size(), value);
}

std::string probe_key(const LibraryFile& library, const manifest::Manifest& manifest,
                      const std::string& machine) {
  const FileIdentity& file = library.identity();
  std::string text = machine;
  add_to_key(text, "file",
             format("{} {} {} {} {}", file.device, file.inode, file.size, file.mtime_ns, file.ctime_ns));
  add_to_key(text, "plugin", format("{} {}", manifest.id, manifest.version.text()));
  add_to_key(text, "abi",
             format("{} {} {}", manifest.abi_major, manifest.abi_min_minor, manifest.abi_built_minor));
  add_to_key(text, "sha256", manifest.sha256.value_or(""));
  add_to_key(text, "runtime", format("{} {}", manifest.runtime.openmp, join(manifest.runtime.needs, " ")));
  add_to_key(text, "probe", format("{} {}", manifest.probe.known_answer, manifest.probe.timeout_ms));
  for (const manifest::Provides& claim : manifest.provides) {
    add_to_key(text, "claim", format("{} {}", claim.op, join(claim.dtypes, " ")));
  }
  for (const std::string& name : manifest.probe.env_allow) {
    const char* value = std::getenv(name.c_str());
    add_to_key(text, "variable", value != nullptr ? name + "=" + value : name);
  }
  return sha256_hex(std::as_bytes(std::span(text)));
}

ProbeCache::ProbeCache(std::filesystem::path file, const TrustPolicy& policy, std::int64_t now_s)
    : file_(std::move(file)), now_s_(now_s) {
  if (!file_.empty()) load(policy);
}

void ProbeCache::load(const TrustPolicy& policy) {
  if (distrust_manifest(file_, policy)) return;  // absent, a link, or somebody else's: nothing in it counts
  const auto text = read_file(file_, kMaxFileBytes);
  if (!text) return;
  const auto json = parse_json(*text, ErrorCode::kGeneral, {.max_depth = 8});
  if (!json || !json->is_object() || json->value("schema", Json()) != kSchema) return;
  const auto list = json->find("entries");
  if (list == json->end() || !list->is_array() || list->size() > kMaxEntries) return;
  for (const Json& item : *list) {
    if (!item.is_object() || !item.contains("verdict")) continue;
    auto verdict = read_verdict(item["verdict"]);
    const Json library = item.value("library", Json());
    const Json key = item.value("key", Json());
    const Json until = item.value("until_s", Json());
    if (!verdict || !library.is_string() || !key.is_string() || !until.is_number_integer()) continue;
    entries_.push_back(
        {library.get<std::string>(), key.get<std::string>(), until.get<std::int64_t>(), *std::move(verdict)});
  }
}

const Verdict* ProbeCache::find(const std::string& key) const {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.key == key; });
  if (found == entries_.end()) return nullptr;
  const bool refusal = found->verdict.objection.has_value();
  // A clock that was set back must not keep a refusal for longer than its life.
  const bool fresh = now_s_ < found->until_s && found->until_s <= now_s_ + kRefusalLifeS;
  return refusal && !fresh ? nullptr : &found->verdict;
}

void ProbeCache::put(const std::filesystem::path& library, std::string key, const Verdict& verdict) {
  if (file_.empty()) return;
  const std::string path = library.string();
  std::erase_if(entries_, [&](const Entry& entry) { return entry.library == path; });
  changed_ = true;
  if (verdict.objection && !may_be_kept(*verdict.objection)) return;
  if (entries_.size() == kMaxEntries) entries_.erase(entries_.begin());
  entries_.push_back({path, std::move(key), verdict.objection ? now_s_ + kRefusalLifeS : 0, verdict});
}

Status ProbeCache::save() {
  if (!changed_ || file_.empty()) return {};
  Json list = Json::array();
  for (const Entry& entry : entries_) {
    list.push_back({{"library", entry.library},
                    {"key", entry.key},
                    {"until_s", entry.until_s},
                    {"verdict", verdict_json(entry.verdict)}});
  }
  const std::string text = to_line(Json{{"schema", kSchema}, {"entries", std::move(list)}}) + "\n";
  BELAY_TRY(replace_file(file_, text));
  changed_ = false;
  return {};
}

}  // namespace belay::registry
