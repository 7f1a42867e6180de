import Bytes
@testable import ClockSync
import Evidence
import HybridTime
@testable import Ledger
@testable import NodeServer
import Replica
import SegmentLog
import Testing

private let reading = ClockReading(
  rawNanoseconds: 1_727_123_456_788_000_345, correctionNanoseconds: 1_012_000,
  boundNanoseconds: 2_500_000, epoch: 7, status: .synchronized, reference: .cluster)

private let stamp = Stamp(
  reading: reading,
  hybrid: HybridTimestamp(wallNanoseconds: 1_727_123_456_789_012_345, logical: 3),
  node: NodeID(1))

/// A node that answers what it was told to.
struct ScriptedGateway: NodeGateway {
  var identity = NodeIdentity(
    id: NodeID(1), name: "node1", clusterName: "loopback", rules: PaymentRules(),
    nodeNames: [NodeID(1): "node1", NodeID(2): "node2"])
  var answer: @Sendable (PaymentDraft) -> PaymentAnswer = {
    .settled(record($0), duplicate: false)
  }
  var state = TransactionState.unknown
  var isReady = true
  var isPassed = true
  var confirmation: ReadProblem?
  var refusal: OperatorRefusal?
  var receiptState = ReceiptState.unknown
  var signed: SignedNote?
  var policy: TrustPolicy?
  var retryAfterSeconds: Int { 3 }

  static func record(_ draft: PaymentDraft) -> PaymentRecord {
    PaymentRecord(
      draft, stamp: stamp, sequence: EventSequence(42), index: LogIndex(9), term: Term(2))
  }

  func submit(_ draft: PaymentDraft) async -> PaymentAnswer { answer(draft) }

  func confirmReads() async throws(ReadProblem) { if let confirmation { throw confirmation } }

  func administer(_ request: OperatorRequest) async throws(OperatorRefusal) -> LogIndex {
    if let refusal { throw refusal }
    return LogIndex(77)
  }

  func freshStatus() async -> NodeStatus {
    var status = status()
    status.transactionCount = 43
    return status
  }

  func awaitPassed(_ stamp: Stamp) async -> Bool { isPassed }

  func status() -> NodeStatus {
    var status = NodeStatus(clock: reading)
    status.role = .leader
    status.leader = NodeID(1)
    status.term = Term(2)
    status.transactionCount = 42
    status.isReady = isReady
    var peer = PeerStatus(node: NodeID(2), health: .suspect)
    peer.lastSeenNanoseconds = 1_727_123_455_000_000_000
    peer.matchIndex = LogIndex(8)
    status.peers = [peer]
    var own = MemberStatus(id: NodeID(1), role: .voter, health: .healthy)
    own.peerAddress = "10.0.0.1:6001"
    own.clientAddress = "10.0.0.1:5001"
    own.matchIndex = LogIndex(9)
    own.lagBatches = 0
    status.members = [own, MemberStatus(id: NodeID(2), role: .learner, health: .suspect)]
    status.membershipIndex = LogIndex(5)
    status.policy.set(.clockPolicy, to: 1)
    var refused = StampRefusals()
    refused.take(3, .remoteAhead(nanoseconds: 2_000_000_000, limitNanoseconds: 500_000_000))
    status.stampRefusals = [NodeID(2): refused]
    status.clockSnapshot = Self.clock(reading)
    status.monotonicNanoseconds = 5_000_000_000
    status.health = .degraded
    status.reasons = ["node2 is silent"]
    return status
  }

  private static func clock(_ reading: ClockReading) -> ClockSnapshot {
    let node2 = ClockSourceSnapshot(
      source: .peer(NodeID(2)), name: "node2", offsetNanoseconds: -1500, errorNanoseconds: 90_000,
      ratePartsPerBillion: 31, delayNanoseconds: 160_000, jitterNanoseconds: 2000, reach: 0xff,
      lastHeardMonotonicNanoseconds: 4_500_000_000, pollIntervalNanoseconds: 1_000_000_000,
      sampleCount: 9, usedCount: 8, failureCount: 1, contradictionCount: 0, spikeCount: 1,
      lastFailure: .timeout, verdict: .outlier(awayNanoseconds: 7))
    return ClockSnapshot(
      reading: reading, driftPartsPerBillion: -5, ratePartsPerBillion: 12,
      boundGrowthPartsPerBillion: 31_000, residualNanoseconds: 20, hasSynchronized: true,
      isDirect: false, stepCount: 1, lastStepNanoseconds: -2_000_000_000, pauseCount: 0,
      estimateAgeNanoseconds: 1, voidAfterNanoseconds: 3_599_000_000_000, sources: [node2])
  }

