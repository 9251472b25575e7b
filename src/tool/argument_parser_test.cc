#include "tool/argument_parser.h"

#include <gtest/gtest.h>

namespace samsa::tool {
namespace {

using Kind = ArgumentParser::Kind;
using Words = std::vector<std::string>;

ArgumentParser example() {
  ArgumentParser parser("program", "An example.");
  parser.option({"--bootstrap-server", "-b"}, "servers").option({"--bootstrap-controller", "-C"}, "controllers");
  parser.only_one({"--bootstrap-server", "--bootstrap-controller"}, true);
  parser.command("describe", "Describes.").flag({"--status"}, "state").option({"--feature", "-f"}, "features", Kind::kAppend);
  parser.command("remove", "Removes.").option({"--id", "-i"}, "the id", Kind::kInteger, true);
  return parser;
}

std::string complaint(const Words& words) {
  auto parser = example();
  const auto parsed = parser.parse(words);
  return parsed ? "" : parsed.error().text();
}

TEST(ArgumentParser, TakesOptionsBeforeAndAfterTheCommand) {
  auto parser = example();
  const auto parsed = parser.parse(Words{"-bhost:1", "desc", "--feature=a=1", "-f", "b=2", "--sta"});
  ASSERT_TRUE(parsed.has_value()) << parsed.error().text();
  EXPECT_EQ(parsed->command, "describe");
  EXPECT_EQ(parsed->get("--bootstrap-server"), "host:1");
  EXPECT_EQ(parsed->all("--feature"), (Words{"a=1", "b=2"}));
  EXPECT_TRUE(parsed->has("--status"));
  const auto other = parser.parse(Words{"-C", "x:1", "remove", "-i", "-3"});
  ASSERT_TRUE(other.has_value()) << other.error().text();
  EXPECT_EQ(other->integer("--id"), -3);
}

TEST(ArgumentParser, ComplainsAsArgparse4jDoes) {
  EXPECT_EQ(complaint({}), "too few arguments");
  EXPECT_EQ(complaint({"describe"}), "one of the arguments --bootstrap-server/-b --bootstrap-controller/-C is required");
  EXPECT_EQ(complaint({"-b", "x:1", "-C", "y:1", "describe"}), "argument --bootstrap-controller/-C: not allowed with argument --bootstrap-server/-b");
  EXPECT_EQ(complaint({"-b"}), "argument --bootstrap-server/-b: expected one argument");
  EXPECT_EQ(complaint({"-b", "x:1", "forget"}), "invalid choice: 'forget' (choose from 'describe', 'remove')");
  EXPECT_EQ(complaint({"-b", "x:1", "remove"}), "argument --id/-i is required");
  EXPECT_EQ(complaint({"-b", "x:1", "remove", "-i", "q"}), "argument --id/-i: could not convert 'q' to Integer (For input string: \"q\")");
  EXPECT_EQ(complaint({"--boot", "x:1", "describe"}), "ambiguous option: --boot could match --bootstrap-controller, --bootstrap-server");
  EXPECT_EQ(complaint({"-b", "x:1", "describe", "--zzz"}), "unrecognized arguments: '--zzz'");
  EXPECT_EQ(complaint({"-b", "x:1", "describe", "more"}), "unrecognized arguments: 'more'");
}

TEST(ArgumentParser, HelpIsOfTheParserThatWasAsked) {
  auto parser = example();
  EXPECT_NE(parser.parse(Words{"-h"})->help->find("Removes."), std::string::npos);
  EXPECT_NE(parser.parse(Words{"remove", "--help"})->help->find("--id ID, -i ID"), std::string::npos);
}

}  // namespace
}  // namespace samsa::tool
