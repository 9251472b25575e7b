#include "tool/options.h"

#include <gtest/gtest.h>

namespace samsa::tool {
namespace {

Options sample() {
  Options options("A sample.");
  options.flag("list", "").value("topic", "topic", "").value("timeout-ms", "ms", "", "100").values("property", "prop", "").flag("members", "").only_with({"list"});
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

TEST(Options, OneDashIsAsGoodAsTwoButNamesAreWhole) {
  auto options = sample();
  ASSERT_TRUE(options.parse({"-topic", "a", "stray", "--list=whatever"}));
  EXPECT_EQ(options.get("topic"), "a");
  EXPECT_TRUE(options.has("list"));
  EXPECT_EQ(sample().parse({"--prop", "a"}).error().text(), "prop is not a recognized option");
  EXPECT_EQ(sample().parse({"-xy"}).error().text(), "x is not a recognized option");
}

TEST(Options, ANeededArgumentIsTheNextWord) {
  auto options = sample();
  ASSERT_TRUE(options.parse({"--topic", "--list", "--timeout-ms="}));
  EXPECT_EQ(options.get("topic"), "--list");
  EXPECT_EQ(options.get("timeout-ms"), "");
  EXPECT_FALSE(options.has("list"));
}

TEST(Options, GivenTwiceOrWithoutWhatTheyNeed) {
  auto options = sample();
  ASSERT_TRUE(options.parse({"--topic", "a", "--topic", "b"}));
  EXPECT_EQ(options.single().error().text(), "Found multiple arguments for option topic, but you asked for only one");
  EXPECT_EQ(sample().parse({"--members"}).error().text(), "Option(s) [members] are unavailable given other options on the command line");
  EXPECT_TRUE(sample().parse({"--members", "--list"}));
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
