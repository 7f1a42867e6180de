/// Has the cluster carry out what an operator wants: any node takes a request and passes it on.
struct OperatorClient: Sendable {
  /// Between two rounds over the nodes, where no node says when to ask again.
  static let pause = Duration.milliseconds(300)

  let client: NodeClient
  let nodes: [NodeAddress]
  let timeout: Duration

  /// Sends a request until a node carries it out or refuses it for good.
  ///
  /// It is repeated only where that is certain to do no harm: where a node could not be reached, or
  /// said with `Retry-After` that nothing was done and that asking again may help.
  ///
  /// - Throws: `CommandFailure`: refused with the node's sentence, or unreachable, which includes
  ///   that nobody knows what became of it.
  func send(_ request: NodeRequest) async throws -> JSONValue {
    let clock = ContinuousClock()
    let deadline = clock.now + timeout
    var reasons: [String] = []
    while true {
      reasons.removeAll()
      for node in nodes {
        let left = clock.now.duration(to: deadline)
        guard left > .zero else { break }
        let answer: Answer
        do throws(NoAnswer) {
          answer = try await client.send(request, to: node, within: left)
        } catch {
          guard error.isUnsent else { throw Self.inDoubt("\(node.name): \(error.reason)") }
          reasons.append("\(node.name): \(error.reason)")
          continue
        }
        if answer.isSuccess, let body = answer.body { return body }
        if answer.body?["code"]?.text == "in_doubt" { throw Self.inDoubt(answer.sentence) }
        guard answer.retryAfter != nil else {
          throw CommandFailure(.refused, "\(node.name): \(answer.sentence)")
        }
        reasons.append("\(node.name): \(answer.sentence)")
        // The next node would pass it on to the same leader.
        if answer.status == 409 { break }
      }
      guard clock.now + Self.pause < deadline else { break }
      try await Task.sleep(for: Self.pause)
    }
    throw CommandFailure(
      .unreachable, "nothing was done within the time: " + reasons.joined(separator: "; ") + ".")
  }

  private static func inDoubt(_ reason: String) -> CommandFailure {
    CommandFailure(
      .unreachable,
      "it is not known whether it was done (\(reason)); look before you ask again: "
        + "syncpay members list, syncpay leader show, syncpay policy get.")
  }

  /// What the nodes say at a path: the leader's answer if it gave one, because it knows most, or
  /// else any.
  func look(_ path: String) async throws -> JSONValue {
    let limit = min(timeout, .seconds(5))
    let answers = await withTaskGroup { group in
      for (place, node) in nodes.enumerated() {
        group.addTask {
          do throws(NoAnswer) {
            let answer = try await client.send(.get(path), to: node, within: limit)
            return (place, answer.isSuccess ? answer.body : nil, answer.sentence)
          } catch {
            return (place, nil, error.reason)
          }
        }
      }
      var answers: [(place: Int, body: JSONValue?, reason: String)] = []
      for await answer in group { answers.append(answer) }
      return answers.sorted { $0.place < $1.place }
    }
    let bodies = answers.compactMap(\.body)
    // Of two that think that they lead, the one of the later term does.
    let leaders = bodies.filter { $0["leader"]?.text != nil && $0["leader"] == $0["node_id"] }
    let latest = leaders.max { ($0["term"]?.integer ?? 0) < ($1["term"]?.integer ?? 0) }
    if let body = latest ?? bodies.first { return body }
    let reasons = answers.map { "\(nodes[$0.place].name): \($0.reason)" }
    throw CommandFailure(
      .unreachable, "no node answered: " + reasons.joined(separator: "; ") + ".")
  }
}

extension NodeOptions {
  /// Runs the body with a client of these nodes.
  func operate<Result>(_ body: (OperatorClient) async throws -> Result) async throws -> Result {
    let addresses = try addresses()
    return try await NodeClient.with { client in
      try await body(
        OperatorClient(client: client, nodes: addresses, timeout: timeoutDuration))
    }
  }

  /// Has a request carried out, and says so.
  func carryOut(_ request: NodeRequest, _ sentence: String) async throws {
    let answer = try await operate { try await $0.send(request) }
    switch format {
    case .table: Terminal.line("\(sentence) (as of index \(answer["index"]?.text ?? "?")).")
    case .json: Terminal.line(answer.description)
    }
  }
}
