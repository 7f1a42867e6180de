/// One setting of a node: its key in the file, its default and what it is for.
///
/// The file's keys are nested objects (`{"http": {"port": 5001}}` is `http.port`). The environment
/// variable is the key in capitals with `_` for `.`, after `SYNCPAY_` (`SYNCPAY_HTTP_PORT`).
package struct SettingKey: Sendable {
  /// What its value is.
  package enum Kind: Sendable {
    /// A whole number in a range.
    case integer(default: Int, ClosedRange<Int>)
    /// true or false.
    case boolean(default: Bool)
    /// Text; nil: it must be given.
    case text(default: String?)
    /// A list of texts.
    case list(default: [String])
  }

  /// The key, with `.` between its parts.
  package let name: String
  /// Its values.
  package let kind: Kind
  /// One sentence for the operator.
  package let summary: String

  init(_ name: String, _ kind: Kind, _ summary: String) {
    self.name = name
    self.kind = kind
    self.summary = summary
  }

  /// The default as it is written in documents.
  package var defaultText: String {
    switch kind {
    case .integer(let value, _): String(value)
    case .boolean(let value): String(value)
    case .text(let value): value.map { $0.isEmpty ? "(empty)" : $0 } ?? "(required)"
    case .list(let values): values.isEmpty ? "(none)" : values.joined(separator: ",")
    }
  }
}

