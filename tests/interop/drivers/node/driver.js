// The driver of kafkajs.
'use strict'

const readline = require('readline')
const { Kafka, CompressionTypes, CompressionCodecs, PartitionAssigners, ConfigResourceTypes, logLevel } = require('kafkajs')
const lz4 = require('lz4-napi')
const snappy = require('kafkajs-snappy')
const zstd = require('@bokuweb/zstd-wasm')

// kafkajs comes with gzip and takes the other codecs as plug-ins.
CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async encoder => lz4.compressFrame(encoder.buffer),
  decompress: async buffer => lz4.decompressFrame(buffer),
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from(zstd.compress(encoder.buffer, 3)),
  decompress: async buffer => Buffer.from(zstd.decompress(buffer)),
})

const CODECS = {
  none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}
const ASSIGNORS = { roundrobin: PartitionAssigners.roundRobin }

const print = ({ label, log }) => process.stderr.write(`${label} ${log.message} ${log.error || ''} ${log.stack || ''}\n`)
const kafka = new Kafka({
  brokers: [process.argv[2]], clientId: 'kafkajs-driver', connectionTimeout: 10000, logLevel: logLevel.WARN, logCreator: () => print,
  retry: { initialRetryTime: 100, retries: 5 },
})
const pause = ms => new Promise(resolve => setTimeout(resolve, ms))
const text = raw => (raw === null || raw === undefined ? null : raw.toString())
const failure = (code, words) => Object.assign(new Error(words), { code })

let adminClient
const producers = new Map()
const consumers = new Map()

const admin = async () => {
  if (!adminClient) {
    adminClient = kafka.admin()
    await adminClient.connect()
  }
  return adminClient
}

const producer = async (codec, acks, idempotent) => {
  const key = `${codec}/${acks}/${idempotent}`
  if (!producers.has(key)) {
    const one = kafka.producer({ idempotent, allowAutoTopicCreation: false, ...(idempotent ? { maxInFlightRequests: 1 } : {}) })
    await one.connect()
    producers.set(key, one)
  }
  return producers.get(key)
}

const headersIn = pairs => {
  const headers = {}
  for (const [name, value] of pairs || []) {
    headers[name] = name in headers ? [].concat(headers[name], value) : value
  }
  return headers
}

const headersOut = headers => Object.entries(headers || {}).flatMap(([name, values]) =>
  [].concat(values).map(value => [name, text(value)]))

const offsetAt = async (topic, partition, at) => {
  const client = await admin()
  if (at.offset !== undefined) return at.offset
  if (at.time !== undefined) {
    const found = await client.fetchTopicOffsetsByTimestamp(topic, at.time)
    return Number(found.find(one => one.partition === partition).offset)
  }
  const found = (await client.fetchTopicOffsets(topic)).find(one => one.partition === partition)
  return Number(at === 'earliest' ? found.low : found.high)
}

// A consumer with the records it got and the partitions its group gave it.
const start = (id, group, topics, assignor, fromBeginning, wanted) => {
  const consumer = kafka.consumer({
    groupId: group, heartbeatInterval: 300, sessionTimeout: 10000, rebalanceTimeout: 10000, maxWaitTimeInMs: 100,
    partitionAssigners: [ASSIGNORS[assignor]], allowAutoTopicCreation: false,
  })
  const member = { consumer, records: [], held: [] }
  member.joined = new Promise(resolve => consumer.on(consumer.events.GROUP_JOIN, resolve))
  consumers.set(id, member)
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    member.held = Object.entries(payload.memberAssignment).flatMap(([topic, partitions]) => partitions.map(p => [topic, p]))
  })
  consumer.on(consumer.events.REBALANCING, () => { member.held = [] })
  const eachMessage = async ({ partition, message }) => {
    const offset = Number(message.offset)
    if (!wanted(partition, offset)) return
    member.records.push({
      partition, offset, timestamp: Number(message.timestamp), key: text(message.key), value: text(message.value),
      headers: headersOut(message.headers),
    })
  }
  member.running = (async () => {
    await consumer.connect()
    await consumer.subscribe({ topics, fromBeginning })
    await consumer.run({ autoCommit: false, eachMessage })
  })()
  member.running.catch(error => { member.failure = error })
  return member
}

