#include "raft/quorum_state.h"

#include <gtest/gtest.h>

#include "io/sim/world.h"
#include "raft/snapshot.h"

namespace samsa::raft {
namespace {

TEST(QuorumState, BothVersionsComeBack) {
  const QuorumState state{.epoch = 7, .leader = 2, .voted = {3, Uuid{1, 2}}};
  EXPECT_EQ(*parse_quorum_state(format_quorum_state(state, 1, {})), state);
  const VoterSet voters({Voter{.key = {1, {}}}, Voter{.key = {2, {}}}});
  const std::string old = format_quorum_state(state, 0, voters);
  EXPECT_EQ(old, R"({"clusterId":"","leaderId":2,"leaderEpoch":7,"votedId":3,"appliedOffset":0,"currentVoters":[{"voterId":1},{"voterId":2}],"data_version":0})");
  EXPECT_EQ(parse_quorum_state(old)->voted.id, 3);
}

TEST(QuorumState, WhatApacheKafkaWroteIsRead) {
  const auto state = parse_quorum_state(R"({"leaderId":-1,"leaderEpoch":3,"votedId":1,"votedDirectoryId":"1D-4cyfkQtW5zi09uEl8mw","data_version":1})");
  ASSERT_TRUE(state);
  EXPECT_EQ(state->leader, -1);
  EXPECT_EQ(state->voted.directory.to_string(), "1D-4cyfkQtW5zi09uEl8mw");
}

TEST(QuorumState, NonsenseIsAnError) {
  for (const char* text : {"", "{", "[]", "{}", R"({"leaderId":1,"leaderEpoch":3,"votedId":1,"data_version":9})", R"({"leaderId":"x","data_version":0})"}) {
    EXPECT_FALSE(parse_quorum_state(text)) << text;
  }
}

TEST(Voters, TextFormsAreParsed) {
  const auto voters = parse_static_voters("1@one:9093, 2@[::1]:9094", "CONTROLLER");
  ASSERT_TRUE(voters);
  EXPECT_EQ(voters->size(), 2u);
  EXPECT_EQ(voters->find(2)->endpoints[0].host, "::1");
  for (const char* text : {"1", "1@host", "x@host:1", "1@host:99999", "1@host:1,1@other:2", "1@:5"}) EXPECT_FALSE(parse_static_voters(text, "C")) << text;
  const auto initial = parse_initial_controllers("3@host:9093:1D-4cyfkQtW5zi09uEl8mw", "CONTROLLER");
  ASSERT_TRUE(initial);
  EXPECT_FALSE(initial->find(3)->key.directory.is_zero());
  EXPECT_FALSE(parse_initial_controllers("3@host:9093", "CONTROLLER"));
}

TEST(Snapshot, NamesAndContent) {
  EXPECT_EQ(snapshot_name({123, 4}), "00000000000000000123-0000000004.checkpoint");
  EXPECT_EQ(parse_snapshot_name("00000000000000000123-0000000004.checkpoint"), (OffsetAndEpoch{123, 4}));
  EXPECT_FALSE(parse_snapshot_name("00000000000000000123-0000000004.checkpoint.part"));
  EXPECT_FALSE(parse_snapshot_name("bootstrap.checkpoint"));

  io::sim::SimWorld sim(1);
  auto& disk = sim.add_node("n").worlds()[0].disk;
  ASSERT_TRUE(disk.create_directories("/s"));
  const std::string path = "/s/" + snapshot_name({5, 2});
  const VoterSet voters({Voter{.key = {1, Uuid{3, 4}}, .endpoints = {{"CONTROLLER", "h", 9}}}});
  {
    auto writer = SnapshotWriter::create(disk, path, 2, 1, {.last_contained_log_ms = 77, .kraft_version = int16_t{1}, .voters = voters});
    ASSERT_TRUE(writer);
    const std::vector<Buffer> values{{1, 2, 3}, {4}};
    ASSERT_TRUE((*writer)->append(values));
    EXPECT_FALSE(disk.exists(path));
    ASSERT_TRUE((*writer)->freeze());
  }
  std::vector<Buffer> seen;
  const auto keep = [&](std::span<const Bytes> values, const protocol::BatchView&) -> Result<void> {
    for (const Bytes v : values) seen.emplace_back(v.begin(), v.end());
    return {};
  };
  auto content = read_snapshot(disk, path, keep);
  ASSERT_TRUE(content) << content.error().describe();
  EXPECT_EQ(content->head.last_contained_log_ms, 77);
  EXPECT_EQ(*content->head.voters, voters);
  EXPECT_EQ(seen.size(), 2u);

  // Cut off anywhere it is an error, never a smaller state.
  const auto whole = io::read_file(disk, path);
  for (size_t size = 0; size < whole->size(); size += 7) {
    auto file = disk.open("/s/cut", io::OpenMode::kCreateTruncate);
    ASSERT_TRUE((*file)->write_at(Bytes(*whole).first(size), 0));
    EXPECT_FALSE(read_snapshot(disk, "/s/cut", keep)) << size;
  }
}

}  // namespace
}  // namespace samsa::raft
