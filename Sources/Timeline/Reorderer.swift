public import HeapModule

/// Puts one source's events, out of order within a bounded window, into order.
///
/// Events that come in order wait in a queue; only those that do not go through a heap, so that a
/// nearly ordered source costs two comparisons an event. An event is given out when the watermark
/// has passed it: the newest time seen less the window, or what the source promised, if that is
/// later. What comes below the watermark is late: ``push(_:)`` hands it back with the reason.
public struct Reorderer<Element: TimelineElement>: Sendable {
  /// How far behind the newest an event may come, nanoseconds.
  public let windowNanoseconds: Int64
  /// Most events held; beyond it the oldest is given out before its time.
  public let capacity: Int
  /// How many events came late.
  public private(set) var lateCount: UInt64 = 0
  /// How many events were given out before the watermark because of ``capacity``.
  public private(set) var overflowCount: UInt64 = 0

  /// Nothing below this time is taken any more. Never falls.
  @usableFromInline var watermark = Int64.min
  /// Most events held at once so far. Invariant: at most `capacity + 1`.
  @usableFromInline var heldMax = 0
  /// Those that came in order; ascending.
  @usableFromInline var run = EventQueue<Element>()
  /// Those that did not.
  @usableFromInline var heap = Heap<Element>()
  /// What the source promised. Invariant: `<= watermark`.
  @usableFromInline var promisedNanoseconds = Int64.min
  /// The last one given out early, if any.
  @usableFromInline var overflowed: Element?

  /// An empty reorderer.
  public init(windowNanoseconds: Int64, capacity: Int = 1 << 20) {
    precondition(windowNanoseconds >= 0 && capacity > 0)
    self.windowNanoseconds = windowNanoseconds
    self.capacity = capacity
  }

  /// Nothing below this time is taken any more, nanoseconds.
  @inlinable public var watermarkNanoseconds: Int64 { watermark }

  /// Most events held at once so far.
  @inlinable public var heldCountMax: Int { heldMax }

  /// How many events wait.
  @inlinable public var heldCount: Int { run.count + heap.count }

  /// Takes one event, or says why it is too late to be ordered.
  @inlinable public mutating func push(_ element: Element) -> Lateness? {
    let time = element.timeNanoseconds
    if time < watermark || overflowed != nil {
      if let lateness = lateness(of: element) { return lateness }
    }
    if run.isEmpty || !(element < run.last) {
      run.append(element)
    } else {
      heap.insert(element)
    }
    heldMax = max(heldMax, heldCount)
    let (behind, underflow) = time.subtractingReportingOverflow(windowNanoseconds)
    if !underflow && behind > watermark { watermark = behind }
    return nil
  }

  /// Takes the source's promise that nothing earlier than `nanoseconds` will come.
  @inlinable public mutating func advance(toNanoseconds nanoseconds: Int64) {
    promisedNanoseconds = max(promisedNanoseconds, nanoseconds)
    watermark = max(watermark, nanoseconds)
  }

  /// The source has ended: everything held may go.
  public mutating func finish() { advance(toNanoseconds: .max) }

  /// The next event in order, or nil while it may still be preceded by another.
  @inlinable public mutating func pop() -> Element? {
    guard let fromHeap = heap.min else { return popRun() }
    guard run.isEmpty || fromHeap < run.first else { return popRun() }
    guard mayLeave(fromHeap) else { return nil }
    return heap.popMin()
  }

  @inlinable mutating func popRun() -> Element? {
    guard !run.isEmpty, mayLeave(run.first) else { return nil }
    return run.popFirst()
  }

  @inlinable mutating func mayLeave(_ element: Element) -> Bool {
    let time = element.timeNanoseconds
    if time < watermark || watermark == .max { return true }
    guard heldCount > capacity else { return false }
    noteOverflow(element)
    return true
  }

  @usableFromInline mutating func noteOverflow(_ element: Element) {
    overflowCount += 1
    overflowed = element
  }

  @usableFromInline mutating func lateness(of element: Element) -> Lateness? {
    let time = element.timeNanoseconds
    if time < watermark {
      lateCount += 1
      return promisedNanoseconds > time
        ? .behindWatermark(nanoseconds: distance(from: time, to: promisedNanoseconds))
        : .behindWindow(nanoseconds: distance(from: time, to: watermark))
    }
    guard let overflowed, element < overflowed else { return nil }
    lateCount += 1
    return .overflow(nanoseconds: distance(from: time, to: overflowed.timeNanoseconds))
  }

}

/// `to − from`, held at the largest number where it does not fit.
func distance(from: Int64, to: Int64) -> Int64 {
  let (difference, overflow) = to.subtractingReportingOverflow(from)
  return overflow ? .max : difference
}
