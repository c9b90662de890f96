#include "core/dispatch/dispatcher.hpp"

#include "core/base/format.hpp"
#include "core/base/log.hpp"
#include "core/base/passing_pages.hpp"
#include "core/base/text.hpp"
#include "core/dispatch/op_description.hpp"

#include <algorithm>
#include <cstring>
#include <list>

namespace belay::dispatch {
namespace {

std::string refusal_text(const belay_support_t& answer) {
  const std::string_view detail(answer.detail, ::strnlen(answer.detail, sizeof answer.detail));
  return format("not supported: {}",
                detail.empty() ? status_name(answer.reason) : std::string_view(printable(detail)));
}

Error plugin_error(ErrorCode code, const char* what, belay_status_t status, const belay_error_t& error) {
  return fail(code, "{}: {}", what, text(describe(status, error)));
}

Result<belay_packed_t> ask_form(const Compute& compute, const belay_op_t& op) {
  belay_error_t error = empty_error();
  belay_packed_t form = {};
  form.struct_size = sizeof form;
  const belay_status_t status = compute.table->packed(compute.instance, &op, &form, &error);
  if (status != BELAY_OK) return plugin_error(ErrorCode::kNoPlugin, "packed", status, error);
  return form;
}

}  // namespace

Dispatcher::Dispatcher(const graph::Graph& graph, std::span<const std::unique_ptr<Backend>> backends,
                       const Chains& chains, FallbackLog& fallbacks, const DispatchOptions& options)
    : graph_(graph),
      backends_(backends),
      fallbacks_(fallbacks),
      options_(options),
      plain_(options.hook == nullptr && options.trace == nullptr),
      nodes_(graph.nodes.size()) {
  error_ = empty_error();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    for (const std::uint8_t backend : chains[i]) {
      Link& link = nodes_[i].links.emplace_back();
      link.backend = backends_[backend].get();
      link.backend_index = backend;
    }
    if (options_.trace != nullptr) labels_.push_back(op_label(i));
  }
}

Dispatcher::~Dispatcher() {
  disband_all();
  for (Node& node : nodes_) {
    for (Link& link : node.links) unbind(link);
  }
}

std::string Dispatcher::op_label(std::size_t index) const {
  const graph::Node& node = graph_.nodes[index];
  return format("{}/{}", graph::op_name(node.op), to_string(graph::grouping_dtype(graph_, node)));
}

Status Dispatcher::confirm() {
  for (bool asked = true; asked;) {
    asked = false;
    for (const auto& backend : backends_) asked = confirm_heads_of(*backend) || asked;
  }
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].active == nodes_[i].links.size()) return nobody_left(i);
  }
  return {};
}

// Asks `backend` about all nodes that it heads and was not asked about yet, at once. False: there were none.
bool Dispatcher::confirm_heads_of(const Backend& backend) {
  std::vector<Node*> asked;
  std::vector<OpDescription> descriptions;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    Node& node = nodes_[i];
    skip_unusable(node);
    if (node.active == node.links.size()) continue;
    const Link& head = node.links[node.active];
    if (head.backend != &backend || head.confirmed) continue;
    asked.push_back(&node);
    descriptions.emplace_back(graph_, graph_.nodes[i], backend.numerics());
  }
  if (asked.empty()) return false;
  Backend& opened = *asked[0]->links[asked[0]->active].backend;
  const auto compute = opened.compute();
  if (!compute.ok()) {
    for (Node* node : asked) {
      Link& head = node->links[node->active];
      head.dropped = true;
      head.trouble = compute.error().message;
    }
    return true;
  }
  std::vector<belay_op_t> ops;
  ops.reserve(descriptions.size());
  for (const OpDescription& description : descriptions) ops.push_back(description.op());
  belay_support_t unanswered = {};
  unanswered.struct_size = sizeof unanswered;
  std::vector<belay_support_t> answers(ops.size(), unanswered);
  belay_error_t error = empty_error();
  const belay_status_t status =
      compute->table->supports(compute->instance, ops.data(), ops.size(), answers.data(), &error);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    Link& head = asked[i]->links[asked[i]->active];
    head.confirmed = status == BELAY_OK && answers[i].yes != 0;
    if (head.confirmed) continue;
    head.dropped = true;
    head.trouble = status == BELAY_OK ? refusal_text(answers[i]) : text(describe(status, error));
  }
  return true;
}

void Dispatcher::skip_unusable(Node& node) {
  while (node.active < node.links.size()) {
    const Link& link = node.links[node.active];
    if (!link.dropped && link.backend->healthy()) return;
    ++node.active;
  }
}

// `visit(index, compute, op, form)` for the head of every chain that packs into host memory and can say what;
// others are heard when they are bound.
template <class Visit>
void Dispatcher::for_each_head(Visit visit) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].active == nodes_[i].links.size()) continue;
    Backend& backend = *nodes_[i].links[nodes_[i].active].backend;
    const auto compute = backend.compute();
    if (!compute.ok() || backend.device() != nullptr) continue;
    const OpDescription description(graph_, graph_.nodes[i], backend.numerics());
    const belay_op_t op = description.op();
    if (const auto form = ask_form(*compute, op); form.ok()) visit(i, *compute, op, *form);
  }
}

