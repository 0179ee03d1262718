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

}  // namespace sluice::daemon
