#include "core/monitoring/trace_events.hpp"

#include "core/base/format.hpp"
#include "core/base/json.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

namespace belay::monitoring {
namespace {

// A text as a JSON string. The few names of a trace come again and again.
class Quoted {
 public:
  const std::string& operator()(std::string_view text) {
    auto found = known_.find(text);
    if (found == known_.end()) found = known_.emplace(text, to_line(Json(std::string(text)))).first;
    return found->second;
  }

 private:
  std::map<std::string, std::string, std::less<>> known_;
};

// Microseconds, as the format wants them, without losing the nanoseconds.
std::string microseconds(std::uint64_t ns) { return format("{}.{:03}", ns / 1000, ns % 1000); }

class Writer {
 public:
  void name_of(const char* what, std::size_t thread, const std::string& name) {
    add(format(R"("ph":"M","pid":1,"tid":{},"name":"{}","args":{{"name":"{}"}})", thread, what, name));
  }

  void span(std::size_t thread, const Event& event) {
    std::string args = event.plugin.empty() ? "" : format(R"("plugin":{})", quoted_(event.plugin));
    if (event.value != 0) args += format(R"({}"tokens":{})", args.empty() ? "" : ",", event.value);
    add(format(R"("ph":"X","pid":1,"tid":{},"ts":{},"dur":{},"name":{},"args":{{{}}})", thread,
               microseconds(event.start_ns), microseconds(event.duration_ns), quoted_(event.name), args));
  }

  void counter(const Event& event, std::int64_t sum) {
    std::string name(event.plugin);
    name += event.plugin.empty() ? "" : ".";
    name += event.name;
    add(format(R"("ph":"C","pid":1,"ts":{},"name":{},"args":{{"value":{}}})", microseconds(event.start_ns),
               quoted_(name), sum));
  }

  std::string finish(std::uint64_t dropped) {
    out_ += format("\n],\"otherData\":{{\"dropped_events\":{}}}}}\n", dropped);
    return std::move(out_);
  }

 private:
  void add(const std::string& members) {
    out_ += format("{}{{{}}}", first_ ? "\n" : ",\n", members);
    first_ = false;
  }

  std::string out_ = R"({"displayTimeUnit":"ns","traceEvents":[)";
  bool first_ = true;
  Quoted quoted_;
};

// The outer span before the inner ones, as viewers expect it: they were recorded when they ended.
void write_spans(Writer& out, std::size_t thread, std::span<const Event> events) {
  std::vector<const Event*> spans;
  for (const Event& event : events) {
    if (event.kind == Kind::kSpan) spans.push_back(&event);
  }
  std::stable_sort(spans.begin(), spans.end(), [](const Event* a, const Event* b) {
    return std::pair(a->start_ns, b->duration_ns) < std::pair(b->start_ns, a->duration_ns);
  });
  for (const Event* span : spans) out.span(thread, *span);
}

void write_counters(Writer& out, std::span<const std::span<const Event>> threads) {
  std::vector<const Event*> counters;
  for (const auto events : threads) {
    for (const Event& event : events) {
      if (event.kind == Kind::kCounter) counters.push_back(&event);
    }
  }
  std::stable_sort(counters.begin(), counters.end(),
                   [](const Event* a, const Event* b) { return a->start_ns < b->start_ns; });
  std::map<std::pair<std::string_view, std::string_view>, std::uint64_t> sums;  // unsigned: may wrap
  for (const Event* event : counters) {
    std::uint64_t& sum = sums[{event->plugin, event->name}];
    sum += static_cast<std::uint64_t>(event->value);
    out.counter(*event, static_cast<std::int64_t>(sum));
  }
}

}  // namespace

std::string chrome_json(std::span<const std::span<const Event>> threads, std::uint64_t dropped) {
  Writer out;
  out.name_of("process_name", 0, "belay");
  for (std::size_t i = 0; i < threads.size(); ++i) {
    out.name_of("thread_name", i + 1, format("thread {}", i + 1));
    write_spans(out, i + 1, threads[i]);
  }
  write_counters(out, threads);
  return out.finish(dropped);
}

}  // namespace belay::monitoring