std::uint64_t Dispatcher::workspace_bytes(std::uint64_t max_tokens) {
  std::uint64_t most = 0;
  for_each_head([&](std::size_t, const Compute& compute, const belay_op_t& op, const belay_packed_t& form) {
    if (form.layout != BELAY_LAYOUT_ROW && form.optional == 0) return;
    belay_error_t error = empty_error();
    belay_kernel_t* kernel = nullptr;
    const belay_status_t bound = compute.table->bind(compute.instance, &op, nullptr, 0, &kernel, &error);
    if (bound != BELAY_OK || kernel == nullptr) return;
    std::uint64_t bytes = 0;
    const bool said = compute.table->workspace(kernel, max_tokens, &bytes, &error) == BELAY_OK;
    if (said) most = std::max(most, bytes);
    compute.table->release(kernel);
  });
  return most;
}

Status Dispatcher::bind(std::uint64_t max_tokens, Pack pack) {
  max_tokens_ = max_tokens;
  pack_ = pack;
  disband_all();
  packed_.reserve(room_for_heads());
  for (std::size_t i = 0; i < nodes_.size(); ++i) BELAY_TRY(bind_node(i));
  fuse();
  return {};
}

// The first link of its chain that can be bound.
Status Dispatcher::bind_node(std::size_t index) {
  Node& node = nodes_[index];
  while (node.active < node.links.size()) {
    Link& head = node.links[node.active];
    const Status bound = make_ready(index, head);
    if (bound.ok()) return {};
    log(LogLevel::kWarn, "{} leaves the chain of {}: {}", head.backend->id(), op_label(index),
        bound.error().message);
    skip_unusable(node);
  }
  return nobody_left(index);
}

Status Dispatcher::rebind(std::span<const std::size_t> nodes) {
  for (const std::size_t index : nodes) {
    disband_around(index);
    for (Link& link : nodes_[index].links) unbind(link);
    BELAY_TRY(bind_node(index));
  }
  return {};
}

void Dispatcher::unbind(Link& link) {
  if (link.kernel == nullptr) return;
  if (const auto compute = link.backend->compute(); compute.ok()) compute->table->release(link.kernel);
  link.kernel = nullptr;
  packed_.give_back(link.packed);
  link.packed = {};
  link.on_device = {};
}

Status Dispatcher::reserve(std::uint64_t max_tokens) {
  if (max_tokens <= max_tokens_) return {};
  max_tokens_ = max_tokens;
  for (const Node& node : nodes_) {
    for (const Link& link : node.links) BELAY_TRY(reserve_workspace(*link.backend, link.kernel));
  }
  for (Group& group : groups_) {  // which a run can do without
    if (group.count > 0 && !reserve_workspace(*group.backend, group.kernel).ok()) disband(group);
  }
  return {};
}

// Brings a link to a bound kernel, from wherever it is. A link that cannot get there is dropped.
Status Dispatcher::make_ready(std::size_t index, Link& link) {
  if (link.kernel != nullptr) return {};
  const auto attempt = [&]() -> Status {
    BELAY_TRY_ASSIGN(const Compute compute, link.backend->compute());
    const OpDescription description(graph_, graph_.nodes[index], link.backend->numerics());
    const belay_op_t op = description.op();
    if (!link.confirmed) {
      belay_support_t answer = {};
      answer.struct_size = sizeof answer;
      belay_error_t error = empty_error();
      const belay_status_t status = compute.table->supports(compute.instance, &op, 1, &answer, &error);
      if (status != BELAY_OK) return plugin_error(ErrorCode::kNoPlugin, "supports", status, error);
      if (answer.yes == 0) return Error{ErrorCode::kNoPlugin, refusal_text(answer)};
      link.confirmed = true;
    }
    return bind_link(index, op, compute, link);
  };
  Status status = attempt();
  if (!status.ok()) {
    link.dropped = true;
    link.trouble = status.error().message;
  }
  return status;
}

Status Dispatcher::bind_link(std::size_t index, const belay_op_t& op, const Compute& compute, Link& link) {
  BELAY_TRY_ASSIGN(const belay_packed_t form, ask_form(compute, op));
  if (goes_to_device(link, compute, form)) {
    BELAY_TRY(bind_on_device(index, op, compute, form, link));
    return reserve_workspace(*link.backend, link.kernel);
  }
  BELAY_TRY(pack(index, op, compute, form, link));
  belay_error_t error = empty_error();
  const belay_status_t status = compute.table->bind(compute.instance, &op, link.packed.data(),
                                                    link.packed.size(), &link.kernel, &error);
  if (status != BELAY_OK || link.kernel == nullptr) {
    link.kernel = nullptr;
    return plugin_error(ErrorCode::kNoPlugin, "bind", status, error);
  }
  return reserve_workspace(*link.backend, link.kernel);
}

