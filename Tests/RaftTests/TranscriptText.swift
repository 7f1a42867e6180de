import Bytes
import Raft

// How a transcript writes what happens: entries as `index@term`, runs as `first…last`.

extension EntryID {
  var text: String { index == .zero ? "nothing" : "\(index.rawValue)@\(term.rawValue)" }
}

extension [NodeID] {
  var text: String { map { "\($0.rawValue)" }.joined(separator: " ") }
}

extension Membership {
  var text: String {
    var text = "voters \(voters.text)"
    if isJoint { text += " and \(outgoing.text)" }
    if !learners.isEmpty { text += " learners \(learners.text)" }
    return voters.isEmpty ? "nobody" : text
  }
}

extension MembershipRefusal {
  var text: String {
    switch self {
    case .notReady: "not ready"
    case .changing: "a change is under way"
    case .malformed: "malformed"
    case .noVoters: "no voters"
    case .notLearner(let id): "\(id.rawValue) is no learner"
    case .behind(let id, let entryCount): "\(id.rawValue) lacks \(entryCount) entries"
    case .wouldStop: "the cluster could stop"
    case .unchanged: "nothing would change"
    }
  }
}

extension RaftLogTerms {
  /// Each run of a term.
  var text: String {
    guard !runs.isEmpty else { return "empty" }
    let ends = runs.dropFirst().map(\.firstIndex.previous) + [last.index]
    return zip(runs, ends).map { run, end in
      let first = run.firstIndex.rawValue
      let span = run.firstIndex == end ? "\(first)" : "\(first)…\(end.rawValue)"
      return "\(span)@\(run.term.rawValue)"
    }.joined(separator: " ")
  }
}

extension RaftMessage {
  var text: String {
    switch self {
    case .preVoteRequest(let term, let last): "pre-vote in \(term.rawValue)? has \(last.text)"
    case .preVoteResponse(let term, let granted):
      "pre-vote \(granted ? "yes" : "no"), term \(term.rawValue)"
    case .voteRequest(let term, let last, let transfer):
      "vote in \(term.rawValue)? has \(last.text)\(transfer ? ", handed over" : "")"
    case .voteResponse(let term, let granted):
      "vote \(granted ? "yes" : "no"), term \(term.rawValue)"
    case .appendRequest(let request): request.text
    case .appendResponse(let response): response.text
    case .heartbeatRequest(let term, let commit, let round):
      "heartbeat \(round), term \(term.rawValue), commit \(commit.rawValue)"
    case .heartbeatResponse(let term, let round):
      "heartbeat \(round) heard, term \(term.rawValue)"
    case .timeoutNow(let term): "campaign now, term \(term.rawValue)"
    case .readRequest(_, let context): "read \(context)?"
    case .readResponse(_, let context, let index): "read \(context) at \(index.rawValue)"
    }
  }
}

extension AppendRequest {
  var text: String {
    let terms = entryTerms.map { "\($0.rawValue)" }.joined(separator: " ")
    let entries = entryTerms.isEmpty ? "nothing" : "terms \(terms)"
    return "term \(term.rawValue), after \(previous.text): \(entries), commit \(commit.rawValue)"
  }
}

extension AppendResponse {
  var text: String {
    switch outcome {
    case .accepted(let match): return "holds \(match.rawValue), term \(term.rawValue)"
    case .rejected(let hint):
      let lacks = "lacks \(hint.previous.rawValue)"
      switch hint.cause {
      case .logEnd(let last): return "\(lacks), ends with \(last.text), term \(term.rawValue)"
      case .conflict(let other, let first):
        return "\(lacks), has term \(other.rawValue) there from \(first.rawValue) on,"
          + " term \(term.rawValue)"
      }
    }
  }
}

extension RaftEffect {
  /// What it says, without the node.
  var text: String {
    switch self {
    case .persistHardState(let state):
      "notes term \(state.term.rawValue)"
        + (state.vote.map { " and its vote for \($0.rawValue)" } ?? "")
    case .truncate(let from): "drops \(from.rawValue) and on"
    case .append(let range): "stores \(range.first.rawValue)…\(range.last.rawValue)"
    case .send(let message, let to), .sendAfterPersist(let message, let to):
      "→ \(to.rawValue): \(message.text)"
    case .sendEntries(let request, let to): "→ \(to.rawValue): \(request.text)"
    case .commit(let index): "commits \(index.rawValue)"
    case .roleChanged(.leader, let term, _): "leads term \(term.rawValue)"
    case .roleChanged(.candidate, let term, _): "campaigns in term \(term.rawValue)"
    case .roleChanged(.preCandidate, let term, _): "asks around in term \(term.rawValue)"
    case .roleChanged(.follower, let term, let leader):
      "follows \(leader.map { "\($0.rawValue)" } ?? "nobody") in term \(term.rawValue)"
    case .proposalDropped(let count): "takes no proposal of \(count)"
    case .membershipChanged(let entry):
      "counts by \(entry.membership.text), of \(entry.index.rawValue)"
    case .readReady(let context, let index): "answers read \(context) at \(index.rawValue)"
    case .readFailed(let context): "cannot answer read \(context)"
    case .transferEnded(let succeeded): "handing over \(succeeded ? "succeeded" : "failed")"
    }
  }
}

extension RaftNode {
  /// A line of `status`.
  var text: String {
    let role =
      switch self.role {
      case .leader: "leads"
      case .candidate: "campaigns"
      case .preCandidate: "asks around"
      case .follower: leader.map { "follows \($0.rawValue)" } ?? "follows nobody"
      }
    var text = "\(role), term \(term.rawValue), log \(log.text), durable \(durable.rawValue),"
    text += " commit \(commit.rawValue), \(membership.text)"
    if let distrusted { text += ", abstains up to term \(distrusted.rawValue)" }
    return text
  }
}
