// A rate shared by many senders, of which none may use up the others' part. Half of it is divided among
// shares: everybody has two, which a keyed hash of the address says, and a share that nobody draws on saves
// up a second's worth. The other half is for senders that have used up their share. So one that floods gets
// what the others leave, and one that sends now and then is answered. Of fixed size for any number of
// senders.
#pragma once

#include <cstdint>
#include <vector>

#include "sluice/base/address.h"
#include "sluice/base/siphash.h"
#include "sluice/base/time.h"
#include "sluice/base/token_bucket.h"

namespace sluice {

class FairRate {
  public:
    static constexpr std::uint32_t kShares = 1024;

    // key: secret, or those who know it choose whose shares they use up. rate: a second, at least 2.
    FairRate(const SipKey& key, std::uint32_t rate);

    // From now on so many a second. What is saved up stays, as far as a second's worth reaches.
    void set_rate(std::uint32_t rate);
    // Takes one if there is one for this address; an IPv6 address counts as its /64, which is a host's own
    // (RFC 4291 section 2.5.1). `now` never runs backwards.
    bool take(Instant now, const IpAddress& who);

  private:
    SipKey key_;
    Duration interval_{};  // of one share
    TokenBucket common_;
    std::vector<Instant> shares_;  // as TokenBucket keeps them: when each would have been empty
};

}  // namespace sluice
