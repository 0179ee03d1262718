#include "sluice/port/dpdk_telemetry.h"

#include <rte_telemetry.h>

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <set>
#include <string>
#include <utility>

namespace sluice::port {
namespace {

static_assert(kTelemetryText < RTE_TEL_MAX_STRING_LEN);
static_assert(kTelemetryEntries <= RTE_TEL_MAX_DICT_ENTRIES);
static_assert(kTelemetryItems <= RTE_TEL_MAX_ARRAY_ENTRIES);

// Through it DPDK's threads reach the handler, or find that there is none.
struct Gate {
    std::mutex mutex;
    std::condition_variable left;
    DpdkTelemetry::Handler handler;  // stays as it is while somebody is inside
    bool open = false;
    std::size_t inside = 0;
    std::set<std::string, std::less<>> known;  // commands that DPDK has been told of
};

// DPDK's threads are there until the process ends, so the gate is as well.
Gate& the_gate() {
    static Gate& gate = *new Gate;
    return gate;
}

TelemetryDict ask(std::string_view command, std::string_view parameter) {
    Gate& gate = the_gate();
    {
        const std::scoped_lock lock(gate.mutex);
        if (!gate.open) return telemetry_error("sluiced is stopping");
        ++gate.inside;
    }
    TelemetryDict reply;
    try {
        reply = fitted(gate.handler(command, parameter));
    } catch (const std::exception& error) {
        reply = fitted(telemetry_error(error.what()));
    }
    const std::scoped_lock lock(gate.mutex);
    --gate.inside;
    gate.left.notify_all();
    return reply;
}

void fill(rte_tel_data* data, const std::vector<std::string>& list) {
    rte_tel_data_start_array(data, RTE_TEL_STRING_VAL);
    for (const std::string& text : list) rte_tel_data_add_array_string(data, text.c_str());
}

void fill(rte_tel_data* data, const TelemetryDict& dict);

void add(rte_tel_data* data, const char* name, std::uint64_t number) {
    rte_tel_data_add_dict_u64(data, name, number);
}

void add(rte_tel_data* data, const char* name, const std::string& text) {
    rte_tel_data_add_dict_string(data, name, text.c_str());
}

// DPDK frees a container when it sends what that was added to.
template <typename Container>
void add(rte_tel_data* data, const char* name, const Container& inner) {
    rte_tel_data* const container = rte_tel_data_alloc();
    if (container == nullptr) {
        rte_tel_data_add_dict_string(data, name, "no memory");
        return;
    }
    fill(container, inner);
    if (rte_tel_data_add_dict_container(data, name, container, 0) != 0) rte_tel_data_free(container);
}

// None of these functions refuses what `fitted` has let pass.
void fill(rte_tel_data* data, const TelemetryDict& dict) {
    rte_tel_data_start_dict(data);
    for (const TelemetryEntry& entry : dict) {
        std::visit([&](const auto& value) { add(data, entry.name.c_str(), value); }, entry.value);
    }
}

int on_command(const char* command, const char* parameter, rte_tel_data* data) noexcept {
    try {
        fill(data, ask(command, parameter == nullptr ? "" : parameter));
        return 0;
    } catch (const std::exception&) {
        return -1;  // no memory: the answer is null
    }
}

}  // namespace

DpdkTelemetry::DpdkTelemetry(std::span<const TelemetryCommand> commands, Handler handler) {
    Gate& gate = the_gate();
    const std::scoped_lock lock(gate.mutex);
    gate.handler = std::move(handler);
    gate.open = true;
    for (const TelemetryCommand& command : commands) {
        if (gate.known.emplace(command.name).second) {
            rte_telemetry_register_cmd(command.name, on_command, command.help);
        }
    }
}

DpdkTelemetry::~DpdkTelemetry() {
    Gate& gate = the_gate();
    std::unique_lock lock(gate.mutex);
    gate.open = false;
    gate.left.wait(lock, [&] { return gate.inside == 0; });
    gate.handler = nullptr;
}

}  // namespace sluice::port
