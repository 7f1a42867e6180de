import Bytes
import ClockSync
import HybridTime
import Testing

private func server(_ number: UInt16, _ offset: Int64, _ error: Int64) -> ClockCandidate {
  ClockCandidate(source: .server(number), offsetNanoseconds: offset, errorNanoseconds: error)
}

private func member(_ number: UInt16, _ offset: Int64, _ error: Int64) -> ClockCandidate {
  ClockCandidate(
    source: .peer(NodeID(number)), offsetNanoseconds: offset, errorNanoseconds: error)
}

@Suite struct ClockEnsembleTests {
  // RFC 5905 §11.2.1.
  @Test func `one or two false of five time sources are found and named`() throws {
    let one = ClockEnsemble.intersect([
      server(1, 0, 10), server(2, 3, 10), server(3, 1000, 10), server(4, -4, 10), server(5, 2, 8),
    ])
    #expect(one.agreement?.chosen == [.server(1), .server(2), .server(4), .server(5)])
    #expect(one.verdicts[2] == .falseticker(awayNanoseconds: 984))
    let two = ClockEnsemble.intersect([
      server(1, 0, 10), server(2, -500, 10), server(3, 1000, 10), server(4, -4, 10),
      server(5, 2, 8),
    ])
    let agreement = try #require(two.agreement)
    #expect(agreement.chosen == [.server(1), .server(4), .server(5)])
    #expect(agreement.reference == .external)
    // Intersection: [−6, 6]; the bound reaches from the time to its further end.
    #expect((-6...6).contains(agreement.offsetNanoseconds))
    #expect(agreement.boundNanoseconds == 6 + abs(agreement.offsetNanoseconds))
    #expect(two.verdicts[1] == .falseticker(awayNanoseconds: 484))
    #expect(two.verdicts[2] == .falseticker(awayNanoseconds: 984))
  }

  @Test func `three false of five that do not agree leave no majority`() {
    let outcome = ClockEnsemble.intersect([
      server(1, 0, 10), server(2, -500, 10), server(3, 1000, 10), server(4, -4, 10),
      server(5, 9000, 8),
    ])
    #expect(outcome.agreement == nil)
    #expect(outcome.verdicts == Array(repeating: .noMajority(largest: 2, of: 5), count: 5))
    #expect(ClockEnsemble.intersect([server(1, 0, 1), server(2, 9, 1)]).agreement == nil)
    #expect(ClockEnsemble.intersect([]).agreement == nil)
    #expect(ClockEnsemble.intersect([server(1, 7, 3)]).agreement?.boundNanoseconds == 3)
  }

