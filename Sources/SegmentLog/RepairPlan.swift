import Bytes

/// Where a chain of batches ends.
struct ChainEnd: Hashable, Sendable {
  let index: LogIndex
  let hash: Digest256
  let sequence: EventSequence
  let term: Term

  /// Before the first batch of a log.
  static var start: ChainEnd {
    ChainEnd(index: .zero, hash: .zero, sequence: .zero, term: .zero)
  }

  init(index: LogIndex, hash: Digest256, sequence: EventSequence, term: Term) {
    (self.index, self.hash, self.sequence, self.term) = (index, hash, sequence, term)
  }

  init(_ header: BatchHeader) {
    self.init(
      index: header.index, hash: header.hash, sequence: header.lastSequence, term: header.term)
  }

  init(_ summary: SegmentSummary) {
    self.init(
      index: summary.lastIndex, hash: summary.lastHash, sequence: summary.lastSequence,
      term: summary.lastTerm)
  }
}

/// What is to be done for one piece of the log, in its order.
enum RepairStep: Sendable {
  /// The segment is whole, and stays as it is.
  case keep(first: BatchHeader, last: BatchHeader)
  /// Whole batches of a segment that is written again.
  case copy(WholeRun, of: SegmentID)
  /// Batches that must be had from another node.
  case fetch(DamagedStretch)
  /// The end of a segment that is written again, and its footer if that is whole.
  case close(footer: [UInt8])
  /// The file holds nothing that is kept.
  case remove(SegmentID)
}

/// The stretches of a log that are damaged, and the steps that make it whole.
struct RepairPlan: Sendable {
  private(set) var stretches: [DamagedStretch] = []
  private(set) var steps: [RepairStep] = []
  /// Whether the log may have ended later than can be seen.
  private(set) var isTailSuspect = false
  private let knownDurable: LogIndex

  /// The plan for `segments`, the whole log from `first` on, which must reach `knownDurable`.
  init(_ segments: [SegmentInspection], from first: LogIndex, knownDurable: LogIndex) {
    self.knownDurable = knownDurable
    let firstThere = segments.first?.id.firstIndex
    if let firstThere, firstThere > first {
      addMissingFile(
        first...firstThere.previous, before: SegmentID(firstThere),
        lastHash: segments.first.flatMap(Self.previousHash))
    }
    for (place, segment) in segments.enumerated() {
      let next = place + 1 < segments.count ? segments[place + 1] : nil
      if let next {
        add(segment, before: next)
      } else {
        addLast(segment)
      }
    }
    if segments.isEmpty, knownDurable >= first { addMissingEnd(first...knownDurable) }
  }

  /// The plan for one sealed segment, whose last batch is `last`.
  init(sealed segment: SegmentInspection, last: ChainEnd) {
    knownDurable = .zero
    var found = Self.innerStretches(segment)
    found += Self.stretchAtEnd(segment, through: last.index, lastHash: last.hash, .footer)
    if let footer = Self.footerStretch(segment) { found.append(footer) }
    if segment.footer == nil, found.isEmpty { found.append(Self.noFooter(segment)) }
    write(segment, found)
  }

  private static func noFooter(_ segment: SegmentInspection) -> DamagedStretch {
    let end = UInt64(segment.byteCount)
    return DamagedStretch(
      segment: segment.id, bytes: end..<end, missing: nil, lastHash: nil, following: .footer,
      reason: .truncated)
  }

  private mutating func add(_ stretch: DamagedStretch) {
    stretches.append(stretch)
    steps.append(.fetch(stretch))
  }

  private mutating func addMissingFile(
    _ missing: ClosedRange<LogIndex>, before next: SegmentID, lastHash: Digest256?
  ) {
    let id = SegmentID(missing.lowerBound)
    add(
      DamagedStretch(
        segment: id, bytes: 0..<0, missing: missing, lastHash: lastHash,
        following: .segment(next), reason: .missingFile))
    steps.append(.close(footer: []))
  }

  /// The hash of the batch before a segment, where its first batch or its header tells it.
  private static func previousHash(_ segment: SegmentInspection) -> Digest256? {
    if let run = segment.runs.first, run.first.index == segment.id.firstIndex {
      return run.first.previousHash
    }
    return segment.headerFault == nil ? segment.header?.previousHash : nil
  }

  private mutating func add(_ segment: SegmentInspection, before next: SegmentInspection) {
    let hash = Self.previousHash(next)
    let end = next.id.firstIndex.previous
    var found = Self.innerStretches(segment)
    if let footer = segment.footer, segment.footerFault == nil, footer.totals.lastIndex < end {
      // The footer tells where the segment ends: the file after it is missing.
      found += Self.stretchAtEnd(
        segment, through: footer.totals.lastIndex, lastHash: footer.totals.lastHash, .footer)
      write(segment, found)
      addMissingFile(footer.totals.lastIndex.next...end, before: next.id, lastHash: hash)
      return
    }
    let following: DamagedStretch.Following =
      segment.footer != nil && segment.footerFault == nil ? .footer : .segment(next.id)
    found += Self.stretchAtEnd(segment, through: end, lastHash: hash, following)
    if let footer = Self.footerStretch(segment) { found.append(footer) }
    write(segment, found)
  }

