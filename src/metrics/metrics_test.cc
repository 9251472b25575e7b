#include <set>

#include <gtest/gtest.h>

#include "metrics/samples.h"
#include "metrics/topic_metrics.h"

namespace samsa::metrics {
namespace {

TEST(Names, FollowTheRulesOfTheJmxExporterForKafka) {
  EXPECT_EQ(prometheus_name(Metric::kMessagesIn), "kafka_server_brokertopicmetrics_messagesin");
  EXPECT_EQ(prometheus_name(Metric::kTotalTime), "kafka_network_requestmetrics_totaltimems");
  EXPECT_EQ(prometheus_name(Metric::kUnderReplicatedPartitions), "kafka_server_replicamanager_underreplicatedpartitions");
  EXPECT_EQ(prometheus_name(Metric::kActiveControllerCount), "kafka_controller_kafkacontroller_activecontrollercount");
  EXPECT_EQ(prometheus_name(Metric::kConnectionCreation), "kafka_server_socket_server_metrics_connection_creation");
  EXPECT_EQ(prometheus_name(Metric::kBuildInfo), "samsa_build_info");
  const MetricInfo percent{"kafka.network:type=Processor,name=IdlePercent,networkProcessor=*", "", Kind::kGauge, Merge::kSum, "", ""};
  EXPECT_EQ(prometheus_name(percent), "kafka_network_processor_idle_percent");
}

TEST(Names, AreUniqueAndValid) {
  std::set<std::string> seen;
  for (size_t i = 0; i < kMetricCount; ++i) {
    const auto& name = prometheus_name(static_cast<Metric>(i));
    EXPECT_TRUE(seen.insert(name).second) << name;
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string::npos) << name;
  }
}

TEST(Meter, RateIsAMovingAverageOverOneMinute) {
  Meter meter;
  meter.add(500);
  meter.tick();
  EXPECT_DOUBLE_EQ(meter.rate(), 100);  // 500 in five seconds.
  for (int i = 0; i < 12; ++i) meter.tick();
  EXPECT_NEAR(meter.rate(), 100 / 2.718281828, 0.01);  // A minute of nothing.
  for (int i = 0; i < 120; ++i) {
    meter.add(50);
    meter.tick();
  }
  EXPECT_NEAR(meter.rate(), 10, 0.1);
  EXPECT_EQ(meter.value(), 500U + 120 * 50);
}

TEST(Histogram, BucketsCoverEveryValueInOrder) {
  size_t last = 0;
  for (uint64_t value = 0; value < 100'000; ++value) {
    const size_t bucket = detail::bucket_of(value);
    ASSERT_TRUE(bucket == last || bucket == last + 1) << value;
    ASSERT_NEAR(detail::bucket_middle(bucket), static_cast<double>(value), static_cast<double>(value) / 30 + 0.5);
    last = bucket;
  }
  EXPECT_EQ(detail::bucket_of((uint64_t{1} << 40) - 1), detail::kBuckets - 1);
  EXPECT_EQ(detail::bucket_of(UINT64_MAX), detail::kBuckets - 1);
}

TEST(Histogram, PercentilesAreThoseOfTheLastWindows) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 1000; ++value) histogram.record(value);
  Distribution all;
  histogram.add_to(all);
  EXPECT_NEAR(all.percentile(0.5), 500, 500 * 0.04);
  EXPECT_NEAR(all.percentile(0.99), 990, 990 * 0.04);
  EXPECT_NEAR(all.percentile(0.999), 999, 999 * 0.04);
  EXPECT_EQ(all.max, 1000U);
  EXPECT_EQ(all.count, 1000U);
  EXPECT_EQ(all.sum, 500'500);
  histogram.rotate();
  histogram.record(7);
  histogram.rotate();
  Distribution late;
  histogram.add_to(late);
  EXPECT_EQ(late.percentile(0.5), 7);
  EXPECT_EQ(late.max, 7U);
  EXPECT_EQ(late.count, 1001U);
  EXPECT_EQ(Distribution{}.percentile(0.99), 0);
}

TEST(TopicMetrics, CountForTheTopicAndForAll) {
  TopicMetrics all;
  TopicMetrics one(&all);
  TopicMetrics two(&all);
  one.mark(&TopicMetrics::bytes_in, 100);
  two.mark(&TopicMetrics::bytes_in, 10);
  EXPECT_EQ(one.bytes_in.value(), 100U);
  EXPECT_EQ(all.bytes_in.value(), 110U);
}

TEST(Samples, ShardsComeTogether) {
  Meter meter;
  meter.add(5);
  Histogram histogram;
  histogram.record(1000);
  Samples a;
  Samples b;
  for (Samples* samples : {&a, &b}) {
    samples->add(Metric::kMessagesIn, meter, labels("topic", std::string("t")));
    samples->add(Metric::kTotalTime, histogram, labels("request", std::string("Produce")));
    samples->add(Metric::kPartitionCount, 3);
    samples->add(Metric::kLogEndOffset, samples == &a ? 8 : 9, labels("topic", std::string("t"), "partition", 0));
  }
  a.merge(b);
  EXPECT_EQ(a.value(Metric::kMessagesIn, R"(topic="t")"), 10);
  EXPECT_EQ(a.value(Metric::kPartitionCount), 6);
  EXPECT_EQ(a.value(Metric::kLogEndOffset, R"(topic="t",partition="0")"), 9);
  const std::string text = a.to_text();
  EXPECT_NE(text.find("kafka_network_requestmetrics_totaltimems{request=\"Produce\",quantile=\"0.99\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("kafka_network_requestmetrics_totaltimems_count{request=\"Produce\"} 2\n"), std::string::npos) << text;
}

TEST(Samples, TextIsPrometheusForm) {
  Meter meter;
  meter.add(5);
  meter.tick();
  Samples samples;
  samples.add(Metric::kBytesIn, meter);
  samples.add(Metric::kConnectionClose, meter, labels("listener", std::string("A\"\\\nB"), "networkProcessor", 1));
  EXPECT_EQ(samples.to_text(),
            "# HELP kafka_server_brokertopicmetrics_bytesin_total Bytes of record batches appended by producers and coordinators (bytes)\n"
            "# TYPE kafka_server_brokertopicmetrics_bytesin_total counter\n"
            "kafka_server_brokertopicmetrics_bytesin_total 5\n"
            "# HELP kafka_server_brokertopicmetrics_bytesin_oneminuterate Bytes of record batches appended by producers and coordinators"
            " (bytes), per second over the last minute\n"
            "# TYPE kafka_server_brokertopicmetrics_bytesin_oneminuterate gauge\n"
            "kafka_server_brokertopicmetrics_bytesin_oneminuterate 1\n"
            "# HELP kafka_server_socket_server_metrics_connection_close_total Connections closed (connections)\n"
            "# TYPE kafka_server_socket_server_metrics_connection_close_total counter\n"
            "kafka_server_socket_server_metrics_connection_close_total{listener=\"A\\\"\\\\\\nB\",networkProcessor=\"1\"} 5\n"
            "# HELP kafka_server_socket_server_metrics_connection_close_rate Connections closed (connections), per second over the last minute\n"
            "# TYPE kafka_server_socket_server_metrics_connection_close_rate gauge\n"
            "kafka_server_socket_server_metrics_connection_close_rate{listener=\"A\\\"\\\\\\nB\",networkProcessor=\"1\"} 1\n");
}

}  // namespace
}  // namespace samsa::metrics
