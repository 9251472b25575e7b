// Ping-pong over loopback: a server process with one shard, a client process with many connections. Prints requests per second and the
// server's CPU per request, so that the cost of the loop, the sockets and the tasks is known without a broker on top.
//
//   loop_bench [connections=50] [requests=400000] [request bytes=100] [pipeline=1] [floods=0]
// A flood is a further connection that keeps 1,000 requests in the pipe; its requests are not counted.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/real/world.h"
#include "io/sync.h"

namespace samsa::io {
namespace {

struct Load {
  int connections = 50;
  int requests = 400'000;
  size_t bytes = 100;
  int pipeline = 1;
  int floods = 0;
};

// Reads frames of a 4-byte length and answers each with as many bytes.
Task<> serve(World world, std::unique_ptr<AcceptedStream> accepted) {
  auto stream = world.network.attach(std::move(accepted));
  Buffer buffer(64 * 1024);
  size_t filled = 0;
  while (true) {
    auto n = co_await stream->read_some(MutableBytes(buffer).subspan(filled));
    if (!n || *n == 0) co_return;
    filled += *n;
    size_t at = 0;
    while (filled - at >= 4) {
      const size_t size = 4 + load_be<uint32_t>(buffer.data() + at);
      if (filled - at < size) break;
      const Chunk chunk{Bytes(buffer).subspan(at, size), nullptr};
      if (!co_await stream->write({&chunk, 1})) co_return;
      at += size;
    }
    std::copy(buffer.begin() + static_cast<int64_t>(at), buffer.begin() + static_cast<int64_t>(filled), buffer.begin());
    filled -= at;
  }
}

Task<> listen(World world, int port_pipe) {
  auto listener = world.network.listen({"127.0.0.1", 0});
  const uint16_t port = (*listener)->address().port;
  if (::write(port_pipe, &port, sizeof port) != sizeof port) std::abort();
  while (true) {
    auto accepted = co_await (*listener)->accept();
    if (!accepted) co_return;
    spawn(world.loop, serve(world, std::move(*accepted)));
  }
}

// One client connection: sends `pipeline` requests at once and reads their answers.
class Asker {
 public:
  Asker(const Load& load, int pipeline) : request_((4 + load.bytes) * static_cast<size_t>(pipeline)), answer_(request_.size()) {
    for (size_t at = 0; at < request_.size(); at += 4 + load.bytes) store_be(request_.data() + at, static_cast<uint32_t>(load.bytes));
  }
  Task<bool> connect(World world, uint16_t port) {
    auto stream = co_await world.network.connect({"127.0.0.1", port}, std::chrono::seconds(10));
    if (stream) stream_ = std::move(*stream);
    co_return stream.has_value();
  }
  Task<bool> ask() {
    const Chunk chunk{request_, nullptr};
    if (!co_await stream_->write({&chunk, 1})) co_return false;
    for (size_t got = 0; got < answer_.size();) {
      auto n = co_await stream_->read_some(MutableBytes(answer_).subspan(got));
      if (!n || *n == 0) co_return false;
      got += *n;
    }
    co_return true;
  }

 private:
  Buffer request_;
  Buffer answer_;
  std::unique_ptr<Stream> stream_;
};

Task<> ask(World world, uint16_t port, const Load& load, int& left, std::vector<int64_t>& latencies) {
  Asker asker(load, load.pipeline);
  if (!co_await asker.connect(world, port)) co_return;
  while (left > 0) {
    left -= load.pipeline;
    const MonoTime start = world.loop.now_precise();
    if (!co_await asker.ask()) co_return;
    latencies.push_back((world.loop.now_precise() - start).count());
  }
}

Task<> flood(World world, uint16_t port, const Load& load, const int& left) {
  Asker asker(load, 1000);
  if (!co_await asker.connect(world, port)) co_return;
  while (left > 0 && co_await asker.ask()) {
  }
}

Task<> run_client(World world, uint16_t port, const Load& load) {
  int left = load.requests;
  std::vector<int64_t> latencies;
  latencies.reserve(static_cast<size_t>(load.requests));
  const MonoTime start = world.loop.now_precise();
  TaskGroup group(world.loop);
  for (int i = 0; i < load.connections; ++i) group.spawn(ask(world, port, load, left, latencies));
  for (int i = 0; i < load.floods; ++i) group.spawn(flood(world, port, load, left));
  co_await group.join();
  const double seconds = static_cast<double>((world.loop.now_precise() - start).count()) / 1e9;
  std::sort(latencies.begin(), latencies.end());
  const auto at = [&](double q) {
    return static_cast<double>(latencies[static_cast<size_t>(q * static_cast<double>(latencies.size() - 1))]) / 1e3;
  };
  std::printf("%.0f requests/s; latency us p50 %.0f p99 %.0f p99.9 %.0f\n", load.requests / seconds, at(0.5), at(0.99), at(0.999));
  std::fflush(stdout);
}

double seconds_of(const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; }

}  // namespace
}  // namespace samsa::io

int main(int argc, char** argv) {
  using namespace samsa::io;
  Load load;
  if (argc > 1) load.connections = std::atoi(argv[1]);
  if (argc > 2) load.requests = std::atoi(argv[2]);
  if (argc > 3) load.bytes = static_cast<size_t>(std::atoi(argv[3]));
  if (argc > 4) load.pipeline = std::atoi(argv[4]);
  if (argc > 5) load.floods = std::atoi(argv[5]);
  int port_pipe[2];
  if (pipe(port_pipe) != 0) return 1;
  const pid_t server = fork();
  if (server == 0) {
    real::RealNode node({.shards = 1});
    node.on_stop_signal([&](int) { node.stop(); });
    spawn(node.worlds()[0].loop, listen(node.worlds()[0], port_pipe[1]));
    node.run();
    return 0;
  }
  uint16_t port = 0;
  if (::read(port_pipe[0], &port, sizeof port) != sizeof port) return 1;
  {
    real::RealNode node({.shards = 1});
    node.run_until_done(run_client(node.worlds()[0], port, load));
  }
  kill(server, SIGTERM);
  int status = 0;
  rusage usage{};
  wait4(server, &status, 0, &usage);
  const double user = seconds_of(usage.ru_utime) * 1e6 / load.requests;
  const double system = seconds_of(usage.ru_stime) * 1e6 / load.requests;
  std::printf("server CPU per request: %.2f us (user %.2f, system %.2f)\n", user + system, user, system);
  return status;
}
