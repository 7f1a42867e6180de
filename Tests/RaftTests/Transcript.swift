import Bytes
import Raft

/// A scenario as text: commands at the start of a line, what they cause indented below them,
/// comments behind `#`.
///
/// ```
/// nodes 3 [spare 1] [lease 6]   voters 1…3, nodes that nobody added, ticks of a lease
/// log 1 term 7 entries 1 1 4    node 1's disk holds entries of these terms
/// tick 1 2 20                   20 ticks on nodes 1 and 2
/// campaign 1                    ticks until node 1 looks for votes
/// deliver [1->2]                all messages until it is quiet, or those on one way now
/// drop 1->2                     loses those on one way now
/// partition 1 | 2 3             nodes of different sides do not hear each other; heal ends it
/// disk 1 slow                   node 1's disk waits for persist 1; disk 1 fast ends it
/// propose 1 2                   two entries for the leader 1
/// members 1 voters 1 2 learners 4
/// transfer 1 3                  hand over from 1 to 3
/// read 2 7 [overdue 3]          a read at node 2 with the context 7
/// crash 2, restart 2, lose-tail 2 1, unreachable 1 2, status
/// quiet …                       the command without the lines of its messages
/// silent …                      the command without any line
/// ```
struct Transcript {
  /// A line that no command can be read from.
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// The text as the cluster of today writes it.
  static func run(_ text: String) throws(Failure) -> String {
    var cluster = TranscriptCluster()
    var result: [String] = []
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("  ") { continue }
      result.append(String(line))
      guard !line.isEmpty, !line.hasPrefix("#") else { continue }
      var words = line.split(separator: " ").map(String.init)[...]
      let isQuiet = words.first == "quiet"
      let isSilent = words.first == "silent"
      if isQuiet || isSilent { words.removeFirst() }
      guard let name = words.popFirst() else { continue }
      var command = Command(line: String(line), words: words)
      try command.carryOut(name, on: &cluster)
      let lines = isSilent ? [] : cluster.takeLines()
      _ = cluster.takeLines()
      result += (isQuiet ? lines.filter { !$0.contains("→") } : lines).map { "  " + $0 }
    }
    return result.joined(separator: "\n")
  }

  /// One command's words, read from the left.
  private struct Command {
    let line: String
    var words: ArraySlice<String>

    private func failure(_ reason: String) -> Failure { Failure(description: "\(line): \(reason)") }

    mutating func carryOut(
      _ name: String, on cluster: inout TranscriptCluster
    ) throws(Failure) {
      switch name {
      case "nodes":
        cluster.create(
          count: try number(), spare: try option("spare") ?? 0,
          leaseTicks: try option("lease") ?? 0)
      case "log":
        let id = try node()
        let term = try option("term") ?? 0
        _ = word("entries")
        cluster.setLog(
          id, term: UInt64(term), terms: try rest().map { UInt64($0) })
      case "tick": try tick(&cluster)
      case "campaign": try campaign(&cluster)
      case "deliver", "drop", "partition", "heal": try network(name, &cluster)
      case "disk": cluster.setDisk(try node(), isSlow: word("slow"))
      case "persist": cluster.persist(try node())
      case "members":
        let id = try node()
        let voters = try list("voters")
        cluster.changeMembers(id, voters: voters, learners: try list("learners"))
      case "crash": cluster.crash(try node())
      case "restart": cluster.restart(try node())
      case "lose-tail": cluster.loseTail(try node(), count: try number())
      case "status": cluster.status()
      default: try input(name, &cluster)
      }
    }

    private mutating func input(
      _ name: String, _ cluster: inout TranscriptCluster
    ) throws(Failure) {
      let id = try node()
      switch name {
      case "propose": cluster.propose(id, count: try number())
      case "transfer": cluster.step(id, .transferLeadership(to: try node()))
      case "unreachable": cluster.step(id, .unreachable(try node()))
      case "read":
        let context = UInt64(try number())
        cluster.step(id, .read(context: context, ticksOverdue: try option("overdue") ?? 0))
      default: throw failure("no such command")
      }
    }

    private mutating func tick(_ cluster: inout TranscriptCluster) throws(Failure) {
      let numbers = try rest()
      guard numbers.count >= 2, let count = numbers.last else { throw failure("tick whom?") }
      for _ in 0..<count {
        for id in numbers.dropLast() { cluster.step(NodeID(UInt16(id)), .tick) }
      }
    }

    private mutating func campaign(_ cluster: inout TranscriptCluster) throws(Failure) {
      let id = try node()
      for _ in 0..<100 where cluster.nodes[Int(id.rawValue) - 1].raft?.role == .follower {
        cluster.step(id, .tick)
      }
    }

    private mutating func network(
      _ name: String, _ cluster: inout TranscriptCluster
    ) throws(Failure) {
      switch name {
      case "heal": cluster.heal()
      case "partition":
        let sides = words.split(separator: "|").map { side in
          side.compactMap { UInt16($0) }.map { NodeID($0) }
        }
        cluster.partition(sides)
      case "deliver" where words.isEmpty: cluster.deliverAll()
      default:
        while let way = words.popFirst() {
          let ends = way.split(separator: "->").compactMap { UInt16($0) }.map { NodeID($0) }
          guard ends.count == 2 else { throw failure("no way: \(way)") }
          if name == "drop" {
            cluster.drop(from: ends[0], to: ends[1])
          } else {
            cluster.deliver(from: ends[0], to: ends[1])
          }
        }
      }
    }

    // MARK: Words

    private mutating func word(_ expected: String) -> Bool {
      guard words.first == expected else { return false }
      words.removeFirst()
      return true
    }

    private mutating func number() throws(Failure) -> Int {
      guard let word = words.popFirst(), let number = Int(word) else {
        throw failure("a number is missing")
      }
      return number
    }

    private mutating func node() throws(Failure) -> NodeID { NodeID(UInt16(try number())) }

    private mutating func option(_ name: String) throws(Failure) -> Int? {
      word(name) ? try number() : nil
    }

    private mutating func rest() throws(Failure) -> [Int] {
      var numbers: [Int] = []
      while !words.isEmpty { numbers.append(try number()) }
      return numbers
    }

    private mutating func list(_ name: String) throws(Failure) -> [NodeID] {
      guard word(name) else { return [] }
      var ids: [NodeID] = []
      while let next = words.first, UInt16(next) != nil { ids.append(try node()) }
      return ids
    }
  }
}
