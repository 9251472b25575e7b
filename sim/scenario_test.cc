// Scenarios: what a cluster must live through, and every bug that the simulation found, forever.
#include "sim/scenario.h"

namespace samsa::sim {
namespace {

using namespace std::chrono_literals;

TEST(Scenario, ALeaderAwayIsReplacedAndNothingIsLost) {
  Scenario s(1);
  s.topic("t", 2);
  s.write(20);
  const int old = s.leader();
  s.away(old);
  s.expect_leader_other_than(old);
  s.write(20);
  s.heal();
  s.expect_all_read();
}

TEST(Scenario, PowerLossOfTheLeader) {
  Scenario s(2);
  s.topic("t");
  s.write(30);
  const int old = s.leader();
  s.power_off(old);
  s.expect_leader_other_than(old);
  s.write(10);
  s.restart(old);
  s.expect_all_read();
}

TEST(Scenario, AllPowerAtOnceWithDurableAppends) {
  Scenario s(3, {.properties = {{"samsa.durable.appends", "true"}}});
  s.topic("t", 2);
  s.write(30);
  for (int node = 1; node <= 3; ++node) s.power_off(node);
  for (int node = 1; node <= 3; ++node) s.restart(node);
  s.whole();
  s.write(10);
  s.expect_all_read();
}

// Found by samsa-sim (log): the answer of a leader that is none any more, OFFSET_OUT_OF_RANGE, made a consumer begin at the start again.
TEST(Scenario, AReaderDoesNotFollowALeaderOfAnEarlierEpoch) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Scenario s(seed);
    s.topic("t", 3);
    s.topic("u", 3);
    s.follow();
    s.write(60);
    const int old = s.leader();
    s.away(old);
    s.expect_leader_other_than(old);
    s.write(60);
    s.wait(3s);  // The old one still answers questions for metadata.
    s.heal();
    s.write(20);
    s.expect_all_read();
  }
}

// Found by samsa-sim (log): a replica that led an epoch without appending anything noted that epoch at its log end. The next leader had
// never heard of it, said so, there was nothing to cut, and the replica asked the same again forever.
TEST(Scenario, AnEpochWithoutARecordIsForgotten) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    Scenario s(seed);
    s.topic("t");
    s.write(10);
    for (int round = 0; round < 3; ++round) {
      const int old = s.leader();
      s.crash(old);  // Nobody writes: each leads an epoch of its own without a record.
      s.expect_leader_other_than(old);
      s.restart(old);
      s.whole();
    }
    const int last = s.leader();
    s.away(last);
    s.expect_leader_other_than(last);
    s.write(5);
    s.heal();
    s.expect_all_read();
  }
}

// Found by samsa-sim (log): a quorum's leader that was cut off has records of its own that nobody else has; what it then fetches is a
// snapshot that ends within them. It went on behind those records and ended with "no batch at committed offset".
TEST(Scenario, ASnapshotReplacesALogThatGoesOnOtherwise) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    Scenario s(seed, {.properties = {{"metadata.log.max.record.bytes.between.snapshots", "500"}, {"metadata.max.retention.bytes", "1"}}});
    s.topic("t");
    const int old = s.controller();
    s.away(old);
    for (int i = 0; i < 3; ++i) s.ask_for_topic(old, "mine-" + std::to_string(i));
    s.expect_controller_other_than(old);
    s.wait(2s);
    for (int i = 0; i < 3; ++i) s.ask_for_topic(old % 3 + 1, "theirs-" + std::to_string(i));
    s.wait(2s);
    s.heal();
    s.write(10);
    s.expect_all_read();
  }
}

// Found by samsa-sim (log): a quorum's leader whose disk is slow loses its epoch while a sync is under way; the records that were being
// synced are cut off, and the node ended with "the record was truncated before it was synced".
TEST(Scenario, AQuorumLogIsCutWhileItIsSynced) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    Scenario s(seed);
    s.topic("t");
    const int old = s.controller();
    io::sim::Faults slow;
    slow.slow_sync = 1;
    slow.slow_sync_time = 4s;
    s.machine(old).host().disk_faults = slow;
    s.away(old);
    for (int i = 0; i < 3; ++i) s.ask_for_topic(old, "mine-" + std::to_string(i));
    s.expect_controller_other_than(old);
    s.heal();
    s.wait(5s);
    s.machine(old).host().disk_faults.reset();
    s.write(10);
    s.expect_all_read();
  }
}

}  // namespace
}  // namespace samsa::sim
