// The driver of franz-go.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"samsa.tests/drivers/contract"
)

const module = "github.com/twmb/franz-go"

var assignors = map[string]kgo.GroupBalancer{
	"range": kgo.RangeBalancer(), "roundrobin": kgo.RoundRobinBalancer(), "sticky": kgo.StickyBalancer(),
	"cooperative-sticky": kgo.CooperativeStickyBalancer(),
}

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(),
	"zstd": kgo.ZstdCompression(),
}

// member is a consumer with what its group gave it.
type member struct {
	client *kgo.Client
	mutex  sync.Mutex
	held   map[contract.Place]bool
}

type driver struct {
	bootstrap string
	client    *kgo.Client
	admin     *kadm.Client
	producers map[string]*kgo.Client
	members   map[string]*member
}

func soon() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 30*time.Second)
}

func main() {
	client, err := kgo.NewClient(kgo.SeedBrokers(os.Args[1]), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		panic(err)
	}
	d := &driver{os.Args[1], client, kadm.NewClient(client), map[string]*kgo.Client{}, map[string]*member{}}
	version := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == module {
				version = strings.TrimPrefix(dep.Version, "v")
			}
		}
	}
	hello := contract.Answer{
		"name": "franz-go", "version": version, "codecs": []string{"none", "gzip", "snappy", "lz4", "zstd"},
		"assignors": []string{"range", "roundrobin", "sticky", "cooperative-sticky"},
	}
	contract.Run(map[string]contract.Operation{
		"create_topic": d.createTopic, "delete_topic": d.deleteTopic, "create_partitions": d.createPartitions,
		"list_topics": d.listTopics, "describe_topic": d.describeTopic, "topic_configs": d.topicConfigs,
		"set_topic_config": d.setTopicConfig, "produce": d.produce, "open": d.open, "join": d.join, "assignment": d.assignment,
		"poll": d.poll, "commit": d.commit, "close": d.close, "committed": d.committed, "set_committed": d.setCommitted,
		"list_offsets": d.listOffsets, "list_groups": d.listGroups, "describe_group": d.describeGroup,
		"delete_group": d.deleteGroup, "delete_records": d.deleteRecords, "describe_cluster": d.describeCluster,
	}, hello, func(err error) int {
		var failure *kerr.Error
		if errors.As(err, &failure) && failure.Code > 0 {
			return int(failure.Code)
		}
		return 0
	})
}

func (d *driver) createTopic(r *contract.Request) (contract.Answer, error) {
	ctx, cancel := soon()
	defer cancel()
	configs := map[string]*string{}
	for name, value := range r.Configs {
		configs[name] = kadm.StringPtr(value)
	}
	_, err := d.admin.CreateTopic(ctx, r.PartitionCount(), r.Replication, configs, r.Topic)
	return nil, err
}

func (d *driver) deleteTopic(r *contract.Request) (contract.Answer, error) {
	ctx, cancel := soon()
	defer cancel()
	_, err := d.admin.DeleteTopic(ctx, r.Topic)
	// A kgo producer stays with the topic id it knows; this is how the library wants to be told of another topic of that name.
	for _, producer := range d.producers {
		producer.PurgeTopicsFromProducing(r.Topic)
	}
	return nil, err
}

func (d *driver) createPartitions(r *contract.Request) (contract.Answer, error) {
	ctx, cancel := soon()
	defer cancel()
	answers, err := d.admin.UpdatePartitions(ctx, r.Count, r.Topic)
	if err == nil {
		err = answers.Error()
	}
	return nil, err
}

func (d *driver) listTopics(*contract.Request) (contract.Answer, error) {
	ctx, cancel := soon()
	defer cancel()
	topics, err := d.admin.ListTopics(ctx)
	return contract.Answer{"topics": topics.Names()}, err
}

