// Why a plugin or an optimization is not used: every stage and every reason code, in one place.
#pragma once

#include <string>
#include <string_view>

namespace belay {

enum class Stage { kParse, kTrust, kFit, kProbe, kResolve, kOpen, kQuarantine };

[[nodiscard]] std::string_view to_string(Stage stage);

// Codes are part of the JSON contract: add, never rename.
namespace reason {
// parse
inline constexpr std::string_view kBadManifest = "BAD_MANIFEST";
inline constexpr std::string_view kNewerSchema = "NEWER_SCHEMA";
inline constexpr std::string_view kAmbiguous = "AMBIGUOUS";  // one id and version, two different libraries
// trust
inline constexpr std::string_view kNoLibrary = "NO_LIBRARY";
inline constexpr std::string_view kUntrusted = "UNTRUSTED";
inline constexpr std::string_view kBadElf = "BAD_ELF";
inline constexpr std::string_view kHash = "HASH";
inline constexpr std::string_view kSignature = "SIGNATURE";
inline constexpr std::string_view kNoteMismatch = "NOTE_MISMATCH";
// fit
inline constexpr std::string_view kAbi = "ABI";
inline constexpr std::string_view kOs = "OS";
inline constexpr std::string_view kArch = "ARCH";
inline constexpr std::string_view kCpuFeature = "CPU_FEATURE";
inline constexpr std::string_view kUnknownFeature = "UNKNOWN_FEATURE";
inline constexpr std::string_view kUnknownFact = "UNKNOWN_FACT";
inline constexpr std::string_view kNoDriver = "NO_DRIVER";
inline constexpr std::string_view kNoDevice = "NO_DEVICE";
inline constexpr std::string_view kComputeCapability = "COMPUTE_CAPABILITY";
inline constexpr std::string_view kDriverTooOld = "DRIVER_TOO_OLD";
inline constexpr std::string_view kDeviceMemory = "DEVICE_MEMORY";
inline constexpr std::string_view kHostMemory = "HOST_MEMORY";
inline constexpr std::string_view kStorage = "STORAGE";
inline constexpr std::string_view kOpenmp = "OPENMP";
// probe
inline constexpr std::string_view kProbeFailed = "PROBE_FAILED";
inline constexpr std::string_view kProbeCrash = "PROBE_CRASH";
inline constexpr std::string_view kProbeSigill = "PROBE_SIGILL";
inline constexpr std::string_view kProbeTimeout = "PROBE_TIMEOUT";
inline constexpr std::string_view kKnownAnswer = "KNOWN_ANSWER";
inline constexpr std::string_view kAbiMismatch = "ABI_MISMATCH";
inline constexpr std::string_view kDeviceBusy = "DEVICE_BUSY";         // somebody else holds the device
inline constexpr std::string_view kNoKernelImage = "NO_KERNEL_IMAGE";  // the plugin has no code for it
// resolve
inline constexpr std::string_view kConflict = "CONFLICT";
inline constexpr std::string_view kSlot = "SLOT";
inline constexpr std::string_view kRequires = "REQUIRES";
inline constexpr std::string_view kBanned = "BANNED";
inline constexpr std::string_view kLowerPriority = "LOWER_PRIORITY";
inline constexpr std::string_view kLevel = "LEVEL";
inline constexpr std::string_view kBudget = "BUDGET";
inline constexpr std::string_view kVersion = "VERSION";  // another version of the same id was chosen
// open
inline constexpr std::string_view kOpenFailed = "OPEN_FAILED";
// quarantine
inline constexpr std::string_view kQuarantined = "QUARANTINED";
}  // namespace reason

struct Refusal {
  std::string id;  // plugin or full optimization id; a manifest's file name when it did not parse
  Stage stage = Stage::kParse;
  std::string reason;  // one of the codes above
  std::string detail;  // the evidence, in words
};

}  // namespace belay
