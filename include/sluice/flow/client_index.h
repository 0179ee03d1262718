// From a client's four-tuple to the number of its connection: open addressing over 4-byte record numbers with
// tags; the key itself stays in the record, so an entry costs few bytes and a miss rarely touches a record.
#pragma once
// class ClientIndex {
//   ClientIndex(uint32_t capacity, SipKey key);
//   uint64_t hash(const FourTuple&) const;            // keyed: collisions cannot be made from outside
//   void prefetch(uint64_t hash) const;
//   template <typename Match> uint32_t find(uint64_t hash, Match&& match) const;  // match(record) -> bool;
//   kNoEntry bool insert(uint64_t hash, uint32_t record);      // no duplicate check template <typename
//   Match?> bool erase(uint64_t hash, uint32_t record); size(), capacity(), memory_bytes()
// };
