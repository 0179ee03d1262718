#include "conductor.h"

#include <algorithm>

namespace sluice::load {
namespace {

constexpr std::uint32_t kOrdersAtOnce = 256;     // then frames are sent and answers heard
constexpr std::uint32_t kLookedAtAtOnce = 4096;  // clients, in search of one that may publish
constexpr Duration kQuiet = 500ms;               // without a message: no more are on their way
constexpr Duration kNoSocket = 100ms;            // until it is tried again

}  // namespace

const char* Conductor::to_string(Phase phase) {
    switch (phase) {
        case Phase::Arrive: return "arrive";
        case Phase::Hold: return "hold";
        case Phase::Settle: return "settle";
        case Phase::CutOff: return "cut off";
        case Phase::Return: return "return";
        case Phase::Again: return "again";
        case Phase::Leave: return "leave";
        case Phase::Over: return "over";
    }
    return "?";
}

Conductor::Conductor(const Plan& plan, Swarm& swarm, Instant start)
    : plan_(plan),
      swarm_(swarm),
      start_(start),
      arrivals_(plan.arrivals),
      messages_(plan.message_rate),
      churn_(plan.churn_rate),
      second_(start) {
    swarm_.watch(*this);
    enter(start, Phase::Arrive);
}

void Conductor::enter(Instant now, Phase phase) {
    phase_ = phase;
    entered_ = now;
    next_client_ = 0;
    switch (phase) {
        case Phase::Arrive:
        case Phase::Return: arrivals_.start(now); break;
        case Phase::Hold:
            churn_.start(now);
            if (!plan_.publish_at_once) messages_.start(now);
            break;
        case Phase::Settle:
            last_received_ = swarm_.tally().received;
            last_received_at_ = now;
            break;
        case Phase::Leave: swarm_.stay_away(); break;
        case Phase::CutOff:
        case Phase::Again:
        case Phase::Over: break;
    }
}

bool Conductor::turn(Instant now) {
    bool busy = false;
    switch (phase_) {
        case Phase::Arrive: busy = arrive(now); break;
        case Phase::Hold: busy = hold(now); break;
        case Phase::Settle: busy = settle(now); break;
        case Phase::CutOff: busy = cut_off(now); break;
        case Phase::Return: busy = come_back(now); break;
        case Phase::Again: busy = again(now); break;
        case Phase::Leave: busy = leave(now); break;
        case Phase::Over: return false;
    }
    watch_for_outages(now);
    return busy;
}

Instant Conductor::next_deadline(Instant now) const {
    // Rates are followed in steps of a millisecond; a wait for the swarm's answers needs no deadline of its
    // own.
    return now + 1ms;
}

void Conductor::stop(Instant now) {
    if (phase_ != Phase::Leave && phase_ != Phase::Over) enter(now, Phase::Leave);
}

bool Conductor::try_connect(Instant now, Id client) {
    if (now < refused_until_) return false;
    if (swarm_.connect(now, client)) return true;
    refused_until_ = now + kNoSocket;
    return false;
}

// --- arriving

bool Conductor::arrive(Instant now) {
    const std::uint32_t clients = swarm_.options().clients;
    const bool first = next_client_ == 0;
    std::uint64_t due = std::min<std::uint64_t>(arrivals_.due(now), kOrdersAtOnce);
    bool busy = false;
    while (due-- > 0 && next_client_ < clients && swarm_.tally().opening < plan_.window) {
        if (!try_connect(now, next_client_)) break;
        ++next_client_;
        arrivals_.did();
        busy = true;
    }
    if (first && busy && plan_.publish_at_once) messages_.start(now);
    if (plan_.publish_at_once && publish(now)) busy = true;
    // Whoever failed and comes back by himself is waited for during what follows.
    if (next_client_ < clients || swarm_.tally().opening != 0) return busy;
    findings_.arriving = now - entered_;
    enter(now, Phase::Hold);
    return true;
}

void Conductor::on_ready(Instant now, Id client) {
    count_arrival(now);
    if (messages_.flat_out() && publishes() && wants_to_publish(client))
        static_cast<void>(swarm_.publish(now, client));
    if (phase_ == Phase::Hold && plan_.churn && churn_.flat_out() && swarm_.connected(client))
        swarm_.leave(now, client);
}

void Conductor::count_arrival(Instant now) {
    if (now - second_ >= 1s) {
        second_ = now;
        in_second_ = 0;
    }
    ++in_second_;
    findings_.fastest_arrivals = std::max(findings_.fastest_arrivals, in_second_);
    if (outage_in_ != nullptr) outage_in_->back().fastest = std::max(outage_in_->back().fastest, in_second_);
}

// --- holding

bool Conductor::publishes() const {
    return plan_.publish && (phase_ == Phase::Hold || (phase_ == Phase::Arrive && plan_.publish_at_once));
}

bool Conductor::wants_to_publish(Id client) const {
    return swarm_.may_publish(client) && (plan_.messages == 0 || swarm_.published(client) < plan_.messages);
}

bool Conductor::messages_done() const {
    const std::uint64_t publishers = swarm_.options().clients - swarm_.options().subscribers;
    return plan_.messages != 0 && finished_publishers_ >= publishers;
}

bool Conductor::publish(Instant now) {
    if (!plan_.publish || messages_done()) return false;
    if (publishing_since_ == kNever) publishing_since_ = now;
    if (messages_.flat_out() && plan_.messages == 0 && swarm_.options().qos != 0) {
        // Each answer brings the next one; only who had none yet has to be found.
        if (swarm_.tally().in_flight >= swarm_.tally().connected) return false;
    }
    const std::uint32_t clients = swarm_.options().clients;
    std::uint64_t due = std::min<std::uint64_t>(messages_.due(now), kOrdersAtOnce);
    bool busy = false;
    for (std::uint32_t looked = 0; due > 0 && looked < std::min(kLookedAtAtOnce, clients); ++looked) {
        const Id client = publisher_;
        publisher_ = publisher_ + 1 == clients ? 0 : publisher_ + 1;
        if (!wants_to_publish(client)) continue;
        if (plan_.in_flight != 0 && swarm_.tally().in_flight >= plan_.in_flight) break;
        if (!swarm_.publish(now, client)) break;
        messages_.did();
        --due;
        busy = true;
    }
    return busy;
}

void Conductor::on_answered(Instant now, Id client) {
    if (plan_.messages != 0 && swarm_.published(client) == plan_.messages) {
        ++finished_publishers_;
        return;
    }
    // Of QoS 0 nobody answers: the next one comes by publish(), or this would never end.
    if (messages_.flat_out() && publishes() && swarm_.options().qos != 0 && wants_to_publish(client))
        static_cast<void>(swarm_.publish(now, client));
}

bool Conductor::hold(Instant now) {
    const bool published = publish(now);
    const bool churned = plan_.churn && churn(now);
    const bool long_enough = now - entered_ >= plan_.hold;
    if (messages_done() || (long_enough && (plan_.messages == 0 || plan_.hold > Duration::zero()))) {
        after_hold(now);
        return true;
    }
    return published || churned;
}

void Conductor::after_hold(Instant now) {
    if (publishing_since_ != kNever) {
        findings_.publishing = now - publishing_since_;
        findings_.acknowledged = swarm_.tally().acknowledged;
    }
    if (plan_.churn) findings_.churning = now - entered_;
    if (outage_in_ != nullptr) follow_outage(now, false);
    outage_in_ = nullptr;
    enter(now, Phase::Settle);
}

// --- coming and going

// A client leaves only after the answer to its last message. The number of clients: there is none.
Id Conductor::next_leaver() {
    const std::uint32_t clients = swarm_.options().clients;
    for (std::uint32_t looked = 0; looked < clients; ++looked) {
        const Id client = leaver_;
        leaver_ = leaver_ + 1 == clients ? 0 : leaver_ + 1;
        if (swarm_.at_rest(client)) return client;
    }
    return clients;
}

// Those that have gone, and are to come again. True when there was one.
bool Conductor::bring_again(Instant now) {
    bool busy = false;
    while (!again_.empty() && swarm_.tally().opening < plan_.window && try_connect(now, again_.back())) {
        again_.pop_back();
        ++findings_.churned;
        busy = true;
    }
    return busy;
}

bool Conductor::churn(Instant now) {
    bool busy = bring_again(now);
    std::uint64_t due = std::min<std::uint64_t>(churn_.due(now), kOrdersAtOnce);
    while (due-- > 0 && swarm_.tally().leaving < plan_.window) {
        const Id client = next_leaver();
        if (client == swarm_.options().clients) break;
        swarm_.leave(now, client);
        churn_.did();
        busy = true;
    }
    return busy;
}

void Conductor::on_gone(Instant, Id client) {
    if (!swarm_.idle(client)) return;  // it comes back by itself
    if (phase_ == Phase::Hold && plan_.churn) again_.push_back(client);
    if (phase_ == Phase::Again || phase_ == Phase::Return) again_.push_back(client);
    // Who will not publish the rest is not waited for.
    if (plan_.messages != 0 && !plan_.churn && swarm_.published(client) < plan_.messages &&
        client >= swarm_.options().subscribers && (phase_ == Phase::Arrive || phase_ == Phase::Hold)) {
        ++finished_publishers_;
    }
}

// --- answers that are still on their way

bool Conductor::settle(Instant now) {
    const SwarmTally& tally = swarm_.tally();
    if (tally.received != last_received_) {
        last_received_ = tally.received;
        last_received_at_ = now;
    }
    bool busy = bring_again(now);
    const bool heard = swarm_.options().subscribers == 0 || now - last_received_at_ >= kQuiet;
    const bool settled =
        tally.in_flight == 0 && tally.opening == 0 && tally.leaving == 0 && again_.empty() && heard;
    if (!settled && now - entered_ < plan_.patience) return busy;
    if (plan_.rounds != 0) {
        enter(now, Phase::CutOff);
    } else {
        enter(now, plan_.share_again > 0 ? Phase::Again : Phase::Leave);
    }
    return true;
}

// --- all at once

bool Conductor::cut_off(Instant now) {
    if (next_client_ == 0) begin_outage(now, findings_.rounds);
    const std::uint32_t clients = swarm_.options().clients;
    for (std::uint32_t n = 0; n < kOrdersAtOnce && next_client_ < clients; ++next_client_) {
        if (!swarm_.connected(next_client_)) continue;
        swarm_.drop(now, next_client_);
        ++n;
    }
    if (next_client_ < clients) return true;
    enter(now, Phase::Return);
    return true;
}

// Who does not get in tries again, as devices do.
bool Conductor::come_back(Instant now) {
    const std::uint32_t clients = swarm_.options().clients;
    std::uint64_t due = std::min<std::uint64_t>(arrivals_.due(now), kOrdersAtOnce);
    bool busy = false;
    while (due > 0 && swarm_.tally().opening < plan_.window && (next_client_ < clients || !again_.empty())) {
        const bool fresh = next_client_ < clients;
        const Id client = fresh ? next_client_ : again_.back();
        if (swarm_.idle(client)) {
            if (!try_connect(now, client)) break;
            arrivals_.did();
            --due;
            busy = true;
        }
        // A refusal within connect() has appended to the list already.
        if (fresh) {
            ++next_client_;
        } else {
            again_.erase(std::ranges::find(again_, client));
        }
    }
    follow_outage(now, false);
    const SwarmTally& tally = swarm_.tally();
    const bool all = next_client_ == clients && tally.connected == clients;
    if (!all && now - entered_ < plan_.patience + plan_.hold) return busy;
    follow_outage(now, all);
    outage_in_ = nullptr;
    again_.clear();
    if (++round_ < plan_.rounds) {
        enter(now, Phase::CutOff);
    } else {
        enter(now, plan_.share_again > 0 ? Phase::Again : Phase::Leave);
    }
    return true;
}

// --- in order, and again

bool Conductor::again(Instant now) {
    const auto wanted = static_cast<std::uint32_t>(plan_.share_again * swarm_.options().clients);
    bool busy = bring_again(now);
    std::uint32_t orders = kOrdersAtOnce;
    while (orders-- > 0 && going_again_ < wanted && swarm_.tally().leaving < plan_.window) {
        const Id client = next_leaver();
        if (client == swarm_.options().clients) break;
        swarm_.leave(now, client);
        ++going_again_;
        busy = true;
    }
    const SwarmTally& tally = swarm_.tally();
    const bool done = going_again_ >= wanted && again_.empty() && tally.leaving == 0 && tally.opening == 0;
    if (done || now - entered_ > plan_.patience + plan_.hold) enter(now, Phase::Leave);
    return busy;
}

bool Conductor::leave(Instant now) {
    const std::uint32_t clients = swarm_.options().clients;
    std::uint32_t orders = kOrdersAtOnce;
    bool busy = false;
    while (orders-- > 0 && next_client_ < clients && swarm_.tally().leaving < plan_.window) {
        if (swarm_.connected(next_client_)) swarm_.leave(now, next_client_);
        ++next_client_;
        busy = true;
    }
    const SwarmTally& tally = swarm_.tally();
    const bool gone = next_client_ == clients && tally.leaving == 0 && tally.opening == 0;
    if (gone || (next_client_ == clients && now - entered_ > plan_.patience)) enter(now, Phase::Over);
    return busy;
}

// --- outages

void Conductor::begin_outage(Instant now, std::vector<Outage>& list) {
    list.push_back({.after = now - start_, .fewest = swarm_.tally().connected});
    outage_in_ = &list;
    in_second_ = 0;
    second_ = now;
}

void Conductor::follow_outage(Instant now, bool over) {
    Outage& outage = outage_in_->back();
    outage.length = now - start_ - outage.after;
    outage.fewest = std::min(outage.fewest, swarm_.tally().connected);
    outage.over = over;
}

void Conductor::watch_for_outages(Instant now) {
    if (phase_ != Phase::Hold || plan_.churn) return;
    const bool all = swarm_.tally().connected == swarm_.options().clients;
    if (outage_in_ == nullptr) {
        if (!all && swarm_.options().come_back) begin_outage(now, findings_.outages);
        return;
    }
    follow_outage(now, all);
    if (all) outage_in_ = nullptr;
}

}  // namespace sluice::load
