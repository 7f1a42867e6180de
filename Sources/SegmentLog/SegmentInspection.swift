import Bytes

/// What can still be read of one segment's file, and what cannot.
///
/// Goes on after a fault, unlike ``SegmentWalker``. A batch counts as whole where its bytes are, and
/// where its index can stand at its place; which of two whole ones that contradict each other is
/// wrong, is not decided here.
struct SegmentInspection: Sendable {
  let id: SegmentID
  /// The last index that can be in the segment, as its successor's name or this process tells.
  let lastIndexMax: LogIndex
  private(set) var byteCount = 0
  /// The file header, where it is whole and of this file.
  private(set) var header: SegmentHeader?
  /// What is wrong with the file header.
  private(set) var headerFault: Damage?
  /// In order of the file and of the log.
  private(set) var runs: [WholeRun] = []
  private(set) var footer: SegmentFooter?
  /// Where the footer begins, or the file ends.
  private(set) var bodyEnd = 0
  /// What is wrong with the footer; nil where there is none.
  private(set) var footerFault: Damage?
  /// The footer as it is in the file.
  private(set) var footerBytes: [UInt8] = []
  /// Where whole frames end, and why the bytes there are none.
  private(set) var faults: [SegmentFault] = []
  /// Why the bytes after the last run are damaged, not torn.
  private(set) var proofAtEnd: DamageProof?

  /// Reads what can be read of `bytes`.
  ///
  /// Errors: another cluster's file, or a newer version's: those are not to be mended.
  init(
    _ id: SegmentID, _ surviving: SurvivingBytes, clusterID: ClusterID, lastIndexMax: LogIndex,
    judge: FaultJudge
  ) throws(LogError) {
    self.id = id
    self.lastIndexMax = lastIndexMax
    let pointer = surviving.bytes.pointer
    defer { withExtendedLifetime(surviving.bytes) {} }
    byteCount = pointer.count
    try readHeader(pointer, clusterID)
    readFooter(pointer)
    try walk(pointer)
    checkEnds(pointer)
    if let fault = faultAtEnd {
      var judge = judge
      judge.unreadable = surviving.unreadable
      proofAtEnd = judge.proof(of: fault, after: nil, in: pointer.bytes)
    }
  }

  /// A file that is not there.
  init(missing id: SegmentID, lastIndexMax: LogIndex) {
    self.id = id
    self.lastIndexMax = lastIndexMax
    headerFault = .missingFile
    faults = [SegmentFault(offset: 0, index: id.firstIndex, reason: .missingFile)]
  }

  /// What follows the last run where that is not the file's end or its footer.
  private var faultAtEnd: SegmentFault? {
    if runs.isEmpty, let headerFault {
      return SegmentFault(offset: 0, index: due, reason: headerFault)
    }
    let end = runs.last?.bytes.upperBound ?? SegmentHeader.byteCount
    return end < bodyEnd ? SegmentFault(offset: end, index: due, reason: reason(at: end)) : nil
  }

  /// The index after the last whole batch.
  var due: LogIndex { runs.last?.last.index.next ?? id.firstIndex }

  /// The footer as it is in the file; none where it is not whole or tells of other batches.
  var wholeFooterBytes: [UInt8] { footerFault == nil ? footerBytes : [] }

  /// Why the first bytes that are no whole frame at `offset` or after are none.
  func reason(at offset: Int) -> Damage {
    faults.first { $0.offset >= offset }?.reason ?? .truncated
  }

  /// Takes whole batches for damaged: they contradict others, or what is committed elsewhere.
  mutating func drop(_ run: WholeRun) {
    guard let place = runs.firstIndex(of: run) else { return }
    if place == runs.count - 1 { proofAtEnd = .wholeFrame }
    if footer?.totals.lastHash == run.last.hash { footerFault = .footerMismatch }
    runs.remove(at: place)
    faults.append(
      SegmentFault(offset: run.bytes.lowerBound, index: run.first.index, reason: .brokenChain))
    faults.sort { $0.offset < $1.offset }
  }

  /// Takes the batch at `index` for damaged, and those around it with which it makes a run; or the
  /// file header or footer, where only that speaks for it.
  mutating func distrust(_ index: LogIndex) {
    if let run = runs.first(where: { $0.holds(index) }) {
      drop(run)
      // The file header may say the same of the batch before: then it is as doubtful.
      if index == id.firstIndex, header?.previousHash == run.first.previousHash {
        headerFault = headerFault ?? .brokenChain
      }
    } else if index == id.firstIndex, headerFault == nil {
      headerFault = .brokenChain
      if runs.isEmpty { proofAtEnd = .wholeFrame }
    }
    // What the footer says of the batch before.
    if footer?.totals.lastIndex.next == index { footerFault = .footerMismatch }
  }