extension SettingKey {
  static let nodeID = SettingKey(
    "node.id", .integer(default: 0, 0...1023),
    "This node's number in the cluster, from 1; required.")
  static let nodeName = SettingKey(
    "node.name", .text(default: ""), "The node's name in answers; empty: node<id>.")
  static let dataDirectory = SettingKey(
    "node.data_directory", .text(default: ""),
    "Where log and hard state are kept; empty: data/<name>. Never share one between nodes.")
  static let clusterName = SettingKey(
    "cluster.name", .text(default: "syncpay"),
    "The cluster's name; nodes and segments of another one are refused.")
  static let clusterMembers = SettingKey(
    "cluster.members", .list(default: []),
    "The first voters as id=host:port of their peer listeners, this node's too; required. What the"
      + " log says of members wins over it.")
  static let clusterJoin = SettingKey(
    "cluster.join", .boolean(default: false),
    "Whether this node is to be added to a running cluster: it takes no part until an operator"
      + " adds it, and cluster.members tells it where some of the others are. It matters while its"
      + " log is empty.")
  static let peerBind = SettingKey(
    "cluster.bind_host", .text(default: ""),
    "Address that the peer listener binds; empty: the host of this node's own member entry.")
  static let httpHost = SettingKey(
    "http.host", .text(default: "127.0.0.1"), "Address that the HTTP listener binds.")
  static let httpPort = SettingKey(
    "http.port", .integer(default: 5000, 1...65_535), "Port of the HTTP listener.")
  static let httpConnectionsMax = SettingKey(
    "http.connections_max", .integer(default: 4096, 1...65_536),
    "Most client connections at once; more wait to be accepted.")
  static let httpBodyBytesMax = SettingKey(
    "http.body_bytes_max", .integer(default: 65_536, 1024...1_048_576),
    "Longest request body; longer ones are answered 413.")
  static let httpIdleSeconds = SettingKey(
    "http.idle_seconds", .integer(default: 60, 1...3600),
    "A connection without a request for so long is closed.")
  static let httpThreads = SettingKey(
    "http.threads", .integer(default: 1, 1...64), "Threads that serve HTTP.")
  static let paymentUnitsMax = SettingKey(
    "payment.amount_max", .integer(default: 1_000_000, 1...900_000_000_000_000),
    "Most whole currency units in one payment.")
  static let pendingMax = SettingKey(
    "payment.pending_max", .integer(default: 20_000, 1...1_000_000),
    "Most payments taken in and not yet answered; more are answered 503.")
  static let answerMilliseconds = SettingKey(
    "payment.answer_milliseconds", .integer(default: 5000, 100...60_000),
    "A payment not settled by then is answered 503: in doubt, ask by its id.")
  static let resendMilliseconds = SettingKey(
    "payment.resend_milliseconds", .integer(default: 1000, 50...60_000),
    "A forwarded payment not settled by then is sent to the leader again.")
  static let heartbeat = SettingKey(
    "raft.heartbeat_milliseconds", .integer(default: 50, 10...10_000),
    "Between two heartbeats of a leader, and between two times that a node asks to be elected.")
  static let electionMin = SettingKey(
    "raft.election_milliseconds_min", .integer(default: 300, 30...60_000),
    "Shortest silence of a leader that starts an election; more than two heartbeats.")
  static let electionMax = SettingKey(
    "raft.election_milliseconds_max", .integer(default: 600, 40...120_000),
    "Longest such silence; the time is drawn anew each time.")
  static let lease = SettingKey(
    "raft.lease_milliseconds", .integer(default: 0, 0...60_000),
    "For how long after a round of heartbeats a leader confirms reads without asking a majority; 0:"
      + " it always asks. Less than raft.election_milliseconds_min, and the same on all nodes; the"
      + " operator's guide tells its hazard.")
  static let batchEvents = SettingKey(
    "batch.events_max", .integer(default: 8192, 1...65_536), "Most events in one batch.")
  static let batchBytes = SettingKey(
    "batch.bytes_max", .integer(default: 1_048_576, 8192...1_048_576),
    "Most bytes of records in one batch.")
  static let batchesInFlight = SettingKey(
    "batch.in_flight_max", .integer(default: 2, 1...1024),
    "Most batches proposed and not yet committed; fewer make larger batches.")
  static let segmentBytes = SettingKey(
    "segment.bytes_max", .integer(default: 67_108_864, 65_536...1_073_741_824),
    "A segment is closed before the batch that would make it longer.")
  static let compressionLevel = SettingKey(
    "segment.compression_level", .integer(default: 0, 0...12),
    "LZ4 level of new batches: 0 is fast, 3 to 12 are high compression.")
  static let cacheBytes = SettingKey(
    "cache.bytes_max", .integer(default: 33_554_432, 65_536...1_073_741_824),
    "Applied batches kept in memory for followers that lag; those further behind are read for.")
  static let snapshotEvents = SettingKey(
    "snapshot.events_min", .integer(default: 1_000_000, 0...1_000_000_000_000),
    "Fewest events between two ledger snapshots, from which a restart goes on; 0: none are made.")
  static let storageReserve = SettingKey(
    "storage.reserve_bytes", .integer(default: 268_435_456, 0...1_099_511_627_776),
    "While less is free on the data directory's disk, payments are refused with 507; with less than a"
      + " quarter of it, nothing more is written to the log. 0: the disk is not looked at.")
  static let archiveDirectory = SettingKey(
    "archive.directory", .text(default: ""),
    "Where sealed segments go when the rule archive.after_days says so, an absolute path; empty: they"
      + " stay. Never share one between nodes.")
  static let scrubBytes = SettingKey(
    "scrub.bytes_per_second", .integer(default: 8_388_608, 0...1_073_741_824),
    "How fast sealed segments are read from the disk and checked, on average; 0: only those that a"
      + " reader has found damaged are.")
  static let scrubPause = SettingKey(
    "scrub.pause_seconds", .integer(default: 3600, 1...31_536_000),
    "From the end of the log's check to the beginning of the next one.")
  static let healthSuspect = SettingKey(
    "health.suspect_milliseconds", .integer(default: 2500, 100...600_000),
    "A peer silent for longer is suspect.")
  static let healthDown = SettingKey(
    "health.down_milliseconds", .integer(default: 5000, 200...600_000),
    "A peer silent for longer is down.")
  static let timeServers = SettingKey(
    "time.servers", .list(default: []),
    "NTP servers as host or host:port; none: the nodes agree on cluster time among themselves.")
  static let timeServerPollMin = SettingKey(
    "time.server_poll_seconds_min", .integer(default: 16, 1...1024),
    "Shortest time between two requests to a time server, after the first four.")
  static let timeServerPollMax = SettingKey(
    "time.server_poll_seconds_max", .integer(default: 1024, 1...131_072),
    "Longest time between two requests to a time server: it is asked less often while an answer's age"
      + " costs less than its way.")
  static let timeServe = SettingKey(
    "time.serve", .boolean(default: true),
    "Whether this node answers NTP requests (UDP) with its corrected time, at the address of its peer"
      + " listener.")
  static let timeServePort = SettingKey(
    "time.serve_port", .integer(default: 0, 0...65_535),
    "UDP port for that; 0: the same number as the peer listener's.")
  static let timeJournal = SettingKey(
    "time.journal", .boolean(default: true),
    "Whether this node keeps a journal: every answer of a clock source, when its batches arrived and were"
      + " committed, refused payments, elections, health.")
  static let journalMegabytes = SettingKey(
    "time.journal_megabytes_max", .integer(default: 1024, 1...1_000_000),
    "Most that the journal takes on disk; the oldest parts are removed.")
  static let timeKernel = SettingKey(
    "time.kernel", .boolean(default: true),
    "Whether the kernel's own estimate is a time source, where a daemon disciplines the host's clock."
  )
  static let timePeerPoll = SettingKey(
    "time.peer_poll_milliseconds", .integer(default: 1000, 100...60_000),
    "Between two clock exchanges with each peer, after the first ones.")
  static let timeDrift = SettingKey(
    "time.drift_allowance_ppm", .integer(default: 15, 1...1000),
    "How far an oscillator's rate may move from what its samples show: bounds grow by it with age.")
  static let timeFrequency = SettingKey(
    "time.frequency_error_ppm_max", .integer(default: 500, 1...10_000),
    "How wrong an oscillator may be at most: bounds grow by it until samples show its rate.")
  static let timeSlew = SettingKey(
    "time.slew_ppm_max", .integer(default: 500, 1...100_000),
    "How fast corrected time may be led to a new estimate.")
  static let timeHostBound = SettingKey(
    "time.host_clock_bound_milliseconds", .integer(default: 1000, 1...3_600_000),
    "The bound stamps carry while nothing vouches for this host's clock.")
  static let timeAheadMax = SettingKey(
    "time.ahead_milliseconds_max", .integer(default: 500, 1...60_000),
    "How far hybrid time may run ahead of corrected time; stamps beyond are refused.")
  static let timeReportSeconds = SettingKey(
    "time.report_seconds", .integer(default: 10, 1...3600),
    "Between two clock reports of this node in the log, at most: they begin a second apart and become rarer"
      + " while nothing changes.")
  static let testRawOffset = SettingKey(
    "time.test_raw_offset_milliseconds", .integer(default: 0, -86_400_000...86_400_000),
    "TESTS ONLY: this node's system clock reads wrong by so much.")
  static let testRawDrift = SettingKey(
    "time.test_raw_drift_ppm", .integer(default: 0, -100_000...100_000),
    "TESTS ONLY: this node's system clock runs fast by so much.")
  static let logLevel = SettingKey(
    "log.level", .text(default: "info"),
    "Least level that is logged: trace, debug, info, notice, warning, error, critical.")

  /// Every setting, in the order of the documents.
  package static let all: [SettingKey] = [
    nodeID, nodeName, dataDirectory, archiveDirectory, clusterName, clusterMembers, clusterJoin,
    peerBind, httpHost,
    httpPort,
    httpConnectionsMax, httpBodyBytesMax, httpIdleSeconds, httpThreads, paymentUnitsMax,
    pendingMax, answerMilliseconds, resendMilliseconds, heartbeat, electionMin, electionMax,
    lease, batchEvents, batchBytes, batchesInFlight, segmentBytes, compressionLevel, cacheBytes,
    snapshotEvents, storageReserve, scrubBytes, scrubPause, healthSuspect, healthDown, timeServers,
    timeServerPollMin, timeServerPollMax, timeServe, timeServePort, timeKernel, timeJournal,
    journalMegabytes,
    timePeerPoll,
    timeDrift, timeFrequency,
    timeSlew, timeHostBound,
    timeAheadMax, timeReportSeconds, testRawOffset, testRawDrift, logLevel,
  ]
}
