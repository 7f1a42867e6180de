import Bytes
import NIOCore

/// One client that pays as the API's guide says: the same transaction id until it is acknowledged,
/// the next node at once where one does not answer or answers 503 or 507, and after each round over all
/// nodes a pause that doubles from 50 ms to 1 s, half of it random.
struct RetryingClient {
  private static let attemptLimit = TimeAmount.seconds(6)
  private static let pauseMilliseconds = 50...1000

  private let addresses: [HTTPAddress]
  private let loop: any EventLoop
  private var requests: PaymentRequests
  private var random: SeededGenerator
  /// The node that answered last.
  private var place: Int
  private var connection: RequestConnection?
  private var request = ByteBuffer()

  /// A client of the node at `place`. `stream` tells its payments from those of other clients.
  init(
    of addresses: [HTTPAddress], place: Int, stream: UInt16, seed: UInt64,
    unixMilliseconds: UInt64, on loop: any EventLoop
  ) {
    self.addresses = addresses
    self.place = place
    self.loop = loop
    requests = PaymentRequests(
      to: addresses[place], accounts: 1_000, seed: seed, stream: stream,
      unixMilliseconds: unixMilliseconds)
    random = SeededGenerator(seed: seed ^ UInt64(stream))
  }

  /// Makes the next payment, and returns when it is acknowledged.
  ///
  /// - Throws: `BenchFailure` where a node refuses it for good, or none acknowledges it in time.
  mutating func pay(within limit: Duration = .seconds(60)) async throws {
    requests.next(into: &request)
    let deadline = ContinuousClock.now + limit
    var pause = Self.pauseMilliseconds.lowerBound
    while ContinuousClock.now < deadline {
      for _ in addresses.indices {
        if try await attempt() { return }
        place = (place + 1) % addresses.count
      }
      try await Task.sleep(
        for: .milliseconds(Int.random(in: pause / 2...pause, using: &random)))
      pause = min(2 * pause, Self.pauseMilliseconds.upperBound)
    }
    throw BenchFailure("A payment was not acknowledged within \(limit).")
  }

  /// Ends the connection.
  mutating func close() {
    connection?.close()
    connection = nil
  }

  /// Whether the node acknowledged the payment.
  private mutating func attempt() async throws -> Bool {
    do {
      if connection == nil {
        connection = try await RequestConnection.open(addresses[place], on: loop)
      }
      guard let connection else { return false }
      let answer = try await connection.ask(request, within: Self.attemptLimit)
      if answer.closes || answer.status != 200 { close() }
      switch answer.status {
      case 200: return true
      case 503, 507: return false
      default:
        throw PaymentRefused(
          status: answer.status, body: String(decoding: answer.body, as: UTF8.self))
      }
    } catch let refusal as PaymentRefused {
      throw BenchFailure("A node refused a payment: \(refusal.status) \(refusal.body)")
    } catch {
      // No answer: the same payment goes to the next node.
      close()
      return false
    }
  }
}

private struct PaymentRefused: Error {
  let status: Int
  let body: String
}
