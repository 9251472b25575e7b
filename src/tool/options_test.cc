#include "tool/options.h"

#include <gtest/gtest.h>

namespace samsa::tool {
namespace {

Options sample() {
  Options options("A sample.");
  options.flag("list", "").value("topic", "topic", "").value("timeout-ms", "ms", "", "100").value("property", "prop", "");
  return options;
}

TEST(Options, ValuesBothWaysAndRepeated) {
  auto options = sample();
  ASSERT_TRUE(options.parse({"--topic", "a", "--property=k=v", "--property", "x=y", "--list"}));
  EXPECT_TRUE(options.has("list"));
  EXPECT_EQ(options.get("topic"), "a");
  EXPECT_EQ(options.all("property"), (std::vector<std::string>{"k=v", "x=y"}));
  EXPECT_EQ(options.get("timeout-ms"), "100");
  EXPECT_FALSE(options.has("timeout-ms"));
}

TEST(Options, ShortenedNames) {
  auto options = sample();
  ASSERT_TRUE(options.parse({"--prop", "a"}));
  EXPECT_EQ(options.get("property"), "a");
  EXPECT_FALSE(sample().parse({"--t", "a"}));
}

TEST(Options, NegativeNumbersAreValues) {
  auto options = sample();
  ASSERT_TRUE(options.parse({"--timeout-ms", "-1"}));
  EXPECT_EQ(*options.number("timeout-ms").value(), -1);
}

TEST(Options, WhatIsWrongIsSaid) {
  EXPECT_EQ(sample().parse({"--nope"}).error().text(), "nope is not a recognized option");
  EXPECT_EQ(sample().parse({"--topic"}).error().text(), "Option topic requires an argument");
  auto options = sample();
  ASSERT_TRUE(options.parse({"--topic", "a", "--list"}));
  EXPECT_EQ(options.forbid_with("list", {"topic"}).error().text(), "Option \"[list]\" can't be used with option \"[topic]\"");
}

}  // namespace
}  // namespace samsa::tool