  func balances(_ query: BalanceQuery) async -> BalancePage {
    let eur = (try? Currency(iso4217: Array("EUR".utf8).span.bytes)) ?? .usd
    return BalancePage(
      balances: [
        AccountBalance(name: Array("alice".utf8), currency: eur, minorUnits: 500),
        AccountBalance(name: Array("alice".utf8), currency: .usd, minorUnits: -15_075),
        AccountBalance(name: Array("b\"ob".utf8), currency: .usd, minorUnits: 15_075),
      ], nextCursor: Array("b\"ob".utf8), totalAccounts: 3)
  }

  func transactions(_ query: TransactionQuery) async throws(ReadProblem) -> TransactionPage {
    guard query.limit != 13 else { throw .busy(retryAfterSeconds: 2) }
    guard let draft = try? draft(#"{"amount":0.3,"sender":"a","receiver":"b"}"#).get() else {
      throw .unreadable(reason: "")
    }
    return TransactionPage(
      records: [Self.record(draft)], nextCursor: EventSequence(42), totalCount: 43)
  }

  func transaction(_ id: TransactionID) async -> TransactionState { state }

  func receipt(_ id: TransactionID) async -> ReceiptState { receiptState }

  func checkpoint() -> SignedNote? { signed }

  func segments() async throws(ReadProblem) -> [SegmentExtent] { [] }
  func bytes(of segment: SegmentID, from offset: UInt64) async throws(ReadProblem) -> [UInt8]? {
    nil
  }
  func trustPolicy() -> TrustPolicy? { policy }

  func consistency(
    from oldSize: UInt64, to size: UInt64
  ) async throws(ReadProblem) -> [Digest256] {
    [Digest256Hasher.digest(Array("\(oldSize) \(size)".utf8).span.bytes)]
  }
}

private func text(_ answer: HTTPAnswer) -> String { String(decoding: answer.body, as: UTF8.self) }

private func answer(
  _ method: String, _ target: String, _ gateway: ScriptedGateway = ScriptedGateway()
) async -> HTTPAnswer {
  do throws(HTTPProblem) {
    return await Answerer(gateway: gateway).read(try Route(method: method, target: target))
  } catch {
    return HTTPAnswer(error)
  }
}

private let stampText =
  #"{"raw":"1727123456788000345","correction":"1012000","bound":"2500000","#
  + #""corrected":"1727123456789012345","hlc":{"wall":"1727123456789012345","logical":3},"#
  + #""node":"node1","epoch":7,"status":"synchronized","reference":"cluster"}"#

private let membersText =
  #"[{"id":1,"name":"node1","role":"voter","peer":"10.0.0.1:6001","client":"10.0.0.1:5001","#
  + #""health":"healthy","match_index":9,"lag_batches":0},{"id":2,"name":"node2","#
  + #""role":"learner","peer":null,"client":null,"health":"suspect","match_index":null,"#
  + #""lag_batches":null}]"#

@Suite struct HTTPAnswerTests {
  private func pay(
    _ answer: @escaping @Sendable (PaymentDraft) -> PaymentAnswer
  ) async throws -> HTTPAnswer {
    let draft = try draft(
      #"{"amount":150.75,"sender":"alice","receiver":"bob","transaction_id":"t1","reference":"r"}"#
    ).get()
    return await Answerer(gateway: ScriptedGateway(answer: answer)).pay(draft, .none)
  }

  @Test func `a payment's answer has the original's fields and the event`() async throws {
    let answer = try await pay { .settled(ScriptedGateway.record($0), duplicate: false) }
    #expect(answer.status == 200)
    #expect(!answer.isIdempotencyHit)
    #expect(
      text(answer)
        == #"{"status":"success","transaction_id":"t1","timestamp":1727123456.789012,"#
        + #""amount":150.75,"sender":"alice","receiver":"bob","processed_by":"node1","#
        + #""currency":"USD","reference":"r","event":{"sequence":42,"index":9,"term":2,"#
        + #""duplicate":false,"stamp":"# + stampText + "}}")
  }

  @Test func `a retry gets the first result and a mark`() async throws {
    let answer = try await pay { .settled(ScriptedGateway.record($0), duplicate: true) }
    #expect(answer.status == 200)
    #expect(answer.isIdempotencyHit)
    #expect(text(answer).contains(#""duplicate":true"#))
  }

