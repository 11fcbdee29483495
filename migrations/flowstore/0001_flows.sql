-- The flow store of one tenant: raw rows as spokes told them, who their addresses were, and edges.
-- Statements run in the tenant's own database and name none. Tables that end in _next are where a partition is made
-- before it replaces the one that people read. Where rows lie on a cluster of servers is said as
-- periplus_hub.kit.column_store_cluster reads it.

-- On a cluster: spread by cityHash64(block).
CREATE TABLE IF NOT EXISTS flows (
  block UInt64 CODEC(Delta, ZSTD(1)),
  registration UUID,
  epoch UUID CODEC(ZSTD(1)),
  seq UInt64 CODEC(Delta, ZSTD(1)),
  window_start DateTime('UTC') CODEC(Delta, ZSTD(1)),
  window_s UInt32 CODEC(ZSTD(1)),
  reporter UInt8 CODEC(ZSTD(1)),
  collector UInt16 CODEC(ZSTD(1)),
  protocol UInt8 CODEC(ZSTD(1)),
  verdict UInt8 CODEC(ZSTD(1)),
  src_address IPv6 CODEC(ZSTD(1)),
  src_namespace LowCardinality(String),
  src_kind LowCardinality(String),
  src_workload LowCardinality(String),
  src_cluster LowCardinality(String),
  dst_address IPv6 CODEC(ZSTD(1)),
  dst_namespace LowCardinality(String),
  dst_kind LowCardinality(String),
  dst_workload LowCardinality(String),
  dst_cluster LowCardinality(String),
  dst_host LowCardinality(String),
  dst_port UInt16 CODEC(ZSTD(1)),
  bytes_tx UInt64 CODEC(ZSTD(1)),
  bytes_rx UInt64 CODEC(ZSTD(1)),
  packets_tx UInt64 CODEC(ZSTD(1)),
  packets_rx UInt64 CODEC(ZSTD(1)),
  connections_opened UInt64 CODEC(ZSTD(1)),
  connections_closed UInt64 CODEC(ZSTD(1)),
  failures_refused UInt64 CODEC(ZSTD(1)),
  failures_timeout UInt64 CODEC(ZSTD(1)),
  failures_other UInt64 CODEC(ZSTD(1)),
  rtt_us_sum UInt64 CODEC(ZSTD(1)),
  rtt_count UInt64 CODEC(ZSTD(1)),
  retransmits UInt64 CODEC(ZSTD(1)),
  unmeasured UInt16 CODEC(ZSTD(1)),
  sampling UInt32 CODEC(ZSTD(1)),
  policy LowCardinality(String),
  drop_reason LowCardinality(String)
) ENGINE = MergeTree
PARTITION BY toYYYYMMDD(window_start)
ORDER BY (toStartOfHour(window_start), registration, src_namespace, src_workload, dst_namespace, dst_workload,
  dst_address, dst_port, window_start)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

-- On a cluster: whole on each server.
CREATE TABLE IF NOT EXISTS flow_identities (
  hour DateTime('UTC'),
  registration UUID,
  address IPv6,
  host LowCardinality(String),
  since DateTime('UTC'),
  slices UInt16,
  owner UUID,
  namespace LowCardinality(String),
  kind LowCardinality(String),
  workload LowCardinality(String),
  rule LowCardinality(String),
  candidates Array(Tuple(registration UUID, namespace String, kind String, workload String))
) ENGINE = MergeTree PARTITION BY toUnixTimestamp(hour) ORDER BY (registration, address, host, since);

-- On a cluster: of each server alone.
CREATE TABLE IF NOT EXISTS flow_identities_next AS flow_identities;

-- Who the ends of an hour's rows are, by number, and what stands behind their ports, while the hour is being made.
-- On a cluster: of each server alone.
CREATE TABLE IF NOT EXISTS rollup_ends (
  lookup UInt64,
  since UInt32,
  end UInt32,
  place UInt32,
  locality UInt32,
  behind UInt32,
  rule UInt8
) ENGINE = Memory;

-- On a cluster: of each server alone.
CREATE TABLE IF NOT EXISTS rollup_ports (
  behind UInt32,
  port UInt16,
  protocol UInt8,
  to_end UInt32,
  to_locality UInt32,
  to_port UInt16
) ENGINE = Memory;

