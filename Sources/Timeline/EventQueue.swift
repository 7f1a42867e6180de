/// A first-in first-out queue over one array: no allocation once it has grown to its working size.
@usableFromInline struct EventQueue<Element: Sendable>: Sendable {
  @usableFromInline var storage: ContiguousArray<Element> = []
  /// The first element still in the queue. Invariant: `head <= storage.count`.
  @usableFromInline var head = 0

  @inlinable init() {}

  @inlinable var count: Int { storage.count - head }
  @inlinable var isEmpty: Bool { storage.count == head }
  @inlinable var first: Element { storage[head] }
  @inlinable var last: Element { storage[storage.count - 1] }

  @inlinable mutating func append(_ element: Element) { storage.append(element) }

  @inlinable mutating func popFirst() -> Element {
    let element = storage[head]
    head += 1
    if head == storage.count {
      storage.removeAll(keepingCapacity: true)
      head = 0
    } else if head >= 1024 && head * 2 >= storage.count {
      storage.removeSubrange(0..<head)
      head = 0
    }
    return element
  }
}
