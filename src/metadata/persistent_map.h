// PersistentMap: an ordered map whose copies share what did not change. Copying is O(1); set and erase cost O(log n) new nodes
// and leave every older copy as it was, from whichever thread that copy is read. The metadata image stands on it: an image of
// 100,000 partitions is copied by copying a few pointers, and two images are compared by walking only what differs.
//
// A treap whose priorities are a hash of the key, so the shape follows from the contents alone: maps with equal keys have equal
// shapes, and diff() may skip every subtree that both share. Values are immutable once in the map (shared_ptr<const V>).
// Invariants: keys in order from left to right; priorities fall from parent to child. Nodes are never changed after construction.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/uuid.h"

namespace samsa::metadata {

inline uint64_t mix_bits(uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}
inline uint64_t key_priority(int32_t key) { return mix_bits(static_cast<uint64_t>(static_cast<uint32_t>(key)) + 0x9e3779b97f4a7c15ULL); }
inline uint64_t key_priority(const Uuid& key) { return mix_bits(key.high ^ mix_bits(key.low + 0x9e3779b97f4a7c15ULL)); }
inline uint64_t key_priority(std::string_view key) {
  uint64_t h = 0xcbf29ce484222325ULL;
  for (const char c : key) h = (h ^ static_cast<uint8_t>(c)) * 0x100000001b3ULL;
  return mix_bits(h);
}
template <class A, class B>
uint64_t key_priority(const std::pair<A, B>& key) {
  return mix_bits(key_priority(key.first) * 31 + key_priority(key.second));
}

template <class K, class V>
class PersistentMap {
  struct Node;
  using Link = std::shared_ptr<const Node>;
  struct Node {
    K key;
    std::shared_ptr<const V> value;
    uint64_t priority;
    size_t size;
    Link left, right;
  };

 public:
  [[nodiscard]] size_t size() const { return size_of(root_); }
  [[nodiscard]] bool empty() const { return root_ == nullptr; }
  // Whether both are the very same tree (a cheap, sufficient test of equality).
  [[nodiscard]] bool same_as(const PersistentMap& other) const { return root_ == other.root_; }

  // The value, or nullptr. Lives as long as any map that holds it. K may be looked up by anything comparable with it.
  template <class Q>
  [[nodiscard]] const V* find(const Q& key) const {
    const Node* node = root_.get();
    while (node != nullptr) {
      if (key < node->key) {
        node = node->left.get();
      } else if (node->key < key) {
        node = node->right.get();
      } else {
        return node->value.get();
      }
    }
    return nullptr;
  }
  template <class Q>
  [[nodiscard]] std::shared_ptr<const V> find_shared(const Q& key) const {
    const Node* node = root_.get();
    while (node != nullptr) {
      if (key < node->key) {
        node = node->left.get();
      } else if (node->key < key) {
        node = node->right.get();
      } else {
        return node->value;
      }
    }
    return nullptr;
  }
  template <class Q>
  [[nodiscard]] bool contains(const Q& key) const {
    return find(key) != nullptr;
  }

  void set(const K& key, V value) { set(key, std::make_shared<const V>(std::move(value))); }
  void set(const K& key, std::shared_ptr<const V> value) { root_ = insert(root_, key, std::move(value), key_priority(key)); }
  // Whether the key was there.
  bool erase(const K& key) {
    if (!contains(key)) return false;
    root_ = remove(root_, key);
    return true;
  }
  void clear() { root_ = nullptr; }

  // f(key, value) in key order; f may return bool: false ends the walk.
  template <class F>
  void for_each(F&& f) const {
    walk(root_.get(), f);
  }
  // The same from the first key that is not less than `from`.
  template <class Q, class F>
  void for_each_from(const Q& from, F&& f) const {
    walk_from(root_.get(), from, f);
  }

  // f(key, const V* before, const V* after) for every key whose value is another object; nullptr: not there. In no set order.
  template <class F>
  static void diff(const PersistentMap& before, const PersistentMap& after, F&& f) {
    diff_links(before.root_, after.root_, f);
  }

