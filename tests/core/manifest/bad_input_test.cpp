// One bad manifest for each class of bad input: the sample with one text replaced, and what has to come of
// it.
#include "core/base/format.hpp"
#include "core/manifest/parse.hpp"
#include "tests/core/manifest/sample.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <string>
#include <vector>

using namespace belay::manifest;  // NOLINT(google-build-using-namespace)

namespace {

struct Case {
  const char* from;  // a text of the sample
  const char* to;    // what stands in its place
  char severity;     // of the only finding
  std::string_view code;
  const char* key_path;
  const char* hint = "";  // part of the message
  const char* at = "";    // a text on the line of the finding; by default the first line of `to`
};

const std::string kLong(1100, 'n');
const std::string kLongName = "name = \"" + kLong + "\"";
const std::string kLongReason = "reason = \"" + std::string(300, 'r') + "\"";
const std::string kLongId = "id = \"a" + std::string(128, 'b') + "\"";
const std::string kLongVersion = "version = \"1.0.0-" + std::string(60, 'a') + "\"";
const char* const kHash = "sha256 = \"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"";

// NOLINTNEXTLINE(readability-function-size): a table
const std::vector<Case>& cases() {
  using namespace finding;  // NOLINT(google-build-using-namespace)
  static const std::vector<Case> all = {
      // schema
      {"schema = 1\n", "", 'M', kMissing, "schema", "required", "[plugin]"},
      {"schema = 1\n", "schema = \"1\"\n", 'M', kType, "schema", "found string"},
      {"schema = 1\n", "schema = 1.0\n", 'M', kType, "schema", "found float"},
      {"schema = 1\n", "schema = 0\n", 'M', kRange, "schema", "found 0"},
      {"schema = 1\n", "schema = 2\n", 'M', kNewerSchema, "schema", "newer belay"},
      // plugin
      {"id = \"acme.gpu\"\n", "", 'M', kMissing, "plugin.id", "required", "[plugin]"},
      {"id = \"acme.gpu\"", "id = 7", 'M', kType, "plugin.id", "found integer 7"},
      {"id = \"acme.gpu\"", "id = \"Acme\"", 'M', kValue, "plugin.id", "found string \"Acme\""},
      {"id = \"acme.gpu\"", "id = \"\"", 'M', kValue, "plugin.id"},
      {"id = \"acme.gpu\"", "id = \"7up\"", 'M', kValue, "plugin.id"},
      {"id = \"acme.gpu\"", "id = \"a..b\"", 'M', kValue, "plugin.id"},
      {"id = \"acme.gpu\"", "id = \"a/b\"", 'M', kValue, "plugin.id"},
      {"id = \"acme.gpu\"", "id = \"core\"", 'M', kValue, "plugin.id"},
      {"id = \"acme.gpu\"", kLongId.c_str(), 'M', kValue, "plugin.id"},
      {"version = \"0.3.1\"\n", "", 'M', kMissing, "plugin.version", "", "[plugin]"},
      {"version = \"0.3.1\"", "version = \"0.3\"", 'M', kValue, "plugin.version", "semantic"},
      {"version = \"0.3.1\"", "version = 0.3", 'M', kType, "plugin.version"},
      {"version = \"0.3.1\"", kLongVersion.c_str(), 'M', kValue, "plugin.version"},
      {"name = \"Acme\"", "name = 3", 'W', kType, "plugin.name"},
      {"name = \"Acme\"", kLongName.c_str(), 'W', kRange, "plugin.name", "cut to 1024"},
      {"description = \"all keys\"", "description = []", 'W', kType, "plugin.description"},
      {"url = \"https://example.org\"", "url = true", 'W', kType, "plugin.url"},
      {"license = \"Apache-2.0\"", "license = 2.0", 'W', kType, "plugin.license"},
      {"library = \"lib/libacme.so\"\n", "", 'M', kMissing, "plugin.library", "", "[plugin]"},
      {"library = \"lib/libacme.so\"", "library = \"\"", 'M', kValue, "plugin.library"},
      {"library = \"lib/libacme.so\"", "library = \"/lib/x.so\"", 'M', kValue, "plugin.library"},
      {"library = \"lib/libacme.so\"", "library = \"../x.so\"", 'M', kValue, "plugin.library"},
      {"library = \"lib/libacme.so\"", "library = \"a/../../x.so\"", 'M', kValue, "plugin.library"},
      {"library = \"lib/libacme.so\"", "library = \"x.so\\u0000y\"", 'M', kValue, "plugin.library", "x00"},
      {"library = \"lib/libacme.so\"", "library = [\"x.so\"]", 'M', kType, "plugin.library"},
      {kHash, "sha256 = \"00\"", 'M', kValue, "plugin.sha256", "64 lower-case"},
      {kHash, "sha256 = \"00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff\"", 'M', kValue,
       "plugin.sha256"},
      {kHash, "sha256 = 0", 'M', kType, "plugin.sha256"},
      {kHash, "", 'W', kMissing, "plugin.sha256", "not pinned", "[plugin]"},
      {"signature = \"acme.minisig\"", "signature = \"/etc/x\"", 'M', kValue, "plugin.signature"},
      {"signature = \"acme.minisig\"", "signature = 1", 'M', kType, "plugin.signature"},
      // abi
      {"[abi]\nmajor = 1\nmin_minor = 0\nbuilt_minor = 2\n", "", 'M', kMissing, "abi", "[abi]", "schema"},
      {"major = 1\n", "", 'M', kMissing, "abi.major", "", "[abi]"},
      {"major = 1", "major = \"1\"", 'M', kType, "abi.major"},
      {"major = 1", "major = 65536", 'M', kRange, "abi.major", "0 to 65535"},
      {"min_minor = 0", "min_minor = -1", 'M', kRange, "abi.min_minor"},
      {"min_minor = 0", "min_minor = 3", 'M', kRange, "abi.min_minor", "above built_minor 2", "[abi]"},
      // select
      {"priority = 800", "priority = 1001", 'M', kRange, "select.priority", "-1000 to 1000"},
      {"priority = 800", "priority = -1001", 'M', kRange, "select.priority"},
      {"priority = 800", "priority = 800.0", 'M', kType, "select.priority"},
      {"priority = 800", "priority = \"high\"", 'M', kType, "select.priority"},
      {"exclusive = [\"gpu-compute\", \"big\"]", "exclusive = \"gpu\"", 'M', kType, "select.exclusive"},
      {"exclusive = [\"gpu-compute\", \"big\"]", "exclusive = [1]", 'M', kType, "select.exclusive"},
      {"exclusive = [\"gpu-compute\", \"big\"]", "exclusive = [\"id:x\"]", 'M', kValue, "select.exclusive"},
      {"exclusive = [\"gpu-compute\", \"big\"]",
       "exclusive = [\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]", 'M', kRange, "select.exclusive",
       "at most 8"},
      {"exclusive = [\"gpu-compute\", \"big\"]", "exclusive = [\"a\", \"a\"]", 'W', kDuplicate,
       "select.exclusive"},
      {"isolation = \"worker\"", "isolation = \"none\"", 'M', kValue, "select.isolation", "inproc, worker"},
      {"isolation = \"worker\"", "isolation = \"wroker\"", 'M', kValue, "select.isolation",
       "did you mean \"worker\"?"},
      // requires
      {"plugins = [\"cpu_scalar >=0.3\", \"cpu_sse\"]", "plugins = [\"cpu_scalar 0.3\"]", 'M', kVersionRange,
       "requires.plugins"},
      {"plugins = [\"cpu_scalar >=0.3\", \"cpu_sse\"]", "plugins = [\"cpu_scalar >=2,<1\"]", 'M',
       kVersionRange, "requires.plugins"},
      {"plugins = [\"cpu_scalar >=0.3\", \"cpu_sse\"]", "plugins = [\"acme.gpu >=0.1\"]", 'M', kSelf,
       "requires.plugins"},
      {"plugins = [\"cpu_scalar >=0.3\", \"cpu_sse\"]", "plugins = [\"\"]", 'M', kValue, "requires.plugins"},
      {"plugins = [\"cpu_scalar >=0.3\", \"cpu_sse\"]", "plugins = \"cpu_sse\"", 'M', kType,
       "requires.plugins"},
      {"any_of = [[\"cpu_avx2\", \"cpu_sse <2\"]]", "any_of = [[]]", 'M', kValue, "requires.any_of[0]"},
      {"any_of = [[\"cpu_avx2\", \"cpu_sse <2\"]]", "any_of = [[\"a\"], [\"b 1\"]]", 'M', kVersionRange,
       "requires.any_of[1]"},
      {"any_of = [[\"cpu_avx2\", \"cpu_sse <2\"]]", "any_of = [\"a\"]", 'M', kValue, "requires.any_of[0]"},
      {"any_of = [[\"cpu_avx2\", \"cpu_sse <2\"]]", "any_of = [[1]]", 'M', kType, "requires.any_of[0]"},
      {"os = [\"linux\"]", "os = [\"linus\"]", 'W', kValue, "requires.os", "did you mean \"linux\"?"},
      {"os = [\"linux\"]", "os = 1", 'M', kType, "requires.os"},
      {"arch = [\"x86_64\"]", "arch = [\"x86-64\"]", 'W', kValue, "requires.cpu.arch", "x86_64"},
      {"features = [\"avx2\", \"fma\"]", "features = [true]", 'M', kType, "requires.cpu.features"},
      {"vendor = \"nvidia\"", "vendor = \"nvidea\"", 'P', kValue, "requires.gpu.vendor",
       "did you mean \"nvidia\"?"},
      {"vendor = \"nvidia\"", "vendor = 1", 'M', kType, "requires.gpu.vendor"},
      {"compute_capability = \">=6.1, <9\"", "compute_capability = 6.1", 'M', kType,
       "requires.gpu.compute_capability", "quote it"},
      {"compute_capability = \">=6.1, <9\"", "compute_capability = \"6.1\"", 'M', kVersionRange,
       "requires.gpu.compute_capability"},
      {"compute_capability = \">=6.1, <9\"", "compute_capability = \">=9, <6.1\"", 'M', kVersionRange,
       "requires.gpu.compute_capability"},
      {"compute_capability = \">=6.1, <9\"", "compute_capability = \"\"", 'M', kVersionRange,
       "requires.gpu.compute_capability"},
      {"driver = \">=535\"", "driver = 535", 'M', kType, "requires.gpu.driver", "quote it"},
      {"ptx = \"6.1\"", "ptx = 6.1", 'M', kType, "requires.gpu.ptx", "quote it"},
      {"ptx = \"6.1\"", "ptx = \">=6\"", 'M', kValue, "requires.gpu.ptx"},
      {"compute_capability = \">=6.1, <9\"\n", "", 'W', kMissing, "requires.gpu.ptx",
       "without compute_capability", "ptx ="},
      {"memory_mib = 2048", "memory_mib = -1", 'M', kRange, "requires.gpu.memory_mib"},
      {"memory_mib = 2048", "memory_mib = 2048.5", 'M', kType, "requires.gpu.memory_mib"},
      {"memory_mib = 2048", "memory_mib = 1099511627777", 'M', kRange, "requires.gpu.memory_mib"},
      {"count = 2", "count = -2", 'M', kRange, "requires.gpu.count"},
      {"\nhost_mib = 512", "\nhost_mib = \"512\"", 'M', kType, "requires.memory.host_mib", "",
       "host_mib = \"512"},
      {"nvme = true", "nvme = 1", 'M', kType, "requires.storage.nvme"},
      {"min_read_mib_s = 1000", "min_read_mib_s = 1e3", 'M', kType, "requires.storage.min_read_mib_s"},
      {"[requires.gpu]", "[[requires.gpu]]", 'M', kType, "requires.gpu", "a table"},
      // conflicts
      {"id = \"org.example.cuda_generic\"", "id = \"acme.gpu\"", 'M', kSelf, "conflicts[0].id", "itself",
       "id = \"acme.gpu\"\nversions"},
      {"id = \"org.example.cuda_generic\"", "id = \"slot:\"", 'M', kValue, "conflicts[0].id"},
      {"id = \"org.example.cuda_generic\"", "id = \"provides:linear\"", 'M', kValue, "conflicts[0].id"},
      {"id = \"org.example.cuda_generic\"", "id = []", 'M', kType, "conflicts[0].id"},
      {"id = \"slot:other\"\n", "", 'M', kMissing, "conflicts[1].id", "", "[[conflicts]]\nreason"},
      {"versions = \"<2\"", "versions = \"2\"", 'E', kVersionRange, "conflicts[0].versions"},
      {"versions = \"<2\"", "versions = 2", 'E', kType, "conflicts[0].versions"},
      {"reason = \"both claim the primary context\"\n", "", 'W', kMissing, "conflicts[0].reason", "",
       "[[conflicts]]"},
      {"reason = \"second\"", kLongReason.c_str(), 'W', kRange, "conflicts[1].reason", "cut to 256"},
      {"id = \"slot:other\"", "id = \"org.example.cuda_generic\"\nversions = \"<2\"", 'W', kDuplicate,
       "conflicts[1].id", "",
       "[[conflicts]]\nid = \"org.example.cuda_generic\"\nversions = \"<2\"\nreason = \"second"},
      // synergies
      {"with = [\"nvme_offload\"]", "with = [\"acme.gpu\"]", 'E', kSelf, "synergies[0].with"},
      {"with = [\"nvme_offload\"]", "with = [\"a\", \"a\"]", 'E', kDuplicate, "synergies[0].with"},
      {"with = [\"nvme_offload\"]", "with = []", 'E', kMissing, "synergies[0].with", "1 to 4",
       "[[synergies]]"},
      {"with = [\"nvme_offload\"]", "with = [\"a\",\"b\",\"c\",\"d\",\"e\"]", 'E', kRange,
       "synergies[0].with"},
      {"with = [\"nvme_offload\"]", "with = \"a\"", 'E', kType, "synergies[0].with"},
      {"with = [\"nvme_offload\"]", "with = [\"A B\"]", 'E', kValue, "synergies[0].with"},
      {"gain = 1.30", "gain = 1.0", 'M', kRange, "synergies[0].gain", "use conflicts"},
      {"gain = 1.30", "gain = -2", 'M', kRange, "synergies[0].gain", "use conflicts"},
      {"gain = 1.30", "gain = nan", 'M', kRange, "synergies[0].gain"},
      {"gain = 1.30", "gain = inf", 'M', kRange, "synergies[0].gain"},
      {"gain = 1.30", "gain = 10.001", 'M', kRange, "synergies[0].gain"},
      {"gain = 1.30", "gain = \"1.3\"", 'M', kType, "synergies[0].gain"},
      {"gain = 1.30\n", "", 'M', kMissing, "synergies[0].gain", "", "[[synergies]]"},
      {"gain = 1.30", "gain = 1.3004", 'W', kRounded, "synergies[0].gain", "1.300"},
      // provides
      {"op = \"belay.linear/1\"", "op = \"linear\"", 'E', kValue, "provides[0].op", "belay.linear/1",
       "[[provides]]"},
      {"op = \"belay.linear/1\"", "op = \"belay.linear/0\"", 'E', kValue, "provides[0].op", "",
       "[[provides]]"},
      {"op = \"belay.linear/1\"\n", "", 'E', kValue, "provides[0].op", "found nothing", "[[provides]]"},
      {"op = \"belay.linear/1\"", "op = 1", 'E', kType, "provides[0].op"},
      {"dtypes = [\"f32\", \"f16\", \"q8_0*f32\"]", "dtypes = [\"f32\", \"f64\"]", 'E', kUnknownDtype,
       "provides[0].dtypes", "known are f32, f16"},
      {"dtypes = [\"f32\", \"f16\", \"q8_0*f32\"]", "dtypes = [\"q8_0*\"]", 'E', kUnknownDtype,
       "provides[0].dtypes"},
      {"dtypes = [\"f32\", \"f16\", \"q8_0*f32\"]\n", "", 'E', kMissing, "provides[0].dtypes", "",
       "[[provides]]"},
      {"dtypes = [\"f32\", \"f16\", \"q8_0*f32\"]", "dtypes = \"f32\"", 'E', kType, "provides[0].dtypes"},
      {"layouts = [\"row\", \"tiled\"]", "layouts = [\"\"]", 'E', kValue, "provides[0].layouts"},
      {"max_rank = 3", "max_rank = 9", 'E', kRange, "provides[0].max_rank"},
      // runtime
      {"openmp = \"gomp\"", "openmp = \"libgomp\"", 'M', kValue, "runtime.openmp", "gomp"},
      {"threads = \"own\"", "threads = 4", 'M', kType, "runtime.threads"},
      {"unload_safe = true", "unload_safe = \"yes\"", 'M', kType, "runtime.unload_safe"},
      {"device_alloc_in_run = true", "device_alloc_in_run = 0", 'M', kType, "runtime.device_alloc_in_run"},
      {"needs = [\"libopenblas.so.0\"]", "needs = [\"/usr/lib/x.so\"]", 'M', kValue, "runtime.needs"},
      {"needs = [\"libopenblas.so.0\"]", "needs = [\"..\"]", 'M', kValue, "runtime.needs"},
      // probe
      {"timeout_ms = 1000", "timeout_ms = 99", 'M', kRange, "probe.timeout_ms", "100 to 60000"},
      {"timeout_ms = 1000", "timeout_ms = 60001", 'M', kRange, "probe.timeout_ms"},
      {"known_answer = false", "known_answer = 0", 'M', kType, "probe.known_answer"},
      {"env_allow = [\"CUDA_VISIBLE_DEVICES\"]", "env_allow = [\"LD_PRELOAD\"]", 'M', kValue,
       "probe.env_allow", "LD_*"},
      {"env_allow = [\"CUDA_VISIBLE_DEVICES\"]", "env_allow = [\"GLIBC_TUNABLES\"]", 'M', kValue,
       "probe.env_allow"},
      {"env_allow = [\"CUDA_VISIBLE_DEVICES\"]", "env_allow = [\"A=B\"]", 'M', kValue, "probe.env_allow"},
      // optimization
      {"id = \"sparse\"\n", "", 'E', kMissing, "optimization[0].id", "", "[[optimization]]"},
      {"id = \"sparse\"", "id = \"other.plugin/sparse\"", 'E', kValue, "optimization[0].id"},
      {"id = \"sparse\"", "id = 1", 'E', kType, "optimization[0].id"},
      {"id = \"tiled\"", "id = \"sparse\"", 'E', kDuplicate, "optimization[1].id", "",
       "[[optimization]]\nid = \"sparse\"\nlossless = true"},
      {"kind = \"attention\"", "kind = \"atention\"", 'E', kValue, "optimization[0].kind",
       "did you mean \"attention\"?"},
      {"level = \"aggressive\"", "level = \"max\"", 'E', kValue, "optimization[0].level",
       "minimal, moderate, aggressive"},
      {"lossless = false", "lossless = 0", 'M', kType, "optimization[0].lossless"},
      {"priority = 300", "priority = 3000", 'M', kRange, "optimization[0].priority"},
      {"plugins = [\"cpu_sse\"]", "plugins = [\"cpu_sse x\"]", 'M', kVersionRange,
       "optimization[0].requires.plugins", "", "requires = {"},
      {"optimizations = [\"tiled\"]", "optimizations = [\"sparse\"]", 'M', kSelf,
       "optimization[0].requires.optimizations", "", "requires = {"},
      {"host_mib = 64", "host_mib = -64", 'M', kRange, "optimization[0].requires.host_mib", "",
       "requires = {"},
      {"id = \"kv_q4\"", "id = \"acme.gpu/sparse\"", 'M', kSelf, "optimization[0].conflicts[0].id", "",
       "conflicts = [{"},
      {"with = [\"kv_q8\"]", "with = [\"sparse\"]", 'E', kSelf, "optimization[0].synergies[0].with", "",
       "synergies = [{"},
      {"gain = 1.10", "gain = 0.5", 'M', kRange, "optimization[0].synergies[0].gain", "", "synergies = [{"},
      {"top1 = 0.88", "top1 = 1.5", 'E', kRange, "optimization[0].budget.top1", "0 to 1", "budget = {"},
      {"kld = 0.06", "kld = nan", 'E', kRange, "optimization[0].budget.kld", "", "budget = {"},
      {"ppl = 0.03", "ppl = \"low\"", 'E', kType, "optimization[0].budget.ppl", "", "budget = {"},
      // unknown keys, at every level
      {"isolation = \"worker\"", "isolaton = \"worker\"", 'W', kUnknownKey, "select.isolaton",
       "did you mean \"isolation\"?"},
      {"[x-vendor]", "[vendor]", 'W', kUnknownKey, "vendor", "ignored"},
      {"arch = [\"x86_64\"]", "arch = [\"x86_64\"]\ncores = 4", 'W', kUnknownKey, "requires.cpu.cores", "",
       "cores ="},
      {"kld = 0.06", "kld = 0.06, kdl = 0.06", 'W', kUnknownKey, "optimization[0].budget.kdl",
       "did you mean \"kld\"?", "budget = {"},
      // tables of the wrong shape
      {"schema = 1\n", "schema = 1\nrequires = 7\n[other]\n", 'M', kSyntax, "", "", "[requires]"},
      {"[runtime]", "[[runtime]]", 'M', kType, "runtime", "found array of 1"},
      {"[x-vendor]", "[synergy]", 'W', kUnknownKey, "synergy"},
  };
  return all;
}

std::uint32_t line_of(const std::string& text, std::string_view part) {
  const std::size_t at = text.find(part);
  REQUIRE(at != std::string::npos);
  return 1 + static_cast<std::uint32_t>(
                 std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
}

std::string replaced(const Case& one) {
  std::string text = kSample;
  const std::size_t at = text.find(one.from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, std::string_view(one.from).size(), one.to);
}

void check_outcome(const Parsed& parsed, char severity) {
  CHECK(parsed.manifest.has_value() == (severity != 'M'));
  CHECK(parsed.refusal.has_value() == (severity == 'M' || severity == 'P'));
  if (parsed.refusal) CHECK(parsed.refusal->id == (severity == 'M' ? "acme.toml" : "acme.gpu"));
}

}  // namespace

TEST_CASE("every class of bad input has its severity, code, place and hint") {
  for (const Case& one : cases()) {
    const std::string to = one.to;
    CAPTURE(to);
    const std::string text = replaced(one);
    const Parsed parsed = parse_manifest(text, "dir/acme.toml");
    std::string all;
    for (const Diagnostic& finding : parsed.diagnostics)
      all += finding.severity + (" " + finding.text("acme.toml") + "\n");
    INFO(all);
    REQUIRE(!parsed.diagnostics.empty());
    const Diagnostic& first = parsed.diagnostics[0];
    CHECK(first.severity == one.severity);
    CHECK(first.code == one.code);
    CHECK(first.key_path == one.key_path);
    CHECK(first.message.find(one.hint) != std::string::npos);
    CHECK(first.at.line == line_of(text, *one.at != '\0' ? one.at : *one.to != '\0' ? one.to : one.from));
    check_outcome(parsed, one.severity);
    check_outcome(parse_manifest(text, "dir/acme.toml", true), one.severity == 'P' ? 'P' : 'M');
  }
}

TEST_CASE("a bad entry is dropped, its neighbours stay") {
  const auto left = [](const char* from, const char* to) {
    const Parsed parsed = parse_manifest(replaced({from, to, 'E', "", ""}), "acme.toml");
    REQUIRE(parsed.manifest.has_value());
    return *parsed.manifest;
  };
  CHECK(left("op = \"belay.linear/1\"", "op = \"x\"").provides.size() == 1);
  CHECK(left("versions = \"<2\"", "versions = \"x\"").conflicts.size() == 1);
  CHECK(left("with = [\"nvme_offload\"]", "with = []").synergies.empty());
  CHECK(left("kind = \"attention\"", "kind = \"x\"").optimizations.size() == 1);
  CHECK(left("exclusive = [\"gpu-compute\", \"big\"]", "exclusive = [\"a\", \"a\"]").exclusive.size() == 1);
  CHECK(left("os = [\"linux\"]", "os = [\"linus\"]").requires_.os == std::vector<std::string>{"linus"});
}

TEST_CASE("no valid entry of [[provides]] excludes the plugin") {
  std::string text = kSample;
  const std::size_t begin = text.find("[[provides]]");
  text.erase(begin, text.find("[runtime]") - begin);
  const Parsed parsed = parse_manifest(text, "acme.toml");
  CHECK(parsed.manifest.has_value());
  REQUIRE(parsed.refusal.has_value());
  CHECK(parsed.refusal->id == "acme.gpu");
  CHECK(parsed.refusal->reason == belay::reason::kBadManifest);
}

TEST_CASE("a manifest cut anywhere is parsed or refused with a reason") {
  for (std::size_t cut = 0; cut < kSample.size(); ++cut) {
    const Parsed parsed = parse_manifest(std::string_view(kSample).substr(0, cut), "acme.toml");
    CHECK((parsed.manifest.has_value() || (parsed.refusal && !parsed.refusal->detail.empty())));
  }
}
