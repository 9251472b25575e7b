#include "metadata/publisher.h"

#include <algorithm>

#include "base/assert.h"

namespace samsa::metadata {

struct Publisher::Delivery {
  io::Loop& shard;
  ImageSubscriber& subscriber;
  ImagePtr delivered;
};

Publisher::Publisher(io::Loop& loop) : loop_(loop), image_(std::make_shared<const MetadataImage>()), tasks_(loop) {}
Publisher::~Publisher() = default;

void Publisher::subscribe(io::Loop& shard, ImageSubscriber& subscriber) {
  deliveries_.push_back(std::make_unique<Delivery>(Delivery{shard, subscriber, std::make_shared<const MetadataImage>()}));
  tasks_.spawn(deliver(*deliveries_.back()));
}

void Publisher::publish(ImagePtr image) {
  SAMSA_ASSERT(image != nullptr);
  image_ = std::move(image);
  published_.notify_all();
  if (deliveries_.empty()) applied_.notify_all();
}

Offset Publisher::applied_offset() const {
  Offset lowest = image_->provenance.last_offset();
  for (const auto& d : deliveries_) lowest = std::min(lowest, d->delivered->provenance.last_offset());
  return lowest;
}

io::Task<> Publisher::deliver(Delivery& delivery) {
  while (!stopping_) {
    if (delivery.delivered == image_ || image_->provenance.next_offset == 0) {
      co_await published_.wait(loop_);
      continue;
    }
    const ImagePtr now = image_;
    const ImagePtr before = delivery.delivered;
    ImageSubscriber* subscriber = &delivery.subscriber;
    co_await io::call_on(loop_, delivery.shard, [subscriber, before, now] { return subscriber->on_image(before, now); });
    delivery.delivered = now;
    applied_.notify_all();
  }
}

io::Task<bool> Publisher::wait_applied(Offset offset) {
  while (!stopping_ && applied_offset() < offset) co_await applied_.wait(loop_);
  co_return !stopping_;
}

io::Task<> Publisher::stop() {
  stopping_ = true;
  published_.notify_all();
  applied_.notify_all();
  co_await tasks_.join();
}

}  // namespace samsa::metadata
