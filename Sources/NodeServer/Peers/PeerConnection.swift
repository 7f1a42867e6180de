import Bytes
import NIOCore
import NodeRuntime
import Replica
import SegmentLog

/// Whether a peer that has named itself is talked to.
enum PeerAdmission {
  case admitted
  /// It is none of this cluster, or the connection is one too many.
  case unexpected
  /// Its number is known by another data directory.
  case otherStore
}

/// What a connection tells the transport that owns it. All calls come on the node's event loop.
protocol PeerConnectionOwner: AnyObject {
  /// The peer named itself.
  func established(_ connection: PeerConnection, peer: NodeID, store: UInt64) -> PeerAdmission
  /// A message came in at `time`.
  func received(_ message: PeerMessage, from peer: NodeID, at time: HostTime)
  /// Everything that had arrived has been delivered.
  func readComplete()
  /// The connection is over.
  func closed(_ connection: PeerConnection, peer: NodeID?, reason: String)
}

/// One TCP connection to a peer: hellos, then frames (``PeerFrame``).
///
/// Confined to the event loop of its channel.
final class PeerConnection: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private enum State {
    case awaitingHello
    case established(NodeID, store: UInt64)
    case closed
  }

  private let hello: PeerHello
  private let clock: HostClock
  private weak var owner: (any PeerConnectionOwner)?
  private var state = State.awaitingHello
  private var unread = ByteBuffer()
  private var opener = BatchOpener()
  private var closeReason = "the peer closed it"
  private var channel: (any Channel)?
  /// Bytes written and not yet taken by the kernel, at most.
  private var unflushed = false
  /// When the last bytes came in.
  private(set) var lastReadMonotonicNanoseconds: Int64
  /// The number of the peer's data directory, as it said; 0: it does not know, or has not said.
  var peerStore: UInt64 {
    if case .established(_, let store) = state { store } else { 0 }
  }
  /// When the connection was made.
  let createdMonotonicNanoseconds: Int64
  /// Whether this node dialled it.
  let isDialled: Bool

  /// Bytes that may wait for a slow peer before messages are dropped: consensus sends again.
  private static let backlogByteCountMax = 64 << 20

  init(
    hello: PeerHello, clock: HostClock, owner: any PeerConnectionOwner, isDialled: Bool
  ) {
    self.isDialled = isDialled
    self.hello = hello
    self.clock = clock
    self.owner = owner
    createdMonotonicNanoseconds = clock.now().monotonicNanoseconds
    lastReadMonotonicNanoseconds = createdMonotonicNanoseconds
  }

  func channelActive(context: ChannelHandlerContext) {
    channel = context.channel
    var writer = ByteWriter(capacity: 64)
    PeerFrame.encode(hello, into: &writer)
    let buffer = context.channel.allocator.buffer(bytes: writer.bytes)
    context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let now = clock.now()
    lastReadMonotonicNanoseconds = now.monotonicNanoseconds
    var incoming = unwrapInboundIn(data)
    if unread.readableBytes == 0 { unread = incoming } else { unread.writeBuffer(&incoming) }
    readFrames(context, now)
  }

  func channelReadComplete(context: ChannelHandlerContext) { owner?.readComplete() }

  func channelInactive(context: ChannelHandlerContext) { end() }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    fail("\(error)")
  }

  /// Encodes a message and leaves it for ``flush()``; drops it when the peer is far behind.
  func write(_ message: PeerMessage) {
    guard let channel, case .established = state else { return }
    if !channel.isWritable, isBacklogged(channel) { return }
    var writer = ByteWriter(capacity: 256)
    PeerFrame.encode(message, into: &writer)
    channel.write(channel.allocator.buffer(bytes: writer.bytes), promise: nil)
    unflushed = true
  }

  /// Hands what was written to the kernel.
  func flush() {
    guard unflushed else { return }
    unflushed = false
    channel?.flush()
  }

  /// Closes the connection for a reason.
  func fail(_ reason: String) {
    if case .closed = state { return }
    closeReason = reason
    if let channel { channel.close(promise: nil) } else { end() }
  }

  /// Closes the connection to a peer whose number is known by another data directory, and tells it.
  func refuseStore() {
    guard case .established(let peer, _) = state else { return }
    tellStoreRefused()
    fail(Self.otherStore(peer))
  }

  private static func otherStore(_ peer: NodeID) -> String {
    "node \(peer.rawValue) has another data directory"
  }

  private func isBacklogged(_ channel: any Channel) -> Bool {
    guard let options = channel.syncOptions,
      let buffered = try? options.getOption(.bufferedWritableBytes)
    else { return false }
    return buffered > Self.backlogByteCountMax
  }

  private func end() {
    let peer: NodeID?
    switch state {
    case .awaitingHello: peer = nil
    case .established(let id, _): peer = id
    case .closed: return
    }
    state = .closed
    owner?.closed(self, peer: peer, reason: closeReason)
    channel = nil
  }

  private func readFrames(_ context: ChannelHandlerContext, _ now: HostTime) {
    while let length = unread.getInteger(
      at: unread.readerIndex, endianness: .little, as: UInt32.self)
    {
      if case .closed = state { return }
      guard isLengthAllowed(Int(length)) else { return fail("a frame of \(length) bytes") }
      let end = 4 + Int(length)
      guard unread.readableBytes >= end else {
        unread.reserveCapacity(minimumWritableBytes: end - unread.readableBytes)
        break
      }
      unread.moveReaderIndex(forwardBy: 4)
      if let problem = read(frameByteCount: Int(length), now) { return fail(problem) }
      unread.moveReaderIndex(forwardBy: Int(length))
    }
    if unread.readableBytes == 0 {
      unread.clear()
    } else if unread.readerIndex > 1 << 20 {
      unread.discardReadBytes()
    }
  }

  /// Nobody makes this node hold more than a hello before it has said one.
  private func isLengthAllowed(_ length: Int) -> Bool {
    switch state {
    case .awaitingHello: length == PeerFrame.helloByteCount
    case .established, .closed: length >= 1 && length <= PeerFrame.byteCountMax
    }
  }

  /// Reads the frame at the reader index; returns why the connection must end, if it must.
  private func read(frameByteCount: Int, _ now: HostTime) -> String? {
    switch state {
    case .closed: return nil
    case .awaitingHello:
      do {
        let theirs = try frame(frameByteCount) { (span) throws(PeerFrameError) in
          try PeerFrame.decodeHello(span)
        }
        guard theirs.cluster == hello.cluster else { return "it is of another cluster" }
        switch owner?.established(self, peer: theirs.node, store: theirs.store) ?? .unexpected {
        case .admitted: state = .established(theirs.node, store: theirs.store)
        case .unexpected: return "node \(theirs.node.rawValue) is not expected here"
        case .otherStore:
          tellStoreRefused()
          return Self.otherStore(theirs.node)
        }
        return nil
      } catch { return "\(error)" }
    case .established(let peer, _):
      do {
        let message = try frame(frameByteCount) { (span) throws(PeerFrameError) in
          try PeerFrame.decode(span, opener: &opener)
        }
        owner?.received(message, from: peer, at: now)
        return nil
      } catch { return "\(error)" }
    }
  }

  /// Tells the peer why before the connection ends.
  private func tellStoreRefused() {
    guard let channel else { return }
    var writer = ByteWriter(capacity: 16)
    PeerFrame.encode(.storeRefused, into: &writer)
    channel.writeAndFlush(channel.allocator.buffer(bytes: writer.bytes), promise: nil)
  }

  private func frame<R>(
    _ byteCount: Int, _ body: (borrowing RawSpan) throws(PeerFrameError) -> R
  ) throws(PeerFrameError) -> R {
    var result: Result<R, PeerFrameError>?
    unread.withUnsafeReadableBytes { bytes in
      let span = UnsafeRawBufferPointer(rebasing: bytes[0..<byteCount]).bytes
      do throws(PeerFrameError) { result = .success(try body(span)) } catch {
        result = .failure(error)
      }
    }
    guard let result else { preconditionFailure("the closure is called") }
    return try result.get()
  }
}
