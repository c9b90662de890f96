#include "host/trace_file.hpp"

#include "core/base/format.hpp"
#include "core/base/log.hpp"
#include "core/formats/replace_file.hpp"
#include "host/settings.hpp"

#include <array>

namespace belay::host {

Result<TraceFile> TraceFile::from(const Options& options) {
  TraceFile file;
  BELAY_TRY_ASSIGN(const auto path, read_output_path(options, "trace"));
  if (!path) return file;
  file.path_ = *path;
  file.trace_ = std::make_unique<monitoring::Trace>();
  return file;
}

Status TraceFile::write() const {
  if (trace_ == nullptr) return {};
  if (const std::uint64_t dropped = trace_->dropped(); dropped > 0) {
    log(LogLevel::kWarn, "{}: the trace was full; the last {} events are missing", path_.string(), dropped);
  }
  const std::string text = trace_->to_chrome_json();
  const std::array<std::span<const std::byte>, 1> pieces = {std::as_bytes(std::span(text))};
  return formats::replace_file(path_, pieces);
}

}  // namespace belay::host