-- Questions are mostly about what crosses between known clusters, which is why that stands together. `ends` is both ends
-- in 16 bytes of a hash in which nobody finds two that are alike: edges are told apart by it, and not by their names.
-- Sums of pairs of clusters are kept beside the rows. What passed between two zones is a row of its own; an empty zone is
-- one that is not known, or several.
-- On a cluster: whole on each server.
CREATE TABLE IF NOT EXISTS edges_hourly (
  hour DateTime('UTC'),
  src_registration UUID,
  src_namespace LowCardinality(String),
  src_kind LowCardinality(String),
  src_workload LowCardinality(String),
  dst_registration UUID,
  dst_namespace LowCardinality(String),
  dst_kind LowCardinality(String),
  dst_workload LowCardinality(String),
  src_region LowCardinality(String),
  src_zone LowCardinality(String),
  dst_region LowCardinality(String),
  dst_zone LowCardinality(String),
  dst_port UInt16,
  protocol UInt8,
  verdict UInt8,
  src_rule LowCardinality(String),
  dst_rule LowCardinality(String),
  bytes_tx UInt64,
  bytes_rx UInt64,
  packets_tx UInt64,
  packets_rx UInt64,
  connections_opened UInt64,
  connections_closed UInt64,
  failures_refused UInt64,
  failures_timeout UInt64,
  failures_other UInt64,
  rtt_us_sum UInt64,
  rtt_count UInt64,
  retransmits UInt64,
  measured UInt16,
  unmeasured UInt16,
  client_bytes UInt64,
  server_bytes UInt64,
  reporters UInt8,
  windows UInt32,
  sampling UInt32,
  first_window DateTime('UTC'),
  last_window DateTime('UTC'),
  crosses Bool MATERIALIZED src_registration != dst_registration
    AND src_registration != toUUID('00000000-0000-0000-0000-000000000000')
    AND dst_registration != toUUID('00000000-0000-0000-0000-000000000000'),
  ends UUID MATERIALIZED reinterpret(substring(SHA256(toString((src_registration, src_namespace, src_kind, src_workload,
    dst_registration, dst_namespace, dst_kind, dst_workload))), 1, 16), 'UUID') CODEC(NONE),
  PROJECTION by_cluster (
    SELECT hour, crosses, verdict,
      src_registration, if(src_registration = toUUID('00000000-0000-0000-0000-000000000000'), src_kind, ''),
      dst_registration, if(dst_registration = toUUID('00000000-0000-0000-0000-000000000000'), dst_kind, ''),
      sum(bytes_tx), sum(bytes_rx), sum(packets_tx), sum(packets_rx), sum(connections_opened), sum(connections_closed),
      sum(failures_refused), sum(failures_timeout), sum(failures_other), sum(rtt_us_sum), sum(rtt_count),
      sum(retransmits), groupBitOr(measured), groupBitOr(unmeasured), groupBitOr(reporters), max(sampling),
      min(first_window), max(last_window)
    GROUP BY hour, crosses, verdict,
      src_registration, if(src_registration = toUUID('00000000-0000-0000-0000-000000000000'), src_kind, ''),
      dst_registration, if(dst_registration = toUUID('00000000-0000-0000-0000-000000000000'), dst_kind, ''))
) ENGINE = MergeTree PARTITION BY toUnixTimestamp(hour)
ORDER BY (crosses, src_registration, src_namespace, src_kind, src_workload, dst_registration, dst_namespace, dst_kind,
  dst_workload, dst_port, protocol, verdict);

-- On a cluster: of each server alone.
CREATE TABLE IF NOT EXISTS edges_next AS edges_hourly;

-- What the hours of a span of time say together, made ahead for what is asked most. A span's rows are never changed: each
-- making of it has a partition, and a `hour`, of its own, which is the first hour of the span and some seconds.
-- On a cluster: whole on each server.
CREATE TABLE IF NOT EXISTS edges_spans AS edges_hourly;

-- What all hours of a UTC day say together, which is kept for longer than they are. Its `hour` is the first of the day.
-- On a cluster: whole on each server.
CREATE TABLE IF NOT EXISTS edges_daily AS edges_hourly;

-- On a cluster: of each server alone.
CREATE TABLE IF NOT EXISTS edges_daily_next AS edges_hourly;
