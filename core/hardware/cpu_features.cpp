#include "core/hardware/cpu_features.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"

#include <algorithm>
#include <set>

namespace belay::hardware {
namespace {

using Names = std::set<std::string, std::less<>>;

constexpr CpuidRegister kA = CpuidRegister::kEax;
constexpr CpuidRegister kB = CpuidRegister::kEbx;
constexpr CpuidRegister kC = CpuidRegister::kEcx;
constexpr CpuidRegister kD = CpuidRegister::kEdx;
constexpr OsState kNone = OsState::kNone;
constexpr OsState kAvx = OsState::kAvx;
constexpr OsState kAvx512 = OsState::kAvx512;
constexpr OsState kAmx = OsState::kAmx;
constexpr std::uint32_t kExtended = 0x80000001;

// Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E. What a feature builds on stands above it.
constexpr auto kFeatures = std::to_array<CpuFeature>({
    {"cmov", 1, 0, kD, 15, kNone, {}},
    {"fxsr", 1, 0, kD, 24, kNone, {}},
    {"mmx", 1, 0, kD, 23, kNone, {}},
    {"sse", 1, 0, kD, 25, kNone, {}},
    {"sse2", 1, 0, kD, 26, kNone, {"sse"}},
    {"sse3", 1, 0, kC, 0, kNone, {"sse2"}},
    {"pclmul", 1, 0, kC, 1, kNone, {"sse2"}},
    {"ssse3", 1, 0, kC, 9, kNone, {"sse3"}},
    {"cx16", 1, 0, kC, 13, kNone, {}},
    {"sse4.1", 1, 0, kC, 19, kNone, {"ssse3"}},
    {"sse4.2", 1, 0, kC, 20, kNone, {"sse4.1"}},
    {"movbe", 1, 0, kC, 22, kNone, {}},
    {"popcnt", 1, 0, kC, 23, kNone, {}},
    {"aes", 1, 0, kC, 25, kNone, {"sse2"}},
    {"rdrnd", 1, 0, kC, 30, kNone, {}},
    {"sahf", kExtended, 0, kC, 0, kNone, {}},
    {"lzcnt", kExtended, 0, kC, 5, kNone, {}},
    {"sse4a", kExtended, 0, kC, 6, kNone, {"sse3"}},
    {"bmi", 7, 0, kB, 3, kNone, {}},
    {"bmi2", 7, 0, kB, 8, kNone, {}},
    {"rdseed", 7, 0, kB, 18, kNone, {}},
    {"adx", 7, 0, kB, 19, kNone, {}},
    {"sha", 7, 0, kB, 29, kNone, {"sse2"}},
    {"gfni", 7, 0, kC, 8, kNone, {"sse2"}},
    {"avx", 1, 0, kC, 28, kAvx, {"sse4.2"}},
    {"fma", 1, 0, kC, 12, kAvx, {"avx"}},
    {"f16c", 1, 0, kC, 29, kAvx, {"avx"}},
    {"avx2", 7, 0, kB, 5, kAvx, {"avx"}},
    {"vaes", 7, 0, kC, 9, kAvx, {"avx", "aes"}},
    {"vpclmulqdq", 7, 0, kC, 10, kAvx, {"avx", "pclmul"}},
    {"avxvnni", 7, 1, kA, 4, kAvx, {"avx2"}},
    {"avxifma", 7, 1, kA, 23, kAvx, {"avx2"}},
    {"avxvnniint8", 7, 1, kD, 4, kAvx, {"avx2"}},
    {"avxneconvert", 7, 1, kD, 5, kAvx, {"avx2"}},
    {"avx512f", 7, 0, kB, 16, kAvx512, {"avx2"}},
    {"avx512dq", 7, 0, kB, 17, kAvx512, {"avx512f"}},
    {"avx512ifma", 7, 0, kB, 21, kAvx512, {"avx512f"}},
    {"avx512cd", 7, 0, kB, 28, kAvx512, {"avx512f"}},
    {"avx512bw", 7, 0, kB, 30, kAvx512, {"avx512f"}},
    {"avx512vl", 7, 0, kB, 31, kAvx512, {"avx512f"}},
    {"avx512vbmi", 7, 0, kC, 1, kAvx512, {"avx512bw"}},
    {"avx512vbmi2", 7, 0, kC, 6, kAvx512, {"avx512bw"}},
    {"avx512vnni", 7, 0, kC, 11, kAvx512, {"avx512f"}},
    {"avx512bitalg", 7, 0, kC, 12, kAvx512, {"avx512bw"}},
    {"avx512vpopcntdq", 7, 0, kC, 14, kAvx512, {"avx512f"}},
    {"avx512vp2intersect", 7, 0, kD, 8, kAvx512, {"avx512f"}},
    {"avx512fp16", 7, 0, kD, 23, kAvx512, {"avx512bw"}},
    {"avx512bf16", 7, 1, kA, 5, kAvx512, {"avx512bw"}},
    {"amx-tile", 7, 0, kD, 24, kAmx, {}},
    {"amx-bf16", 7, 0, kD, 22, kAmx, {"amx-tile"}},
    {"amx-int8", 7, 0, kD, 25, kAmx, {"amx-tile"}},
    {"amx-fp16", 7, 1, kA, 21, kAmx, {"amx-tile"}},
});

struct Level {
  std::string_view name;
  std::vector<std::string_view> adds;  // to the level below
};

// System V ABI, AMD64 supplement, "Micro-architecture levels"; OSXSAVE is in the state that avx needs.
const std::vector<Level>& levels() {
  static const std::vector<Level> table = {
      {"x86-64", {"cmov", "fxsr", "mmx", "sse", "sse2"}},
      {"x86-64-v2", {"cx16", "sahf", "popcnt", "sse3", "sse4.1", "sse4.2", "ssse3"}},
      {"x86-64-v3", {"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe"}},
      {"x86-64-v4", {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}},
  };
  return table;
}

bool is_known(std::string_view name) {
  const auto& known = known_cpu_features();
  return std::binary_search(known.begin(), known.end(), name);
}

const CpuFeature* find_feature(std::string_view name) {
  const auto found = std::find_if(kFeatures.begin(), kFeatures.end(),
                                  [&](const CpuFeature& row) { return row.name == name; });
  return found == kFeatures.end() ? nullptr : &*found;
}

void add_feature(std::string_view name, Names& out) {
  const CpuFeature* feature = find_feature(name);
  if (feature == nullptr || !out.insert(std::string(name)).second) return;
  for (const std::string_view below : feature->builds_on) {
    if (!below.empty()) add_feature(below, out);
  }
}

void add_level(std::string_view name, Names& out) {
  for (const Level& level : levels()) {
    for (const std::string_view feature : level.adds) add_feature(feature, out);
    if (level.name == name) return;
  }
}

const Level* find_level(std::string_view name) {
  const auto& all = levels();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Level& level) { return level.name == name; });
  return found == all.end() ? nullptr : &*found;
}

