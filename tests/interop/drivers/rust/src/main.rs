//! The driver of rskafka: topics, partitions and records; the library has no groups and no further admin calls.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeZone, Utc};
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record;
use serde_json::{Value, json};

const VERSION: &str = "0.6.0"; // as pinned in Cargo.toml
const OPS: [&str; 10] = [
    "hello", "create_topic", "delete_topic", "list_topics", "produce", "open", "poll", "close", "list_offsets", "delete_records",
];

/// Where a reader stands in each of its partitions.
struct Reader {
    topic: String,
    next: BTreeMap<i32, i64>,
}

struct Driver {
    client: Client,
    partitions: HashMap<(String, i32), Arc<PartitionClient>>,
    readers: HashMap<String, Reader>,
}

struct Failure {
    code: i16,
    text: String,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::ServerError { protocol_error, .. } => code_of(protocol_error),
            _ => 0,
        };
        Failure { code, text: error.to_string() }
    }
}

/// The library keeps the number to itself; these are the errors the scenarios are about.
fn code_of(error: &ProtocolError) -> i16 {
    match error {
        ProtocolError::OffsetOutOfRange => 1,
        ProtocolError::UnknownTopicOrPartition => 3,
        ProtocolError::MessageTooLarge => 10,
        ProtocolError::InvalidTopicException => 17,
        ProtocolError::InvalidTimestamp => 32,
        ProtocolError::TopicAlreadyExists => 36,
        ProtocolError::InvalidPartitions => 37,
        ProtocolError::InvalidReplicationFactor => 38,
        ProtocolError::InvalidRecord => 87,
        _ => 0,
    }
}

fn text(request: &Value, name: &str) -> String {
    request[name].as_str().unwrap_or_default().to_string()
}

fn number(request: &Value, name: &str) -> i64 {
    request[name].as_i64().unwrap_or_default()
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    value.as_str().map(|text| text.as_bytes().to_vec())
}

fn words(raw: &Option<Vec<u8>>) -> Value {
    raw.as_ref().map_or(Value::Null, |raw| json!(String::from_utf8_lossy(raw)))
}

fn time(ms: i64) -> DateTime<Utc> {
    Utc.timestamp_millis_opt(ms).single().unwrap_or_default()
}

fn record_in(record: &Value) -> Record {
    let headers = record["headers"].as_array().into_iter().flatten();
    Record {
        key: bytes(&record["key"]),
        value: match record["value_size"].as_u64() {
            Some(size) => Some(vec![b'x'; size as usize]),
            None => bytes(&record["value"]),
        },
        headers: headers.map(|pair| (pair[0].as_str().unwrap_or_default().to_string(), bytes(&pair[1]).unwrap_or_default())).collect(),
        timestamp: record["timestamp"].as_i64().map_or_else(|| time(Utc::now().timestamp_millis()), time),
    }
}

fn record_out(partition: i32, offset: i64, record: &Record) -> Value {
    let headers: Vec<Value> = record.headers.iter().map(|(name, value)| json!([name, String::from_utf8_lossy(value)])).collect();
    json!({
        "partition": partition, "offset": offset, "timestamp": record.timestamp.timestamp_millis(), "key": words(&record.key),
        "value": words(&record.value), "headers": headers,
    })
}

impl Driver {
    async fn partition(&mut self, topic: &str, partition: i32) -> Result<Arc<PartitionClient>, Failure> {
        let key = (topic.to_string(), partition);
        if let Some(known) = self.partitions.get(&key) {
            return Ok(known.clone());
        }
        let made = Arc::new(self.client.partition_client(topic, partition, UnknownTopicHandling::Retry).await?);
        self.partitions.insert(key, made.clone());
        Ok(made)
    }

    async fn offset_at(&mut self, topic: &str, partition: i32, at: &Value) -> Result<i64, Failure> {
        let client = self.partition(topic, partition).await?;
        let at = match (at["offset"].as_i64(), at["time"].as_i64(), at.as_str()) {
            (Some(offset), _, _) => return Ok(offset),
            (_, Some(ms), _) => OffsetAt::Timestamp(time(ms)),
            (_, _, Some("earliest")) => OffsetAt::Earliest,
            _ => OffsetAt::Latest,
        };
        Ok(client.get_offset(at).await?)
    }

