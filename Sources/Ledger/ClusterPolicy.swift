/// A rule that all nodes follow from the same event on.
public enum PolicyKey: UInt16, CaseIterable, Sendable, Comparable {
  /// A segment is closed before the batch that would make it longer than this, bytes.
  case segmentBytes = 1
  /// LZ4 level of new batches: 0 is fast mode, 3 to 12 are high compression.
  case compressionLevel = 2
  /// Between two places of the log that a node remembers for look-ups, bytes of file at least.
  case indexBytes = 3
  /// Days after which a sealed segment may be moved to an archive; 0: never.
  case archiveAfterDays = 4
  /// Days for which an archived segment is kept; 0: for ever.
  case retainDays = 5
  /// What becomes of payments while the ingress node's clock is unfit: 0 they are marked, 1 they
  /// are refused.
  case clockPolicy = 6
  /// An error bound above this makes a clock unfit, microseconds; 0: no bound does.
  case clockToleranceMicroseconds = 7
  /// Whether a payment opens accounts that do not exist: 0 no, 1 yes.
  case accountsOpen = 8
  /// Whether a payment may leave its sender below zero: 0 no, 1 yes.
  case overdraft = 9

  /// Orders by number.
  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

  /// Its name in commands and answers.
  public var name: String {
    switch self {
    case .segmentBytes: "segment.bytes"
    case .compressionLevel: "compression.level"
    case .indexBytes: "index.bytes"
    case .archiveAfterDays: "archive.after_days"
    case .retainDays: "retain.days"
    case .clockPolicy: "clock.policy"
    case .clockToleranceMicroseconds: "clock.tolerance_us"
    case .accountsOpen: "accounts.open"
    case .overdraft: "accounts.overdraft"
    }
  }

  /// What it may be.
  public var range: ClosedRange<Int64> {
    switch self {
    case .segmentBytes: 4096...1 << 30
    case .compressionLevel: 0...12
    case .indexBytes: 4096...64 << 20
    case .archiveAfterDays, .retainDays: 0...36_500
    case .clockPolicy, .accountsOpen, .overdraft: 0...1
    case .clockToleranceMicroseconds: 0...3_600_000_000
    }
  }

  /// The names of its values, where they are not numbers: by value.
  public var valueNames: [String]? {
    switch self {
    case .clockPolicy: ["mark", "refuse"]
    case .accountsOpen, .overdraft: ["no", "yes"]
    case .segmentBytes, .compressionLevel, .indexBytes, .archiveAfterDays, .retainDays,
      .clockToleranceMicroseconds:
      nil
    }
  }

  /// A value as an operator writes it: its name, or the number.
  public func text(of value: Int64) -> String {
    if let valueNames, valueNames.indices.contains(Int(value)) { return valueNames[Int(value)] }
    return "\(value)"
  }

  /// The value that an operator wrote, or nil where it is none of this key's.
  public func value(_ text: String) -> Int64? {
    if let place = valueNames?.firstIndex(of: text) { return Int64(place) }
    guard valueNames == nil, let value = Int64(text), range.contains(value) else { return nil }
    return value
  }

  /// The key of that name, or nil.
  public init?(name: String) {
    guard let key = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = key
  }
}

/// The rules that all nodes follow, as the events so far have left them.
public struct ClusterPolicy: Hashable, Sendable {
  /// What no event has set has its default.
  private var values: [PolicyKey: Int64] = [:]

  /// The defaults.
  public init() {}

  /// A rule's value.
  public subscript(key: PolicyKey) -> Int64 { values[key] ?? Self.defaults(key) }

  /// Whether an event has set it.
  public func isSet(_ key: PolicyKey) -> Bool { values[key] != nil }

  /// Takes over what an event sets. Precondition: within the key's range.
  public mutating func set(_ key: PolicyKey, to value: Int64) {
    precondition(key.range.contains(value), "a policy is checked before it is written")
    values[key] = value
  }

  private static func defaults(_ key: PolicyKey) -> Int64 {
    switch key {
    case .segmentBytes: 64 << 20
    case .compressionLevel: 0
    case .indexBytes: 32 << 10
    case .archiveAfterDays, .retainDays: 0
    case .clockPolicy, .clockToleranceMicroseconds: 0
    case .accountsOpen, .overdraft: 1
    }
  }
}
