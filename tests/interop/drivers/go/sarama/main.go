// The driver of sarama.
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

	"github.com/IBM/sarama"

	"samsa.tests/drivers/contract"
)

const module = "github.com/IBM/sarama"

var assignors = map[string]func() sarama.BalanceStrategy{
	"range":      sarama.NewBalanceStrategyRange,
	"roundrobin": sarama.NewBalanceStrategyRoundRobin,
	"sticky":     sarama.NewBalanceStrategySticky,
}

var codecs = map[string]sarama.CompressionCodec{
	"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
	"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
}

// member is a reader of partitions or a member of a group; it is sarama's ConsumerGroupHandler too.
type member struct {
	records chan *sarama.ConsumerMessage
	group   sarama.ConsumerGroup
	stop    context.CancelFunc
	done    chan struct{}
	mutex   sync.Mutex
	session sarama.ConsumerGroupSession
	readers []sarama.PartitionConsumer
}

type driver struct {
	bootstrap string
	client    sarama.Client
	admin     sarama.ClusterAdmin
	producers map[string]sarama.SyncProducer
	members   map[string]*member
}

func config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.MaxVersion
	c.ClientID = "sarama-driver"
	c.Consumer.MaxWaitTime = 100 * time.Millisecond
	c.Consumer.Return.Errors = false
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Metadata.AllowAutoTopicCreation = false
	return c
}

func main() {
	client, err := sarama.NewClient([]string{os.Args[1]}, config())
	if err != nil {
		panic(err)
	}
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		panic(err)
	}
	d := &driver{os.Args[1], client, admin, map[string]sarama.SyncProducer{}, map[string]*member{}}
	version := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == module {
				version = strings.TrimPrefix(dep.Version, "v")
			}
		}
	}
	hello := contract.Answer{
		"name": "sarama", "version": version, "codecs": []string{"none", "gzip", "snappy", "lz4", "zstd"},
		"assignors": []string{"range", "roundrobin", "sticky"},
	}
	contract.Run(map[string]contract.Operation{
		"create_topic": d.createTopic, "delete_topic": d.deleteTopic, "create_partitions": d.createPartitions,
		"list_topics": d.listTopics, "describe_topic": d.describeTopic, "topic_configs": d.topicConfigs,
		"set_topic_config": d.setTopicConfig, "produce": d.produce, "open": d.open, "join": d.join, "assignment": d.assignment,
		"poll": d.poll, "commit": d.commit, "close": d.close, "committed": d.committed, "set_committed": d.setCommitted,
		"list_offsets": d.listOffsets, "list_groups": d.listGroups, "describe_group": d.describeGroup,
		"delete_group": d.deleteGroup, "delete_records": d.deleteRecords,
	}, hello, func(err error) int {
		var failure sarama.KError
		if errors.As(err, &failure) && failure > 0 {
			return int(failure)
		}
		return 0
	})
}

func orNil(code sarama.KError) error {
	if code == sarama.ErrNoError {
		return nil
	}
	return code
}

func (d *driver) createTopic(r *contract.Request) (contract.Answer, error) {
	configs := map[string]*string{}
	for name, value := range r.Configs {
		configs[name] = &value
	}
	detail := &sarama.TopicDetail{NumPartitions: r.PartitionCount(), ReplicationFactor: r.Replication, ConfigEntries: configs}
	return nil, d.admin.CreateTopic(r.Topic, detail, false)
}

func (d *driver) deleteTopic(r *contract.Request) (contract.Answer, error) {
	return nil, d.admin.DeleteTopic(r.Topic)
}

func (d *driver) createPartitions(r *contract.Request) (contract.Answer, error) {
	return nil, d.admin.CreatePartitions(r.Topic, int32(r.Count), nil, false)
}

func (d *driver) listTopics(*contract.Request) (contract.Answer, error) {
	found, err := d.admin.ListTopics()
	names := []string{}
	for name := range found {
		names = append(names, name)
	}
	return contract.Answer{"topics": names}, err
}

func (d *driver) describeTopic(r *contract.Request) (contract.Answer, error) {
	found, err := d.admin.DescribeTopics([]string{r.Topic})
	if err != nil {
		return nil, err
	}
	if found[0].Err != sarama.ErrNoError {
		return nil, found[0].Err
	}
	all := found[0].Partitions
	sort.Slice(all, func(a, b int) bool { return all[a].ID < all[b].ID })
	partitions := []contract.Answer{}
	for _, p := range all {
		partitions = append(partitions, contract.Answer{"id": p.ID, "leader": p.Leader, "replicas": p.Replicas, "isr": p.Isr})
	}
	return contract.Answer{"partitions": partitions}, nil
}

func (d *driver) topicConfigs(r *contract.Request) (contract.Answer, error) {
	entries, err := d.admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: r.Topic})
	configs := map[string]string{}
	for _, entry := range entries {
		configs[entry.Name] = entry.Value
	}
	return contract.Answer{"configs": configs}, err
}

