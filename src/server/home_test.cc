#include "server/home.h"

#include <gtest/gtest.h>

namespace samsa::server {
namespace {

void note(Home& home, int place, uint32_t times) {
  for (uint32_t i = 0; i < times; ++i) home.note(place, 0);
}

TEST(Home, IsWhereAllRequestsOfAWhileGo) {
  Home home;
  note(home, 1, Home::kFirstPatience - 1);
  EXPECT_EQ(home.wish(), Home::kNowhere);
  note(home, Home::kNowhere, 5);  // Metadata, heartbeats: they say nothing.
  EXPECT_EQ(home.wish(), Home::kNowhere);
  note(home, 1, 1);
  EXPECT_EQ(home.wish(), 1);
}

TEST(Home, OfManyPlacesIsWhereOneIs) {
  for (const int other : {0, 2, Home::kSeveral}) {
    Home home;
    for (int i = 0; i < 100; ++i) {
      note(home, 1, Home::kFirstPatience - 1);
      note(home, other, 1);
      EXPECT_EQ(home.wish(), Home::kNowhere) << other;
    }
  }
}

TEST(Home, IsSoughtLessAndLessOften) {
  Home home;
  home.settle();
  note(home, 1, 2 * Home::kFirstPatience - 1);
  EXPECT_EQ(home.wish(), Home::kNowhere);
  note(home, 1, 1);
  EXPECT_EQ(home.wish(), 1);
  for (int i = 0; i < 100; ++i) home.settle();
  note(home, 1, Home::kMostPatience);
  EXPECT_EQ(home.wish(), 1);
}

}  // namespace
}  // namespace samsa::server