  @Test func `every refusal has its status, code and time to wait`() async throws {
    let cases: [(PaymentAnswer, Int, String, Int?)] = [
      (.refused(.noMajority(retryAfterSeconds: 1)), 503, "no_majority", 1),
      (.refused(.overloaded(retryAfterSeconds: 2)), 503, "overloaded", 2),
      (.refused(.timedOut), 503, "outcome_unknown", 1),
      (.refused(.clockUnfit(reason: "disrupted")), 503, "clock_unfit", 5),
      (.refused(.diskFull), 507, "disk_full", 5),
      (.refused(.stopping), 503, "stopping", 1),
      (.refused(.idReused), 422, "transaction_id_reused", nil),
      (.rejected(code: .idReused, sequence: EventSequence(3)), 422, "transaction_id_reused", nil),
      (
        .rejected(code: .balanceOverflow, sequence: EventSequence(3)), 409, "balance_overflow", nil
      ),
      (.rejected(code: .accountsFull, sequence: EventSequence(3)), 409, "accounts_full", nil),
    ]
    for (result, status, code, wait) in cases {
      let answer = try await pay { _ in result }
      #expect(answer.status == status)
      #expect(text(answer).contains("\"code\":\"\(code)\""))
      #expect(answer.retryAfterSeconds == wait)
    }
    let doubtful = try await pay { _ in .refused(.timedOut) }
    #expect(text(doubtful).contains("GET /transactions/t1"))
  }

  @Test func `an error keeps the original's string beside code and field`() {
    #expect(
      text(HTTPAnswer(HTTPProblem(.amountNotPositive)))
        == #"{"error":"Amount must be positive","code":"amount_not_positive","field":"amount"}"#)
  }

  @Test func `lists carry their cursor and their count`() async {
    #expect(
      text(await answer("GET", "/transactions"))
        == #"{"transactions":[{"transaction_id":"txn_0000000000000G000000000002","#
        + #""timestamp":1727123456.789012,"amount":0.30,"sender":"a","receiver":"b","#
        + #""processed_by":"node1","currency":"USD","event":{"sequence":42,"index":9,"term":2,"#
        + #""stamp":"# + stampText
        + #"}}],"total_count":43,"next_cursor":"s2a","node_id":"node1","consistency":"local"}"#)
    let busy = await answer("GET", "/transactions?limit=13")
    #expect(busy.status == 503)
    #expect(busy.retryAfterSeconds == 2)
  }

  @Test func `balances stand in the original's shape and by currency`() async {
    #expect(
      text(await answer("GET", "/get_ledger"))
        == #"{"node_id":"node1","balances":{"alice":-150.75,"b\"ob":150.75},"#
        + #""balances_by_currency":{"EUR":{"alice":5.00},"#
        + #""USD":{"alice":-150.75,"b\"ob":150.75}},"next_cursor":"a6222"#
        + #"6f62","total_accounts":3,"consistency":"linearizable"}"#)
  }

  @Test func `health and ping have the original's fields`() async {
    #expect(
      text(await answer("GET", "/health"))
        == #"{"node_id":"node1","status":"degraded","is_leader":true,"#
        + #""timestamp":1727123456.789012,"transaction_count":42,"reasons":["node2 is silent"],"#
        + #""consistency":"local"}"#)
    #expect(text(await answer("GET", "/ping")) == #"{"status":"ok","node_id":"node1"}"#)
  }

  @Test func `status tells replica, clock and peers`() async {
    #expect(
      text(await answer("GET", "/status"))
        == #"{"node_id":"node1","cluster":"loopback","status":"degraded","#
        + #""reasons":["node2 is silent"],"is_leader":true,"role":"leader","leader":"node1","#
        + #""term":2,"commit_index":0,"applied_index":0,"last_sequence":0,"#
        + #""transaction_count":42,"ledger_digest":"","uptime":0.000,"time_offset":0.001012000,"#
        + #""clock":{"status":"synchronized","reference":"cluster","correction":0.001012000,"#
        + #""bound":0.002500000,"drift_ppb":-5,"epoch":7,"raw":"1727123456788000345","#
        + #""corrected":"1727123456789012345","rate_ppb":12,"bound_growth_ppb":31000,"#
        + #""residual":0.000000020,"void_after":3599.000,"direct":false,"steps":1,"#
        + #""last_step":-2.000000000,"pauses":0,"sources":[{"name":"node2","kind":"node","#
        + #""selected":false,"verdict":"outlier","#
        + #""reason":"misses the cluster median's interval by 7 ns","offset":-0.000001500,"#
        + #""bound":0.000090000,"delay":0.000160000,"jitter":0.000002000,"rate_ppb":31,"#
        + #""age":0.500,"poll":1.000,"reach":255,"samples":9,"used":8,"failures":1,"#
        + #""contradictions":0,"spikes":1,"last_failure":"no answer in time"}]},"#
        + #""peer_health":{"node2":{"status":"suspect","last_seen":1727123455.000000,"#
        + #""clock_offset":null,"clock_offset_bound":null}},"#
        + #""replication_status":{"pending_payments":0,"peers":{"node2":{"match_index":8,"#
        + #""lag_batches":null}}},"members_index":5,"members":"# + membersText
        + #","policy":{"clock.policy":"refuse"},"raft_faults":{"own_number":0,"malformed":0,"#
        + #""conflict_at_commit":0,"second_leader":0,"beyond_log":0},"stamps_refused":[{"node":"node2","count":3,"ahead_max":2.000000000}],"#
        + #""scrub":{"passes":0,"segments_checked":0,"segments_mended":0,"segments_damaged":[]},"#
        + #""disk":{"free_bytes":null,"reserve_bytes":0,"is_short":false},"#
        + #""checkpoint":null,"keys":{},"#
        + #""consistency":"local"}"#)
  }

