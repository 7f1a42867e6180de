import Bytes

/// What became of the ids that the transaction table let go of.
struct AgedTransactions: ~Copyable {
  /// The ids of all payments that were let go of, and of some that are about to be.
  var filter = IDFilter()
  /// Events up to here are in no table any more: only the log has them.
  var through = EventSequence.zero
  /// Of those that were refused, ascending: sequence in bits 63–8, outcome code in bits 7–0. The others
  /// moved money, as the bitmap says.
  var rejections = FlatStorage<UInt64>()
  /// The table that is let go of next, while it has not been; empty between.
  var table: TransactionTable
  /// Whether there is such a table.
  var hasTable = false
  /// The last event in it.
  var tableLast = EventSequence.zero
  /// Segments of it that are in the filter.
  var drainedSegmentCount = 0
  /// Refused ones met on the way.
  var drainedRejections: [UInt64] = []
  /// What the log said of ids that the filter has, for the batch under way or the last one.
  var answers: [(key: TransactionKey, entry: TransactionEntry)] = []

  init(seed: UInt64) { table = TransactionTable(seed: seed) }

  /// The code of a refused event that was let go of.
  func rejection(_ sequence: EventSequence) -> OutcomeCode? {
    var (low, high) = (0, rejections.count)
    while low < high {
      let middle = (low + high) / 2
      if rejections[middle] >> 8 < sequence.rawValue { low = middle + 1 } else { high = middle }
    }
    guard low < rejections.count, rejections[low] >> 8 == sequence.rawValue else { return nil }
    return OutcomeCode(rawValue: UInt8(truncatingIfNeeded: rejections[low]))
  }

  /// Puts at least so many ids of the table into the filter, if it has as many, and lets go of the
  /// table when it has no more.
  mutating func drain(_ count: Int) {
    var left = count
    while left > 0, drainedSegmentCount < table.segments.count {
      let segment = table.segments[drainedSegmentCount]
      for slot in 0...Int(segment.mask) where !segment.entries[slot].isEmpty {
        let entry = segment.entries[slot]
        filter.insert(table.place(entry.key))
        if entry.codeNumber != OutcomeCode.applied.rawValue {
          drainedRejections.append(entry.sequence.rawValue << 8 | UInt64(entry.codeNumber))
        }
        left -= 1
      }
      drainedSegmentCount += 1
    }
    if drainedSegmentCount == table.segments.count { letGo() }
  }

  private mutating func letGo() {
    drainedRejections.sort()
    for rejection in drainedRejections { rejections.append(rejection) }
    through = tableLast
    dropTable()
  }

  mutating func dropTable() {
    table = TransactionTable(seed: table.seed)
    hasTable = false
    drainedSegmentCount = 0
    drainedRejections = []
  }
}

extension LedgerState {
  /// Payments that are put into the filter for each one applied, while a table is being let go of.
  private static let drainedPerEvent = 2
  /// Ids that a ledger holds at least before it lets go of any, where nobody says otherwise: 2 Mi.
  package static let heldCountDefault = 2 << 20

  /// From now on, holds about so many of the newest transactions, and asks `past` for older ones.
  ///
  /// `past` must be the log that this ledger is made from.
  package mutating func keep(newest heldCount: Int, past: any PastTransactions) {
    precondition(heldCount > 0)
    self.heldCount = heldCount
    self.past = past
  }

  /// Transactions that are in memory with all that the ledger knows of them.
  package var heldTransactionCount: Int { transactions.count + aged.table.count }

  /// Transactions that only the log knows.
  package var agedTransactionCount: UInt64 { aged.filter.count }

  /// Lets go of old transactions, a little at a time.
  mutating func age(_ eventCount: Int) {
    guard let past else { return }
    if aged.hasTable {
      // What the log cannot be searched for yet is kept.
      if aged.drainedSegmentCount == 0, past.searchableThrough < aged.tableLast { return }
      aged.drain(eventCount * Self.drainedPerEvent)
    } else if transactions.count >= heldCount {
      swap(&transactions, &aged.table)
      aged.hasTable = true
      aged.tableLast = lastSequence
    }
  }

  /// Makes one table of all transactions that are held: for a snapshot.
  package mutating func gatherHeld() {
    guard aged.hasTable else { return }
    if let past, past.searchableThrough >= aged.tableLast {
      aged.drain(.max)
      return
    }
    for index in 0..<aged.table.segments.count {
      let segment = aged.table.segments[index]
      for slot in 0...Int(segment.mask) where !segment.entries[slot].isEmpty {
        let entry = segment.entries[slot]
        let location = transactions.locate(entry.key, at: transactions.place(entry.key))
        transactions.insert(entry, at: location)
      }
    }
    aged.dropTable()
  }

  /// Asks the log for all ids of the batch that may have been let go of, before anything is changed.
  mutating func resolveAged(in records: borrowing RawSpan) throws(PastProblem) {
    aged.answers.removeAll(keepingCapacity: true)
    guard aged.through > .zero else { return }
    var start = 0
    while start < group.count {
      let end = min(start + Self.groupCountMax, group.count)
      var sum = touched
      for index in start..<end { sum &+= aged.filter.touch(group[index].place) }
      touched = sum
      for index in start..<end
      where group[index].isPayment && aged.filter.contains(group[index].place) {
        let event = group[index]
        let id =
          event.id.range.isEmpty
          ? TransactionID(high: event.key.high, low: event.key.low)
          : TransactionID(stored: event.id.range, in: records)
        group[index].answer = Int32(try answer(event.key, event.place, id) + 1)
      }
      start = end
    }
  }

  /// Where in ``AgedTransactions/answers`` what the log says of an id is; −1: nothing, or a table has
  /// the id.
  private mutating func answer(
    _ key: TransactionKey, _ place: UInt64, _ id: TransactionID
  ) throws(PastProblem) -> Int {
    if let known = aged.answers.firstIndex(where: { $0.key == key }) { return known }
    guard held(key, at: place).isEmpty, let entry = try agedEntry(key, id) else { return -1 }
    aged.answers.append((key, entry))
    return aged.answers.count - 1
  }

  /// The entry of an id that a table has, or an empty one.
  @inline(__always)
  func held(_ key: TransactionKey, at place: UInt64) -> TransactionEntry {
    let entry = transactions.locate(key, at: place).entry
    guard entry.isEmpty, aged.hasTable else { return entry }
    return aged.table.locate(key, at: place).entry
  }

  /// What the log says of an id; nil: nothing.
  private func agedEntry(
    _ key: TransactionKey, _ id: TransactionID
  ) throws(PastProblem) -> TransactionEntry? {
    guard let past, let found = try past.find(id, through: aged.through) else { return nil }
    let code = bitmap.contains(found.sequence) ? .applied : aged.rejection(found.sequence)
    // The first event with an id was applied or refused.
    guard let code, found.sequence > .zero, found.sequence <= aged.through else {
      throw PastProblem(segment: .zero)
    }
    return TransactionEntry(
      key: key, fingerprint: found.fingerprint, sequence: found.sequence, code: code)
  }

  /// What is known of an id, in memory or in the log; an empty entry: nothing.
  func known(_ id: TransactionID) throws(PastProblem) -> TransactionEntry {
    let key = TransactionKey(id)
    let place = transactions.place(key)
    let entry = held(key, at: place)
    guard entry.isEmpty, aged.through > .zero, aged.filter.contains(place) else { return entry }
    if let answer = aged.answers.first(where: { $0.key == key }) { return answer.entry }
    return try agedEntry(key, id) ?? .empty
  }
}
