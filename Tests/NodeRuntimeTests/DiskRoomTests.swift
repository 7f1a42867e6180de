import NodeRuntime
import Testing

@Suite struct DiskRoomTests {
  @Test func `payments end before the log does, and begin again with a margin`() {
    var room = DiskRoom(reserveByteCount: 800)
    #expect(!room.isShort && !room.isExhausted && room.freeByteCount == nil)
    for (free, isShort, isExhausted) in [
      (5000, false, false), (800, false, false), (799, true, false), (800, true, false),
      (899, true, false), (900, false, false), (200, true, false), (199, true, true),
      (224, true, true), (225, true, false), (0, true, true), (10_000, false, false),
    ] {
      room.look(freeByteCount: UInt64(free))
      #expect(room.isShort == isShort && room.isExhausted == isExhausted, "\(free) bytes")
    }
  }

  @Test func `without a reserve nothing is ever short`() {
    var room = DiskRoom(reserveByteCount: 0)
    room.look(freeByteCount: 0)
    #expect(!room.isShort && !room.isExhausted)
  }
}
