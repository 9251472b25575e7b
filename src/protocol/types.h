// The value types of generated messages (protocol/api/*.api): Text and Blob hold strings and bytes, Records a partition's batches.
//
// Text and Blob either view memory that somebody else owns (what decoding gives: the request's buffer) or own a copy (what the
// constructors give). A view must not outlive its buffer: whoever keeps a value past the request makes a std::string of it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "io/file.h"

namespace samsa::protocol {

struct MessageTable;  // protocol/schema.h: what the codec knows of a message.

class Text {
 public:
  Text() = default;
  Text(const char* text) : Text(std::string_view(text)) {}
  Text(const std::string& text) : Text(std::string_view(text)) {}
  explicit Text(std::string_view text) { assign(text); }
  static Text view_of(std::string_view text) {
    Text t;
    t.data_ = text.data();
    t.size_ = static_cast<uint32_t>(text.size());
    return t;
  }

  Text(const Text& other) { copy(other); }
  Text(Text&& other) noexcept : data_(other.data_), size_(other.size_), owned_(std::move(other.owned_)) { other.forget(); }
  Text& operator=(const Text& other) {
    if (this != &other) copy(other);
    return *this;
  }
  Text& operator=(Text&& other) noexcept {
    data_ = other.data_;
    size_ = other.size_;
    owned_ = std::move(other.owned_);
    other.forget();
    return *this;
  }
  Text& operator=(std::string_view text) {
    assign(text);
    return *this;
  }
  Text& operator=(const std::string& text) { return *this = std::string_view(text); }
  Text& operator=(const char* text) { return *this = std::string_view(text); }

  operator std::string_view() const { return {data_, size_}; }
  [[nodiscard]] std::string_view view() const { return {data_, size_}; }
  [[nodiscard]] std::string str() const { return std::string(data_, size_); }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] size_t size() const { return size_; }
  friend bool operator==(const Text& a, const Text& b) { return a.view() == b.view(); }
  friend bool operator==(const Text& a, std::string_view b) { return a.view() == b; }
  friend bool operator==(const Text& a, const char* b) { return a.view() == b; }
  friend bool operator==(const Text& a, const std::string& b) { return a.view() == b; }
  friend auto operator<=>(const Text& a, const Text& b) { return a.view() <=> b.view(); }

 private:
  void assign(std::string_view text) {
    auto fresh = text.empty() ? nullptr : std::make_unique<char[]>(text.size());
    if (fresh) std::memcpy(fresh.get(), text.data(), text.size());
    owned_ = std::move(fresh);
    data_ = owned_ ? owned_.get() : "";
    size_ = static_cast<uint32_t>(text.size());
  }
  // A copy of a view is a view; a copy of an owner owns.
  void copy(const Text& other) {
    if (other.owned_) {
      assign(other.view());
    } else {
      owned_.reset();
      data_ = other.data_;
      size_ = other.size_;
    }
  }
  void forget() {
    data_ = "";
    size_ = 0;
  }

  const char* data_ = "";
  uint32_t size_ = 0;
  std::unique_ptr<char[]> owned_;
};

using NullableText = std::optional<Text>;

// Bytes, with the same rule as Text.
class Blob {
 public:
  Blob() = default;
  Blob(Buffer owned) : owned_(std::make_shared<Buffer>(std::move(owned))), bytes_(*owned_) {}
  static Blob view_of(Bytes bytes) {
    Blob b;
    b.bytes_ = bytes;
    return b;
  }
  static Blob copy_of(Bytes bytes) { return Blob(Buffer(bytes.begin(), bytes.end())); }
  operator Bytes() const { return bytes_; }
  [[nodiscard]] Bytes view() const { return bytes_; }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  [[nodiscard]] size_t size() const { return bytes_.size(); }
  [[nodiscard]] Buffer copy() const { return {bytes_.begin(), bytes_.end()}; }
  // Whether the bytes live as long as this Blob or a copy of it does; false for a view.
  [[nodiscard]] bool owns() const { return owned_ != nullptr; }
  friend bool operator==(const Blob& a, const Blob& b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.bytes_.data(), b.bytes_.data(), a.size()) == 0);
  }

 private:
  std::shared_ptr<Buffer> owned_;
  Bytes bytes_;
};

using NullableBlob = std::optional<Blob>;

// A `records` field: record batches as they are on disk. Decoded: a view of the request's buffer (the produce road patches offset
// and epoch in place through mutable_view). Encoded: memory, slices of files (the fetch road sends them by sendfile), or null.
struct Records {
  bool null = true;
  Blob memory;
  std::vector<io::FileSlice> slices;  // Where not empty, memory is unused.

  static Records of(Blob blob) { return {false, std::move(blob), {}}; }
  static Records of(std::vector<io::FileSlice> slices) { return {false, {}, std::move(slices)}; }
  static Records empty() { return {false, {}, {}}; }
  [[nodiscard]] uint64_t size() const {
    if (slices.empty()) return memory.size();
    uint64_t total = 0;
    for (const auto& slice : slices) total += slice.length;
    return total;
  }
  // Slices are equal when they are the same ranges of the same open file.
  friend bool operator==(const Records& a, const Records& b) {
    return a.null == b.null && a.memory == b.memory && a.slices.size() == b.slices.size() &&
           std::equal(a.slices.begin(), a.slices.end(), b.slices.begin(), [](const io::FileSlice& x, const io::FileSlice& y) {
             return x.file == y.file && x.offset == y.offset && x.length == y.length;
           });
  }
};

// A tagged field that this version does not know; kept so that it can be written again (Java does the same).
struct UnknownTag {
  uint32_t tag = 0;
  Blob bytes;
  friend bool operator==(const UnknownTag&, const UnknownTag&) = default;
};
using UnknownTags = std::vector<UnknownTag>;

}  // namespace samsa::protocol
