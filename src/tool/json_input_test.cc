#include "tool/json_input.h"

#include <gtest/gtest.h>

namespace samsa::tool {
namespace {

template <class T>
std::string text_of(const Result<T>& result) { return result ? "" : result.error().text(); }

TEST(JsonInput, GivesWhatIsThere) {
  const auto json = JsonInput::parse(R"({"partitions":[{"topic":"a","partition":1,"replicas":[1,2],"log_dirs":["any","/x"]}],"version":1,"version":2})");
  ASSERT_TRUE(json.has_value());
  EXPECT_EQ((*json->field("version"))->int32(), 2);
  const auto& partition = (**(*json->field("partitions"))->array())[0];
  EXPECT_EQ((*partition.field("topic"))->text(), "a");
  EXPECT_EQ((*partition.field("replicas"))->int32s(), (std::vector<int32_t>{1, 2}));
  EXPECT_EQ((*partition.field("log_dirs"))->texts(), (std::vector<std::string>{"any", "/x"}));
  EXPECT_EQ(json->find("more"), nullptr);
}

TEST(JsonInput, ComplainsAsKafkaDoes) {
  EXPECT_FALSE(JsonInput::parse("{").has_value());
  EXPECT_FALSE(JsonInput::parse("").has_value());
  const auto json = *JsonInput::parse(R"([{"topic":5,"partition":"\"x\"","offset":1.5,"big":5000000000,"no":null}])");
  EXPECT_EQ(text_of(json.object()), R"(Expected JSON object, received [{"topic":5,"partition":"\"x\"","offset":1.5,"big":5000000000,"no":null}])");
  const auto& fields = (**json.array())[0];
  EXPECT_EQ(text_of(fields.field("replicas")), "No such field exists: `replicas`");
  EXPECT_EQ(text_of((*fields.field("topic"))->text()), "Expected `String` value, received 5");
  EXPECT_EQ(text_of((*fields.field("partition"))->int32()), R"(Expected `Integer` value, received "\"x\"")");
  EXPECT_EQ(text_of((*fields.field("offset"))->int64()), "Expected `Long` value, received 1.5");
  EXPECT_EQ(text_of((*fields.field("big"))->int32()), "Expected `Integer` value, received 5000000000");
  EXPECT_EQ((*fields.field("big"))->int64(), 5'000'000'000);
  EXPECT_EQ(text_of((*fields.field("no"))->array()), "Expected JSON array, received null");
}

}  // namespace
}  // namespace samsa::tool
