#include "host/commands/eval_report.hpp"

#include "core/base/format.hpp"
#include "host/json_output.hpp"

#include <cmath>

namespace belay::host {
namespace {

using runtime::Accuracy;
using runtime::Estimate;

Json estimate_json(const Estimate& estimate) {
  Json out;
  out["mean"] = estimate.mean;
  out["standard_error"] = estimate.standard_error;
  return out;
}

Json speed_json(std::uint64_t tokens, const std::vector<double>& speeds) {
  if (speeds.empty()) return nullptr;
  Json out;
  out["tokens"] = tokens;
  out["tok_per_s"] = to_json(spread(speeds));
  return out;
}

Json side_json(const EvalSide& side, double perplexity, const TextTests& tests) {
  Json out;
  out["level"] = side.level;
  out["optimizations"] = side.optimizations;
  out["plugins"] = side.plugins;
  out["fallbacks"] = to_json(side.fallbacks);
  out["perplexity"] = perplexity;
  out["prefill"] = speed_json(tests.prefill, side.speeds.prefill);
  out["decode"] = speed_json(tests.decode, side.speeds.decode);
  out["planned_bytes"] = side.planned_bytes;
  return out;
}

Json text_json(const EvalReport& report) {
  Json out;
  out["tokens"] = report.text_tokens;
  out["scored"] = report.accuracy.tokens;
  out["left_out"] = report.left_out;
  out["windows"] = report.windows;
  out["window_tokens"] = report.rule.size;
  out["window_unscored"] = report.rule.unscored;
  return out;
}

std::string row(const char* name, const std::string& reference, const std::string& tested,
                const std::string& change) {
  return format("{:<16} {:>12} {:>12}{}{}\n", name, reference, tested, change.empty() ? "" : "  ", change);
}

std::string speed_row(const std::string& name, const std::vector<double>& reference,
                      const std::vector<double>& tested) {
  if (tested.empty()) return "";
  const double before = spread(reference).median;
  const double after = spread(tested).median;
  return row(name.c_str(), format("{:.1f}", before), format("{:.1f}", after),
             format("{:.2f} x  tokens a second", after / before));
}

std::string mib(std::uint64_t bytes) { return format("{:.1f}", static_cast<double>(bytes) / (1 << 20)); }

// e^x - 1 of a small x and its error, in percent.
std::string percent_change(const Estimate& ln) {
  return format("{:+.3f} % +- {:.3f} %", 100 * std::expm1(ln.mean), 100 * ln.standard_error);
}

std::string text_line(const EvalReport& report) {
  return format("{:<16} {} tokens in windows of {}; {} scored, not the first {} of a window{}\n", "text",
                report.text_tokens, report.rule.size, report.accuracy.tokens, report.rule.unscored,
                report.left_out == 0 ? "" : format("; {} at the end left out", report.left_out));
}

std::string accuracy_lines(const Accuracy& accuracy) {
  return format("KL divergence    {:.6f} +- {:.6f} nats; 99th percentile {:.6f}, largest {:.6f}\n",
                accuracy.kl.mean, accuracy.kl.standard_error, accuracy.kl_p99, accuracy.kl_max) +
         format("same top token   {:.2f} % +- {:.2f} %\n", 100 * accuracy.same_top.mean,
                100 * accuracy.same_top.standard_error) +
         format("right token      {:.3f} % root mean square difference of its probability\n",
                100 * accuracy.rms_dp);
}

std::string side_lines(const char* name, const EvalSide& side) {
  std::string lines =
      format("{:<16} {} on {}\n", name, fmt::join(side.optimizations, ", "), fmt::join(side.plugins, ", "));
  for (const dispatch::Fallback& fallback : side.fallbacks) {
    lines += format("  fallback       {} from {} to {}, {} times: {}\n", fallback.op, fallback.from,
                    fallback.to, fallback.count, fallback.reason);
  }
  return lines;
}

}  // namespace

Json eval_json(const EvalReport& report) {
  const Accuracy& accuracy = report.accuracy;
  Json out;
  out["schema"] = "belay.eval/1";
  out["model"] = report.model;
  out["text"] = text_json(report);
  out["reference"] = side_json(report.reference, accuracy.reference_perplexity, report.tests);
  out["tested"] = side_json(report.tested, accuracy.perplexity, report.tests);
  out["ln_perplexity_ratio"] = estimate_json(accuracy.ln_perplexity_ratio);
  out["kl"] = estimate_json(accuracy.kl);
  out["kl"]["p99"] = accuracy.kl_p99;
  out["kl"]["max"] = accuracy.kl_max;
  out["same_top_1"] = estimate_json(accuracy.same_top);
  out["rms_dp"] = accuracy.rms_dp;
  out["threads"] = report.threads;
  out["peak_rss_bytes"] = report.peak_rss_bytes ? Json(*report.peak_rss_bytes) : Json(nullptr);
  return out;
}

std::string eval_text(const EvalReport& report) {
  const Accuracy& accuracy = report.accuracy;
  const EvalSide& reference = report.reference;
  const EvalSide& tested = report.tested;
  return text_line(report) + row("", "reference", "tested", "") +
         row("level", reference.level, tested.level, "") +
         row("perplexity", format("{:.4f}", accuracy.reference_perplexity),
             format("{:.4f}", accuracy.perplexity), percent_change(accuracy.ln_perplexity_ratio)) +
         speed_row(format("prefill {}", report.tests.prefill), reference.speeds.prefill,
                   tested.speeds.prefill) +
         speed_row(format("decode {}", report.tests.decode), reference.speeds.decode, tested.speeds.decode) +
         row("planned memory", mib(reference.planned_bytes), mib(tested.planned_bytes), "MiB") +
         accuracy_lines(accuracy) + side_lines("reference", reference) + side_lines("tested", tested);
}

}  // namespace belay::host
