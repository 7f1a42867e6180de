import Bytes
import HybridTime
import Ledger
import SegmentLog

/// One request for a page of payments: reads the log window by window, in the order asked for,
/// until the page is full, the log is at its end, or enough has been looked at.
///
/// A filter that matches little does not make one request read the whole log: the page may come
/// back short, with a cursor from which the next request goes on. Of sealed segments, only the stretches
/// are read in which the account that is asked for has payments.
struct TransactionScan {
  /// Events in one window.
  static let windowEvents: UInt64 = 4096
  /// Events that one request may look at.
  static let scannedEventsMax: UInt64 = 200_000

  /// A run of events, both ends included.
  struct Window: Sendable {
    let first: EventSequence
    let last: EventSequence
  }

  /// What a payment must be to be in the page.
  struct Filter: Sendable {
    var account: [UInt8]?
    var fromNanoseconds: Int64?
    var toNanoseconds: Int64?
    var node: NodeID?
  }

  let filter: Filter
  private(set) var records: [PaymentRecord] = []
  private(set) var nextCursor: EventSequence?
  private let limit: Int
  private let newestFirst: Bool
  private let last: UInt64
  /// The next event to look at, in the order of the scan; 0 or beyond `last`: none is left.
  private var next: UInt64
  private var scanned: UInt64 = 0

  init(query: TransactionQuery, node: NodeID?, last: EventSequence) {
    filter = Filter(
      account: query.account, fromNanoseconds: query.fromNanoseconds,
      toNanoseconds: query.toNanoseconds, node: node)
    limit = query.limit
    newestFirst = query.newestFirst
    self.last = last.rawValue
    let cursor = query.cursor?.rawValue
    next =
      newestFirst
      ? min((cursor ?? UInt64.max) &- 1, last.rawValue) : (cursor ?? 0) &+ 1
    if cursor == 0 && newestFirst { next = 0 }
  }

  private var isAtEnd: Bool { next == 0 || next > last }

  /// Goes on to where the account that is asked for next has a payment, as far as the segments' indexes
  /// tell, without looking at what is passed over.
  mutating func skip<FileSystem: LogFileSystem>(with reader: LogReader<FileSystem>) throws {
    guard let account = filter.account, !isAtEnd else { return }
    let segments = reader.segments
    for segment in newestFirst ? segments.reversed() : segments {
      guard newestFirst ? segment.first.rawValue <= next : segment.last.rawValue >= next else {
        continue
      }
      guard let stretches = try reader.stretches(of: .account(account), in: segment.id) else {
        // Not sealed yet: it is read.
        next = newestFirst ? min(next, segment.last.rawValue) : max(next, segment.first.rawValue)
        return
      }
      if newestFirst, let found = stretches.last(where: { $0.lowerBound.rawValue <= next }) {
        next = min(next, found.upperBound.rawValue)
        return
      }
      if !newestFirst, let found = stretches.first(where: { $0.upperBound.rawValue >= next }) {
        next = max(next, found.lowerBound.rawValue)
        return
      }
    }
    next = newestFirst ? 0 : last + 1
    nextCursor = nil
  }

  /// The events to read next, or nil when the page is done.
  func nextWindow() -> Window? {
    guard records.count < limit, !isAtEnd, scanned < Self.scannedEventsMax else { return nil }
    if newestFirst {
      let first = next >= Self.windowEvents ? next - Self.windowEvents + 1 : 1
      return Window(first: EventSequence(first), last: EventSequence(next))
    }
    let end = min(next + Self.windowEvents - 1, last)
    return Window(first: EventSequence(next), last: EventSequence(end))
  }

  /// What a reader found in the next window, after skipping what holds nothing of the account.
  struct Step: Sendable {
    let scan: TransactionScan
    let window: Window?
    let found: [PaymentRecord]
  }

  /// Skips, and reads the next window.
  func step<FileSystem: LogFileSystem>(from reader: LogReader<FileSystem>) throws -> Step {
    var scan = self
    try scan.skip(with: reader)
    guard let window = scan.nextWindow() else { return Step(scan: scan, window: nil, found: []) }
    return Step(
      scan: scan, window: window, found: try Self.read(window, filter: filter, from: reader))
  }

  /// Takes what a window held that is to be shown, in the order of the log.
  mutating func take(_ found: [PaymentRecord], of window: Window) {
    scanned += window.last.rawValue - window.first.rawValue + 1
    next = newestFirst ? window.first.rawValue - 1 : window.last.rawValue + 1
    var lookedAt = newestFirst ? window.first : window.last
    let ordered = newestFirst ? found.reversed() : found
    let room = limit - records.count
    records.append(contentsOf: ordered.prefix(room))
    if ordered.count > room, let lastTaken = records.last {
      lookedAt = lastTaken.sequence
      next = newestFirst ? lookedAt.rawValue - 1 : lookedAt.rawValue + 1
    }
    nextCursor = isAtEnd ? nil : lookedAt
  }

  /// The payments of a window that pass a filter, in the order of the log, from the segments.
  static func read<FileSystem: LogFileSystem>(
    _ window: Window, filter: Filter, from reader: LogReader<FileSystem>
  ) throws -> [PaymentRecord] {
    guard var index = try reader.index(containing: window.first) else { return [] }
    var records: [PaymentRecord] = []
    while true {
      let batches = try reader.batches(from: index, byteLimit: readByteCount)
      for batch in batches {
        if batch.header.firstSequence > window.last { return records }
        try read(batch, window, filter, into: &records)
      }
      guard let end = batches.last, end.header.lastSequence < window.last else { return records }
      index = end.index.next
    }
  }

  /// Bytes of batches read at once.
  private static let readByteCount = 256 << 10

  private static func read(
    _ batch: Batch, _ window: Window, _ filter: Filter, into records: inout [PaymentRecord]
  ) throws {
    let header = batch.header
    if let from = filter.fromNanoseconds, header.correctedMax < from { return }
    if let to = filter.toNanoseconds, header.correctedMin >= to { return }
    let bytes = batch.records
    let span = bytes.span.bytes
    var cursor = RecordCursor(span)
    var sequence = header.firstSequence
    while let record = try cursor.next(in: span) {
      defer { sequence = sequence.next }
      guard record.kind == .payment, sequence >= window.first, sequence <= window.last else {
        continue
      }
      let payment = try PaymentView(record.body, in: span)
      guard filter.passes(payment, in: span) else { continue }
      records.append(
        PaymentRecord(
          payment.draft(in: span), stamp: payment.stamp, sequence: sequence,
          index: header.index, term: header.term))
    }
  }
}

extension TransactionScan.Filter {
  func passes(_ payment: PaymentView, in bytes: borrowing RawSpan) -> Bool {
    let time = payment.stamp.correctedNanoseconds
    if let fromNanoseconds, time < fromNanoseconds { return false }
    if let toNanoseconds, time >= toNanoseconds { return false }
    if let node, payment.stamp.node != node { return false }
    guard let account else { return true }
    return Self.isEqual(payment.sender, account, in: bytes)
      || Self.isEqual(payment.receiver, account, in: bytes)
  }

  private static func isEqual(
    _ range: Range<Int>, _ name: [UInt8], in bytes: borrowing RawSpan
  ) -> Bool {
    guard range.count == name.count else { return false }
    return bytes.extracting(range).withUnsafeBytes { $0.elementsEqual(name) }
  }
}