const operations = {
  hello: async () => ({
    name: 'kafkajs', version: require('kafkajs/package.json').version, codecs: Object.keys(CODECS),
    assignors: Object.keys(ASSIGNORS), ops: Object.keys(operations),
  }),

  create_topic: async ({ topic, partitions, replication, configs }) => {
    const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
    const wanted = { topic, numPartitions: partitions, replicationFactor: replication, configEntries }
    const made = await (await admin()).createTopics({ topics: [wanted], waitForLeaders: false })
    // This is how kafkajs passes TOPIC_ALREADY_EXISTS on.
    if (!made) throw failure(36, 'createTopics answered false')
  },
  delete_topic: async ({ topic }) => (await admin()).deleteTopics({ topics: [topic] }),
  create_partitions: async ({ topic, count }) => {
    await (await admin()).createPartitions({ topicPartitions: [{ topic, count }] })
  },
  list_topics: async () => ({ topics: await (await admin()).listTopics() }),
  describe_topic: async ({ topic }) => {
    const { topics } = await (await admin()).fetchTopicMetadata({ topics: [topic] })
    const partitions = topics[0].partitions.map(p => ({ id: p.partitionId, leader: p.leader, replicas: p.replicas, isr: p.isr }))
    return { partitions: partitions.sort((a, b) => a.id - b.id) }
  },
  topic_configs: async ({ topic }) => {
    const { resources } = await (await admin()).describeConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }] })
    return { configs: Object.fromEntries(resources[0].configEntries.map(e => [e.configName, e.configValue])) }
  },
  set_topic_config: async ({ topic, name, value }) => {
    const change = { type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name, value }] }
    await (await admin()).alterConfigs({ resources: [change] })
  },

  produce: async ({ topic, codec, acks, idempotent, records }) => {
    const messages = records.map(r => ({
      partition: r.partition, key: r.key === undefined ? null : r.key, headers: headersIn(r.headers),
      value: r.value_size ? Buffer.alloc(r.value_size, 'x') : r.value === undefined ? null : r.value,
      ...(r.timestamp === undefined ? {} : { timestamp: String(r.timestamp) }),
    }))
    const client = await producer(codec, acks, idempotent)
    const answers = await client.send({ topic, acks, compression: CODECS[codec], messages })
    if (acks === 0) return { offsets: records.map(() => -1) }
    const next = new Map(answers.map(a => [a.partition, Number(a.baseOffset)]))
    return { offsets: records.map(r => { const at = next.get(r.partition); next.set(r.partition, at + 1); return at }) }
  },

  // kafkajs reads in groups only: a reader is a group of its own that seeks.
  open: async ({ id, topic, partitions, start: from }) => {
    const at = new Map()
    for (const partition of partitions) {
      const offset = await offsetAt(topic, partition, from)
      at.set(partition, offset >= 0 ? offset : await offsetAt(topic, partition, 'latest'))
    }
    const wanted = (partition, offset) => at.has(partition) && offset >= at.get(partition)
    const member = start(id, `reader-${process.pid}-${id}`, [topic], 'roundrobin', true, wanted)
    await member.joined
    for (const [partition, offset] of at) member.consumer.seek({ topic, partition, offset: String(offset) })
  },
  join: async ({ id, group, topics, assignor, reset }) => {
    start(id, group, topics, assignor, reset === 'earliest', () => true)
  },
  assignment: async ({ id }) => ({ partitions: consumers.get(id).held.sort((a, b) => a[1] - b[1]) }),
  poll: async ({ id, count, timeout_ms }) => {
    const member = consumers.get(id)
    const deadline = Date.now() + timeout_ms
    while (member.records.length < count && Date.now() < deadline) {
      if (member.failure) throw member.failure
      await pause(20)
    }
    return { records: member.records.splice(0, count) }
  },
  commit: async ({ id, offsets }) => {
    await consumers.get(id).consumer.commitOffsets(offsets.map(([topic, partition, at]) => ({ topic, partition, offset: String(at) })))
  },
  close: async ({ id }) => {
    const member = consumers.get(id)
    if (!member) return
    consumers.delete(id)
    await member.running.catch(() => {})
    await member.consumer.disconnect()
  },
  committed: async ({ group, offsets }) => {
    const found = await (await admin()).fetchOffsets({ groupId: group, topics: [...new Set(offsets.map(([topic]) => topic))] })
    const at = (topic, partition) => found.find(t => t.topic === topic).partitions.find(p => p.partition === partition)
    return { offsets: offsets.map(([topic, partition]) => [topic, partition, Number((at(topic, partition) || { offset: -1 }).offset)]) }
  },
  set_committed: async ({ group, offsets }) => {
    for (const [topic, partition, at] of offsets) {
      await (await admin()).setOffsets({ groupId: group, topic, partitions: [{ partition, offset: String(at) }] })
    }
  },
  list_offsets: async ({ topic, partition, at }) => ({ offset: await offsetAt(topic, partition, at) }),
  list_groups: async () => ({ groups: (await (await admin()).listGroups()).groups.map(g => g.groupId) }),
  describe_group: async ({ group }) => {
    const { groups: [found] } = await (await admin()).describeGroups([group])
    if (found.errorCode) throw failure(found.errorCode, 'describeGroups')
    return { state: found.state.toLowerCase(), protocol: found.protocol, members: found.members.length }
  },
  delete_group: async ({ group }) => {
    await (await admin()).deleteGroups([group])
  },
  delete_records: async ({ topic, partition, before }) => {
    await offsetAt(topic, partition, 'earliest') // or kafkajs would not know the topic's leaders
    await (await admin()).deleteTopicRecords({ topic, partitions: [{ partition, offset: String(before) }] })
    return { low_watermark: await offsetAt(topic, partition, 'earliest') } // kafkajs does not pass it on
  },
  describe_cluster: async () => {
    const { clusterId, brokers } = await (await admin()).describeCluster()
    return { cluster_id: clusterId, nodes: brokers.length }
  },
}

// kafkajs wraps what the broker said: in a cause, in a list of errors, of groups or of partitions.
const codeOf = error => {
  if (!error) return 0
  if (Number.isInteger(error.code)) return Math.max(0, error.code)
  const inner = [error.cause, error.originalError, error.error, ...(error.errors || []), ...(error.groups || []),
    ...(error.partitions || [])]
  for (const one of inner) {
    if (one && Number.isInteger(one.errorCode) && one.errorCode > 0) return one.errorCode
    const code = codeOf(one)
    if (code) return code
  }
  return 0
}

const answer = async line => {
  const { op, ...request } = JSON.parse(line)
  if (!operations[op]) return { error: { code: 0, text: 'no such operation' } }
  try {
    return { ok: (await operations[op](request)) || {} }
  } catch (error) {
    const code = codeOf(error)
    if (code === 0) process.stderr.write(`${op}: ${error.stack}\n`)
    return { error: { code, text: String(error.message) } }
  }
}

const main = async () => {
  await zstd.init()
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await answer(line)) + '\n')
  }
  process.exit(0)
}

main()