// What the heads of all chains will take for packed weights.
std::uint64_t Dispatcher::room_for_heads() {
  std::uint64_t total = 0;
  for_each_head([&](std::size_t index, const Compute&, const belay_op_t&, const belay_packed_t& form) {
    if (is_to_pack(index, form)) total += PackedWeights::room_for(form);
  });
  return total;
}

bool Dispatcher::has_weight_at(std::size_t index, graph::Home home) const {
  const auto& weights = graph_.nodes[index].weights;
  return std::any_of(weights.begin(), weights.end(),
                     [&](graph::WeightId id) { return graph_.weights[id].home == home; });
}

bool Dispatcher::is_to_pack(std::size_t index, const belay_packed_t& form) const {
  if (form.layout == BELAY_LAYOUT_ROW || has_weight_at(index, graph::Home::kRing)) return false;
  if (form.optional == 0 || pack_ == Pack::kAll) return true;
  const auto& weights = graph_.nodes[index].weights;  // a matrix first; its bias may be anywhere
  return weights.empty() || graph_.weights[weights[0]].home != graph::Home::kMemory;
}

// Fills link.packed when the plugin wants a layout of its own.
Status Dispatcher::pack(std::size_t index, const belay_op_t& op, const Compute& compute,
                        const belay_packed_t& form, Link& link) {
  if (form.layout != BELAY_LAYOUT_ROW && form.optional == 0 && has_weight_at(index, graph::Home::kRing))
    return Error{ErrorCode::kNoPlugin, "needs its weights packed, and they are read while the model runs"};
  if (!is_to_pack(index, form)) return {};
  auto memory = packed_.take(form);
  if (!memory.ok()) return form.optional != 0 ? Status() : Status(memory.error());
  link.packed = *memory;
  return pack_into(link.packed, index, op, compute);
}

// The file's pages are given back while it is read and behind it, so that a healthy run keeps one copy of a
// weight; the next link of the chain reads the file again.
Status Dispatcher::pack_into(std::span<std::byte> memory, std::size_t index, const belay_op_t& op,
                             const Compute& compute) const {
  std::list<PassingPages> passing;
  for (const graph::WeightId id : graph_.nodes[index].weights) {
    if (graph_.weights[id].home == graph::Home::kFile) passing.emplace_back(graph_.weights[id].data);
  }
  belay_error_t error = empty_error();
  const belay_status_t status =
      compute.table->pack(compute.instance, &op, memory.data(), memory.size(), &error);
  if (status != BELAY_OK) return plugin_error(ErrorCode::kNoPlugin, "pack", status, error);
  return {};
}

Status Dispatcher::reserve_workspace(Backend& backend, const belay_kernel_t* kernel) {
  if (kernel == nullptr) return {};
  BELAY_TRY_ASSIGN(const Compute compute, backend.compute());
  std::uint64_t bytes = 0;
  belay_error_t error = empty_error();
  const belay_status_t status = compute.table->workspace(kernel, max_tokens_, &bytes, &error);
  if (status != BELAY_OK) return plugin_error(ErrorCode::kNoPlugin, "workspace", status, error);
  if (Device* device = backend.device()) return reserve_device_workspace(*device, bytes);
  if (bytes <= workspace_.size()) return {};
  BELAY_TRY_ASSIGN(workspace_, memory::Buffer::allocate(bytes, "the workspace of operators"));
  return {};
}

Error Dispatcher::nobody_left(std::size_t index) const {
  std::string why;
  for (const Link& link : nodes_[index].links) {
    const std::string& trouble = link.trouble.empty() ? link.backend->trouble() : link.trouble;
    why += format("{}{}: {}", why.empty() ? "" : "; ", link.backend->id(), trouble);
  }
  if (why.empty()) why = "no selected plugin offers it";
  return fail(ErrorCode::kNoPlugin, "no usable plugin for {} ({}): {}", op_label(index),
              graph_.nodes[index].name, why);
}

std::vector<std::string> Dispatcher::chain(std::size_t index) const {
  std::vector<std::string> ids;
  for (const Link& link : nodes_[index].links) {
    if (!link.dropped) ids.push_back(link.backend->id());
  }
  return ids;
}

// Of the weights of a node that are packed and lie in a file, which has given back their memory.
std::uint64_t Dispatcher::bytes_replaced(std::size_t index) const {
  const std::vector<Link>& links = nodes_[index].links;
  if (std::all_of(links.begin(), links.end(), [](const Link& link) { return link.packed.empty(); })) return 0;
  std::uint64_t total = 0;
  for (const graph::WeightId id : graph_.nodes[index].weights) {
    if (graph_.weights[id].home == graph::Home::kFile) total += graph_.weights[id].data.size();
  }
  return total;
}

std::uint64_t Dispatcher::bytes() const {
  std::uint64_t packed = packed_.bytes();
  for (std::size_t i = 0; i < nodes_.size(); ++i) packed -= std::min(packed, bytes_replaced(i));
  return workspace_.size() + packed;
}

}  // namespace belay::dispatch
