#include "server/frame_reader.h"

#include <deque>

#include <gtest/gtest.h>

#include "io/sim/world.h"
#include "io/work.h"

namespace samsa::server {
namespace {

// Gives the pieces as they were put in; a piece is what one read may get at most.
class Pieces final : public io::Stream {
 public:
  void put(Bytes bytes) { pieces_.emplace_back(bytes.begin(), bytes.end()); }
  io::Task<Result<size_t>> read_some(MutableBytes into) override {
    ++reads;
    if (pieces_.empty()) co_return size_t{0};
    Buffer& front = pieces_.front();
    const size_t count = std::min(into.size(), front.size());
    std::copy_n(front.begin(), count, into.begin());
    front.erase(front.begin(), front.begin() + static_cast<std::ptrdiff_t>(count));
    if (front.empty()) pieces_.pop_front();
    co_return count;
  }
  [[nodiscard]] bool may_read() const override { return true; }
  io::Task<Result<void>> write(std::span<const io::Chunk>) override { co_return Result<void>{}; }
  void close() override {}
  std::unique_ptr<io::AcceptedStream> detach() override { return nullptr; }
  [[nodiscard]] const io::Address& peer() const override { return address_; }
  [[nodiscard]] io::Address local() const override { return address_; }
  int reads = 0;

 private:
  void resume_when_readable(std::coroutine_handle<> reader) override { reader.resume(); }
  std::deque<Buffer> pieces_;
  io::Address address_;
};

Buffer frame_of(size_t size, uint8_t fill) {
  Buffer frame(size + 4, fill);
  store_be(frame.data(), static_cast<int32_t>(size));
  return frame;
}

class FrameReaderTest : public testing::Test {
 protected:
  void expect(size_t size, uint8_t fill) {
    bool done = false;
    const auto body = [&]() -> io::Task<> {
      const auto frame = co_await reader_.next();
      done = true;
      EXPECT_TRUE(frame.has_value());
      if (!frame) co_return;
      EXPECT_EQ(frame->content.size(), size);
      EXPECT_TRUE(std::ranges::all_of(frame->content, [&](uint8_t byte) { return byte == fill; })) << "frame of " << size;
    };
    io::spawn_now(loop_, body());
    EXPECT_TRUE(done);
  }
  io::sim::SimWorld sim_{1};
  io::sim::SimNode& node_{sim_.add_node("node", 1)};
  io::Loop& loop_{node_.worlds()[0].loop};
  Pieces stream_;
  BlockPool pool_{loop_, -1};
  FrameReader reader_{stream_, pool_, 1 << 20};
};

TEST_F(FrameReaderTest, LargeFramesAreReceivedInPlace) {
  const uint64_t before = io::this_work.copied_bytes;
  stream_.put(frame_of(20'000, 1));
  expect(20'000, 1);
  const uint64_t copied = io::this_work.copied_bytes;
  EXPECT_LE(copied - before, 4096U);
  stream_.reads = 0;
  for (uint8_t i = 2; i < 12; ++i) {
    const size_t size = 15'000 + 100U * i;
    stream_.put(frame_of(size, i));
    expect(size, i);
  }
  EXPECT_EQ(io::this_work.copied_bytes, copied) << "only the first one's start is copied";
  EXPECT_EQ(stream_.reads, 20) << "its length, then the frame";
}

TEST_F(FrameReaderTest, PipelinedLargeFramesTakeOneReadEach) {
  Buffer stream;
  for (uint8_t i = 1; i <= 10; ++i) append(stream, frame_of(50'000, i));
  stream_.put(stream);
  expect(50'000, 1);
  const uint64_t copied = io::this_work.copied_bytes;
  stream_.reads = 0;
  for (uint8_t i = 2; i <= 10; ++i) expect(50'000, i);
  EXPECT_EQ(io::this_work.copied_bytes, copied);
  EXPECT_EQ(stream_.reads, 9) << "the length of the next one comes along";
}

TEST_F(FrameReaderTest, LargeAndSmallFramesInAnyPieces) {
  const std::vector<size_t> sizes{10, 5000, 20, 4092, 4093, 0, 70'000, 1, 3, 4000, 200, 9000, 9001, 12, 1000, 65'536, 65'536, 7};
  for (const size_t piece : {size_t{1}, size_t{3}, size_t{100}, size_t{4096}, size_t{5001}, size_t{1} << 20}) {
    Buffer stream;
    for (size_t i = 0; i < sizes.size(); ++i) append(stream, frame_of(sizes[i], static_cast<uint8_t>(i)));
    for (size_t at = 0; at < stream.size(); at += piece) stream_.put(Bytes(stream).subspan(at, std::min(piece, stream.size() - at)));
    for (size_t i = 0; i < sizes.size(); ++i) expect(sizes[i], static_cast<uint8_t>(i));
    EXPECT_TRUE(reader_.at_boundary());
  }
}

}  // namespace
}  // namespace samsa::server
