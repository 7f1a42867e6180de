import Simulation
import Testing

/// Known histories, linearizable and not (Wing and Gong, 1993).
@Suite struct LinearizabilityTests {
  private typealias Balance = TimedCall<BalanceSpecification.Call>
  private typealias Transaction = TimedCall<TransactionSpecification.Call>

  private func holds(_ calls: [Balance]) -> Bool {
    Linearizability<BalanceSpecification>.holds(calls)
  }

  private func holds(_ calls: [Transaction]) -> Bool {
    Linearizability<TransactionSpecification>.holds(calls)
  }

  @Test func `a read after a change tells it`() {
    let change = Balance(.change(5), invoked: 0, answered: 10)
    #expect(holds([change, Balance(.read(5), invoked: 11, answered: 12)]))
    #expect(!holds([change, Balance(.read(0), invoked: 11, answered: 12)]))
    #expect(!holds([change, Balance(.read(7), invoked: 11, answered: 12)]))
  }

  @Test func `a read beside a change tells either`() {
    let change = Balance(.change(5), invoked: 0, answered: 10)
    #expect(holds([change, Balance(.read(0), invoked: 5, answered: 6)]))
    #expect(holds([change, Balance(.read(5), invoked: 5, answered: 6)]))
  }

  @Test func `what one read has told a later read does not take back`() {
    let change = Balance(.change(5), invoked: 0, answered: 100)
    let new = Balance(.read(5), invoked: 10, answered: 20)
    let old = Balance(.read(0), invoked: 30, answered: 40)
    #expect(!holds([change, new, old]))
    #expect(holds([change, Balance(.read(0), invoked: 10, answered: 20), new]))
  }

  @Test func `a change without an answer may have happened or not, at any time`() {
    let open = Balance(.change(5), invoked: 0, answered: nil)
    #expect(holds([open, Balance(.read(0), invoked: 50, answered: 60)]))
    #expect(holds([open, Balance(.read(5), invoked: 50, answered: 60)]))
    #expect(
      !holds([
        open, Balance(.read(5), invoked: 50, answered: 60),
        Balance(.read(0), invoked: 70, answered: 80),
      ]))
  }

  @Test func `an id is taken once`() {
    func call(_ contents: Int, _ answer: TransactionSpecification.Answer, _ at: Int64)
      -> Transaction
    {
      Transaction(.init(contents: contents, answer: answer), invoked: at, answered: at + 1)
    }
    #expect(holds([call(1, .applied(sequence: 3), 0), call(1, .duplicate(of: 3), 10)]))
    #expect(!holds([call(1, .applied(sequence: 3), 0), call(1, .applied(sequence: 4), 10)]))
    #expect(!holds([call(1, .applied(sequence: 3), 0), call(1, .duplicate(of: 4), 10)]))
    #expect(!holds([call(1, .applied(sequence: 3), 0), call(2, .applied(sequence: 4), 10)]))
    #expect(!holds([call(1, .duplicate(of: 4), 0)]))
    let open = Transaction(.init(contents: 1, answer: .none), invoked: 0, answered: nil)
    #expect(holds([open, call(1, .duplicate(of: 4), 10)]))
    #expect(!holds([open, call(2, .duplicate(of: 4), 10)]))
  }

  @Test func `many calls at once are decided`() {
    let changes = (0..<12).map { Balance(.change(1), invoked: Int64($0), answered: 1000) }
    #expect(holds(changes + [Balance(.read(6), invoked: 500, answered: 600)]))
    #expect(!holds(changes + [Balance(.read(13), invoked: 500, answered: 600)]))
  }
}

/// One account's balance: payments change it, linearizable reads tell it.
enum BalanceSpecification: SequentialSpecification {
  /// A change or a read.
  enum Call: Hashable, Sendable {
    /// A payment of this account, minor units, negative where it pays.
    case change(Int128)
    /// A read that told this.
    case read(Int128)
  }

  /// Nothing was paid.
  static var initial: Int128 { 0 }

  /// One call.
  static func step(_ state: Int128, _ call: Call, hasAnswered: Bool) -> [Int128] {
    switch call {
    case .change(let amount): [state + amount]
    case .read(let told): !hasAnswered || told == state ? [state] : []
    }
  }
}
