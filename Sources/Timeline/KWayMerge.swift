/// Merges k sources, each in order, into one total order by a tournament tree.
///
/// A source that has nothing to give stands in the tree with its watermark: the time before which
/// it will give nothing. So an idle source holds the others back only to its watermark, and an
/// ended one not at all. Copies of one event, from whichever sources, come out once.
///
/// A tournament tree and not a loser tree: a source may get its next event or a new watermark while
/// it is not the winner, and only the tournament tree can replay such a leaf. Each event costs
/// ⌈log₂ k⌉ comparisons (Knuth, TAOCP 3, 5.4.1).
public struct KWayMerge<Element: TimelineElement>: Sendable {
  /// What stands at the front of a source. At equal times the earlier case goes first: one who only
  /// promised a time may still give an event of that time.
  @usableFromInline enum Front: UInt8, Sendable { case promise, event, ended }

  /// How many sources.
  public private(set) var sourceCount: Int
  /// Most events held over all sources before a silent source is no longer waited for.
  public let capacity: Int
  /// Events that came after their place had been given out.
  public private(set) var lateCount: UInt64 = 0
  /// How often a silent source was passed over because of ``capacity``.
  public private(set) var overflowCount: UInt64 = 0

  @usableFromInline var duplicates: UInt64 = 0
  @usableFromInline var held = 0
  @usableFromInline var heldMax = 0
  @usableFromInline var queues: ContiguousArray<EventQueue<Element>>
  /// Per source: what it promised, or the time of its last event, if that is later.
  @usableFromInline var promises: ContiguousArray<Int64>
  /// Per source, what stands in the tree: the kind and the time.
  @usableFromInline var fronts: ContiguousArray<Front>
  @usableFromInline var frontTimes: ContiguousArray<Int64>
  /// Winners: `tree[1]` of all, leaves from `leafStart`. A source is its number.
  @usableFromInline var tree: ContiguousArray<Int32>
  @usableFromInline var leafStart: Int
  @usableFromInline var last: Element?
  /// What was promised by force in a source's stead.
  @usableFromInline var forcedNanoseconds = Int64.min

  /// A merge of `sourceCount` sources that have promised nothing yet.
  public init(sourceCount: Int, capacity: Int = 1 << 22) {
    precondition(sourceCount > 0 && capacity > 0)
    self.sourceCount = sourceCount
    self.capacity = capacity
    var leaves = 1
    while leaves < sourceCount { leaves *= 2 }
    leafStart = leaves
    queues = .init(repeating: EventQueue(), count: leaves)
    promises = .init(repeating: .min, count: leaves)
    fronts = .init(repeating: .promise, count: leaves)
    frontTimes = .init(repeating: .min, count: leaves)
    tree = []
    for source in sourceCount..<leaves { endFront(source) }
    plant()
  }

  /// Adds a source; its number is the old ``sourceCount``.
  ///
  /// It cannot give what would come before something already given out: it is taken to have
  /// promised the time of the last event.
  public mutating func addSource() {
    if sourceCount == leafStart {
      queues.append(contentsOf: repeatElement(EventQueue(), count: leafStart))
      promises.append(contentsOf: repeatElement(.min, count: leafStart))
      fronts.append(contentsOf: repeatElement(.ended, count: leafStart))
      frontTimes.append(contentsOf: repeatElement(.max, count: leafStart))
      leafStart *= 2
      plant()
    }
    let promise = last.map { $0.timeNanoseconds == .max ? .max : $0.timeNanoseconds + 1 } ?? .min
    promises[sourceCount] = promise
    setFront(sourceCount, .promise, promise)
    sourceCount += 1
  }

  private mutating func endFront(_ source: Int) {
    fronts[source] = .ended
    frontTimes[source] = .max
  }

  /// Builds the tree anew from the fronts.
  private mutating func plant() {
    tree = .init(repeating: 0, count: leafStart * 2)
    for source in 0..<leafStart { tree[leafStart + source] = Int32(source) }
    for node in stride(from: leafStart - 1, to: 0, by: -1) {
      tree[node] = winner(tree[node * 2], tree[node * 2 + 1])
    }
  }

  /// Copies that were left out.
  @inlinable public var duplicateCount: UInt64 { duplicates }

  /// Events held now.
  @inlinable public var heldCount: Int { held }

  /// Most events held at once so far.
  @inlinable public var heldCountMax: Int { heldMax }

