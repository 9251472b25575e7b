// Package contract is the JSON-lines loop that the Go drivers share.
package contract

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// Record is a record as the contract has it, in requests and answers.
type Record struct {
	Partition int32        `json:"partition"`
	Offset    int64        `json:"offset"`
	Timestamp *int64       `json:"timestamp,omitempty"`
	Key       *string      `json:"key"`
	Value     *string      `json:"value"`
	ValueSize *int         `json:"value_size,omitempty"`
	Headers   [][2]*string `json:"headers"`
}

// Start is where to begin reading: a word, an offset or a time.
type Start struct {
	Word   string
	Offset *int64 `json:"offset"`
	Time   *int64 `json:"time"`
}

func (s *Start) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		return json.Unmarshal(raw, &s.Word)
	}
	type plain Start
	return json.Unmarshal(raw, (*plain)(s))
}

// Place is [topic, partition] or [topic, partition, offset] in JSON.
type Place struct {
	Topic     string
	Partition int32
	Offset    int64
}

func (p *Place) UnmarshalJSON(raw []byte) error {
	return json.Unmarshal(raw, &[]any{&p.Topic, &p.Partition, &p.Offset})
}

func (p Place) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{p.Topic, p.Partition, p.Offset})
}

// Request has every argument of every operation.
type Request struct {
	Op          string            `json:"op"`
	Topic       string            `json:"topic"`
	Partitions  json.RawMessage   `json:"partitions"`
	Replication int16             `json:"replication"`
	Configs     map[string]string `json:"configs"`
	Count       int               `json:"count"`
	Name        string            `json:"name"`
	Value       string            `json:"value"`
	Codec       string            `json:"codec"`
	Acks        int               `json:"acks"`
	Idempotent  bool              `json:"idempotent"`
	Records     []Record          `json:"records"`
	ID          string            `json:"id"`
	Start       Start             `json:"start"`
	At          Start             `json:"at"`
	Group       string            `json:"group"`
	Topics      []string          `json:"topics"`
	Assignor    string            `json:"assignor"`
	Reset       string            `json:"reset"`
	Instance    string            `json:"instance"`
	TimeoutMs   int               `json:"timeout_ms"`
	Offsets     []Place           `json:"offsets"`
	Partition   int32             `json:"partition"`
	Before      int64             `json:"before"`
}

// PartitionCount is `partitions` of create_topic.
func (r *Request) PartitionCount() (count int32) {
	_ = json.Unmarshal(r.Partitions, &count)
	return count
}

// PartitionList is `partitions` of open.
func (r *Request) PartitionList() (list []int32) {
	_ = json.Unmarshal(r.Partitions, &list)
	return list
}

// Answer is the fields of an answer.
type Answer map[string]any

// Operation does one thing of the contract.
type Operation func(*Request) (Answer, error)

// Bytes is the text as bytes; nil stays nil, and an empty text is not nil.
func Bytes(text *string) []byte {
	if text == nil {
		return nil
	}
	return append([]byte{}, *text...)
}

// Text is the way back. A client that cannot tell nil from empty gives nil for both.
func Text(raw []byte) *string {
	if raw == nil {
		return nil
	}
	text := string(raw)
	return &text
}

// ValueBytes is the value of a record of a request.
func (r *Record) ValueBytes() []byte {
	if r.ValueSize != nil {
		return []byte(strings.Repeat("x", *r.ValueSize))
	}
	return Bytes(r.Value)
}

// Run serves operations until standard input ends. code gives Kafka's number for an error, or 0.
func Run(operations map[string]Operation, hello Answer, code func(error) int) {
	names := []string{"hello"}
	for name := range operations {
		names = append(names, name)
	}
	hello["ops"] = names
	operations["hello"] = func(*Request) (Answer, error) { return hello, nil }
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		answer, _ := json.Marshal(serve(operations, line, code))
		fmt.Println(string(answer))
	}
}

func serve(operations map[string]Operation, line []byte, code func(error) int) Answer {
	failed := func(number int, text string) Answer {
		return Answer{"error": Answer{"code": number, "text": text}}
	}
	var request Request
	if err := json.Unmarshal(line, &request); err != nil {
		return failed(0, err.Error())
	}
	operation := operations[request.Op]
	if operation == nil {
		return failed(0, "no such operation")
	}
	result, err := operation(&request)
	if err != nil {
		fmt.Fprintln(os.Stderr, request.Op, err)
		return failed(code(err), err.Error())
	}
	if result == nil {
		result = Answer{}
	}
	return Answer{"ok": result}
}
