#include "protocol/message_json.h"

#include <gtest/gtest.h>

#include "protocol/random_message.h"
#include "protocol/record/client_quota_record.h"
#include "protocol/record/group_metadata_value.h"
#include "protocol/record/partition_record.h"
#include "protocol/record/voters_record.h"

namespace samsa::protocol {
namespace {

TEST(MessageJson, FieldsStandInTheOrderOfTheDefinitionAndDefaultsOfTagsAreLeftOut) {
  PartitionRecord record;
  record.partition_id = 3;
  record.replicas = {1, 2};
  record.leader = 1;
  EXPECT_EQ(to_json(record, 1),
            R"({"partitionId":3,"topicId":"AAAAAAAAAAAAAAAAAAAAAA","replicas":[1,2],"isr":[],"removingReplicas":[],"addingReplicas":[],)"
            R"("leader":1,"leaderEpoch":-1,"partitionEpoch":-1,"directories":[]})");
  record.leader_recovery_state = 1;
  record.eligible_leader_replicas = std::vector<int32_t>{2};
  EXPECT_EQ(to_json(record, 2),
            R"({"partitionId":3,"topicId":"AAAAAAAAAAAAAAAAAAAAAA","replicas":[1,2],"isr":[],"removingReplicas":[],"addingReplicas":[],)"
            R"("leader":1,"leaderRecoveryState":1,"leaderEpoch":-1,"partitionEpoch":-1,"directories":[],"eligibleLeaderReplicas":[2]})");
}

TEST(MessageJson, StructsNullsBytesAndUnsigned) {
  VotersRecord voters;
  voters.voters.emplace_back();
  voters.voters[0].endpoints.push_back({"A", "h\"\n\x01", 65535, {}});
  EXPECT_EQ(to_json(voters, 0),
            R"({"version":0,"voters":[{"voterId":0,"voterDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","endpoints":[{"name":"A","host":"h\"\n\u0001","port":65535}],)"
            R"("kRaftVersionFeature":{"minSupportedVersion":0,"maxSupportedVersion":0}}]})");
  GroupMetadataValue group;
  group.protocol.reset();
  group.leader.reset();
  group.members.emplace_back();
  group.members[0].subscription = Blob(Buffer{1, 2});
  std::string text;
  append_json(GroupMetadataValue::table(), &group, 0, text, [](const StructTable&, const FieldTable& field, Bytes, std::string& to) {
    if (std::string_view(field.name) != "assignment") return false;
    to += "7";
    return true;
  });
  EXPECT_EQ(text, R"({"protocolType":"","generation":0,"protocol":null,"leader":null,"members":[{"memberId":"","clientId":"","clientHost":"",)"
                  R"("sessionTimeout":0,"subscription":"AQI=","assignment":7}]})");
}

TEST(MessageJson, NumbersWithFractionsAsJavaWritesThem) {
  ClientQuotaRecord record;
  for (const auto& [value, text] : {std::pair(0.0, "0.0"), std::pair(0.25, "0.25"), std::pair(1024.0, "1024.0"), std::pair(1e7, "1.0E7"), std::pair(-1.5e-9, "-1.5E-9"),
                                    std::pair(9007199254740993.0, "9.007199254740992E15")}) {
    record.value = value;
    EXPECT_EQ(to_json(record, 0), std::string(R"({"entity":[],"key":"","value":)") + text + R"(,"remove":false})");
  }
}

TEST(MessageJson, EveryMessageInEveryVersionIsWritten) {
  RandomMessage random(7);
  for (const auto* table : all_messages()) {
    for (int version = table->min_version; version <= table->max_version; ++version) {
      AnyMessage message(*table);
      random.fill(*table, message.object, static_cast<int16_t>(version));
      std::string text;
      append_json(*table, message.object, static_cast<int16_t>(version), text);
      EXPECT_TRUE(text.starts_with('{') && text.ends_with('}')) << table->name();
    }
  }
}

TEST(MessageJson, Base64AndBrokenUtf8) {
  EXPECT_EQ(to_base64({}), "");
  EXPECT_EQ(to_base64(as_bytes("a")), "YQ==");
  EXPECT_EQ(to_base64(as_bytes("abc")), "YWJj");
  EXPECT_EQ(to_valid_utf8(as_bytes("a\xc3\xa4")), "a\xc3\xa4");
  EXPECT_EQ(to_valid_utf8(as_bytes("\xff\xe2\x82x\xc0\x80")), "\xef\xbf\xbd\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd");
}

}  // namespace
}  // namespace samsa::protocol
