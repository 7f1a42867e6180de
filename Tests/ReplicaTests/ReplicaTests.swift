// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry
import Bytes
import Evidence
import HybridTime
import Ledger
import Raft
import SegmentLog
import Testing

@testable import Replica

@Suite struct ReplicaTests {
  @Test func `a payment at any node is applied once on every node and answered where it came in`() {
    let cluster = SimulatedReplicas(count: 3, seed: 1)
    #expect(cluster.runUntilLed() != nil)
    var tokens: [UInt64] = []
    for (number, id) in cluster.ids.enumerated() {
      tokens.append(cluster.submit(draft(UInt64(number)), at: id))
    }
    cluster.run(ticks: 30)
    for token in tokens {
      guard case .applied = cluster.settled[token] else {
        Issue.record("not applied: \(String(describing: cluster.settled[token]))")
        continue
      }
    }
    for id in cluster.ids {
      #expect(cluster.applied(id) == 3)
      #expect(cluster.digest(id) == cluster.digest(cluster.ids[0]))
    }
  }

  @Test func `six identical retries are recorded once and answered alike`() {
    let cluster = SimulatedReplicas(count: 3, seed: 2)
    #expect(cluster.runUntilLed() != nil)
    var tokens: [UInt64] = []
    for round in 0..<6 {
      tokens.append(cluster.submit(draft(9), at: cluster.ids[round % 3]))
      if round == 3 { cluster.run(ticks: 30) }
    }
    cluster.run(ticks: 30)
    var sequences: Set<UInt64> = []
    for token in tokens {
      switch cluster.settled[token] {
      case .applied(let sequence, _, _): sequences.insert(sequence.rawValue)
      case .duplicate(let sequence): sequences.insert(sequence.rawValue)
      case .rejected, .refused, nil: Issue.record("a retry was not answered as paid")
      }
    }
    #expect(sequences.count == 1)
    #expect(cluster.applied(cluster.ids[1]) == 1)
  }

  @Test func `the same id with other contents is refused while pending and after`() {
    let cluster = SimulatedReplicas(count: 3, seed: 3)
    #expect(cluster.runUntilLed() != nil)
    let first = cluster.submit(draft(1, cents: 100), at: cluster.ids[0])
    let pending = cluster.submit(draft(1, cents: 101), at: cluster.ids[0])
    cluster.run(ticks: 30)
    let after = cluster.submit(draft(1, cents: 102), at: cluster.ids[1])
    cluster.run(ticks: 30)
    guard case .applied = cluster.settled[first],
      case .refused(.idReused) = cluster.settled[pending],
      case .refused(.idReused) = cluster.settled[after]
    else {
      Issue.record("\(cluster.settled)")
      return
    }
  }

  @Test func `without a majority a payment is refused within a bounded time`() {
    let cluster = SimulatedReplicas(count: 3, seed: 4)
    let leader = cluster.runUntilLed()!
    cluster.isolate(leader)
    let token = cluster.submit(draft(1), at: leader)
    cluster.run(ticks: cluster.configuration(leader).answerTicksMax + 10)
    guard case .refused(let reason) = cluster.settled[token] else {
      Issue.record("it hangs")
      return
    }
    #expect(reason == .inDoubt || reason == .noLeader)
    #expect(cluster.boxes[leader]!.replica.raft.role != .leader, "a cut-off leader steps down")
    let late = cluster.submit(draft(2), at: leader)
    guard case .refused(.noLeader) = cluster.settled[late] else {
      Issue.record("once it knows, it refuses at once")
      return
    }
  }

  @Test func `a payment in flight when the leader dies is a pause to its client, not an error`() {
    let cluster = SimulatedReplicas(count: 3, seed: 5)
    let leader = cluster.runUntilLed()!
    let survivor = cluster.ids.first { $0 != leader }!
    let token = cluster.submit(draft(1), at: survivor)
    cluster.crash(leader)
    cluster.run(ticks: 300)
    guard case .applied = cluster.settled[token] else {
      Issue.record("\(String(describing: cluster.settled[token]))")
      return
    }
  }

