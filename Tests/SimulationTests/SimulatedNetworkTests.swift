import Bytes
import Testing

@testable import Simulation

/// What links do to messages.
@Suite struct SimulatedNetworkTests {
  private func network(
    _ transport: Transport, seed: UInt64, loss: Int = 0, repeats: Int = 0
  ) -> SimulatedNetwork {
    var options = SimulationOptions(seed: seed).network
    options.transport = transport
    options.lossPermille = loss
    options.repeatPermille = repeats
    options.latencyMax = 1_000_000
    options.jitterMax = 5_000_000
    return SimulatedNetwork(count: 3, options: options, seed: seed)
  }

  private func frame(_ number: UInt8) -> Frame {
    Frame(from: 0, to: 1, ids: (NodeID(1), NodeID(2)), connection: 1, bytes: [number])
  }

  @Test func `a connection keeps order, single messages do not`() {
    func isOrdered(_ transport: Transport) -> Bool {
      var network = network(transport, seed: 5)
      let times = (0..<100).map {
        network.arrivals(of: frame(UInt8($0)), now: Int64($0)).first ?? 0
      }
      return zip(times, times.dropFirst()).allSatisfy { $0 < $1 }
    }
    #expect(isOrdered(.stream))
    #expect(!isOrdered(.messages))
  }

  @Test func `a partition holds a connection back, in order, and loses single messages`() {
    var stream = network(.stream, seed: 6)
    stream.cut(0, 1)
    for number in 0..<5 as Range<UInt8> {
      #expect(stream.arrivals(of: frame(number), now: 10).isEmpty)
    }
    #expect(!stream.isOpen(0, 1) && stream.isOpen(0, 2))
    let held = stream.mend(0, 1, now: 1000)
    #expect(held.map { $0.0.bytes } == [[0], [1], [2], [3], [4]])
    #expect(held.allSatisfy { $0.1 > 1000 })
    var messages = network(.messages, seed: 6)
    messages.cut(0, 1)
    #expect(messages.arrivals(of: frame(1), now: 10).isEmpty)
    #expect(messages.mend(0, 1, now: 1000).isEmpty)
  }

  @Test func `two partitions of one link end with the second`() {
    var network = network(.stream, seed: 7)
    network.cut(0, 1)
    network.cut(0, 1)
    _ = network.arrivals(of: frame(1), now: 0)
    #expect(network.mend(0, 1, now: 10).isEmpty)
    #expect(network.mend(0, 1, now: 20).count == 1)
  }

  @Test func `messages are lost and repeated as often as they should`() {
    var network = network(.messages, seed: 8, loss: 300, repeats: 500)
    var counts = [0, 0, 0]
    for _ in 0..<10_000 { counts[network.arrivals(of: frame(1), now: 0).count] += 1 }
    #expect((2800...3200).contains(counts[0]))
    #expect((3200...3800).contains(counts[1]) && (3200...3800).contains(counts[2]))
    network.isCalm = true
    #expect(network.arrivals(of: frame(1), now: 0).count == 1)
  }

  @Test func `events come by time, and in order where times are equal`() {
    var queue = EventQueue<Int>()
    for number in 0..<1000 { queue.push(number, at: Int64(number * 7919 % 100)) }
    var last = (time: Int64(-1), number: -1)
    while let (time, number) = queue.pop() {
      #expect(time > last.time || (time == last.time && number > last.number))
      last = (time, number)
    }
    #expect(last.time == 99)
  }
}
