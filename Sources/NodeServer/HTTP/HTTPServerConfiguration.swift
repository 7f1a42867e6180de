/// What an operator sets about HTTP. Every limit has its default here.
package struct HTTPServerConfiguration: Hashable, Sendable {
  /// The address to listen at.
  package var host = "127.0.0.1"
  /// The port to listen at; 0 lets the system choose.
  package var port = 8080
  /// Most bytes of a request's body.
  package var bodyByteCountMax = 64 << 10
  /// Most bytes of all header fields together, and of one.
  package var headerByteCountMax = 16 << 10
  /// Most header fields of a request.
  package var headerCountMax = 100
  /// Most connections at once; more wait to be accepted. Lowered at the start to what the limit of
  /// open files leaves beside ``descriptorReserve``.
  package var connectionsMax = 8192
  /// Connections that the kernel holds until they are accepted.
  package var backlog = 1024
  /// A connection without a request is closed after this; so is one whose header does not end.
  package var idleNanosecondsMax: Int64 = 60_000_000_000
  /// From its header's end to its body's end a request may take this long.
  package var requestNanosecondsMax: Int64 = 10_000_000_000
  /// File descriptors kept for segments, peers and everything else.
  package static let descriptorReserve = 256

  /// The defaults.
  package init() {}
}