  @Test func `a receipt is text, and there is none for what moved no money`() async throws {
    let note = SignedNote(text: "log\n1\nAAAA\n")
    let proof = ProofFile(extra: [1, 2], index: 0, path: [], checkpoint: note)
    let target = "/v1/payments/x/receipt"
    let proven = await answer("GET", target, ScriptedGateway(receiptState: .proven(proof)))
    #expect(proven.status == 200 && text(proven) == proof.description)
    #expect(proven.contentType.hasPrefix("text/plain"))
    let states: [(ReceiptState, Int, String)] = [
      (.rejected(.insufficientFunds), 409, "not_applied"), (.pending, 503, "not_signed_yet"),
      (.unknown, 404, "transaction_unknown"), (.unreadable(.stopping), 503, "stopping"),
      (.unreadable(.unreadable(reason: "secret")), 500, "log_unreadable"),
    ]
    for (state, status, code) in states {
      let answer = await answer("GET", target, ScriptedGateway(receiptState: state))
      #expect(answer.status == status && text(answer).contains(#""code":"\#(code)""#))
      #expect(!text(answer).contains("secret"))
    }
    #expect(await answer("GET", "/v1/payments//receipt").status == 404)
    #expect(await answer("GET", "/v1/payments/%zz/receipt").status == 400)
    #expect(await answer("POST", target).status == 405)
  }

  @Test func `before anything is signed there is no checkpoint and no proof`() async {
    #expect(await answer("GET", "/v1/checkpoint").status == 503)
    #expect(await answer("GET", "/v1/trust-policy").status == 503)
    #expect(await answer("GET", "/v1/consistency?from=1").status == 503)
    #expect(await answer("GET", "/v1/consistency").status == 400)
    #expect(await answer("GET", "/v1/consistency?from=01").status == 400)
    #expect(await answer("GET", "/v1/consistency?from=1&to=2").status == 400)
  }

  @Test func `readiness is a status code`() async {
    #expect(await answer("GET", "/livez", ScriptedGateway(isReady: false)).status == 200)
    #expect(await answer("GET", "/readyz").status == 200)
    let unready = await answer("GET", "/readyz", ScriptedGateway(isReady: false))
    #expect(unready.status == 503)
    #expect(unready.retryAfterSeconds == 1)
  }

  @Test func `a transaction can be asked for by its id`() async throws {
    let record = ScriptedGateway.record(
      try draft(#"{"amount":1,"sender":"a","receiver":"b","transaction_id":"x"}"#).get())
    let applied = await answer(
      "GET", "/transactions/x", ScriptedGateway(state: .applied(record)))
    #expect(text(applied).hasPrefix(#"{"status":"applied","transaction_id":"x","timestamp":"#))
    let rejected = await answer(
      "GET", "/transactions/x",
      ScriptedGateway(state: .rejected(code: .balanceOverflow, sequence: EventSequence(5))))
    #expect(
      text(rejected)
        == #"{"status":"rejected","transaction_id":"x","code":"balance_overflow","#
        + #""event":{"sequence":5},"consistency":"local"}"#)
    #expect(
      text(await answer("GET", "/transactions/x", ScriptedGateway(state: .pending)))
        == #"{"status":"pending","transaction_id":"x","consistency":"local"}"#)
    #expect(await answer("GET", "/transactions/x").status == 404)
    #expect(await answer("GET", "/transactions/a%20b").status == 400)
  }
}