func (d *driver) setTopicConfig(r *contract.Request) (contract.Answer, error) {
	change := map[string]sarama.IncrementalAlterConfigsEntry{
		r.Name: {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &r.Value},
	}
	return nil, d.admin.IncrementalAlterConfig(sarama.TopicResource, r.Topic, change, false)
}

func (d *driver) producer(r *contract.Request) (sarama.SyncProducer, error) {
	key := fmt.Sprint(r.Codec, r.Acks, r.Idempotent)
	if d.producers[key] != nil {
		return d.producers[key], nil
	}
	c := config()
	c.Producer.Return.Successes = true
	c.Producer.RequiredAcks = sarama.RequiredAcks(r.Acks)
	c.Producer.Compression = codecs[r.Codec]
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.MaxMessageBytes = 20_000_000
	c.Producer.Flush.Frequency = 5 * time.Millisecond
	if r.Idempotent {
		c.Producer.Idempotent = true
		c.Net.MaxOpenRequests = 1
	}
	producer, err := sarama.NewSyncProducer([]string{d.bootstrap}, c)
	if err == nil {
		d.producers[key] = producer
	}
	return producer, err
}

// encoder keeps null and empty apart: a nil Encoder is null.
func encoder(raw []byte) sarama.Encoder {
	if raw == nil {
		return nil
	}
	return sarama.ByteEncoder(raw)
}

func (d *driver) produce(r *contract.Request) (contract.Answer, error) {
	producer, err := d.producer(r)
	if err != nil {
		return nil, err
	}
	messages := []*sarama.ProducerMessage{}
	for i := range r.Records {
		in := &r.Records[i]
		one := &sarama.ProducerMessage{
			Topic: r.Topic, Partition: in.Partition, Key: encoder(contract.Bytes(in.Key)), Value: encoder(in.ValueBytes()),
		}
		if in.Timestamp != nil {
			one.Timestamp = time.UnixMilli(*in.Timestamp)
		}
		for _, h := range in.Headers {
			one.Headers = append(one.Headers, sarama.RecordHeader{Key: []byte(*h[0]), Value: contract.Bytes(h[1])})
		}
		messages = append(messages, one)
	}
	if err := producer.SendMessages(messages); err != nil {
		var several sarama.ProducerErrors
		if errors.As(err, &several) {
			return nil, several[0].Err
		}
		return nil, err
	}
	offsets := []int64{}
	for _, one := range messages {
		offsets = append(offsets, one.Offset)
	}
	return contract.Answer{"offsets": offsets}, nil
}

func (d *driver) offsetAt(topic string, partition int32, at contract.Start) (int64, error) {
	switch {
	case at.Offset != nil:
		return *at.Offset, nil
	case at.Time != nil:
		return d.client.GetOffset(topic, partition, *at.Time)
	case at.Word == "earliest":
		return d.client.GetOffset(topic, partition, sarama.OffsetOldest)
	default:
		return d.client.GetOffset(topic, partition, sarama.OffsetNewest)
	}
}

func (d *driver) open(r *contract.Request) (contract.Answer, error) {
	consumer, err := sarama.NewConsumerFromClient(d.client)
	if err != nil {
		return nil, err
	}
	m := &member{records: make(chan *sarama.ConsumerMessage, 10000)}
	for _, partition := range r.PartitionList() {
		offset, err := d.offsetAt(r.Topic, partition, r.Start)
		if err != nil {
			return nil, err
		}
		reader, err := consumer.ConsumePartition(r.Topic, partition, offset)
		if err != nil {
			return nil, err
		}
		m.readers = append(m.readers, reader)
		go func() {
			for message := range reader.Messages() {
				m.records <- message
			}
		}()
	}
	d.members[r.ID] = m
	return nil, nil
}

// Setup, Cleanup and ConsumeClaim make a member sarama's handler of a session.
func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.session = session
	return nil
}

func (m *member) Cleanup(sarama.ConsumerGroupSession) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.session = nil
	return nil
}

func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			m.records <- message
		case <-session.Context().Done():
			return nil
		}
	}
}

func (d *driver) join(r *contract.Request) (contract.Answer, error) {
	c := config()
	c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{assignors[r.Assignor]()}
	c.Consumer.Group.Heartbeat.Interval = 300 * time.Millisecond
	c.Consumer.Group.InstanceId = r.Instance
	if r.Reset == "earliest" {
		c.Consumer.Offsets.Initial = sarama.OffsetOldest
	}
	group, err := sarama.NewConsumerGroup([]string{d.bootstrap}, r.Group, c)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	m := &member{records: make(chan *sarama.ConsumerMessage, 10000), group: group, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(m.done)
		for ctx.Err() == nil {
			if err := group.Consume(ctx, r.Topics, m); err != nil {
				fmt.Fprintln(os.Stderr, "consume", err)
				time.Sleep(100 * time.Millisecond)
			}
		}
	}()
	d.members[r.ID] = m
	return nil, nil
}