    async fn produce(&mut self, request: &Value) -> Result<Value, Failure> {
        let topic = text(request, "topic");
        let codec = match request["codec"].as_str() {
            Some("gzip") => Compression::Gzip,
            Some("snappy") => Compression::Snappy,
            Some("lz4") => Compression::Lz4,
            Some("zstd") => Compression::Zstd,
            _ => Compression::NoCompression,
        };
        let mut batches: BTreeMap<i32, Vec<(usize, Record)>> = BTreeMap::new();
        let records = request["records"].as_array().cloned().unwrap_or_default();
        for (index, record) in records.iter().enumerate() {
            batches.entry(number(record, "partition") as i32).or_default().push((index, record_in(record)));
        }
        let mut offsets = vec![-1; records.len()];
        for (partition, batch) in batches {
            let (places, batch): (Vec<usize>, Vec<Record>) = batch.into_iter().unzip();
            let given = self.partition(&topic, partition).await?.produce(batch, codec).await?;
            for (place, offset) in places.into_iter().zip(given) {
                offsets[place] = offset;
            }
        }
        Ok(json!({ "offsets": offsets }))
    }

    async fn open(&mut self, request: &Value) -> Result<Value, Failure> {
        let topic = text(request, "topic");
        let mut next = BTreeMap::new();
        for partition in request["partitions"].as_array().into_iter().flatten().filter_map(Value::as_i64) {
            let offset = self.offset_at(&topic, partition as i32, &request["start"]).await?;
            next.insert(partition as i32, offset);
        }
        self.readers.insert(text(request, "id"), Reader { topic, next });
        Ok(json!({}))
    }

    async fn poll(&mut self, request: &Value) -> Result<Value, Failure> {
        let deadline = Instant::now() + Duration::from_millis(number(request, "timeout_ms") as u64);
        let wanted = number(request, "count") as usize;
        let id = text(request, "id");
        let mut taken = Vec::new();
        while taken.len() < wanted && Instant::now() < deadline {
            let (topic, places) = match self.readers.get(&id) {
                Some(reader) => (reader.topic.clone(), reader.next.clone()),
                None => return Err(Failure { code: 0, text: "no such reader".into() }),
            };
            for (partition, offset) in places {
                let client = self.partition(&topic, partition).await?;
                let (records, _) = client.fetch_records(offset, 1..10_000_000, 100).await?;
                for found in records.iter().filter(|found| found.offset >= offset).take(wanted - taken.len()) {
                    taken.push(record_out(partition, found.offset, &found.record));
                    if let Some(reader) = self.readers.get_mut(&id) {
                        reader.next.insert(partition, found.offset + 1);
                    }
                }
            }
        }
        Ok(json!({ "records": taken }))
    }

    async fn run(&mut self, op: &str, request: &Value) -> Result<Value, Failure> {
        let topic = text(request, "topic");
        let partition = number(request, "partition") as i32;
        match op {
            "hello" => Ok(json!({
                "name": "rskafka", "version": VERSION, "codecs": ["none", "gzip", "snappy", "lz4", "zstd"], "assignors": [], "ops": OPS,
            })),
            "create_topic" => {
                let controller = self.client.controller_client()?;
                let (count, replicas) = (number(request, "partitions") as i32, number(request, "replication") as i16);
                controller.create_topic(topic, count, replicas, 10_000).await?;
                Ok(json!({}))
            }
            "delete_topic" => {
                self.client.controller_client()?.delete_topic(topic.clone(), 10_000).await?;
                self.partitions.retain(|(known, _), _| *known != topic);
                Ok(json!({}))
            }
            "list_topics" => {
                let topics = self.client.list_topics().await?;
                Ok(json!({ "topics": topics.into_iter().map(|topic| topic.name).collect::<Vec<_>>() }))
            }
            "produce" => self.produce(request).await,
            "open" => self.open(request).await,
            "poll" => self.poll(request).await,
            "close" => {
                self.readers.remove(&text(request, "id"));
                Ok(json!({}))
            }
            "list_offsets" => Ok(json!({ "offset": self.offset_at(&topic, partition, &request["at"]).await? })),
            "delete_records" => {
                let client = self.partition(&topic, partition).await?;
                client.delete_records(number(request, "before"), 10_000).await?;
                // The library does not pass the low watermark on.
                Ok(json!({ "low_watermark": client.get_offset(OffsetAt::Earliest).await? }))
            }
            _ => Err(Failure { code: 0, text: "no such operation".into() }),
        }
    }
}

#[tokio::main]
async fn main() {
    let bootstrap = std::env::args().nth(1).expect("the bootstrap address");
    let client = ClientBuilder::new(vec![bootstrap]).build().await.expect("a broker");
    let mut driver = Driver { client, partitions: HashMap::new(), readers: HashMap::new() };
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let request: Value = serde_json::from_str(&line).expect("JSON");
        let op = text(&request, "op");
        let answer = match driver.run(&op, &request).await {
            Ok(result) => json!({ "ok": result }),
            Err(failure) => {
                eprintln!("{op}: {}", failure.text);
                json!({ "error": { "code": failure.code, "text": failure.text } })
            }
        };
        println!("{answer}");
        std::io::stdout().flush().expect("standard output");
    }
}
