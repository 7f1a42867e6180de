import Bytes
import HybridTime
import Timeline

typealias Entry = TimelineEntry<UInt32>

/// An entry whose HLC follows its time.
func entry(_ time: Int64, node: UInt16 = 1, sequence: UInt64 = 0, payload: UInt32 = 0) -> Entry {
  Entry(
    key: TimelineKey(
      timeNanoseconds: time, hybrid: HybridTimestamp(wallNanoseconds: time, logical: 0),
      node: NodeID(node), sequence: EventSequence(sequence)),
    payload: payload)
}

/// Pushes all and pops what comes, in the order it comes; late ones apart.
func reorder(
  _ entries: [Entry], window: Int64, capacity: Int = 1 << 20
) -> (ordered: [Entry], late: [(Entry, Lateness)], heldMax: Int) {
  var reorderer = Reorderer<Entry>(windowNanoseconds: window, capacity: capacity)
  var ordered: [Entry] = []
  var late: [(Entry, Lateness)] = []
  for entry in entries {
    if let lateness = reorderer.push(entry) { late.append((entry, lateness)) }
    while let next = reorderer.pop() { ordered.append(next) }
  }
  reorderer.finish()
  while let next = reorderer.pop() { ordered.append(next) }
  return (ordered, late, reorderer.heldCountMax)
}