func (d *driver) describeTopic(r *contract.Request) (contract.Answer, error) {
	ctx, cancel := soon()
	defer cancel()
	topics, err := d.admin.ListTopics(ctx, r.Topic)
	if err != nil {
		return nil, err
	}
	if err := topics[r.Topic].Err; err != nil {
		return nil, err
	}
	partitions := []contract.Answer{}
	for _, p := range topics[r.Topic].Partitions.Sorted() {
		partitions = append(partitions, contract.Answer{"id": p.Partition, "leader": p.Leader, "replicas": p.Replicas, "isr": p.ISR})
	}
	return contract.Answer{"partitions": partitions}, nil
}

func (d *driver) topicConfigs(r *contract.Request) (contract.Answer, error) {
	ctx, cancel := soon()
	defer cancel()
	found, err := d.admin.DescribeTopicConfigs(ctx, r.Topic)
	if err != nil {
		return nil, err
	}
	resource, err := found.On(r.Topic, nil)
	if err == nil {
		err = resource.Err
	}
	configs := map[string]*string{}
	for _, entry := range resource.Configs {
		configs[entry.Key] = entry.Value
	}
	return contract.Answer{"configs": configs}, err
}

func (d *driver) setTopicConfig(r *contract.Request) (contract.Answer, error) {
	ctx, cancel := soon()
	defer cancel()
	change := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: r.Name, Value: &r.Value}}
	answers, err := d.admin.AlterTopicConfigs(ctx, change, r.Topic)
	if err == nil {
		err = answers[0].Err
	}
	return nil, err
}

func (d *driver) producer(r *contract.Request) (*kgo.Client, error) {
	key := fmt.Sprint(r.Codec, r.Acks, r.Idempotent)
	if d.producers[key] != nil {
		return d.producers[key], nil
	}
	acks := map[int]kgo.Acks{0: kgo.NoAck(), 1: kgo.LeaderAck(), -1: kgo.AllISRAcks()}[r.Acks]
	options := []kgo.Opt{
		kgo.SeedBrokers(d.bootstrap), kgo.RequiredAcks(acks), kgo.ProducerBatchCompression(codecs[r.Codec]),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(20_000_000), kgo.ProducerLinger(5 * time.Millisecond),
		kgo.MetadataMinAge(100 * time.Millisecond),
	}
	if !r.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	client, err := kgo.NewClient(options...)
	d.producers[key] = client
	return client, err
}

func (d *driver) produce(r *contract.Request) (contract.Answer, error) {
	ctx, cancel := soon()
	defer cancel()
	producer, err := d.producer(r)
	if err != nil {
		return nil, err
	}
	records := []*kgo.Record{}
	for i := range r.Records {
		in := &r.Records[i]
		one := &kgo.Record{Topic: r.Topic, Partition: in.Partition, Key: contract.Bytes(in.Key), Value: in.ValueBytes()}
		if in.Timestamp != nil {
			one.Timestamp = time.UnixMilli(*in.Timestamp)
		}
		for _, h := range in.Headers {
			one.Headers = append(one.Headers, kgo.RecordHeader{Key: *h[0], Value: contract.Bytes(h[1])})
		}
		records = append(records, one)
	}
	if err := producer.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return nil, err
	}
	offsets := []int64{}
	for _, one := range records {
		offsets = append(offsets, one.Offset)
	}
	return contract.Answer{"offsets": offsets}, nil
}

func (d *driver) offsetAt(topic string, partition int32, at contract.Start) (int64, error) {
	ctx, cancel := soon()
	defer cancel()
	var listed kadm.ListedOffsets
	var err error
	switch {
	case at.Offset != nil:
		return *at.Offset, nil
	case at.Time != nil:
		listed, err = d.admin.ListOffsetsAfterMilli(ctx, *at.Time, topic)
	case at.Word == "earliest":
		listed, err = d.admin.ListStartOffsets(ctx, topic)
	default:
		listed, err = d.admin.ListEndOffsets(ctx, topic)
	}
	if err != nil {
		return 0, err
	}
	found, _ := listed.Lookup(topic, partition)
	return found.Offset, found.Err
}