 private:
  static size_t size_of(const Link& link) { return link ? link->size : 0; }
  static Link make(const K& key, std::shared_ptr<const V> value, uint64_t priority, Link left, Link right) {
    const size_t size = 1 + size_of(left) + size_of(right);
    return std::make_shared<const Node>(Node{key, std::move(value), priority, size, std::move(left), std::move(right)});
  }
  static Link with_children(const Node& node, Link left, Link right) {
    return make(node.key, node.value, node.priority, std::move(left), std::move(right));
  }
  // Higher priority is nearer to the root; equal ones are ordered by key so that the shape stays unique.
  static bool above(uint64_t priority, const K& key, const Node& node) {
    return priority != node.priority ? priority > node.priority : key < node.key;
  }

  struct Parts {
    Link less;
    std::shared_ptr<const V> equal;
    Link greater;
  };
  static Parts split(const Link& tree, const K& key) {
    if (!tree) return {};
    if (key < tree->key) {
      Parts parts = split(tree->left, key);
      parts.greater = with_children(*tree, std::move(parts.greater), tree->right);
      return parts;
    }
    if (tree->key < key) {
      Parts parts = split(tree->right, key);
      parts.less = with_children(*tree, tree->left, std::move(parts.less));
      return parts;
    }
    return {tree->left, tree->value, tree->right};
  }
  static Link join(const Link& left, const Link& right) {
    if (!left) return right;
    if (!right) return left;
    if (above(left->priority, left->key, *right)) return with_children(*left, left->left, join(left->right, right));
    return with_children(*right, join(left, right->left), right->right);
  }
  static Link insert(const Link& tree, const K& key, std::shared_ptr<const V> value, uint64_t priority) {
    if (!tree) return make(key, std::move(value), priority, nullptr, nullptr);
    const bool less = key < tree->key;
    if (!less && !(tree->key < key)) return make(key, std::move(value), priority, tree->left, tree->right);
    if (above(priority, key, *tree)) {
      Parts parts = split(tree, key);
      return make(key, std::move(value), priority, std::move(parts.less), std::move(parts.greater));
    }
    if (less) return with_children(*tree, insert(tree->left, key, std::move(value), priority), tree->right);
    return with_children(*tree, tree->left, insert(tree->right, key, std::move(value), priority));
  }
  static Link remove(const Link& tree, const K& key) {
    if (key < tree->key) return with_children(*tree, remove(tree->left, key), tree->right);
    if (tree->key < key) return with_children(*tree, tree->left, remove(tree->right, key));
    return join(tree->left, tree->right);
  }

  template <class F>
  static bool call(F& f, const Node& node) {
    if constexpr (std::is_same_v<decltype(f(node.key, *node.value)), bool>) {
      return f(node.key, *node.value);
    } else {
      f(node.key, *node.value);
      return true;
    }
  }
  template <class F>
  static bool walk(const Node* node, F& f) {
    if (node == nullptr) return true;
    return walk(node->left.get(), f) && call(f, *node) && walk(node->right.get(), f);
  }
  template <class Q, class F>
  static bool walk_from(const Node* node, const Q& from, F& f) {
    if (node == nullptr) return true;
    if (node->key < from) return walk_from(node->right.get(), from, f);
    return walk_from(node->left.get(), from, f) && call(f, *node) && walk(node->right.get(), f);
  }

  template <class F>
  static void diff_links(const Link& before, const Link& after, F& f) {
    if (before == after) return;
    const bool before_on_top = before && (!after || above(before->priority, before->key, *after));
    const Node& top = before_on_top ? *before : *after;
    const Link& other = before_on_top ? after : before;
    if (other && !(other->key < top.key) && !(top.key < other->key)) {
      diff_links(before->left, after->left, f);
      if (before->value != after->value) f(top.key, before->value.get(), after->value.get());
      diff_links(before->right, after->right, f);
      return;
    }
    // By the shape's uniqueness the other tree cannot hold the key of a node that stands above its root.
    Parts parts = split(other, top.key);
    if (before_on_top) {
      diff_links(top.left, parts.less, f);
      f(top.key, top.value.get(), static_cast<const V*>(nullptr));
      diff_links(top.right, parts.greater, f);
    } else {
      diff_links(parts.less, top.left, f);
      f(top.key, static_cast<const V*>(nullptr), top.value.get());
      diff_links(parts.greater, top.right, f);
    }
  }

  Link root_;
};

}  // namespace samsa::metadata