  private mutating func readHeader(
    _ pointer: UnsafeRawBufferPointer, _ clusterID: ClusterID
  ) throws(LogError) {
    do throws(Damage) {
      let found = try SegmentHeader.decode(pointer.bytes)
      guard found.firstIndex == id.firstIndex else { throw .misnamed(found: found.firstIndex) }
      header = found
    } catch {
      if case .unsupportedVersion = error { throw refused(at: 0, error) }
      headerFault = error
    }
    guard header?.clusterID ?? clusterID == clusterID else { throw .wrongCluster(segment: id) }
  }

  private func refused(at offset: Int, _ reason: Damage) -> LogError {
    .damaged(
      segment: id, offset: UInt64(offset), index: due, reason: reason, proof: .wholeFrame)
  }

  private mutating func readFooter(_ pointer: UnsafeRawBufferPointer) {
    bodyEnd = pointer.count
    guard let found = SegmentFooter.find(in: pointer.bytes) else { return }
    bodyEnd = found.offset
    footer = found.footer
    footerBytes = Array(pointer[found.offset...])
    let totals = found.footer.totals
    if totals.firstIndex != id.firstIndex || totals.lastIndex > lastIndexMax {
      footerFault = .footerMismatch
    }
  }

  /// The header and footer of a segment whose batches are all there must tell of them.
  private mutating func checkEnds(_ pointer: UnsafeRawBufferPointer) {
    guard let run = runs.first, let header else { return }
    if run.first.index == id.firstIndex,
      header != SegmentHeader(clusterID: header.clusterID, startingWith: run.first)
    {
      headerFault = .brokenChain
    }
    guard runs.count == 1, footer != nil, footerFault == nil, headerFault == nil,
      run.bytes == SegmentHeader.byteCount..<bodyEnd
    else { return }
    var walker = SegmentWalker(
      after: SegmentSummary(header: header, lastTerm: .zero), reading: .skipped)
    do throws(SegmentFault) {
      while case .batch = try walker.next(in: pointer.bytes) {}
    } catch {
      footerFault = error.reason
    }
  }
}

extension SegmentInspection {
  private mutating func walk(_ pointer: UnsafeRawBufferPointer) throws(LogError) {
    var opener = BatchOpener()
    var offset = min(SegmentHeader.byteCount, bodyEnd)
    while offset < bodyEnd {
      do throws(Damage) {
        let header = try whole(at: offset, pointer, &opener)
        add(header, at: offset)
        offset += header.batchByteCount
      } catch {
        if case .unsupportedVersion = error { throw refused(at: offset, error) }
        faults.append(SegmentFault(offset: offset, index: due, reason: error))
        offset = next(after: offset, pointer)
      }
    }
  }

  /// The batch at `offset`, verified.
  private mutating func whole(
    at offset: Int, _ pointer: UnsafeRawBufferPointer, _ opener: inout BatchOpener
  ) throws(Damage) -> BatchHeader {
    let header: BatchHeader
    do throws(BatchError) {
      header = try BatchHeader.decode(at: offset, in: pointer.bytes)
    } catch {
      throw Damage(error)
    }
    try requireFitting(header, at: offset)
    let end = offset + header.batchByteCount
    guard end <= bodyEnd else { throw .truncated }
    do throws(BatchError) {
      let batch = UnsafeRawBufferPointer(rebasing: pointer[offset..<end])
      try opener.decode(header, batch: batch.bytes)
    } catch {
      throw Damage(error)
    }
    return header
  }

  /// Whether a batch can stand at a place: its index lies in the segment, after what is before it,
  /// and with room for those between.
  private func requireFitting(_ header: BatchHeader, at offset: Int) throws(Damage) {
    let end = runs.last?.bytes.upperBound ?? SegmentHeader.byteCount
    guard header.index >= due, header.index <= lastIndexMax,
      Int(clamping: header.index.rawValue - due.rawValue) <= (offset - end) / BatchHeader.byteCount
    else { throw .outOfOrder(expected: due, found: header.index) }
    guard header.startsSegment == (header.index == id.firstIndex) || header.index == LogIndex(1)
    else { throw .misplacedBoundary }
  }

  private mutating func add(_ header: BatchHeader, at offset: Int) {
    guard let last = runs.indices.last, runs[last].isContinued(by: header, at: offset) else {
      runs.append(WholeRun(header, at: offset))
      return
    }
    runs[last].append(header)
  }

  /// Where to look on after a fault: at the end of a batch whose header is whole, or else at the
  /// next whole header, or at the end.
  private func next(after offset: Int, _ pointer: UnsafeRawBufferPointer) -> Int {
    if let header = try? BatchHeader.decode(at: offset, in: pointer.bytes) {
      let end = offset + header.batchByteCount
      if end == bodyEnd { return end }
      if end < bodyEnd, (try? BatchHeader.decode(at: end, in: pointer.bytes)) != nil { return end }
    }
    let body = UnsafeRawBufferPointer(rebasing: pointer[..<bodyEnd])
    return laterBatch(after: offset, in: body.bytes)?.offset ?? bodyEnd
  }
}
