import Bytes

extension RaftNode {
  /// Hands a message to its handler, unless no correct peer sends it.
  mutating func receive(
    _ message: RaftMessage, from sender: NodeID, into effects: inout [RaftEffect]
  ) {
    guard sender != id else {
      faults.ownNumber += 1
      return
    }
    guard message.term > .zero || !message.isFromOffice, message.term <= Self.termMax else {
      faults.malformed += 1
      return
    }
    switch message {
    case .preVoteResponse, .voteResponse, .appendResponse, .heartbeatResponse:
      receiveAnswer(message, from: sender, into: &effects)
    case .readRequest(_, let context):
      receiveRead(context: context, from: sender, into: &effects)
    case .readResponse(_, let context, let index):
      effects.append(.readReady(context: context, index: index))
    case .preVoteRequest(let term, let last):
      receivePreVoteRequest(term: term, last: last, from: sender, into: &effects)
    case .voteRequest(let term, let last, let transfer):
      receiveVoteRequest(
        term: term, last: last, isTransfer: transfer, from: sender, into: &effects)
    case .appendRequest(let request): receiveAppend(request, from: sender, into: &effects)
    case .heartbeatRequest(let term, let commit, let round):
      receiveHeartbeat(term: term, commit: commit, round: round, from: sender, into: &effects)
    case .timeoutNow(let term): receiveTimeoutNow(term: term, from: sender, into: &effects)
    }
  }

  /// Hands an answer to its handler, if it is a member's.
  private mutating func receiveAnswer(
    _ message: RaftMessage, from sender: NodeID, into effects: inout [RaftEffect]
  ) {
    guard let position = roster.position(of: sender) else { return }  // It has left.
    switch message {
    case .preVoteResponse(let term, let granted):
      receivePreVoteResponse(term: term, isGranted: granted, from: position, into: &effects)
    case .voteResponse(let term, let granted):
      receiveVoteResponse(term: term, isGranted: granted, from: position, into: &effects)
    case .appendResponse(let response):
      receiveAppendResponse(response, from: position, into: &effects)
    case .heartbeatResponse(let term, let round):
      receiveHeartbeatResponse(term: term, round: round, from: position, into: &effects)
    case .preVoteRequest, .voteRequest, .appendRequest, .heartbeatRequest, .timeoutNow,
      .readRequest, .readResponse:
      preconditionFailure("not an answer")
    }
  }

  /// Whether a response of `responseTerm` is for this term; one of a later term makes the node a
  /// follower there (Raft §5.1), one of an earlier term is late.
  mutating func isCurrentResponse(
    term responseTerm: Term, into effects: inout [RaftEffect]
  ) -> Bool {
    if responseTerm > term {
      becomeFollower(term: responseTerm, leader: nil, into: &effects)
      return false
    }
    return responseTerm == term
  }
}

extension RaftMessage {
  /// Whether only a candidate or leader says it, so that its term cannot be 0.
  fileprivate var isFromOffice: Bool {
    switch self {
    case .preVoteRequest, .voteRequest, .appendRequest, .heartbeatRequest, .timeoutNow,
      .readResponse:
      true
    case .preVoteResponse, .voteResponse, .appendResponse, .heartbeatResponse, .readRequest: false
    }
  }
}
