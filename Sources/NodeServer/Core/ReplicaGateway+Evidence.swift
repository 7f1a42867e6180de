import Bytes
import Evidence
import Ledger
import NodeRuntime
import Raft

extension ReplicaGateway {
  func receipt(_ id: TransactionID) async -> ReceiptState {
    guard let found = try? await core.lookup(id) else { return .unreadable(.stopping) }
    switch found.known {
    case .applied(let sequence):
      do throws(EvidenceRefusal) {
        return .proven(try await environment.evidence.receipt(sequence))
      } catch .unsigned {
        return .pending
      } catch {
        return .unreadable(ReadProblem(error))
      }
    case .rejected(_, let code): return .rejected(code)
    case .unknown: return found.isPending ? .pending : .unknown
    }
  }

  func checkpoint() -> SignedNote? { environment.evidence.newest?.note }

  func trustPolicy() -> TrustPolicy? {
    TrustPolicy(
      environment.evidence.keys, voters: environment.currentSnapshot().membership.voters)
  }

  func consistency(
    from oldSize: UInt64, to size: UInt64
  ) async throws(ReadProblem) -> [Digest256] {
    do throws(EvidenceRefusal) {
      return try await environment.evidence.consistency(from: oldSize, to: size)
    } catch {
      throw ReadProblem(error)
    }
  }
}

extension ReadProblem {
  fileprivate init(_ refusal: EvidenceRefusal) {
    switch refusal {
    case .unsigned: self = .unconfirmed(retryAfterSeconds: 1)
    case .unreadable(let error): self = .unreadable(reason: "\(error)")
    case .stopping: self = .stopping
    }
  }
}
