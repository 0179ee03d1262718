#include "names.h"

namespace sluice::daemon {

const char* name(config::Idle idle) {
    switch (idle) {
        case config::Idle::Adaptive: return "adaptive";
        case config::Idle::Poll: return "poll";
    }
    return "?";
}

const char* name(config::Balance balance) {
    switch (balance) {
        case config::Balance::Maglev: return "maglev";
        case config::Balance::LeastConnections: return "least_connections";
        case config::Balance::TwoChoices: return "two_choices";
        case config::Balance::RoundRobin: return "round_robin";
    }
    return "?";
}

const char* name(config::HashKey key) {
    switch (key) {
        case config::HashKey::ClientId: return "client_id";
        case config::HashKey::Username: return "username";
        case config::HashKey::ClientIp: return "client_ip";
    }
    return "?";
}

const char* name(config::HealthType type) {
    switch (type) {
        case config::HealthType::None: return "none";
        case config::HealthType::Tcp: return "tcp";
        case config::HealthType::Mqtt: return "mqtt";
        case config::HealthType::Http: return "http";
    }
    return "?";
}

const char* name(config::LogLevel level) {
    switch (level) {
        case config::LogLevel::Debug: return "debug";
        case config::LogLevel::Info: return "info";
        case config::LogLevel::Warning: return "warning";
        case config::LogLevel::Error: return "error";
    }
    return "?";
}

const char* state_of(Instant now, const backend::Backend& broker) {
    if (broker.standing != backend::Standing::Active) return "removed";
    switch (broker.config.state) {
        case config::BackendState::Up:
            if (!broker.healthy) return "down";
            return broker.slow_start.until > now ? "slow-start" : "up";
        case config::BackendState::Drain: return "drain";
        case config::BackendState::Maintenance: return "maintenance";
    }
    return "?";
}

}  // namespace sluice::daemon
