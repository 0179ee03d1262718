// The records of one worker and family, with what belongs to each but is not read for every packet: the
// client ID for those who ask, and the timer that ends it. Records lie in one array whose place and layout
// are known (region()), so that everything about a spliced connection can be found again from that memory
// alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sluice/base/lazy_array.h"
#include "sluice/flow/slab.h"
#include "sluice/flow/timer_wheel.h"
#include "sluice/splice/flight.h"
#include "sluice/splice/record.h"

namespace sluice::splice {

// What an operator asks about a connection and a packet does not.
struct Label {
    std::uint16_t size = 0;    // of the whole client ID; more than fits text means cut
    std::uint8_t version = 0;  // MQTT protocol level
    std::array<char, 45> text{};

    static Label of(std::uint8_t version, std::string_view client_id) {
        Label label{.size = static_cast<std::uint16_t>(client_id.size()), .version = version, .text = {}};
        client_id.copy(label.text.data(), label.text.size());
        return label;
    }
    std::string_view shown() const { return {text.data(), std::min<std::size_t>(size, text.size())}; }
};
static_assert(sizeof(Label) == 48 && std::is_trivially_copyable_v<Label>);

// Names are those of the slab: 0..capacity-1, used again after erase().
template <IpFamily kFamily>
class Table {
  public:
    // Reserves address space for `capacity` records (below 2^31); pages cost nothing until first used.
    Table(std::uint32_t capacity, Instant start)
        : records_(capacity), labels_(capacity), flights_(capacity), timers_(capacity, start) {}

    // flow::kNoEntry when full. No timer is armed.
    std::uint32_t insert(const Record<kFamily>& record, const Label& label) {
        const std::uint32_t id = records_.insert(record);
        if (id != flow::kNoEntry) labels_[id] = label;
        return id;
    }
    // Cancels the timer. Requires contains(id).
    void erase(std::uint32_t id) {
        timers_.cancel(id);
        records_.erase(id);
    }

    // Requires contains(id).
    Record<kFamily>& operator[](std::uint32_t id) { return records_[id]; }
    const Record<kFamily>& operator[](std::uint32_t id) const { return records_[id]; }
    const Label& label(std::uint32_t id) const { return labels_[id]; }
    // Meaningful for a record whose way to the client is marked DirectionState::kSlow; memory is used by
    // those only.
    Flight& flight(std::uint32_t id) { return flights_[id]; }
    void prefetch(std::uint32_t id) const { records_[id].prefetch(); }
    bool contains(std::uint32_t id) const { return records_.contains(id); }
    // The first record at or after `from`, or flow::kNoEntry.
    std::uint32_t next(std::uint32_t from) const { return records_.next(from); }
    std::uint32_t size() const { return records_.size(); }
    std::uint32_t capacity() const { return records_.capacity(); }

    flow::TimerWheel& timers() { return timers_; }
    const flow::TimerWheel& timers() const { return timers_; }

    struct Region {
        const std::byte* base;      // of the first record
        const std::uint64_t* live;  // which records are in use: Slab::live_bits()
        std::size_t stride;         // bytes from one record to the next
        std::uint32_t capacity;     // records
        std::uint32_t layout_version;
    };
    Region region() const {
        return {records_.base(), records_.live_bits(), sizeof(Record<kFamily>), records_.capacity(),
                kRecordLayoutVersion};
    }
    // Reserved, not necessarily touched.
    std::size_t memory_bytes() const {
        return records_.memory_bytes() + labels_.size() * sizeof(Label) + flights_.size() * sizeof(Flight) +
               timers_.memory_bytes();
    }
    // What one record costs, label and timer included.
    static constexpr std::size_t kBytesPerRecord =
        sizeof(Record<kFamily>) + sizeof(Label) + flow::TimerWheel::kBytesPerTimer;

  private:
    flow::Slab<Record<kFamily>> records_;
    LazyArray<Label> labels_;
    LazyArray<Flight> flights_;
    flow::TimerWheel timers_;
};

}  // namespace sluice::splice
