#include "tool/reassign_plan.h"

#include <gtest/gtest.h>

namespace samsa::tool {
namespace {

template <class T>
std::string complaint(const Result<T>& result) {
  return result ? "" : result.error().text();
}

TEST(ReassignPlan, ReadsAndWritesItsFile) {
  const std::string text =
      R"({"version":1,"partitions":[{"topic":"a","partition":0,"replicas":[1,2],"log_dirs":["any","/d"]},{"topic":"a","partition":1,"replicas":[3],"log_dirs":["any"]}]})";
  const auto file = parse_reassignment(text);
  ASSERT_TRUE(file.has_value()) << file.error().text();
  EXPECT_EQ(file->log_dirs, (LogDirs{{{2, {"a", 0}}, "/d"}}));
  EXPECT_EQ(reassignment_json(file->assignments(), file->log_dirs), text);
  EXPECT_TRUE(check_executable(*file).has_value());
}

TEST(ReassignPlan, RefusesInKafkasWords) {
  EXPECT_EQ(complaint(parse_reassignment(R"({"version":2})")), "Not supported version field value 2");
  EXPECT_EQ(complaint(parse_reassignment(R"({"partitions":[{"topic":"a","partition":0,"replicas":[1,2],"log_dirs":["any"]}]})")),
            "Size of replicas list [1, 2] is different from size of log dirs list [any] for partition a-0");
  const auto of = [](const char* text) { return complaint(check_executable(*parse_reassignment(text))); };
  EXPECT_EQ(of("{}"), "Partition reassignment list cannot be empty");
  EXPECT_EQ(of(R"({"partitions":[{"topic":"a","partition":0,"replicas":[]}]})"), "Partition replica list cannot be empty");
  EXPECT_EQ(of(R"({"partitions":[{"topic":"a","partition":0,"replicas":[1]},{"topic":"a","partition":0,"replicas":[2]}]})"),
            "Partition reassignment contains duplicate topic partitions: a-0");
  EXPECT_EQ(of(R"({"partitions":[{"topic":"a","partition":0,"replicas":[1,1,2,2]}]})"),
            "Partition replica lists may not contain duplicate entries: a-0 contains multiple entries for 1,2");
  EXPECT_EQ(complaint(parse_broker_list("1,x")), "For input string: \"x\"");
  EXPECT_EQ(complaint(parse_broker_list("1,2,1")), "Broker list contains duplicate entries: [1]");
  EXPECT_EQ(complaint(parse_topics_to_move(R"({"topics":[{"topic":"a"},{"topic":"a"}]})")), "List of topics to reassign contains duplicate entries: [a]");
}

TEST(ReassignPlan, ThrottlesSourcesAndDestinations) {
  // Partition 0 moves already from 1 to 3, partition 1 from 1,2 to 2,4.
  const OngoingMoves ongoing{{{"a", 0}, {{1, 2, 3}, {3}, {1}}}};
  const auto moves = plan_moves(ongoing, {{{"a", 0}, {2, 5}}, {{"a", 1}, {2, 4}}}, {{{"a", 0}, {1, 2, 3}}, {{"a", 1}, {1, 2}}});
  EXPECT_EQ(moves.at("a").at(0), (Move{{1, 2}, {5}}));
  EXPECT_EQ(moves.at("a").at(1), (Move{{1, 2}, {4}}));
  EXPECT_EQ(leader_throttles(moves.at("a")), "0:1,0:2,1:1,1:2");
  EXPECT_EQ(follower_throttles(moves.at("a")), "0:5,1:4");
  EXPECT_EQ(brokers_of(moves), (std::set<int32_t>{1, 2, 4, 5}));
  EXPECT_EQ(ongoing_text(ongoing), "Current partition reassignments:\na-0: replicas: 1,2,3. adding: 3. removing: 1.");
}

TEST(ReassignPlan, TellsStates) {
  EXPECT_EQ(states_text({{{"a", 0}, {{1}, {1}, true}}, {{"a", 1}, {{1}, {2}, true}}, {{"a", 2}, {{1}, {2}, false}}}),
            "Status of partition reassignment:\nReassignment of partition a-0 is completed.\n"
            "There is no active reassignment of partition a-1, but replica set is 1 rather than 2.\nReassignment of partition a-2 is still in progress.");
  EXPECT_EQ(directory_states_text({{{1, {"a", 0}}, {true, "/x", "", "/x"}},
                                   {{1, {"a", 1}}, {true, "/x", "", "/y"}},
                                   {{1, {"a", 2}}, {true, "/x", "/y", "/y"}},
                                   {{1, {"a", 3}}, {true, "/x", "/z", "/y"}},
                                   {{1, {"a", 4}}, {true, "", "", "/y"}}}),
            "Reassignment of replica a-0-1 completed successfully.\nPartition a-1 on broker 1 is not being moved from log dir /x to /y.\n"
            "Reassignment of replica a-2-1 is still in progress.\nPartition a-3 on broker 1 is being moved to log dir /z instead of /y.\n"
            "Partition a-4 is not found in any live log dir on broker 1. There is likely an offline log directory on the broker.");
}

}  // namespace
}  // namespace samsa::tool
