import Bytes
import Glibc
import HybridTime
import Testing

@Suite struct CivilDateTests {
  @Test func `every day of six centuries has its date`() {
    var last = (1669, 12, 31)
    for days in -109_572..<109_572 {
      let date = CivilDate(daysSince1970: days)
      #expect(date.daysSince1970 == days)
      #expect(CivilDate(year: date.year, month: date.month, day: date.day) == date)
      #expect((date.year, date.month, date.day) > last)
      last = (date.year, date.month, date.day)
    }
  }

  @Test(arguments: [
    (2023, 2, 29), (1900, 2, 29), (2024, 2, 30), (2024, 4, 31), (2024, 13, 1), (2024, 0, 1),
    (2024, 1, 0), (2024, 1, 32),
  ])
  func `a day the calendar lacks is no date`(year: Int, month: Int, day: Int) {
    #expect(CivilDate(year: year, month: month, day: day) == nil)
  }

  @Test func `every fourth year is a leap year, of the centuries every fourth`() {
    #expect(CivilDate(year: 2024, month: 2, day: 29)?.daysSince1970 == 19_782)
    #expect(CivilDate(year: 2000, month: 2, day: 29)?.daysSince1970 == 11_016)
  }

  @Test func `times agree with the C library, to the ends of 64 bits`() {
    let seed = UInt64.random(in: 0 ... .max)
    var generator = SeededGenerator(seed: seed)
    let edges: [Int64] = [.min, -1_000_000_001, -1_000_000_000, -1, 0, 1, 999_999_999, .max]
    let random = (0..<5000).map { _ in Int64.random(in: .min ... .max, using: &generator) }
    for nanoseconds in edges + random {
      let time = CivilTime(nanosecondsSince1970: nanoseconds)
      var seconds = Int((Int128(nanoseconds) - Int128(time.nanosecond)) / 1_000_000_000)
      var parts = tm()
      gmtime_r(&seconds, &parts)
      #expect((0..<1_000_000_000).contains(time.nanosecond), "seed \(seed)")
      #expect(
        Int128(seconds) * 1_000_000_000 + Int128(time.nanosecond) == Int128(nanoseconds),
        "seed \(seed)")
      #expect(
        [time.date.year, time.date.month, time.date.day, time.hour, time.minute, time.second]
          == [
            parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
            parts.tm_sec,
          ].map(Int.init), "seed \(seed)")
      #expect(CivilTime(secondsSince1970: seconds).secondOfDay == time.secondOfDay)
    }
  }
}
