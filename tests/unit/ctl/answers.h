// What a daemon with two brokers answered once, for the tests of `top`.
#pragma once

#include <nlohmann/json.hpp>

#include "sluice/ctl/history.h"

namespace sluice::ctl {

struct Answers {
    nlohmann::ordered_json info;
    nlohmann::ordered_json counters;
    nlohmann::ordered_json backends;
};

inline Answers answers_at(double uptime) {
    Answers answers;
    answers.info = nlohmann::ordered_json::parse(R"({"info":{"version":"0.1.0","uptime_seconds":0,"workers":1,
        "draining":false,"connections":12,"max_connections":10000,"spliced":11,"half_open":0}})");
    answers.info["info"]["uptime_seconds"] = uptime;
    answers.counters = nlohmann::ordered_json::parse(R"({"counters":[
        {"name":"drop_ip_protocol","value":4,"severity":"notice","meaning":"x"},
        {"name":"drop_no_route","value":3,"severity":"warning","meaning":"x"},
        {"name":"client_accepted","value":1100,"severity":"info","meaning":"x"},
        {"name":"connect_accepted","value":1000,"severity":"info","meaning":"x"}]})");
    answers.backends = nlohmann::ordered_json::parse(R"({"backends":[
        {"pool":"brokers","name":"broker-1","address":"10.2.0.2:1883","state":"up","weight":100,"connections":7,
         "max_connections":0,"leases":{"leased":7,"quarantined":18,"capacity":100},
         "health":{"probed":true,"successes":27,"failures":0,"last_failure":"none","latency_seconds":0.000116,
                   "since_seconds":null},
         "offer":null,
         "tally":{"connects":600,"failures":{"refused":0,"silent":0,"unreachable":0},
                  "connacks":[{"version":"3","code":"0x00","count":500},{"version":"5","code":"0x00","count":98},
                              {"version":"5","code":"0x87","count":2}],
                  "endings":{"closed_orderly":593},
                  "connect_latency":{"sum_seconds":0,"buckets":[]},
                  "connack_latency":{"sum_seconds":1.5,"buckets":[
                      {"above_seconds":0.0001,"up_to_seconds":0.00025,"count":590},
                      {"above_seconds":10.0,"up_to_seconds":null,"count":10}]},
                  "to_broker_packets":900,"to_broker_bytes":50000,
                  "to_client_packets":800,"to_client_bytes":7000000}},
        {"pool":"brokers","name":"broker-2","address":"10.2.0.3:1883","state":"down","weight":50,"connections":5,
         "max_connections":0,"leases":{"leased":95,"quarantined":0,"capacity":100},
         "health":{"probed":true,"successes":0,"failures":4,"last_failure":"refused","latency_seconds":0.0,
                   "since_seconds":12.5},
         "offer":null,
         "tally":{"connects":400,"failures":{"refused":5,"silent":0,"unreachable":0},
                  "connacks":[],"endings":{},
                  "connect_latency":{"sum_seconds":0,"buckets":[]},
                  "connack_latency":{"sum_seconds":0,"buckets":[]},
                  "to_broker_packets":0,"to_broker_bytes":0,"to_client_packets":0,"to_client_bytes":0}}]})");
    return answers;
}

inline Look look_at(double uptime) {
    const Answers answers = answers_at(uptime);
    return look(answers.info, answers.counters, answers.backends);
}

}  // namespace sluice::ctl