func (d *driver) consumer(more ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(more, kgo.SeedBrokers(d.bootstrap), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.MetadataMinAge(100*time.Millisecond))...)
}

func (d *driver) open(r *contract.Request) (contract.Answer, error) {
	starts := map[int32]kgo.Offset{}
	for _, partition := range r.PartitionList() {
		offset, err := d.offsetAt(r.Topic, partition, r.Start)
		if err != nil {
			return nil, err
		}
		starts[partition] = kgo.NewOffset().At(offset)
	}
	client, err := d.consumer(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.Topic: starts}))
	d.members[r.ID] = &member{client: client}
	return nil, err
}

func (m *member) change(held bool) func(context.Context, *kgo.Client, map[string][]int32) {
	return func(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
		m.mutex.Lock()
		defer m.mutex.Unlock()
		for topic, partitions := range topics {
			for _, partition := range partitions {
				m.held[contract.Place{Topic: topic, Partition: partition}] = held
			}
		}
	}
}

func (d *driver) join(r *contract.Request) (contract.Answer, error) {
	m := &member{held: map[contract.Place]bool{}}
	reset := kgo.NewOffset().AtStart()
	if r.Reset == "latest" {
		reset = kgo.NewOffset().AtEnd()
	}
	options := []kgo.Opt{
		kgo.ConsumerGroup(r.Group), kgo.ConsumeTopics(r.Topics...), kgo.Balancers(assignors[r.Assignor]), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(reset), kgo.HeartbeatInterval(300 * time.Millisecond), kgo.OnPartitionsAssigned(m.change(true)),
		kgo.OnPartitionsRevoked(m.change(false)), kgo.OnPartitionsLost(m.change(false)),
	}
	if r.Instance != "" {
		options = append(options, kgo.InstanceID(r.Instance))
	}
	client, err := d.consumer(options...)
	m.client = client
	d.members[r.ID] = m
	return nil, err
}

func (d *driver) assignment(r *contract.Request) (contract.Answer, error) {
	m := d.members[r.ID]
	m.mutex.Lock()
	defer m.mutex.Unlock()
	places := [][]any{}
	for place, held := range m.held {
		if held {
			places = append(places, []any{place.Topic, place.Partition})
		}
	}
	sort.Slice(places, func(a, b int) bool { return places[a][1].(int32) < places[b][1].(int32) })
	return contract.Answer{"partitions": places}, nil
}

func (d *driver) poll(r *contract.Request) (contract.Answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.TimeoutMs)*time.Millisecond)
	defer cancel()
	records := []contract.Record{}
	for len(records) < r.Count && ctx.Err() == nil {
		fetches := d.members[r.ID].client.PollRecords(ctx, r.Count-len(records))
		for _, failure := range fetches.Errors() {
			if !errors.Is(failure.Err, context.DeadlineExceeded) {
				return nil, failure.Err
			}
		}
		fetches.EachRecord(func(in *kgo.Record) {
			time := in.Timestamp.UnixMilli()
			one := contract.Record{
				Partition: in.Partition, Offset: in.Offset, Timestamp: &time, Key: contract.Text(in.Key), Value: contract.Text(in.Value),
				Headers: [][2]*string{},
			}
			for _, h := range in.Headers {
				one.Headers = append(one.Headers, [2]*string{&h.Key, contract.Text(h.Value)})
			}
			records = append(records, one)
		})
	}
	return contract.Answer{"records": records}, nil
}

