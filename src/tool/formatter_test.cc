#include "tool/formatter.h"

#include <gtest/gtest.h>

namespace samsa::tool {
namespace {

client::ConsumedRecord sample() {
  client::ConsumedRecord record;
  record.topic = "t";
  record.partition = 2;
  record.offset = 7;
  record.timestamp = 1000;
  record.key = "k";
  record.value = "v";
  record.headers = {{"h", "1"}, {"n", std::nullopt}};
  return record;
}

std::string write(std::map<std::string, std::string> properties, const client::ConsumedRecord& record = sample()) {
  auto formatter = make_formatter("org.apache.kafka.tools.consumer.DefaultMessageFormatter", properties);
  EXPECT_TRUE(formatter);
  std::string text;
  EXPECT_TRUE((*formatter)->format(record, text));
  return text;
}

TEST(Formatter, OnlyTheValueUnlessAskedForMore) { EXPECT_EQ(write({}), "v\n"); }

TEST(Formatter, AllColumnsInOrder) {
  EXPECT_EQ(write({{"print.timestamp", "true"}, {"print.partition", "true"}, {"print.offset", "true"}, {"print.headers", "true"}, {"print.key", "true"}}),
            "CreateTime:1000\tPartition:2\tOffset:7\th:1,n:null\tk\tv\n");
}

TEST(Formatter, NullsAndNumbers) {
  auto record = sample();
  record.key.reset();
  record.value = std::string("\0\0\0\x2a", 4);
  EXPECT_EQ(write({{"print.key", "true"}, {"null.literal", "-"}, {"value.deserializer", "org.apache.kafka.common.serialization.IntegerDeserializer"}}, record),
            "-\t42\n");
}

TEST(Formatter, AnUnknownClassIsRefused) { EXPECT_FALSE(make_formatter("my.Formatter", {})); }

}  // namespace
}  // namespace samsa::tool
