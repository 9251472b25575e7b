// For tests: what strangers may send, made out of bytes. HostileSite runs a node on the simulated world and plays an input to it: a
// row of requests of every served API and version, plausible, random or mutated, pipelined or one by one, over any listener. After
// each input the node must still answer, and at the end it must stop. The same inputs are the same run. Used by requests_fuzz.cc
// and, with inputs from seeds, by hostile_requests_test.cc.
//
// Requests are made by the schema tables: a number or text is often one that an earlier answer had in a field of that name, else one
// from a pool of values that mean something, else anything.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/sim/world.h"
#include "protocol/api_table.h"
#include "protocol/record_batch.h"
#include "protocol/schema.h"
#include "server/test_node.h"

namespace samsa::server {

// Bytes as a row of decisions. When they have run out every decision is 0.
class Choices {
 public:
  explicit Choices(Bytes bytes) : bytes_(bytes) {}
  [[nodiscard]] bool done() const { return bytes_.empty(); }
  uint64_t below(uint64_t bound) { return bound <= 1 ? 0 : take(bound <= 256 ? 1 : bound <= 65536 ? 2 : 8) % bound; }
  // False when the bytes have run out.
  bool one_in(uint64_t n) { return below(n) == n - 1; }
  uint64_t raw() { return take(8); }
  template <class T, size_t N>
  T of(const T (&pool)[N]) {
    return pool[below(N)];
  }

 private:
  uint64_t take(size_t count) {
    uint64_t value = 0;
    for (; count > 0 && !bytes_.empty(); --count) {
      value = value << 8 | bytes_[0];
      bytes_ = bytes_.subspan(1);
    }
    return value;
  }
  Bytes bytes_;
};

// What answers have told, by the name of the field.
class Learned {
 public:
  std::map<std::string_view, std::vector<std::string>> texts;
  std::map<std::string_view, std::vector<int64_t>> numbers;
  std::vector<Uuid> uuids;

  void take(const protocol::StructTable& table, const void* from);

 private:
  static constexpr size_t kKept = 8;
  template <class T>
  static void keep(std::vector<T>& list, T value) {
    if (std::find(list.begin(), list.end(), value) != list.end()) return;
    if (list.size() >= kKept) list.erase(list.begin());
    list.push_back(std::move(value));
  }
  void take_value(const protocol::FieldTable& field, const void* from);
};

class HostileRequests {
 public:
  HostileRequests(Choices& choices, const Learned& learned) : choices_(choices), learned_(learned) {}

  // Whether the request in `to` would be well-formed is open.
  struct Made {
    int16_t api_key = 0;
    int16_t version = 0;
    bool controller = false;  // For the controller listener.
  };
  // The next frame, with its length in front; empty where it came to nothing.
  Buffer next(Made& made);

 private:
  void fill_struct(const protocol::StructTable& table, void* to, int depth);
  void fill_field(const protocol::FieldTable& field, void* to, int depth);
  void fill_value(const protocol::FieldTable& field, void* to, int depth);
  int64_t number(const protocol::FieldTable& field);
  std::string text(const protocol::FieldTable& field);
  Uuid uuid();
  Buffer blob();
  Buffer records();
  void mutate(Buffer& frame, size_t from);

  Choices& choices_;
  const Learned& learned_;
  int16_t version_ = 0;
};

class HostileSite {
 public:
  HostileSite();
  ~HostileSite();
  HostileSite(const HostileSite&) = delete;

  // Plays one input; false, with `problem` filled, where the node did not answer afterwards.
  bool play(Bytes input);
  // Stops the node; false where it does not end.
  bool stop();
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] uint64_t sent() const { return sent_; }
  [[nodiscard]] uint64_t answered() const { return answered_; }

 private:
  struct Line;
  io::Task<> serve();
  io::Task<> attack(Choices& choices);
  io::Task<> prepare();
  io::Task<> check();
  io::Task<std::shared_ptr<Line>> connect(bool controller);
  static io::Task<> read_answers(HostileSite& site, std::shared_ptr<Line> line);
  bool run(io::Task<> task, const char* what);
  bool fail(std::string problem);

  io::sim::SimWorld sim_{1};
  io::sim::SimNode& server_{sim_.add_node("server", 2)};
  io::sim::SimNode& client_{sim_.add_node("client")};
  Learned learned_;
  std::string problem_;
  uint64_t sent_ = 0;
  uint64_t answered_ = 0;
  bool started_ = false;
  bool stopping_ = false;
  bool stopped_ = false;
  bool well_ = false;
};

}  // namespace samsa::server
