#include "core/dispatch/residence.hpp"

#include "core/base/format.hpp"

#include <algorithm>

namespace belay::dispatch {
namespace {

constexpr std::uint64_t kAlignment = 256;  // of what lies on a device

std::uint64_t round_up(std::uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

bool is_input(const graph::Value& value) { return value.kind == graph::ValueKind::kInput; }

}  // namespace

Result<std::unique_ptr<Residence>> Residence::create(const graph::Graph& graph,
                                                     std::span<Backend* const> heads, const Host& host,
                                                     std::uint64_t max_tokens) {
  std::unique_ptr<Residence> residence(new Residence(graph, host));
  for (Backend* backend : heads) {
    if (backend->device() == nullptr || residence->place_of(*backend) != nullptr) continue;
    BELAY_TRY(residence->add_place(*backend, heads, max_tokens));
  }
  residence->heads_.assign(heads.begin(), heads.end());
  if (residence->places_.empty()) return std::unique_ptr<Residence>();
  for (Place& place : residence->places_) place.calls = Calls(graph, place.tensors);
  residence->current_.assign(graph.values.size(), kHost);
  for (const graph::Node& node : graph.nodes) {
    auto& needs = residence->needs_.emplace_back();
    auto& writes = residence->writes_.emplace_back();
    for (const graph::ValueId id : node.inputs) needs.push_back(residence->source(id));
    for (const graph::ValueId id : node.outputs) writes.push_back(residence->source(id));
    if (node.op == graph::Op::kKvWrite) needs.insert(needs.end(), writes.begin(), writes.end());
  }
  for (const graph::ValueId id : graph.outputs) residence->outputs_.push_back(residence->source(id));
  return residence;
}

// Scratch as on the host, behind it the inputs, and the caches of the layers that run here.
Status Residence::add_place(Backend& backend, std::span<Backend* const> heads, std::uint64_t max_tokens) {
  Place place;
  place.backend = &backend;
  place.device = backend.device();
  place.bit = kHost << (places_.size() + 1);
  std::uint64_t bytes = round_up(host_.scratch_bytes);
  place.offsets.assign(host_.offsets.begin(), host_.offsets.end());
  for (std::size_t id = 0; id < graph_.values.size(); ++id) {
    if (!is_input(graph_.values[id])) continue;
    place.offsets[id] = bytes;
    bytes += round_up(graph::value_bytes(graph_.values[id], max_tokens));
  }
  BELAY_TRY_ASSIGN(place.scratch, place.device->allocate(bytes, "scratch"));
  place.tensors.assign(host_.tensors.begin(), host_.tensors.end());
  for (std::size_t id = 0; id < place.tensors.size(); ++id) {
    belay_tensor_t& tensor = place.tensors[id];
    tensor.data = nullptr;
    tensor.buffer = graph::is_cache(graph_.values[id]) ? 0 : place.scratch.handle();
    tensor.offset = graph::is_cache(graph_.values[id]) ? 0 : place.offsets[id];
  }
  BELAY_TRY(place_caches(place, heads));
  places_.push_back(std::move(place));
  return {};
}

Status Residence::place_caches(Place& place, std::span<Backend* const> heads) {
  for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
    if (graph_.nodes[i].op != graph::Op::kKvWrite || heads[i] != place.backend) continue;
    for (const graph::ValueId id : graph_.nodes[i].outputs) {
      BELAY_TRY_ASSIGN(DeviceBuffer cache,
                       place.device->allocate(host_.tensors[id].nbytes, "keys and values of a layer"));
      place.tensors[id].buffer = cache.handle();
      place.caches.push_back(std::move(cache));
    }
  }
  return {};
}

const Residence::Place* Residence::place_of(const Backend& backend) const {
  const auto is_it = [&](const Place& place) { return place.backend == &backend; };
  const auto found = std::find_if(places_.begin(), places_.end(), is_it);
  return found == places_.end() ? nullptr : &*found;
}

Residence::Place* Residence::place_of(const Backend& backend) {
  return const_cast<Place*>(std::as_const(*this).place_of(backend));
}

void Residence::begin(const StepExtent& step) {
  if (step.tokens != step_.tokens) {
    step_ = step;
    copy_shapes();
  }
  step_ = step;
  for (std::size_t id = 0; id < current_.size(); ++id) {
    if (!graph::is_cache(graph_.values[id])) current_[id] = is_input(graph_.values[id]) ? kHost : 0;
  }
  for (const graph::ValueId id : graph_.inputs) {
    for (Place& place : places_) {
      place.tensors[id].buffer = place.scratch.handle();
      place.tensors[id].offset = place.offsets[id];
    }
  }
}

std::optional<Residence::Site> Residence::site(graph::ValueId id) const {
  const graph::ValueId from = source(id);
  for (const Place& place : places_) {
    if ((current_[from] & place.bit) == 0) continue;
    return Site{place.backend, place.tensors[from].buffer, place.tensors[from].offset};
  }
  return std::nullopt;
}

bool Residence::takes(graph::ValueId input, const Backend& backend) const {
  for (std::size_t i = 0; i < needs_.size(); ++i) {
    if (std::find(needs_[i].begin(), needs_[i].end(), input) != needs_[i].end())
      return heads_[i] == &backend && backend.healthy();
  }
  return false;
}

void Residence::input_lies_at(graph::ValueId input, const Site& site) {
  Place& place = *place_of(*site.backend);
  place.tensors[input].buffer = site.buffer;
  place.tensors[input].offset = site.offset;
  current_[input] = place.bit;
}

void Residence::copy_shapes() {
  for (Place& place : places_) {
    for (std::size_t id = 0; id < place.tensors.size(); ++id) {
      const belay_tensor_t& from = host_.tensors[id];
      belay_tensor_t& to = place.tensors[id];
      std::copy(std::begin(from.shape), std::end(from.shape), std::begin(to.shape));
      std::copy(std::begin(from.stride_bytes), std::end(from.stride_bytes), std::begin(to.stride_bytes));
      to.nbytes = from.nbytes;
    }
  }
}

bool Residence::serves(std::size_t node, const Backend& backend) const {
  const Place* place = place_of(backend);
  if (place == nullptr) return false;
  const auto has_place = [](const belay_tensor_t* tensor) { return tensor->buffer != 0; };
  const auto inputs = place->calls.inputs_of(node);
  const auto outputs = place->calls.outputs_of(node);
  return std::all_of(inputs.begin(), inputs.end(), has_place) &&
         std::all_of(outputs.begin(), outputs.end(), has_place);
}

belay_run_t& Residence::arguments(std::size_t first, std::size_t count, const Backend& backend) {
  Place& place = *place_of(backend);
  belay_run_t& run = place.calls.of(first, count);
  run.position = step_.position;
  run.stream = place.device->stream();
  return run;
}

Status Residence::to_host(std::size_t node) {
  BELAY_TRY(fetch(needs_[node], positions_for(node)));
  return wait_for_copies();  // the node may write over what is still being copied
}

Status Residence::wait_for_copies() {
  for (Place& place : places_) {
    if (!place.device->reads_host()) continue;
    if (auto trouble = place.device->wait()) return fail_device(place, *std::move(trouble));
  }
  return {};
}

Result<Trouble> Residence::to_device(std::size_t node, const Backend& backend) {
  Place& place = *place_of(backend);
  for (const graph::ValueId id : needs_[node]) {
    if ((current_[id] & place.bit) != 0) continue;
    BELAY_TRY(fetch({&id, 1}, positions_for(node)));
    if (auto trouble = send(id, place, positions_for(node))) return trouble;
    current_[id] |= place.bit;
  }
  return Trouble();
}

Status Residence::outputs_to_host() { return fetch(outputs_, 0); }

Status Residence::results_to_host(std::size_t node) { return fetch(writes_[node], positions_for(node)); }

void Residence::written(std::size_t node, std::uint32_t bit) {
  for (const graph::ValueId id : writes_[node]) current_[id] = bit;
}

void Residence::written_on_device(std::size_t node, const Backend& backend) {
  written(node, place_of(backend)->bit);
}

// Copies to the host what is not there, all of it behind one wait for each device.
Status Residence::fetch(std::span<const graph::ValueId> ids, std::uint64_t positions) {
  for (Place& place : places_) {
    bool waits = false;
    for (const graph::ValueId id : ids) {
      if ((current_[id] & kHost) != 0 || (current_[id] & place.bit) == 0) continue;
      if (auto trouble = start_fetch(id, place, positions)) return fail_device(place, *std::move(trouble));
      waits = true;
    }
    if (!waits) continue;
    if (auto trouble = place.device->wait()) return fail_device(place, *std::move(trouble));
    for (const graph::ValueId id : ids) {
      if ((current_[id] & place.bit) != 0) current_[id] |= kHost;
    }
  }
  const auto is_nowhere = [&](graph::ValueId id) { return (current_[id] & kHost) == 0; };
  const auto gone = std::find_if(ids.begin(), ids.end(), is_nowhere);
  if (gone == ids.end()) return {};
  return fail(ErrorCode::kStateLost, "{} was on a device that failed", graph_.values[*gone].name);
}

// `copy(bytes in host memory, where they lie on the device)` for a value: in one piece, or for a cache the
// blocks of every head that hold the first `positions`.
template <class Copy>
Trouble Residence::each_part(graph::ValueId id, const Place& place, std::uint64_t positions, Copy copy) {
  const belay_tensor_t& host = host_.tensors[id];
  const belay_tensor_t& device = place.tensors[id];
  auto* data = static_cast<std::byte*>(host.data);
  if (!graph::is_cache(graph_.values[id]))
    return copy(std::span(data, host.nbytes), Device::Place{device.buffer, device.offset});
  const auto heads = static_cast<std::uint64_t>(host.shape[0]);
  const auto stride = static_cast<std::uint64_t>(host.stride_bytes[0]);
  const auto block_bytes = static_cast<std::uint64_t>(host.stride_bytes[1]);
  const std::uint64_t blocks = (positions + BELAY_KV_BLOCK - 1) / BELAY_KV_BLOCK;
  for (std::uint64_t head = 0; head < heads; ++head) {
    const std::span part(data + head * stride, std::min(blocks * block_bytes, stride));
    if (auto trouble = copy(part, Device::Place{device.buffer, head * stride})) return trouble;
  }
  return {};
}

Trouble Residence::start_fetch(graph::ValueId id, Place& from, std::uint64_t positions) {
  return each_part(id, from, positions, [&](std::span<std::byte> host, Device::Place place) {
    return from.device->copy_out(host, place);
  });
}

Trouble Residence::send(graph::ValueId id, Place& to, std::uint64_t positions) {
  return each_part(id, to, positions, [&](std::span<const std::byte> host, Device::Place place) {
    return to.device->copy_in(place, host);
  });
}

// What cannot be had from a device any more is gone, so the device is out of use, whatever it says.
Status Residence::fail_device(Place& place, Failure failure) {
  failure.scope = BELAY_SCOPE_DEVICE;
  place.backend->count_failure(failure);
  lost(*place.backend, failure);
  return fail(ErrorCode::kStateLost, "{}: {}", place.backend->id(), text(failure));
}

void Residence::lost(const Backend& backend, const Failure& failure) {
  Place* place = place_of(backend);
  if (place == nullptr) return;
  loss_ = {&backend, failure};
  for (std::uint32_t& where : current_) where &= ~place->bit;
}

bool Residence::cache_is_lost() const {
  for (std::size_t id = 0; id < current_.size(); ++id) {
    if (graph::is_cache(graph_.values[id]) && current_[id] == 0) return true;
  }
  return false;
}

void Residence::forget() {
  for (std::size_t id = 0; id < current_.size(); ++id) {
    if (graph::is_cache(graph_.values[id])) current_[id] = kHost;
  }
}

}  // namespace belay::dispatch
