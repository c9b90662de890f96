// The trace that --trace asks for, and the file that it goes to. One thread, except the trace itself.
#pragma once

#include "core/monitoring/trace.hpp"
#include "host/options.hpp"

#include <filesystem>
#include <memory>

namespace belay::host {

class TraceFile {
 public:
  // Records nothing without the option.
  [[nodiscard]] static Result<TraceFile> from(const Options& options);

  // Null when nothing is recorded.
  [[nodiscard]] monitoring::Trace* trace() const { return trace_.get(); }

  // While everything that was recorded from still lives.
  [[nodiscard]] Status write() const;

 private:
  std::filesystem::path path_;
  std::unique_ptr<monitoring::Trace> trace_;
};

}  // namespace belay::host