func epochOffsets(places []contract.Place) map[string]map[int32]kgo.EpochOffset {
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for _, place := range places {
		if offsets[place.Topic] == nil {
			offsets[place.Topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[place.Topic][place.Partition] = kgo.EpochOffset{Epoch: -1, Offset: place.Offset}
	}
	return offsets
}

func (d *driver) commit(r *contract.Request) (contract.Answer, error) {
	ctx, cancel := soon()
	defer cancel()
	var failure error
	d.members[r.ID].client.CommitOffsetsSync(ctx, epochOffsets(r.Offsets),
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error) {
			failure = err
			if err != nil {
				return
			}
			for _, topic := range answer.Topics {
				for _, partition := range topic.Partitions {
					failure = errors.Join(failure, kerr.ErrorForCode(partition.ErrorCode))
				}
			}
		})
	return nil, failure
}

func (d *driver) close(r *contract.Request) (contract.Answer, error) {
	if m := d.members[r.ID]; m != nil {
		m.client.Close()
		delete(d.members, r.ID)
	}
	return nil, nil
}

func (d *driver) committed(r *contract.Request) (contract.Answer, error) {
	ctx, cancel := soon()
	defer cancel()
	found, err := d.admin.FetchOffsets(ctx, r.Group)
	if err != nil {
		return nil, err
	}
	for i, place := range r.Offsets {
		r.Offsets[i].Offset = -1
		if at, exists := found.Lookup(place.Topic, place.Partition); exists {
			r.Offsets[i].Offset = at.At
		}
	}
	return contract.Answer{"offsets": r.Offsets}, nil
}

func (d *driver) setCommitted(r *contract.Request) (contract.Answer, error) {
	ctx, cancel := soon()
	defer cancel()
	offsets := kadm.Offsets{}
	for _, place := range r.Offsets {
		offsets.Add(kadm.Offset{Topic: place.Topic, Partition: place.Partition, At: place.Offset, LeaderEpoch: -1})
	}
	return nil, d.admin.CommitAllOffsets(ctx, r.Group, offsets)
}

func (d *driver) listOffsets(r *contract.Request) (contract.Answer, error) {
	ctx, cancel := soon()
	defer cancel()
	if r.At.Time != nil {
		// kadm turns "none so late" into the end offset and says so by the timestamp.
		listed, err := d.admin.ListOffsetsAfterMilli(ctx, *r.At.Time, r.Topic)
		if err != nil {
			return nil, err
		}
		found, _ := listed.Lookup(r.Topic, r.Partition)
		if found.Timestamp == -1 {
			found.Offset = -1
		}
		return contract.Answer{"offset": found.Offset}, found.Err
	}
	offset, err := d.offsetAt(r.Topic, r.Partition, r.At)
	return contract.Answer{"offset": offset}, err
}

func (d *driver) listGroups(*contract.Request) (contract.Answer, error) {
	ctx, cancel := soon()
	defer cancel()
	groups, err := d.admin.ListGroups(ctx)
	return contract.Answer{"groups": groups.Groups()}, err
}

func (d *driver) describeGroup(r *contract.Request) (contract.Answer, error) {
	ctx, cancel := soon()
	defer cancel()
	groups, err := d.admin.DescribeGroups(ctx, r.Group)
	if err != nil {
		return nil, err
	}
	found := groups[r.Group]
	return contract.Answer{"state": strings.ToLower(found.State), "protocol": found.Protocol, "members": len(found.Members)}, found.Err
}

func (d *driver) deleteGroup(r *contract.Request) (contract.Answer, error) {
	ctx, cancel := soon()
	defer cancel()
	_, err := d.admin.DeleteGroup(ctx, r.Group)
	return nil, err
}

func (d *driver) deleteRecords(r *contract.Request) (contract.Answer, error) {
	ctx, cancel := soon()
	defer cancel()
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: r.Topic, Partition: r.Partition, At: r.Before})
	answers, err := d.admin.DeleteRecords(ctx, offsets)
	if err != nil {
		return nil, err
	}
	found, _ := answers.Lookup(r.Topic, r.Partition)
	return contract.Answer{"low_watermark": found.LowWatermark}, found.Err
}

func (d *driver) describeCluster(*contract.Request) (contract.Answer, error) {
	ctx, cancel := soon()
	defer cancel()
	found, err := d.admin.BrokerMetadata(ctx)
	return contract.Answer{"cluster_id": found.Cluster, "nodes": len(found.Brokers)}, err
}