func (d *driver) assignment(r *contract.Request) (contract.Answer, error) {
	m := d.members[r.ID]
	m.mutex.Lock()
	defer m.mutex.Unlock()
	places := [][]any{}
	if m.session != nil && m.session.Context().Err() == nil {
		for topic, partitions := range m.session.Claims() {
			for _, partition := range partitions {
				places = append(places, []any{topic, partition})
			}
		}
	}
	sort.Slice(places, func(a, b int) bool { return places[a][1].(int32) < places[b][1].(int32) })
	return contract.Answer{"partitions": places}, nil
}

func (d *driver) poll(r *contract.Request) (contract.Answer, error) {
	deadline := time.After(time.Duration(r.TimeoutMs) * time.Millisecond)
	records := []contract.Record{}
	for len(records) < r.Count {
		select {
		case in := <-d.members[r.ID].records:
			at := in.Timestamp.UnixMilli()
			one := contract.Record{
				Partition: in.Partition, Offset: in.Offset, Timestamp: &at, Key: contract.Text(in.Key), Value: contract.Text(in.Value),
				Headers: [][2]*string{},
			}
			for _, h := range in.Headers {
				one.Headers = append(one.Headers, [2]*string{contract.Text(h.Key), contract.Text(h.Value)})
			}
			records = append(records, one)
		case <-deadline:
			return contract.Answer{"records": records}, nil
		}
	}
	return contract.Answer{"records": records}, nil
}

func (d *driver) commit(r *contract.Request) (contract.Answer, error) {
	m := d.members[r.ID]
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.session == nil {
		return nil, errors.New("no session")
	}
	for _, place := range r.Offsets {
		m.session.MarkOffset(place.Topic, place.Partition, place.Offset, "")
	}
	m.session.Commit()
	return nil, nil
}

func (d *driver) close(r *contract.Request) (contract.Answer, error) {
	m := d.members[r.ID]
	if m == nil {
		return nil, nil
	}
	delete(d.members, r.ID)
	for _, reader := range m.readers {
		reader.AsyncClose()
	}
	if m.group == nil {
		return nil, nil
	}
	m.stop()
	<-m.done
	return nil, m.group.Close()
}

func (d *driver) committed(r *contract.Request) (contract.Answer, error) {
	asked := map[string][]int32{}
	for _, place := range r.Offsets {
		asked[place.Topic] = append(asked[place.Topic], place.Partition)
	}
	found, err := d.admin.ListConsumerGroupOffsets(r.Group, asked)
	if err != nil {
		return nil, err
	}
	for i, place := range r.Offsets {
		block := found.GetBlock(place.Topic, place.Partition)
		if block == nil {
			return nil, errors.New("no answer for the partition")
		}
		if block.Err != sarama.ErrNoError {
			return nil, block.Err
		}
		r.Offsets[i].Offset = block.Offset
	}
	return contract.Answer{"offsets": r.Offsets}, nil
}

func (d *driver) setCommitted(r *contract.Request) (contract.Answer, error) {
	offsets := map[string]map[int32]sarama.OffsetAndMetadata{}
	for _, place := range r.Offsets {
		if offsets[place.Topic] == nil {
			offsets[place.Topic] = map[int32]sarama.OffsetAndMetadata{}
		}
		offsets[place.Topic][place.Partition] = sarama.OffsetAndMetadata{Offset: place.Offset, LeaderEpoch: -1}
	}
	answer, err := d.admin.AlterConsumerGroupOffsets(r.Group, offsets, nil)
	if err != nil {
		return nil, err
	}
	for _, partitions := range answer.Errors {
		for _, code := range partitions {
			err = errors.Join(err, orNil(code))
		}
	}
	return nil, err
}

func (d *driver) listOffsets(r *contract.Request) (contract.Answer, error) {
	offset, err := d.offsetAt(r.Topic, r.Partition, r.At)
	return contract.Answer{"offset": offset}, err
}

func (d *driver) listGroups(*contract.Request) (contract.Answer, error) {
	found, err := d.admin.ListConsumerGroups()
	names := []string{}
	for name := range found {
		names = append(names, name)
	}
	return contract.Answer{"groups": names}, err
}

func (d *driver) describeGroup(r *contract.Request) (contract.Answer, error) {
	found, err := d.admin.DescribeConsumerGroups([]string{r.Group})
	if err != nil {
		return nil, err
	}
	one := found[0]
	return contract.Answer{"state": strings.ToLower(one.State), "protocol": one.Protocol, "members": len(one.Members)}, orNil(one.Err)
}

func (d *driver) deleteGroup(r *contract.Request) (contract.Answer, error) {
	return nil, d.admin.DeleteConsumerGroup(r.Group)
}

// sarama does not pass the low watermark on, so the driver asks for the earliest offset.
func (d *driver) deleteRecords(r *contract.Request) (contract.Answer, error) {
	if err := d.admin.DeleteRecords(r.Topic, map[int32]int64{r.Partition: r.Before}); err != nil {
		return nil, err
	}
	earliest, err := d.client.GetOffset(r.Topic, r.Partition, sarama.OffsetOldest)
	return contract.Answer{"low_watermark": earliest}, err
}
