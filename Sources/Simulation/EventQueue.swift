/// A queue of what happens next, by virtual time, and in the order of its entering where times are
/// equal: a binary heap of keys. The events themselves stay where they were put, for they are large.
struct EventQueue<Event> {
  private struct Key {
    let time: Int64
    let number: UInt64
    let slot: Int

    func isBefore(_ other: Key) -> Bool {
      time != other.time ? time < other.time : number < other.number
    }
  }

  private var heap: [Key] = []
  private var events: [Event?] = []
  private var freeSlots: [Int] = []
  private var entered: UInt64 = 0

  var isEmpty: Bool { heap.isEmpty }

  /// Enters an event that happens at `time`, nanoseconds.
  mutating func push(_ event: Event, at time: Int64) {
    let slot = freeSlots.popLast() ?? events.count
    if slot < events.count { events[slot] = event } else { events.append(event) }
    let key = Key(time: time, number: entered, slot: slot)
    entered += 1
    heap.append(key)
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard key.isBefore(heap[parent]) else { break }
      heap[child] = heap[parent]
      child = parent
    }
    heap[child] = key
  }

  /// Takes out the event that happens first.
  mutating func pop() -> (time: Int64, event: Event)? {
    guard let first = heap.first, let last = heap.popLast() else { return nil }
    if !heap.isEmpty { sink(last) }
    freeSlots.append(first.slot)
    guard let event = events[first.slot].take() else { preconditionFailure("a key has an event") }
    return (first.time, event)
  }

  /// Puts a key in the first one's place, and what comes before it above it.
  private mutating func sink(_ key: Key) {
    var parent = 0
    while true {
      var least = 2 * parent + 1
      guard least < heap.count else { break }
      if least + 1 < heap.count, heap[least + 1].isBefore(heap[least]) { least += 1 }
      guard heap[least].isBefore(key) else { break }
      heap[parent] = heap[least]
      parent = least
    }
    heap[parent] = key
  }
}