  @Test func `true time lies in the bound whenever a majority tells the truth`() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    var agreed = 0
    for _ in 0..<3000 {
      let truth = Int64.random(in: -100...100, using: &random)
      let count = Int.random(in: 1...7, using: &random)
      let falseCount = Int.random(in: 0...(count - 1) / 2, using: &random)
      let candidates = (0..<count).map { index in
        let error = Int64.random(in: 0...60, using: &random)
        let offset =
          index < falseCount
          ? Int64.random(in: -300...300, using: &random)
          : truth + Int64.random(in: -error...error, using: &random)
        return server(UInt16(index), offset, error)
      }
      let outcome = ClockEnsemble.intersect(candidates)
      let agreement = try #require(outcome.agreement, "seed \(seed)")
      // By brute force: the largest number of intervals over any one point, and the hull.
      let depths = (-400...400 as ClosedRange<Int64>).map { point in
        candidates.filter { abs($0.offsetNanoseconds - point) <= $0.errorNanoseconds }.count
      }
      let deepest = try #require(depths.max())
      let low = Int64(try #require(depths.firstIndex(of: deepest))) - 400
      let high = Int64(try #require(depths.lastIndex(of: deepest))) - 400
      let offset = agreement.offsetNanoseconds
      #expect((low...high).contains(offset), "seed \(seed)")
      #expect(agreement.boundNanoseconds == max(high - offset, offset - low), "seed \(seed)")
      // False sources that happen to agree with some true ones can outnumber the truth's group
      // only if they do so as a group of their own: with at most n − k false, truth is inside.
      if falseCount <= count - deepest {
        #expect(abs(truth - offset) <= agreement.boundNanoseconds, "seed \(seed)")
        agreed += 1
      }
    }
    #expect(agreed > 1500)
  }

  @Test func `a surer source weighs more`() throws {
    let outcome = ClockEnsemble.intersect([server(1, 0, 1000), server(2, 300, 3000)])
    let agreement = try #require(outcome.agreement)
    #expect((70...80).contains(agreement.offsetNanoseconds))
  }

  /// The median of two clocks far apart is neither: it may go on at either's rate.
  @Test func `the bound of a median between clocks that do not agree grows too`() throws {
    let members = [
      ClockCandidate(
        source: .host, offsetNanoseconds: 0, errorNanoseconds: 0, ratePartsPerBillion: 1_000,
        rateErrorPartsPerBillion: 15_000),
      ClockCandidate(
        source: .peer(NodeID(2)), offsetNanoseconds: 5_000_000, errorNanoseconds: 100_000,
        ratePartsPerBillion: 41_000, rateErrorPartsPerBillion: 30_000),
    ]
    let agreement = try #require(ClockEnsemble.median(members, memberCount: 3).agreement)
    #expect(agreement.ratePartsPerBillion == 21_000)
    #expect(agreement.rateErrorPartsPerBillion == 50_000)
  }

  /// Each node sees the same three clocks from its own monotonic clock. The median is one clock
  /// for all; the mean of the others, as the system before this one took it, is not.
  @Test func `three nodes with fixed offsets agree on one time, one of them 2 s ahead`() throws {
    let raws: [Int64] = [0, 2_000_000_000, 5_000_000]
    let monotonics: [Int64] = [100, 90_000, 7_000_000]
    let errors: [Int64] = [0, 300_000, -200_000]
    let error: Int64 = 300_000
    var corrected: [Int64] = []
    var meansOfOthers: [Int64] = []
    for here in 0..<3 {
      let candidates = (0..<3).map { there in
        let own = there == here
        return member(
          UInt16(there + 1), raws[there] - monotonics[here] + (own ? 0 : errors[there]),
          own ? 0 : error)
      }
      let outcome = ClockEnsemble.median(candidates, memberCount: 3)
      let agreement = try #require(outcome.agreement)
      #expect(agreement.reference == .cluster)
      #expect(agreement.boundNanoseconds <= error + 1)
      corrected.append(agreement.offsetNanoseconds + monotonics[here])
      let away = try #require(outcome.verdicts.dropFirst().first)
      guard case .outlier(let distance) = away else {
        Issue.record("node 2 is not named: \(away)")
        continue
      }
      #expect(distance > 1_990_000_000)
      let others = raws.enumerated().filter { $0.offset != here }.map(\.element)
      meansOfOthers.append((others[0] + others[1]) / 2)
    }
    for one in corrected {
      #expect(abs(one - 5_000_000) <= error)
      for other in corrected { #expect(abs(one - other) <= 2 * error) }
    }
    #expect(try #require(meansOfOthers.max()) - #require(meansOfOthers.min()) > 990_000_000)
  }

  @Test func `an even number of members takes the mean of the two middle ones`() throws {
    let outcome = ClockEnsemble.median(
      [member(1, 100, 0), member(2, 0, 5), member(3, 40, 5), member(4, 20, 5)], memberCount: 4)
    #expect(outcome.agreement?.offsetNanoseconds == 30)
    let pair = ClockEnsemble.median([member(1, 0, 0), member(2, 100, 6)], memberCount: 2)
    #expect(pair.agreement?.offsetNanoseconds == 50)
    #expect(pair.agreement?.boundNanoseconds == 4)
  }

  @Test func `a minority's median is not the cluster's`() {
    let outcome = ClockEnsemble.median([member(1, 0, 0), member(2, 100, 6)], memberCount: 5)
    #expect(outcome.agreement == nil)
    #expect(outcome.verdicts == Array(repeating: .noQuorum(heard: 2, of: 5), count: 2))
  }

  @Test func `the true median lies in the bound, which no error exceeds`() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    for _ in 0..<20_000 {
      let count = Int.random(in: 2...7, using: &random)
      let truths = (0..<count).map { _ in Int64.random(in: -500...500, using: &random) }
      let candidates = truths.enumerated().map { index, truth in
        let error = Int64.random(in: 0...200, using: &random)
        return member(
          UInt16(index + 1), truth + Int64.random(in: -error...error, using: &random), error)
      }
      let sorted = truths.sorted()
      let truth = (sorted[count / 2] + sorted[(count - 1) / 2]) / 2
      let agreement = try #require(
        ClockEnsemble.median(candidates, memberCount: count).agreement)
      let miss = abs(agreement.offsetNanoseconds - truth)
      #expect(miss <= agreement.boundNanoseconds, "seed \(seed)")
      let worst = try #require(candidates.map(\.errorNanoseconds).max())
      #expect(agreement.boundNanoseconds <= worst + 2, "seed \(seed)")
    }
  }
}
