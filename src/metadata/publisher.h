// Publisher: hands each new image to every shard's subscriber, in order.
//
// It lives on the metadata shard (the loop that raft runs on). A subscriber lives on its own shard; its on_image runs there and is
// awaited before the next image is handed to it. A slow subscriber does not hold up the others: images that came meanwhile are
// skipped, it gets the newest one (what changed is found by comparing, so nothing is lost).
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "io/loop.h"
#include "io/sync.h"
#include "metadata/image.h"

namespace samsa::metadata {

class ImageSubscriber {
 public:
  virtual ~ImageSubscriber() = default;
  // `before` is what this subscriber got last (an empty image the first time). Runs on the subscriber's shard.
  virtual io::Task<> on_image(ImagePtr before, ImagePtr now) = 0;
};

class Publisher {
 public:
  explicit Publisher(io::Loop& loop);
  ~Publisher();

  // Before or after the first publish; a late subscriber gets the newest image at once. `subscriber` lives until stop() has ended.
  void subscribe(io::Loop& shard, ImageSubscriber& subscriber);
  // Own shard only. A null image is not allowed.
  void publish(ImagePtr image);
  // The newest image; an empty one before the first publish. Own shard only.
  [[nodiscard]] const ImagePtr& image() const { return image_; }
  // Offset of the last record that ALL subscribers have applied: what a heartbeat reports. -1 before the first.
  [[nodiscard]] Offset applied_offset() const;
  // Resumes once applied_offset() >= offset, or stop() was called (false).
  io::Task<bool> wait_applied(Offset offset);
  // Ends deliveries and waits for those under way.
  io::Task<> stop();

 private:
  struct Delivery;
  io::Task<> deliver(Delivery& delivery);

  io::Loop& loop_;
  ImagePtr image_;
  std::vector<std::unique_ptr<Delivery>> deliveries_;
  io::Signal published_;
  io::Signal applied_;
  io::TaskGroup tasks_;
  bool stopping_ = false;
};

}  // namespace samsa::metadata
