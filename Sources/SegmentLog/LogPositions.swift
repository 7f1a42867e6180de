package import Bytes
import Synchronization

/// Which events a segment holds.
package struct SegmentEvents: Hashable, Sendable {
  /// Which segment.
  package let id: SegmentID
  /// Its first event; the one after ``last`` where it has none.
  package let first: EventSequence
  /// Its last event.
  package let last: EventSequence
  /// Whether it has its footer, and with it an index.
  package let isSealed: Bool
}

/// Where the batches of a log are: sparse, kept by the one writer, asked by readers on any thread.
///
/// Holds only what has been written whole; what is here need not be durable yet.
package final class LogPositions: Sendable {
  /// A position at least every so many bytes of file, unless ``setInterval(_:)`` says otherwise.
  static let intervalByteCount: UInt64 = 32 << 10

  struct Position: Sendable {
    let index: LogIndex
    let firstSequence: EventSequence
    let offset: UInt64
  }

  struct Segment: Sendable {
    let id: SegmentID
    /// Which file of that name: a cut and written-again segment has another.
    let serial: UInt64
    /// Ascending; the first is the segment's first batch.
    var positions: [Position]
    /// Where the last batch ends.
    var byteCount: UInt64
    var lastIndex: LogIndex
    var lastSequence: EventSequence
    /// Whether the file ends with a footer.
    var isSealed = false
  }

  private struct State: Sendable {
    var segments: [Segment] = []
    /// Grows whenever something is cut.
    var generation: UInt64 = 0
    var serialNext: UInt64 = 0
    var intervalByteCount = LogPositions.intervalByteCount
  }

  /// A place to read from.
  struct Place: Sendable {
    let segment: SegmentID
    let serial: UInt64
    /// Where the batch at or before the wanted one begins.
    let offset: UInt64
    /// Where the segment's last batch ends.
    let end: UInt64
  }

  /// What a search gave.
  enum Lookup: Sendable {
    case place(Place)
    case beforeStart(first: LogIndex)
    case afterEnd
  }

  private let state = Mutex(State())

  /// No batches.
  package init() {}

  /// Index and sequence of the first batch, or nil while the log is empty.
  package var first: (index: LogIndex, sequence: EventSequence)? {
    state.withLock { state in
      state.segments.first?.positions.first.map { ($0.index, $0.firstSequence) }
    }
  }

  /// Index of the last batch and sequence of the last event, or nil while the log is empty.
  package var last: (index: LogIndex, sequence: EventSequence)? {
    state.withLock { state in
      state.segments.last.map { ($0.lastIndex, $0.lastSequence) }
    }
  }

  /// The segments, in order.
  package var segments: [SegmentID] {
    state.withLock { state in state.segments.map(\.id) }
  }

  /// Every segment, from its first batch on, in order.
  var places: [Place] {
    state.withLock { state in
      state.segments.map {
        Place(
          segment: $0.id, serial: $0.serial, offset: $0.positions.first?.offset ?? 0,
          end: $0.byteCount)
      }
    }
  }

  /// The segments, in order, with the events that they hold.
  package var ranges: [SegmentEvents] {
    state.withLock { state in
      state.segments.map {
        SegmentEvents(
          id: $0.id, first: $0.positions.first?.firstSequence ?? $0.lastSequence.next,
          last: $0.lastSequence, isSealed: $0.isSealed)
      }
    }
  }

  /// The last event before the first segment that is not sealed; zero where that is the first.
  var sealedThrough: EventSequence {
    state.withLock { state in
      let unsealed = state.segments.firstIndex { !$0.isSealed } ?? state.segments.count
      return unsealed == 0 ? .zero : state.segments[unsealed - 1].lastSequence
    }
  }

  /// Where a segment's file is; nil where it has no footer.
  func sealedPlace(_ id: SegmentID) -> Place? {
    state.withLock { state in
      let place = partition(state.segments.count) { state.segments[$0].id < id }
      guard place < state.segments.count, state.segments[place].id == id,
        state.segments[place].isSealed
      else { return nil }
      let segment = state.segments[place]
      return Place(segment: id, serial: segment.serial, offset: 0, end: segment.byteCount)
    }
  }

  /// A number that changes whenever something is cut.
  var generation: UInt64 { state.withLock { $0.generation } }

  func lookup(_ index: LogIndex) -> Lookup {
    find(before: { $0.index <= index }, isPast: { $0.lastIndex < index })
  }

  func lookup(_ sequence: EventSequence) -> Lookup {
    find(before: { $0.firstSequence <= sequence }, isPast: { $0.lastSequence < sequence })
  }

  /// The last event of the segment that holds one; nil where the log does not have it.
  func lastSequence(ofSegmentWith sequence: EventSequence) -> EventSequence? {
    state.withLock { state in
      let place = partition(state.segments.count) { state.segments[$0].lastSequence < sequence }
      return place < state.segments.count ? state.segments[place].lastSequence : nil
    }
  }

  /// The last segment whose first event has that sequence, if there is one: those before it have none.
  func segment(beginningWith sequence: EventSequence) -> Place? {
    state.withLock { state in
      let end = partition(state.segments.count) {
        (state.segments[$0].positions.first?.firstSequence ?? sequence) <= sequence
      }
      guard end > 0, let first = state.segments[end - 1].positions.first,
        first.firstSequence == sequence
      else { return nil }
      let segment = state.segments[end - 1]
      return Place(
        segment: segment.id, serial: segment.serial, offset: first.offset, end: segment.byteCount)
    }
  }

  private func find(
    before isAtOrBefore: (Position) -> Bool, isPast: (Segment) -> Bool
  ) -> Lookup {
    state.withLock { state in
      guard let first = state.segments.first?.positions.first else { return .afterEnd }
      guard isAtOrBefore(first) else { return .beforeStart(first: first.index) }
      // The first segment that is not wholly before the wanted batch.
      let place = partition(state.segments.count) { isPast(state.segments[$0]) }
      guard place < state.segments.count else { return .afterEnd }
      let segment = state.segments[place]
      let next = partition(segment.positions.count) { isAtOrBefore(segment.positions[$0]) }
      return .place(
        Place(
          segment: segment.id, serial: segment.serial,
          offset: segment.positions[max(0, next - 1)].offset, end: segment.byteCount))
    }
  }

  /// From now on, remembers a position at least every `byteCount` bytes of file: fewer positions take
  /// less memory, and make a look-up read more.
  package func setInterval(_ byteCount: UInt64) {
    state.withLock { $0.intervalByteCount = byteCount }
  }

  /// Notes a batch that has been written at `offset`.
  func append(_ batch: BatchHeader, in id: SegmentID, at offset: UInt64) {
    state.withLock { state in
      let position = Position(
        index: batch.index, firstSequence: batch.firstSequence, offset: offset)
      if state.segments.last?.id != id {
        state.segments.append(
          Segment(
            id: id, serial: state.serialNext, positions: [], byteCount: offset,
            lastIndex: batch.index, lastSequence: batch.lastSequence))
        state.serialNext += 1
      }
      let last = state.segments.count - 1
      let newest = state.segments[last].positions.last?.offset
      if newest.map({ offset - $0 >= state.intervalByteCount }) ?? true {
        state.segments[last].positions.append(position)
      }
      state.segments[last].byteCount = offset + UInt64(batch.batchByteCount)
      state.segments[last].lastIndex = batch.index
      state.segments[last].lastSequence = batch.lastSequence
    }
  }

  /// Notes a sealed segment whose batches have not been read: its footer's entries are its
  /// positions.
  func append(_ summary: SegmentSummary) {
    let positions = summary.sparseIndex.map {
      Position(index: $0.index, firstSequence: $0.firstSequence, offset: $0.offset)
    }
    state.withLock { state in
      state.segments.append(
        Segment(
          id: summary.id, serial: state.serialNext, positions: positions,
          byteCount: summary.byteCount, lastIndex: summary.lastIndex,
          lastSequence: summary.lastSequence))
      state.serialNext += 1
    }
  }

  /// Notes that a segment has its footer.
  func sealed(_ id: SegmentID) {
    state.withLock { state in
      let place = partition(state.segments.count) { state.segments[$0].id < id }
      guard place < state.segments.count, state.segments[place].id == id else { return }
      state.segments[place].isSealed = true
    }
  }

  /// Notes that a segment has another file, with the same batches: readers open it again.
  func replaced(_ id: SegmentID) {
    state.withLock { state in
      guard let place = state.segments.firstIndex(where: { $0.id == id }) else { return }
      let old = state.segments[place]
      state.segments[place] = Segment(
        id: id, serial: state.serialNext, positions: old.positions, byteCount: old.byteCount,
        lastIndex: old.lastIndex, lastSequence: old.lastSequence, isSealed: old.isSealed)
      state.serialNext += 1
      state.generation += 1
    }
  }

  /// Forgets the batches from `index` on; `summary` is what is left of the segment it lies in.
  func truncate(from index: LogIndex, leaving summary: SegmentSummary?) {
    state.withLock { state in
      state.generation += 1
      state.segments.removeAll { $0.id.firstIndex >= index }
      guard let summary, let last = state.segments.indices.last,
        state.segments[last].id == summary.id
      else { return }
      state.segments[last].positions.removeAll { $0.index >= index }
      state.segments[last].byteCount = summary.byteCount
      state.segments[last].lastIndex = summary.lastIndex
      state.segments[last].lastSequence = summary.lastSequence
    }
  }
}

/// How many of the first `count` numbers satisfy a predicate that holds for a prefix of them.
func partition(_ count: Int, _ isBefore: (Int) -> Bool) -> Int {
  var (low, high) = (0, count)
  while low < high {
    let middle = low + (high - low) / 2
    if isBefore(middle) { low = middle + 1 } else { high = middle }
  }
  return low
}