  private mutating func addLast(_ segment: SegmentInspection) {
    var found = Self.innerStretches(segment)
    if let footer = segment.footer, segment.footerFault == nil {
      let last = footer.totals.lastIndex
      found += Self.stretchAtEnd(segment, through: last, lastHash: footer.totals.lastHash, .footer)
      write(segment, found)
      if knownDurable > last { addMissingEnd(last.next...knownDurable) }
      return
    }
    if let end = suspectEnd(segment) {
      isTailSuspect = true
      found.append(end)
    } else if let footer = Self.footerStretch(segment) {
      found.append(footer)
    }
    // A file without a batch was torn when it was created: opening the log removes it.
    if !(found.isEmpty && segment.runs.isEmpty) { write(segment, found) }
  }

  private mutating func addMissingEnd(_ missing: ClosedRange<LogIndex>) {
    isTailSuspect = true
    let id = SegmentID(missing.lowerBound)
    add(
      DamagedStretch(
        segment: id, bytes: 0..<0, missing: missing, lastHash: nil, following: .end,
        reason: .missingFile))
    steps.append(.close(footer: []))
  }

  /// The end of the log, where what stands there was not torn. What is not known to be committed is
  /// not asked for: consensus will bring it, if it is.
  private func suspectEnd(_ segment: SegmentInspection) -> DamagedStretch? {
    let isShort = knownDurable >= segment.due
    guard segment.proofAtEnd != nil || isShort else { return nil }
    let start = Self.wholeEnd(segment)
    return DamagedStretch(
      segment: segment.id, bytes: UInt64(start)..<UInt64(segment.bodyEnd),
      missing: isShort ? segment.due...knownDurable : nil, lastHash: nil, following: .end,
      reason: segment.reason(at: start))
  }

  /// Writes a segment again if anything of it is damaged.
  private mutating func write(_ segment: SegmentInspection, _ found: [DamagedStretch]) {
    guard !found.isEmpty else {
      if let first = segment.runs.first?.first, let last = segment.runs.last?.last {
        steps.append(.keep(first: first, last: last))
      }
      return
    }
    stretches += found
    var gaps = found.filter { $0.missing != nil }[...]
    for run in segment.runs {
      while let gap = gaps.first, let missing = gap.missing, missing.upperBound < run.first.index {
        steps.append(.fetch(gap))
        gaps.removeFirst()
      }
      steps.append(.copy(run, of: segment.id))
    }
    steps += gaps.map(RepairStep.fetch)
    let isEmpty = segment.runs.isEmpty && gaps.isEmpty && found.allSatisfy { $0.missing == nil }
    steps.append(isEmpty ? .remove(segment.id) : .close(footer: segment.wholeFooterBytes))
  }
}

extension RepairPlan {
  /// The file header, and what is missing before and between whole runs.
  private static func innerStretches(_ segment: SegmentInspection) -> [DamagedStretch] {
    var found: [DamagedStretch] = []
    var (due, end) = (segment.id.firstIndex, min(SegmentHeader.byteCount, segment.bodyEnd))
    if let fault = segment.headerFault {
      found.append(
        DamagedStretch(
          segment: segment.id, bytes: 0..<UInt64(end), missing: nil, lastHash: nil,
          following: segment.runs.first.map { .batch($0.first.index) } ?? .end, reason: fault))
    }
    for run in segment.runs {
      if run.first.index > due || run.bytes.lowerBound > end {
        found.append(
          DamagedStretch(
            segment: segment.id, bytes: UInt64(end)..<UInt64(run.bytes.lowerBound),
            missing: run.first.index > due ? due...run.first.index.previous : nil,
            lastHash: run.first.index > due ? run.first.previousHash : nil,
            following: .batch(run.first.index), reason: segment.reason(at: end)))
      }
      (due, end) = (run.last.index.next, run.bytes.upperBound)
    }
    return found
  }

  /// What is missing after the last run of a segment that ends with `last`.
  private static func stretchAtEnd(
    _ segment: SegmentInspection, through last: LogIndex, lastHash: Digest256?,
    _ following: DamagedStretch.Following
  ) -> [DamagedStretch] {
    let end = wholeEnd(segment)
    let isShort = segment.due <= last
    // After all batches, only a footer can stand there.
    guard isShort || end < segment.bodyEnd else { return [] }
    return [
      DamagedStretch(
        segment: segment.id, bytes: UInt64(end)..<UInt64(segment.bodyEnd),
        missing: isShort ? segment.due...last : nil, lastHash: isShort ? lastHash : nil,
        following: following, reason: segment.reason(at: end))
    ]
  }

  /// Where the last whole batch of a segment ends.
  private static func wholeEnd(_ segment: SegmentInspection) -> Int {
    segment.runs.last?.bytes.upperBound ?? min(SegmentHeader.byteCount, segment.bodyEnd)
  }

  private static func footerStretch(_ segment: SegmentInspection) -> DamagedStretch? {
    segment.footerFault.map { fault in
      DamagedStretch(
        segment: segment.id, bytes: UInt64(segment.bodyEnd)..<UInt64(segment.byteCount),
        missing: nil, lastHash: nil, following: .end, reason: fault)
    }
  }
}
