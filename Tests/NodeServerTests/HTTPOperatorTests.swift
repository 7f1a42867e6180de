import Bytes
import Ledger
@testable import NodeServer
import Replica
import Testing

private func text(_ answer: HTTPAnswer) -> String { String(decoding: answer.body, as: UTF8.self) }

private func get(
  _ target: String, _ gateway: ScriptedGateway = ScriptedGateway()
) async throws -> HTTPAnswer {
  await Answerer(gateway: gateway).read(try Route(method: "GET", target: target))
}

private func request(
  _ action: OperatorAction, _ body: String
) -> Result<OperatorRequest, HTTPProblem> {
  do throws(HTTPProblem) {
    return .success(try OperatorBody.request(action, Array(body.utf8).span.bytes))
  } catch {
    return .failure(error)
  }
}

@Suite struct HTTPConsistencyTests {
  @Test(arguments: [
    "/get_ledger", "/transactions?consistency=linearizable",
    "/transactions/x?consistency=linearizable", "/status?consistency=linearizable",
    "/health?consistency=linearizable", "/v1/members?consistency=linearizable",
  ])
  func `a read that nobody confirms is refused`(target: String) async throws {
    let answer = try await get(
      target, ScriptedGateway(confirmation: .unconfirmed(retryAfterSeconds: 2)))
    #expect(answer.status == 503)
    #expect(answer.retryAfterSeconds == 2)
    #expect(text(answer).contains(#""code":"read_unconfirmed""#))
  }

  @Test(arguments: [
    "/get_ledger?consistency=local", "/transactions", "/status", "/health", "/v1/members",
    "/v1/policy", "/v1/leader", "/status?consistency=local",
  ])
  func `a local read asks nobody`(target: String) async throws {
    let answer = try await get(
      target, ScriptedGateway(confirmation: .unconfirmed(retryAfterSeconds: 2)))
    #expect(answer.status == 200)
    #expect(text(answer).hasSuffix(#","consistency":"local"}"#))
  }

  @Test func `a confirmed status is not the one published before`() async throws {
    let answer = try await get("/health?consistency=linearizable")
    #expect(text(answer).contains(#""transaction_count":43"#))
    #expect(text(answer).hasSuffix(#","consistency":"linearizable"}"#))
  }

  @Test func `an unknown id says how far it is unknown`() async throws {
    let here = text(try await get("/transactions/x"))
    #expect(here.contains("is known here; sending it is safe"))
    #expect(here.hasSuffix(#","consistency":"local"}"#))
    let anywhere = text(try await get("/transactions/x?consistency=linearizable"))
    #expect(anywhere.contains("is known to the cluster; sending it is safe"))
    #expect(anywhere.hasSuffix(#","consistency":"linearizable"}"#))
  }

  @Test(arguments: [
    "/health?consistancy=local", "/status?x=1", "/status?consistency=Local",
    "/transactions/x?limit=3", "/v1/members?consistency=", "/v1/policy?key=x",
  ])
  func `a wrong parameter is refused on every read`(target: String) async throws {
    #expect(try await get(target).status == 400)
  }
}

@Suite struct HTTPOperatorTests {
  @Test func `every change has its body`() throws {
    let node4 = ClusterMember(
      id: NodeID(4), peerAddress: "10.0.0.4:6001", clientAddress: "10.0.0.4:5001")
    #expect(
      try request(
        .members,
        #"{"action":"add","id":4,"peer":"10.0.0.4:6001","client":"10.0.0.4:5001"}"#
      ).get() == .addLearner(node4))
    #expect(
      try request(.members, #"{"id":"4","peer":"[::1]:6001","action":"add"}"#).get()
        == .addLearner(ClusterMember(id: NodeID(4), peerAddress: "[::1]:6001")))
    #expect(
      try request(.members, #"{"action":"promote","id":4}"#).get() == .promote(NodeID(4)))
    #expect(try request(.members, #"{"action":"demote","id":4}"#).get() == .demote(NodeID(4)))
    #expect(try request(.members, #"{"action":"remove","id":4}"#).get() == .remove(NodeID(4)))
    #expect(
      try request(.members, #"{"action":"replace","id":3,"with":4}"#).get()
        == .replace(NodeID(3), with: NodeID(4)))
    #expect(try request(.leader, "{}").get() == .transferLeadership(to: nil))
    #expect(try request(.leader, #"{"to":2}"#).get() == .transferLeadership(to: NodeID(2)))
    #expect(
      try request(.policy, #"{"key":"segment.bytes","value":"8388608"}"#).get()
        == .setPolicy(.segmentBytes, to: 8_388_608))
    #expect(
      try request(.policy, #"{"key":"clock.policy","value":"refuse"}"#).get()
        == .setPolicy(.clockPolicy, to: 1))
  }

