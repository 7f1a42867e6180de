package import Bytes
package import Evidence
package import HybridTime
package import Ledger
package import Replica
package import SegmentLog

/// What the HTTP layer asks of the node behind it. All calls may come from many tasks at once, and
/// none may block a thread.
package protocol NodeGateway: Sendable {
  /// Who this node is. Read once, when the server is made.
  var identity: NodeIdentity { get }

  /// Takes a payment in and answers when its outcome is known, refused or in doubt: always within
  /// a bounded time.
  func submit(_ draft: PaymentDraft) async -> PaymentAnswer

  /// Waits until the latest time that a stamp allows has certainly passed (commit wait; Corbett et al.,
  /// "Spanner", OSDI 2012, §4.1.2): what happens after is certainly later. False where this node's clock
  /// cannot tell, or not within a bounded time.
  func awaitPassed(_ stamp: Stamp) async -> Bool

  /// What the node knows of itself: a snapshot, cheap, never waits.
  func status() -> NodeStatus

  /// The same, taken anew: what was confirmed or carried out before the call shows in it.
  func freshStatus() async -> NodeStatus

  /// Waits until this node's ledger is at least as new as when the call was made: always ends
  /// within a bounded time.
  func confirmReads() async throws(ReadProblem)

  /// Has an operator's request carried out by the leader, whichever node that is: always ends
  /// within a bounded time. Throws why it was not carried out, or may not have been.
  func administer(_ request: OperatorRequest) async throws(OperatorRefusal) -> LogIndex

  /// When it is worth asking again after no leader was known, seconds.
  var retryAfterSeconds: Int { get }

  /// A page of balances, sorted by account name (bytes), then currency.
  func balances(_ query: BalanceQuery) async -> BalancePage

  /// A page of applied payments in the order of their sequence, or in the reverse of it.
  func transactions(_ query: TransactionQuery) async throws(ReadProblem) -> TransactionPage

  /// What is known here of one transaction id.
  func transaction(_ id: TransactionID) async -> TransactionState

  /// The proof that an applied payment is in the log, under a signed checkpoint: waits until there is one
  /// that tells of it, always within a bounded time.
  func receipt(_ id: TransactionID) async -> ReceiptState

  /// The newest checkpoint that a majority has signed, if there is one.
  func checkpoint() -> SignedNote?

  /// The segments of the log that there are now, in order.
  func segments() async throws(ReadProblem) -> [SegmentExtent]

  /// A piece of a segment's file, from `offset` on; empty at its end, nil where there is no such segment.
  func bytes(of segment: SegmentID, from offset: UInt64) async throws(ReadProblem) -> [UInt8]?

  /// Whose signatures to trust; nil while fewer than a majority's keys are known.
  func trustPolicy() -> TrustPolicy?

  /// The proof that the log of `oldSize` events is a prefix of that of `size`, which are signed.
  ///
  /// Precondition: `oldSize` is not greater.
  func consistency(
    from oldSize: UInt64, to size: UInt64
  ) async throws(ReadProblem) -> [Digest256]
}

/// Who a node is: fixed while it runs.
package struct NodeIdentity: Sendable {
  /// The node's number.
  package var id: NodeID
  /// The node's name: `node_id` in answers.
  package var name: String
  /// The cluster's name.
  package var clusterName: String
  /// What payments may be at most.
  package var rules: PaymentRules
  /// The names of all nodes, this one's too. Looked up, never iterated.
  package var nodeNames: [NodeID: String]

  /// An identity from its parts.
  package init(
    id: NodeID, name: String, clusterName: String, rules: PaymentRules,
    nodeNames: [NodeID: String]
  ) {
    self.id = id
    self.name = name
    self.clusterName = clusterName
    self.rules = rules
    self.nodeNames = nodeNames
  }

  /// The name of a node, or `node<number>` for one that is not configured any more.
  func name(of node: NodeID) -> String { nodeNames[node] ?? "node\(node.rawValue)" }
}
