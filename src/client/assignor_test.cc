#include "client/assignor.h"

#include <gtest/gtest.h>

namespace samsa::client {
namespace {

std::vector<MemberSubscription> members_of(std::initializer_list<const char*> ids, std::vector<std::string> topics) {
  std::vector<MemberSubscription> members;
  for (const char* id : ids) members.push_back({id, "", topics, {}});
  return members;
}

TEST(Assignor, RangeGivesTheFirstMembersMore) {
  const auto got = assign_range(members_of({"b", "a"}, {"t"}), {{"t", 3}});
  EXPECT_EQ(got.at("a"), (std::vector<TopicPartition>{{"t", 0}, {"t", 1}}));
  EXPECT_EQ(got.at("b"), (std::vector<TopicPartition>{{"t", 2}}));
}

TEST(Assignor, RoundRobinTakesTurnsOverTopics) {
  const auto got = assign_round_robin(members_of({"a", "b"}, {"t", "u"}), {{"t", 3}, {"u", 3}});
  EXPECT_EQ(got.at("a"), (std::vector<TopicPartition>{{"t", 0}, {"t", 2}, {"u", 1}}));
  EXPECT_EQ(got.at("b"), (std::vector<TopicPartition>{{"t", 1}, {"u", 0}, {"u", 2}}));
}

TEST(Assignor, StickyKeepsWhatItCan) {
  auto members = members_of({"a", "b"}, {"t"});
  members[1].owned = {{"t", 0}, {"t", 1}, {"t", 2}};
  const auto got = assign_sticky(members, {{"t", 4}});
  EXPECT_EQ(got.at("b"), (std::vector<TopicPartition>{{"t", 0}, {"t", 1}}));
  EXPECT_EQ(got.at("a"), (std::vector<TopicPartition>{{"t", 2}, {"t", 3}}));
}

TEST(Assignor, MembersGetOnlyTopicsTheySubscribed) {
  std::vector<MemberSubscription> members{{"a", "", {"t"}, {}}, {"b", "", {"u"}, {}}};
  for (const auto& got : {assign_range(members, {{"t", 2}, {"u", 2}}), assign_round_robin(members, {{"t", 2}, {"u", 2}})}) {
    EXPECT_EQ(got.at("a"), (std::vector<TopicPartition>{{"t", 0}, {"t", 1}}));
    EXPECT_EQ(got.at("b"), (std::vector<TopicPartition>{{"u", 0}, {"u", 1}}));
  }
}

}  // namespace
}  // namespace samsa::client