  @Test(
    arguments: [
      (.members, "", "body_empty"), (.members, "[]", "body_not_object"),
      (.members, "{}", "field_missing"), (.members, #"{"action":"grow","id":4}"#, "field_invalid"),
      (.members, #"{"action":"remove"}"#, "field_missing"),
      (.members, #"{"action":"remove","id":0}"#, "field_invalid"),
      (.members, #"{"action":"remove","id":1024}"#, "field_invalid"),
      (.members, #"{"action":"remove","id":-1}"#, "field_invalid"),
      (.members, #"{"action":"remove","id":1e1}"#, "field_invalid"),
      (.members, #"{"action":"remove","id":true}"#, "field_invalid"),
      (.members, #"{"action":"remove","id":3,"whit":4}"#, "field_unknown"),
      (.members, #"{"action":"remove","id":3,"with":4}"#, "field_invalid"),
      (.members, #"{"action":"promote","id":3,"peer":"a:1"}"#, "field_invalid"),
      (.members, #"{"action":"remove","id":3,"id":4}"#, "json_duplicate_key"),
      (.members, #"{"action":"replace","id":3}"#, "field_missing"),
      (.members, #"{"action":"add","id":4}"#, "field_missing"),
      (.members, #"{"action":"add","id":4,"peer":""}"#, "field_invalid"),
      (.members, #"{"action":"add","id":4,"peer":"a"}"#, "field_invalid"),
      (.members, #"{"action":"add","id":4,"peer":"a:1","client":"a:0"}"#, "field_invalid"),
      (.members, #"{"action":"add","id":4,"peer":"é:1"}"#, "field_invalid"),
      (.members, #"{"action":"add","id":4,"peer":"[ab:1"}"#, "field_invalid"),
      (.members, #"{"action":"add","id":4,"peer":"[ab]c:1"}"#, "field_invalid"),
      (
        .members,
        #"{"action":"add","id":4,"peer":""# + String(repeating: "a", count: 63) + #":1"}"#,
        "field_invalid"
      ),
      (
        .members, #"{"action":""# + String(repeating: "a", count: 300) + #""}"#,
        "json_string_too_long"
      ),
      (.members, #"{"action":{"x":{"y":{}}}}"#, "field_invalid"),
      (.members, #"{"action":"remove","id":3} x"#, "json_invalid"),
      (.leader, #"{"to":"node2"}"#, "field_invalid"), (.leader, #"{"to":null}"#, "field_invalid"),
      (.policy, #"{"key":"segment.size","value":1}"#, "policy_unknown"),
      (.policy, #"{"key":"segment.bytes"}"#, "field_missing"),
      (.policy, #"{"key":"segment.bytes","value":1}"#, "value_invalid"),
      (.policy, #"{"key":"segment.bytes","value":"1e6"}"#, "value_invalid"),
      (.policy, #"{"key":"clock.policy","value":1}"#, "value_invalid"),
    ] as [(OperatorAction, String, String)])
  func `a wrong body is refused and named`(action: OperatorAction, body: String, code: String) {
    guard case .failure(let problem) = request(action, body) else {
      Issue.record("taken: \(body)")
      return
    }
    #expect(problem.code == code)
    #expect((400..<500).contains(problem.status))
  }

  @Test func `every refusal has its status, its name and its sentence`() async {
    let statuses: [OperatorRefusal: Int] = [
      .malformed: 400, .valueInvalid: 400, .unknownMember: 404, .changing: 409, .noVoters: 409,
      .notLearner: 409, .behind: 409, .wouldStop: 409, .unchanged: 409, .numberTaken: 409,
      .noLeader: 503, .notReady: 503, .transferFailed: 503, .inDoubt: 503,
    ]
    for refusal in OperatorRefusal.allCases {
      let answer = await Answerer(gateway: ScriptedGateway(refusal: refusal))
        .operate(.remove(NodeID(3)))
      #expect(answer.status == statuses[refusal])
      #expect(text(answer).contains(#""code":"\#(refusal.name)""#))
      #expect(text(answer).contains(refusal.sentence))
    }
    let leaderless = await Answerer(gateway: ScriptedGateway(refusal: .noLeader))
      .operate(.remove(NodeID(3)))
    #expect(leaderless.retryAfterSeconds == 3)
  }

  @Test func `members, leader and rules can be read`() async throws {
    #expect(
      text(try await get("/v1/leader"))
        == #"{"node_id":"node1","leader":"node1","leader_id":1,"term":2,"consistency":"local"}"#)
    let members = text(try await get("/v1/members"))
    #expect(
      members.hasPrefix(
        #"{"node_id":"node1","leader":"node1","leader_id":1,"term":2,"index":5,"changing":false,"#
          + #""members":[{"id":1,"name":"node1","role":"voter","peer":"10.0.0.1:6001","#))
    let policy = text(try await get("/v1/policy"))
    #expect(
      policy.contains(
        #"{"key":"clock.policy","value":"refuse","set":true,"values":"mark or refuse"}"#))
    // Until it is agreed on, each leader follows its own setting.
    #expect(policy.contains(#"{"key":"segment.bytes","value":null,"set":false,"values":"a whole"#))
    #expect(policy.contains(#"{"key":"retain.days","value":"0","set":false,"#))
  }
}
