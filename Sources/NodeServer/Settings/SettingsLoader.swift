import Bytes
import Configuration
import Foundation
import Logging
import SystemPackage

/// Reads a node's settings: flags over environment variables over the file over defaults.
package struct SettingsLoader: Sendable {
  /// A provider of flags, environment and file, in this order of precedence.
  private let reader: ConfigReader

  /// A loader over a file, an environment and flags of the form `key=value`.
  package init(
    file: String?, environment: [String: String], flags: [String]
  ) async throws(SettingsProblem) {
    var providers: [any ConfigProvider] = [try Self.flagProvider(flags)]
    providers.append(
      EnvironmentVariablesProvider(environmentVariables: environment)
        .prefixKeys(with: "syncpay"))
    if let file {
      try Self.checkKeys(file)
      do {
        providers.append(try await FileProvider<JSONSnapshot>(filePath: FilePath(file)))
      } catch {
        throw .unreadable(path: file, reason: "\(error)")
      }
    }
    reader = ConfigReader(providers: providers)
  }

  private func archive() async throws(SettingsProblem) -> String {
    let path = try await text(.archiveDirectory, emptyMeans: "")
    guard path.isEmpty || path.hasPrefix("/") else {
      throw .wrongKind(
        key: SettingKey.archiveDirectory.name, reason: "\"\(path)\" is no absolute path")
    }
    return path
  }

  /// The settings, checked one by one and against each other.
  package func load() async throws(SettingsProblem) -> NodeSettings {
    var integers: [String: Int] = [:]
    for key in SettingKey.all {
      guard case .integer(let standard, let range) = key.kind else { continue }
      let value = try await integer(key) ?? standard
      guard range.contains(value) else {
        throw .outOfRange(key: key.name, value: value, range: range)
      }
      integers[key.name] = value
    }
    let isJoining = try await boolean(.clusterJoin)
    guard let number = integers[SettingKey.nodeID.name], number > 0 else {
      throw .missing(key: SettingKey.nodeID.name)
    }
    let id = NodeID(UInt16(number))
    let members = try Self.members(try await list(.clusterMembers))
    guard let own = members.first(where: { $0.id == id }) else { throw .notAMember(number) }
    let name = try await text(.nodeName, emptyMeans: "node\(number)")
    let level = try await text(.logLevel, emptyMeans: "info")
    guard let logLevel = Logger.Level(rawValue: level) else {
      throw .wrongKind(key: SettingKey.logLevel.name, reason: "\"\(level)\" is no log level")
    }
    var bind = own.address
    bind.host = try await text(.peerBind, emptyMeans: bind.host)
    let settings = NodeSettings(
      id: id, name: name,
      dataDirectory: try await text(.dataDirectory, emptyMeans: "data/\(name)"),
      archiveDirectory: try await archive(),
      clusterName: try await text(.clusterName, emptyMeans: "syncpay"), members: members,
      isJoining: isJoining, peerBind: bind,
      timeServers: try Self.servers(try await list(.timeServers)),
      timeBind: try await timeBind(bind, port: integers[SettingKey.timeServePort.name] ?? 0),
      usesKernelClock: try await boolean(.timeKernel),
      keepsJournal: try await boolean(.timeJournal), logLevel: logLevel,
      httpHost: try await text(.httpHost, emptyMeans: "127.0.0.1"),
      integers: integers)
    try check(settings)
    return settings
  }

  private func timeBind(_ bind: HostPort, port: Int) async throws(SettingsProblem) -> HostPort? {
    guard try await boolean(.timeServe) else { return nil }
    var address = bind
    if port != 0 { address.port = port }
    return address
  }

  private func check(_ settings: NodeSettings) throws(SettingsProblem) {
    // Compared as consensus counts them.
    guard settings.ticks(.electionMin) > 2 * settings.ticks(.heartbeat) else {
      throw .contradiction(
        "raft.election_milliseconds_min must be more than two heartbeats, in whole ticks of"
          + " \(NodeSettings.tickMilliseconds) ms, or every lost message starts an election")
    }
    guard settings.ticks(.electionMax) > settings.ticks(.electionMin) else {
      throw .contradiction(
        "raft.election_milliseconds_max must be more than raft.election_milliseconds_min, in whole"
          + " ticks of \(NodeSettings.tickMilliseconds) ms")
    }
    guard settings[.lease] < settings[.electionMin] else {
      throw .contradiction(
        "raft.lease_milliseconds must be less than raft.election_milliseconds_min: a lease that"
          + " outlives an election lets a deposed leader answer")
    }
    guard !settings.isJoining || settings.members.count > 1 else {
      throw .contradiction(
        "cluster.join needs some node of the running cluster in cluster.members beside this one")
    }
    guard settings[.timeServerPollMin] <= settings[.timeServerPollMax] else {
      throw .contradiction(
        "time.server_poll_seconds_min must not be more than time.server_poll_seconds_max")
    }
    guard settings[.healthDown] > settings[.healthSuspect] else {
      throw .contradiction(
        "health.down_milliseconds must be more than health.suspect_milliseconds")
    }
  }

  private func integer(_ key: SettingKey) async throws(SettingsProblem) -> Int? {
    do { return try await reader.fetchInt(forKey: ConfigKey(key.name)) } catch {
      throw .wrongKind(key: key.name, reason: "must be a whole number (\(error))")
    }
  }

  private func boolean(_ key: SettingKey) async throws(SettingsProblem) -> Bool {
    guard case .boolean(let standard) = key.kind else {
      preconditionFailure("\(key.name) is neither true nor false")
    }
    do { return try await reader.fetchBool(forKey: ConfigKey(key.name)) ?? standard } catch {
      throw .wrongKind(key: key.name, reason: "must be true or false (\(error))")
    }
  }

  private func text(
    _ key: SettingKey, emptyMeans standard: String
  ) async throws(SettingsProblem) -> String {
    do {
      let text = try await reader.fetchString(forKey: ConfigKey(key.name)) ?? ""
      if !text.isEmpty { return text }
    } catch {
      throw .wrongKind(key: key.name, reason: "must be text (\(error))")
    }
    if case .text(let value?) = key.kind, !value.isEmpty { return value }
    return standard
  }

  private func list(_ key: SettingKey) async throws(SettingsProblem) -> [String] {
    do { return try await reader.fetchStringArray(forKey: ConfigKey(key.name)) ?? [] } catch {
      throw .wrongKind(key: key.name, reason: "must be a list of texts (\(error))")
    }
  }

  private static func members(
    _ texts: [String]
  ) throws(SettingsProblem) -> [(id: NodeID, address: HostPort)] {
    var members: [(id: NodeID, address: HostPort)] = []
    for text in texts {
      let parts = text.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, let number = UInt16(parts[0]), number > 0,
        number <= NodeID.countMax, let address = HostPort(String(parts[1]))
      else { throw .malformedMember(text) }
      guard !members.contains(where: { $0.id == NodeID(number) }) else {
        throw .memberRepeated(Int(number))
      }
      members.append((NodeID(number), address))
    }
    return members.sorted { $0.id < $1.id }
  }

  private static func servers(_ texts: [String]) throws(SettingsProblem) -> [HostPort] {
    var servers: [HostPort] = []
    for text in texts {
      guard let server = HostPort(text, defaultPort: 123) else { throw .malformedServer(text) }
      servers.append(server)
    }
    return servers
  }

  private static func flagProvider(
    _ flags: [String]
  ) throws(SettingsProblem) -> InMemoryProvider {
    var values: [AbsoluteConfigKey: ConfigValue] = [:]
    for flag in flags {
      let parts = flag.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { throw .malformedFlag(flag) }
      let name = String(parts[0])
      let text = String(parts[1])
      guard let key = SettingKey.all.first(where: { $0.name == name }) else {
        throw .unknownKey(name, nearest: nearest(to: name))
      }
      let content: ConfigContent
      switch key.kind {
      case .integer:
        guard let number = Int(text) else {
          throw .wrongKind(key: name, reason: "must be a whole number, not \"\(text)\"")
        }
        content = .int(number)
      case .boolean:
        guard let value = Bool(text) else {
          throw .wrongKind(key: name, reason: "must be true or false, not \"\(text)\"")
        }
        content = .bool(value)
      case .text: content = .string(text)
      case .list: content = .stringArray(text.split(separator: ",").map(String.init))
      }
      values[AbsoluteConfigKey(ConfigKey(name))] = ConfigValue(content, isSecret: false)
    }
    return InMemoryProvider(name: "flags", values: values)
  }

  /// A misspelt key must not silently mean its default.
  private static func checkKeys(_ file: String) throws(SettingsProblem) {
    let root: Any
    do {
      root = try JSONSerialization.jsonObject(
        with: try Data(contentsOf: URL(fileURLWithPath: file)))
    } catch {
      throw .unreadable(path: file, reason: error.localizedDescription)
    }
    guard let object = root as? [String: Any] else {
      throw .unreadable(path: file, reason: "it is not a JSON object")
    }
    try checkKeys(object, prefix: "")
  }

  private static func checkKeys(
    _ object: [String: Any], prefix: String
  ) throws(SettingsProblem) {
    for (key, value) in object.sorted(by: { $0.key < $1.key }) {
      let name = prefix + key
      if let inner = value as? [String: Any] {
        try checkKeys(inner, prefix: name + ".")
      } else if !SettingKey.all.contains(where: { $0.name == name }) {
        throw .unknownKey(name, nearest: nearest(to: name))
      }
    }
  }

  /// The setting with most letters in common from the start, if it is close at all.
  private static func nearest(to name: String) -> String? {
    let best = SettingKey.all.map(\.name).max {
      $0.commonPrefix(with: name).count < $1.commonPrefix(with: name).count
    }
    return best.flatMap { $0.commonPrefix(with: name).count >= 4 ? $0 : nil }
  }
}
