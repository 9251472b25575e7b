#include "tool/line_reader.h"

#include <gtest/gtest.h>

namespace samsa::tool {
namespace {

client::ProducerRecord read(std::map<std::string, std::string> properties, std::string_view line) {
  auto reader = LineReader::create("t", properties);
  EXPECT_TRUE(reader);
  auto record = reader->read(line);
  EXPECT_TRUE(record) << record.error().text();
  return *record;
}

TEST(LineReader, PlainLinesHaveNoKey) {
  const auto record = read({}, "a\tb");
  EXPECT_FALSE(record.key);
  EXPECT_EQ(record.value, "a\tb");
}

TEST(LineReader, HeadersKeyAndValue) {
  const auto record = read({{"parse.key", "true"}, {"parse.headers", "true"}}, "h1:v1,h2:v2\tk\tvalue");
  EXPECT_EQ(record.key, "k");
  EXPECT_EQ(record.value, "value");
  ASSERT_EQ(record.headers.size(), 2u);
  EXPECT_EQ(record.headers[1].key, "h2");
  EXPECT_EQ(record.headers[1].value, "v2");
}

TEST(LineReader, NullMarker) {
  const auto record = read({{"parse.key", "true"}, {"null.marker", "NULL"}, {"key.separator", "="}}, "NULL=NULL");
  EXPECT_FALSE(record.key);
  EXPECT_FALSE(record.value);
}

TEST(LineReader, PartitionStandsFirst) {
  const auto record = read({{"parse.key", "true"}, {"parse.partition", "true"}}, "2\tk\tv");
  EXPECT_EQ(record.partition, 2);
  EXPECT_EQ(record.key, "k");
}

TEST(LineReader, AMissingSeparatorIsNamedWithItsLine) {
  auto reader = LineReader::create("t", {{"parse.key", "true"}});
  ASSERT_TRUE(reader->read("k\tv"));
  EXPECT_EQ(reader->read("nothing").error().text(), "No key separator found on line number 2: 'nothing'");
}

TEST(LineSplitter, AllLineEnds) {
  LineSplitter splitter;
  std::vector<std::string> lines;
  const auto collect = [&](std::string_view line) { lines.emplace_back(line); };
  splitter.feed("a\r", collect);
  splitter.feed("\nb\rc\n\nd", collect);
  EXPECT_EQ(lines, (std::vector<std::string>{"a", "b", "c", ""}));
  EXPECT_EQ(splitter.finish(), "d");
}

}  // namespace
}  // namespace samsa::tool
