import Bytes
import Raft

/// How bad the weather is.
struct Weather {
  /// Of 100 messages.
  var lost = 0
  /// Of 100 messages.
  var repeated = 0
  /// Ticks a message takes, at most.
  var delayMax = 1
  /// Of 1000 ticks.
  var disturbances = 0
  /// Of 100 ticks a disk works.
  var diskWorks = 100
  /// Of 100 ticks a leader gets proposals.
  var proposals = 20
  /// Of 100 ticks a node gets a read.
  var reads = 20
  /// Of 100 ticks a leader is asked for other members.
  var changes = 2

  /// A seed's own mix.
  static func random(_ generator: inout SeededGenerator) -> Weather {
    Weather(
      lost: Int.random(in: 0...25, using: &generator),
      repeated: Int.random(in: 0...25, using: &generator),
      delayMax: Int.random(in: 1...5, using: &generator),
      disturbances: Int.random(in: 30...150, using: &generator),
      diskWorks: Int.random(in: 20...100, using: &generator),
      proposals: Int.random(in: 2...40, using: &generator))
  }
}

/// What happened in all runs, to tell that the test tested something.
struct Happenings {
  var leaders = 0
  var truncations = 0
  var crashes = 0
  var commits = 0
  var transfers = 0
  var refusals = 0
  var changes = 0
  var removals = 0
  var reads = 0
  var losses = 0
}
