// A short run of the fuzzer's body with a fixed seed.
#include "storage/files_fuzz.h"

#include <gtest/gtest.h>

#include <random>

namespace samsa::storage {
namespace {

TEST(StorageFilesFuzz, EveryFileDamagedInEveryWay) {
  std::mt19937_64 random(20261121);  // Fixed: the run is the same every time.
  const size_t files = fuzz_good_files().size();
  ASSERT_GE(files, 10U);
  for (int i = 0; i < 4000; ++i) {
    Buffer input(3 + random() % 12);
    for (auto& byte : input) byte = static_cast<uint8_t>(random());
    input[0] = static_cast<uint8_t>(random() % files);
    if (input[1] % 4 == 1 && random() % 2 == 0) input.resize(5);  // A torn end.
    fuzz_storage_files(input);
  }
}

// Found by the fuzzer.
TEST(StorageFilesFuzz, Found) {
  // A segment that ends with a batch by its header, far below what its index knows, and a truncation beyond that end.
  fuzz_storage_files(Buffer{0x3d, 0x21, 0x07, 0x32, 0x21, 0x07, 0x38});
  // A time index with an entry below the segment's base.
  fuzz_storage_files(Buffer{0x3f, 0xad, 0xad, 0xad, 0xad, 0xad, 0xad, 0xad, 0xad, 0xad, 0x0c});
  // An offset index of a segment in the middle with an entry that points into a batch, and a truncation to what that entry covers.
  fuzz_storage_files(Buffer{0x62, 0x2b, 0xf7, 0x82, 0xf7, 0xf7, 0xf7, 0xf7, 0xf7, 0x27, 0xf7, 0x20, 0x00,
                            0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xf7, 0xf7, 0xf7, 0xf7, 0xf7, 0xf7, 0x76});
  // A time index of the last segment with an entry below the segment's base, and a stop.
  fuzz_storage_files(Buffer{0x04, 0xff, 0x19, 0x04, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0xcf, 0x52,
                            0x7a, 0x1f, 0x00, 0x30, 0x50, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00});
  // A batch in the part that is recovered whose base offset, outside of its CRC, lies below the segment's.
  fuzz_storage_files(Buffer{0x63, 0xeb, 0x62, 0x59, 0x76, 0x04, 0x64, 0x00, 0x00, 0xeb, 0x6f, 0x0e, 0x2b, 0xfa, 0xfd, 0x7f,
                            0x84, 0x84, 0x84, 0x84, 0x84, 0x84, 0x84, 0x84, 0x84, 0x84, 0x84, 0x84, 0x84, 0x84, 0x84, 0x84,
                            0x84, 0x84, 0x84, 0x84, 0x84, 0x84, 0x84, 0x84, 0x84, 0x84, 0x84, 0x00, 0x10, 0x08, 0x04, 0x00,
                            0x28, 0x04});
  // A base offset so large that the batch's last offset is none.
  fuzz_storage_files(Buffer{0x59, 0xff, 0x06, 0x00, 0x00, 0x80, 0x7a, 0x06, 0x26, 0xae, 0xff, 0xbc, 0x5d, 0x5d, 0x59});
  // The same of the batch that recovery begins with, after what the index vouches for.
  fuzz_storage_files(Buffer{0x50, 0xb7, 0xc6, 0x01, 0x7f, 0x25, 0x32, 0x12, 0x30, 0xff, 0x12, 0x24, 0x2b, 0x7c, 0x20, 0x7c,
                            0x30, 0x5d, 0x32, 0x25, 0x12, 0x12, 0x24, 0x2b, 0x7c, 0x20, 0x7c, 0xff, 0x30, 0x5f, 0x5f, 0x03,
                            0x00});
}

TEST(StorageFilesFuzz, TextsAndSnapshots) {
  std::mt19937_64 random(7);
  std::vector<Buffer> seeds{{}, Buffer{0}};
  for (const std::string_view text : {"0\n2\ntopic 0 5\nother-topic 11 9223372036854775807\n", "0\n1\n3 17\n", "0\n0\n",
                                      "version=1\ncluster.id=abc\nnode.id=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAZQ\n"}) {
    seeds.emplace_back(text.begin(), text.end());
  }
  seeds.push_back(encode_producer_snapshot({{.producer_id = 4, .last_sequence = 9, .last_offset = 20}}));
  for (int i = 0; i < 20000; ++i) {
    Buffer input = seeds[static_cast<size_t>(i) % seeds.size()];
    for (size_t times = random() % 4; times > 0 && !input.empty(); --times) input[random() % input.size()] = static_cast<uint8_t>(random() % 2 == 0 ? '0' + random() % 10 : random());
    if (random() % 4 == 0) input.resize(random() % (input.size() + 1));
    fuzz_texts(input);
  }
}

}  // namespace
}  // namespace samsa::storage