  /// Takes the next event of `source`, or says why its place is gone.
  ///
  /// Precondition: it is not before the source's last one.
  @inlinable public mutating func push(_ element: Element, source: Int) -> Lateness? {
    if element.timeNanoseconds < promises[source] || forcedNanoseconds != .min {
      if let lateness = lateness(of: element, source: source) { return lateness }
    }
    let wasEmpty = queues[source].isEmpty
    precondition(wasEmpty || !(element < queues[source].last), "a source must be in order")
    queues[source].append(element)
    held += 1
    heldMax = max(heldMax, held)
    if wasEmpty { setFront(source, .event, element.timeNanoseconds) }
    return nil
  }

  /// Takes the promise of `source` that nothing earlier than `nanoseconds` will come.
  @inlinable public mutating func advance(source: Int, toNanoseconds nanoseconds: Int64) {
    guard nanoseconds > promises[source] else { return }
    promises[source] = nanoseconds
    if fronts[source] == .promise { setFront(source, .promise, nanoseconds) }
  }

  /// `source` will give nothing more.
  public mutating func finish(source: Int) {
    promises[source] = .max
    if queues[source].isEmpty { setFront(source, .ended, .max) }
  }

  /// The source that must give an event or a later promise before anything can come out; nil when
  /// an event is ready, or all have ended.
  public var waitingFor: Int? {
    let source = Int(tree[1])
    return fronts[source] == .promise ? source : nil
  }

  /// Whether every source has ended and every event has come out.
  public var isFinished: Bool { fronts[Int(tree[1])] == .ended }

  /// The next event of all, or nil while ``waitingFor`` some source or when finished.
  @inlinable public mutating func next() -> Element? {
    while true {
      let source = Int(tree[1])
      if fronts[source] != .event {
        guard fronts[source] == .promise, held > capacity else { return nil }
        passOver(source)
        continue
      }
      let element = take(source)
      if let last, element.isSameEvent(as: last) {
        duplicates += 1
        continue
      }
      last = element
      return element
    }
  }

  @inlinable mutating func take(_ source: Int) -> Element {
    let element = queues[source].popFirst()
    held -= 1
    if queues[source].isEmpty {
      let promise = max(promises[source], element.timeNanoseconds)
      promises[source] = promise
      setFront(source, promise == .max ? .ended : .promise, promise)
    } else {
      setFront(source, .event, queues[source].first.timeNanoseconds)
    }
    return element
  }

  @inlinable mutating func setFront(_ source: Int, _ front: Front, _ time: Int64) {
    fronts[source] = front
    frontTimes[source] = time
    var node = leafStart + source
    var best = Int32(truncatingIfNeeded: source)
    while node > 1 {
      best = winner(best, tree[node ^ 1])
      node /= 2
      tree[node] = best
    }
  }

  @inlinable func winner(_ left: Int32, _ right: Int32) -> Int32 {
    let leftTime = frontTimes[Int(left)]
    let rightTime = frontTimes[Int(right)]
    if leftTime != rightTime { return leftTime < rightTime ? left : right }
    return tiedWinner(left, right)
  }

  @usableFromInline func tiedWinner(_ left: Int32, _ right: Int32) -> Int32 {
    let leftFront = fronts[Int(left)]
    let rightFront = fronts[Int(right)]
    if leftFront != rightFront {
      return leftFront.rawValue < rightFront.rawValue ? left : right
    }
    guard leftFront == .event else { return min(left, right) }
    let leftEvent = queues[Int(left)].first
    let rightEvent = queues[Int(right)].first
    if leftEvent < rightEvent { return left }
    return rightEvent < leftEvent ? right : min(left, right)
  }

  /// Stops waiting for `source` up to the first event that others hold.
  @usableFromInline mutating func passOver(_ source: Int) {
    var earliest = Int64.max
    for other in 0..<sourceCount where fronts[other] == .event {
      earliest = min(earliest, frontTimes[other])
    }
    overflowCount += 1
    forcedNanoseconds = max(forcedNanoseconds, earliest &+ 1)
    advance(source: source, toNanoseconds: earliest == .max ? .max : earliest + 1)
    if earliest == .max { finish(source: source) }
  }

  @usableFromInline mutating func lateness(of element: Element, source: Int) -> Lateness? {
    let time = element.timeNanoseconds
    guard time < promises[source] else { return nil }
    lateCount += 1
    let behind = distance(from: time, to: promises[source])
    return forcedNanoseconds > time
      ? .overflow(nanoseconds: behind) : .behindWatermark(nanoseconds: behind)
  }

}