  @Test func `segments begin where the leader says and are sealed alike on all nodes`() {
    let cluster = SimulatedReplicas(count: 3, seed: 6) { $0.segmentByteCountMax = 2000 }
    #expect(cluster.runUntilLed() != nil)
    for number in 0..<40 {
      cluster.submit(draft(UInt64(number)), at: cluster.ids[number % 3])
      cluster.run(ticks: 3)
    }
    cluster.run(ticks: 50)
    let seals = cluster.disks[cluster.ids[0]]!.seals
    #expect(seals.count > 2)
    for id in cluster.ids { #expect(cluster.disks[id]!.seals == seals) }
    for (earlier, later) in zip(seals, seals.dropFirst()) {
      #expect(earlier.evidence.ledgerAfter == later.evidence.ledgerBefore)
      #expect(earlier.evidence.tree.after == later.evidence.tree.before)
      #expect(earlier.segment < later.segment)
    }
  }

  @Test func `all nodes come to the same checkpoints, and every segment's end is one`() throws {
    let cluster = SimulatedReplicas(count: 3, seed: 30) { $0.segmentByteCountMax = 2000 }
    #expect(cluster.runUntilLed() != nil)
    for number in 0..<40 {
      cluster.submit(draft(UInt64(number)), at: cluster.ids[number % 3])
      cluster.run(ticks: 3)
    }
    cluster.run(ticks: 60)
    let all = cluster.ids.map { id in
      Dictionary(
        (cluster.checkpoints[id] ?? []).map { ($0.index, $0) },
        uniquingKeysWith: { first, second in
          #expect(first == second, "told twice, and alike")
          return first
        })
    }
    #expect(all[0].count > 3)
    #expect(all.allSatisfy { $0 == all[0] })
    for batch in cluster.disks[cluster.ids[0]]?.written ?? []
    where batch.header.startsSegment && batch.index > LogIndex(1) {
      let end = all[0][batch.index.previous]
      #expect(end?.hash == batch.header.previousHash)
      #expect(end?.lastSequence.next == batch.header.firstSequence)
    }
  }

  @Test func `a hybrid time too far ahead is refused by the leader and its client is told`() {
    let cluster = SimulatedReplicas(count: 3, seed: 7)
    let leader = cluster.runUntilLed()!
    let fast = cluster.ids.first { $0 != leader }!
    cluster.clockErrors[fast] = 2_000_000_000
    let token = cluster.submit(draft(1), at: fast)
    cluster.run(ticks: 50)
    guard case .refused(.clockAhead) = cluster.settled[token] else {
      Issue.record("\(String(describing: cluster.settled[token]))")
      return
    }
    #expect(cluster.applied(leader) == 0)
    let refusals = cluster.boxes[leader]!.replica.stampRefusals
    #expect(refusals.keys.map { $0 } == [fast])
    #expect(refusals[fast].map { $0.count >= 1 && $0.aheadNanosecondsMax > 1_500_000_000 } ?? false)
  }

  @Test func `what a leader has refused it does not log when a copy of the frame comes later`() {
    let cluster = SimulatedReplicas(count: 3, seed: 71)
    let leader = cluster.runUntilLed()!
    let fast = cluster.ids.first { $0 != leader }!
    cluster.run(ticks: 20)
    cluster.clockErrors[fast] = 2_000_000_000
    let token = cluster.submit(draft(1), at: fast)
    let record = cluster.boxes[fast]!.replica.ingress[draft(1).id]!.record
    cluster.run(ticks: 50)
    guard case .refused(.clockAhead) = cluster.settled[token] else {
      Issue.record("\(String(describing: cluster.settled[token]))")
      return
    }
    // By now its time is no longer ahead.
    cluster.run(ticks: 300)
    cluster.feed(
      .receive(
        .forward(ForwardedEvents(count: 1, records: record, mayRepeat: false)), from: fast),
      to: leader)
    cluster.run(ticks: 20)
    #expect(cluster.applied(leader) == 0, "its client was told that it was not taken")
    // Sent again by its client, it is a new sending.
    cluster.clockErrors[fast] = 0
    cluster.submit(draft(1), at: fast)
    cluster.run(ticks: 20)
    #expect(cluster.applied(leader) == 1)
  }

  @Test
  func `a node without room takes no payments, and as a leader first passes its office on`() {
    let cluster = SimulatedReplicas(count: 3, seed: 72)
    let leader = cluster.runUntilLed()!
    let other = cluster.ids.first { $0 != leader }!
    cluster.run(ticks: 20)
    let known = cluster.submit(draft(1), at: leader)
    cluster.run(ticks: 20)
    #expect(cluster.settled[known] != nil)
    cluster.feed(.diskRoom(isShort: true), to: leader)
    let refused = cluster.submit(draft(2), at: leader)
    let again = cluster.submit(draft(1), at: leader)
    guard case .refused(.diskFull) = cluster.settled[refused],
      case .duplicate = cluster.settled[again]
    else {
      Issue.record("\(cluster.settled)")
      return
    }
    cluster.run(ticks: 100)
    let next = cluster.runUntilLed()!
    #expect(next != leader)
    let taken = cluster.submit(draft(3), at: other)
    cluster.run(ticks: 20)
    guard case .applied = cluster.settled[taken] else {
      Issue.record("\(String(describing: cluster.settled[taken]))")
      return
    }
    // When all are short, whoever leads refuses also what others send.
    for id in cluster.ids { cluster.feed(.diskRoom(isShort: true), to: id) }
    cluster.run(ticks: 100)
    let last = cluster.runUntilLed()!
    let sender = cluster.ids.first { $0 != last }!
    cluster.feed(.diskRoom(isShort: false), to: sender)
    let forwarded = cluster.submit(draft(4), at: sender)
    cluster.run(ticks: 20)
    guard case .refused(.diskFull) = cluster.settled[forwarded] else {
      Issue.record("\(String(describing: cluster.settled[forwarded]))")
      return
    }
    // Leadership goes round until somebody has it who has room.
    cluster.run(ticks: 3000)
    #expect(cluster.leader == sender)
    let after = cluster.submit(draft(4), at: sender)
    cluster.run(ticks: 50)
    guard case .applied = cluster.settled[after] else {
      Issue.record("\(String(describing: cluster.settled[after]))")
      return
    }
    #expect(cluster.applied(last) == 3)
  }

  @Test func `a draining node takes no payments and hands leadership over`() {
    let cluster = SimulatedReplicas(count: 3, seed: 8)
    let leader = cluster.runUntilLed()!
    cluster.feed(.drain, to: leader)
    let token = cluster.submit(draft(1), at: leader)
    guard case .refused(.stopping) = cluster.settled[token] else {
      Issue.record("\(String(describing: cluster.settled[token]))")
      return
    }
    cluster.run(ticks: 20)
    #expect(cluster.leader != nil)
    #expect(cluster.leader != leader)
  }
}

@Suite struct RepeatedForwardTests {
  @Test func `what is in flight at the leader is not logged again when its sender repeats it`() {
    let cluster = SimulatedReplicas(count: 3, seed: 11) { $0.resendTicks = 3 }
    let leader = cluster.runUntilLed()!
    let sender = cluster.ids.first { $0 != leader }!
    let other = cluster.ids.first { $0 != leader && $0 != sender }!
    cluster.run(ticks: 20)
    // The leader cannot commit while its answers are lost, and the sender repeats every 3 ticks.
    cluster.severed = [[sender, other], [other, sender], [other, leader]]
    cluster.severed.insert([leader, sender])
    let tokens = (1...5).map { cluster.submit(draft(UInt64($0)), at: sender) }
    cluster.run(ticks: 15)
    cluster.severed = []
    cluster.run(ticks: 400)
    for token in tokens {
      guard case .applied = cluster.settled[token] else {
        Issue.record("\(String(describing: cluster.settled[token]))")
        continue
      }
    }
    #expect(cluster.boxes[leader]!.replica.state.ledger.counts.duplicates == 0)
  }
}

@Suite struct QuietLogTests {
  @Test func `once a log is quiet one empty batch vouches for its last events, and no more follow`()
  {
    let cluster = SimulatedReplicas(count: 3, seed: 12)
    let leader = cluster.runUntilLed()!
    cluster.submit(draft(1), at: leader)
    cluster.run(ticks: 200)
    let headers = cluster.disks[leader]!.written.map(\.header)
    let eventful = headers.last { $0.count > 0 }!
    #expect(headers.last!.index == eventful.index.next)
    #expect(headers.last!.commit >= eventful.index)
    let length = headers.count
    cluster.run(ticks: 500)
    #expect(cluster.disks[leader]!.written.count == length)
  }

  @Test func `a lone node that started again writes its new term before the batch that vouches`() {
    let cluster = SimulatedReplicas(count: 1, seed: 13) {
      $0.recordCommitTicks = 1
      // With leases a node that starts again waits for its election timeout, alone or not.
      $0.raft = RaftConfiguration(
        id: $0.raft.id, initial: $0.raft.initial, heartbeatTicks: 5, electionTicksMin: 30,
        electionTicksMax: 60, inFlightMessagesMax: 16, entriesPerMessageMax: 64, leaseTicks: 20)
    }
    let id = cluster.runUntilLed()!
    cluster.submit(draft(1), at: id)
    cluster.run(ticks: 3)
    let headers = cluster.disks[id]!.written.map(\.header)
    #expect(headers.last!.count == 1, "nothing vouches for the payment yet")
    cluster.crash(id)
    cluster.start(id)
    // It leads by the tick at which the log has been quiet for long: the disk looks at the order.
    _ = cluster.runUntilLed()
    let after = cluster.disks[id]!.written.map(\.header)
    #expect(after.count > headers.count)
    #expect(after.last!.term == headers.last!.term.next)
  }
}
