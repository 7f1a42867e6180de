import NIOCore
import NIOPosix

/// Runs `body` with event loops of its own, and closes them whatever comes of it.
func withEventLoops<R>(
  _ count: Int = 1, _ body: (MultiThreadedEventLoopGroup) async throws -> R
) async throws -> R {
  let group = MultiThreadedEventLoopGroup(numberOfThreads: count)
  let result: Result<R, any Error>
  do { result = .success(try await body(group)) } catch { result = .failure(error) }
  try await group.shutdownGracefully()
  return try result.get()
}