Error unknown_feature(std::string_view name) {
  const std::string near = nearest_cpu_feature(name);
  return fail(ErrorCode::kUsage, "unknown CPU feature '{}'{}", printable(name, 40),
              near.empty() ? std::string() : format("; did you mean '{}'?", near));
}

}  // namespace

std::span<const CpuFeature> cpu_feature_table() { return kFeatures; }

const std::vector<std::string>& known_cpu_features() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    all.reserve(kFeatures.size() + levels().size());
    for (const CpuFeature& feature : kFeatures) all.emplace_back(feature.name);
    for (const Level& level : levels()) all.emplace_back(level.name);
    std::sort(all.begin(), all.end());
    return all;
  }();
  return names;
}

std::string nearest_cpu_feature(std::string_view name) {
  if (name.size() > 40) return {};
  const std::size_t limit = name.size() <= 4 ? 1 : 2;
  std::string best;
  std::size_t best_distance = limit + 1;
  for (const std::string& known : known_cpu_features()) {
    const std::size_t distance = edit_distance(name, known);
    if (distance < best_distance) best = known, best_distance = distance;
  }
  return best;
}

std::vector<std::string> complete_isa(const std::vector<std::string>& features) {
  const Names given(features.begin(), features.end());
  Names kept;
  for (const CpuFeature& feature : kFeatures) {  // in the table's order: foundations first
    const bool founded =
        std::all_of(feature.builds_on.begin(), feature.builds_on.end(),
                    [&](std::string_view below) { return below.empty() || kept.contains(below); });
    if (founded && given.contains(feature.name)) kept.emplace(feature.name);
  }
  for (const Level& level : levels()) {
    if (!std::all_of(level.adds.begin(), level.adds.end(),
                     [&](std::string_view name) { return kept.contains(name); }))
      break;
    kept.emplace(level.name);
  }
  return {kept.begin(), kept.end()};
}

std::vector<std::string> expand_isa(const std::vector<std::string>& names) {
  Names features;
  for (const std::string& name : names) {
    if (find_level(name) != nullptr) add_level(name, features);
    add_feature(name, features);
  }
  return complete_isa({features.begin(), features.end()});
}

Result<std::vector<std::string>> parse_feature_mask(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(", "), text.size());
    std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word.empty()) continue;
    if (word.front() != '-') {
      return fail(ErrorCode::kUsage, "CPU features can only be taken away: write '-{0}' instead of '{0}'",
                  printable(word, 40));
    }
    word.remove_prefix(1);
    if (!is_known(word)) return unknown_feature(word);
    names.emplace_back(word);
  }
  return names;
}

Status mask_features(Profile& profile, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (!is_known(name)) return unknown_feature(name);
  }
  if (!profile.cpu.isa) return {};
  Names left(profile.cpu.isa->begin(), profile.cpu.isa->end());
  for (const std::string& name : names) {
    left.erase(name);
    if (const Level* level = find_level(name)) {
      for (const std::string_view feature : level->adds) left.erase(std::string(feature));
    }
  }
  profile.cpu.isa = complete_isa({left.begin(), left.end()});
  return {};
}

bool has_cpu_feature(const Profile& profile, std::string_view name) {
  return profile.cpu.isa &&
         std::find(profile.cpu.isa->begin(), profile.cpu.isa->end(), name) != profile.cpu.isa->end();
}

}  // namespace belay::hardware
