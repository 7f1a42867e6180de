import Bytes
import Ledger
import Testing

@Suite struct MoneyTests {
  private func minorUnits(
    _ text: String, _ code: String = "USD", limit: Int64 = 1_000_000_00
  ) throws -> Int64 {
    let bytes = Array(text.utf8)
    return try Amount.minorUnits(
      of: bytes.span.bytes, currency: Currency(iso4217: code), limit: limit)
  }

  @Test(arguments: [
    ("150.75", "USD", 15075), ("150.7500", "USD", 15075), ("0.1", "USD", 10),
    ("1.5e2", "USD", 15000), ("1E+2", "USD", 10000), ("15075e-2", "USD", 15075),
    ("1000000.00", "USD", 1_000_000_00), ("0.01", "USD", 1), ("100", "JPY", 100),
    ("150.0", "JPY", 150), ("1.234", "KWD", 1234), ("0.0001", "CLF", 1),
    ("12.3400e1", "USD", 12340),
    ("0.00000000000000000000000000000000001e35", "USD", 100), ("10e-1", "USD", 100),
    ("1000e-3", "USD", 100), ("1e00000000000000000000000000002", "USD", 10000),
    ("0.5e+1", "USD", 500), ("100.000e-2", "JPY", 1), ("1010.10", "USD", 101010),
  ])
  func `an amount is read from its digits exactly`(
    _ text: String, _ code: String, _ expected: Int64
  ) throws {
    #expect(try minorUnits(text, code) == expected)
  }

  @Test(arguments: [
    "", "-", "+1", "01", "00.5", ".5", "1.", "1.e2", "1e", "1e+", "0x10", "NaN", "Infinity",
    "-Infinity", "12.5x", "true", "null", "1 ", " 1", "1,5", "1_000", "--1", "1.2.3", "1e1.5", "１",
  ])
  func `what is not a number of RFC 8259 is refused`(_ text: String) {
    #expect(throws: AmountProblem.notANumber) { try minorUnits(text) }
  }

  @Test func `zero is refused whatever its sign and exponent`() {
    for text in ["0", "-0", "0.00", "0e400", "-0.0e-999999999999", "0.000000"] {
      #expect(throws: AmountProblem.zero) { try minorUnits(text) }
    }
  }

  @Test func `a negative amount is refused`() {
    for text in ["-1", "-0.01", "-1e400", "-0.001"] {
      #expect(throws: AmountProblem.negative) { try minorUnits(text) }
    }
  }

  @Test func `digits beyond the currency are refused, never rounded`() {
    #expect(throws: AmountProblem.tooManyDecimals(allowed: 2)) { try minorUnits("150.755") }
    #expect(throws: AmountProblem.tooManyDecimals(allowed: 0)) { try minorUnits("150.5", "JPY") }
    #expect(throws: AmountProblem.tooManyDecimals(allowed: 3)) { try minorUnits("1.2345", "KWD") }
    #expect(throws: AmountProblem.tooManyDecimals(allowed: 4)) { try minorUnits("1.00001", "CLF") }
    #expect(throws: AmountProblem.tooManyDecimals(allowed: 2)) { try minorUnits("1e-400") }
    #expect(throws: AmountProblem.tooManyDecimals(allowed: 2)) {
      try minorUnits("1e-99999999999999999999999")
    }
  }

  @Test func `an amount over the limit is refused in bounded work`() {
    let over = AmountProblem.overLimit(limit: 1_000_000_00)
    for text in [
      "1000000.01", "1e400", "1e99999999999999999999999999", "92233720368547758.08",
      "18446744073709551616", "9999999999999999999", "99999999999999999.99",
      String(repeating: "9", count: 5_000), "1" + String(repeating: "0", count: 5_000),
    ] {
      #expect(throws: over) { try minorUnits(text) }
    }
  }

  @Test func `five thousand digits are exact where they are zeros`() throws {
    let zeros = String(repeating: "0", count: 5_000)
    #expect(try minorUnits("1." + zeros) == 100)
    #expect(try minorUnits("0." + zeros + "1e5000") == 10)
    #expect(try minorUnits("1" + zeros + "e-5000") == 100)
    #expect(throws: AmountProblem.tooManyDecimals(allowed: 2)) {
      try minorUnits("1." + zeros + "1")
    }
  }

  @Test func `the highest limit is reached and not passed`() throws {
    #expect(
      try minorUnits("92233720368547758.07", limit: Int64.max) == Int64.max)
    #expect(throws: AmountProblem.overLimit(limit: Int64.max)) {
      try minorUnits("92233720368547758.08", limit: Int64.max)
    }
    #expect(throws: AmountProblem.overLimit(limit: -5)) { try minorUnits("1", limit: -5) }
  }

  @Test func `a tenth three times is thirty cents`() throws {
    let tenth = try minorUnits("0.1")
    #expect(Amount.text(minorUnits: Int128(tenth) * 3, currency: .usd) == "0.30")
  }

  @Test(
    arguments: [
      (15075, 2, "150.75"), (0, 2, "0.00"), (-5, 2, "-0.05"), (100, 0, "100"), (0, 0, "0"),
      (7, 4, "0.0007"), (-123_456, 3, "-123.456"), (10, 2, "0.10"),
      (Int128.max, 2, "1701411834604692317316873037158841057.27"),
      (Int128.min, 0, "-170141183460469231731687303715884105728"),
      (Int128(UInt64.max) + 1, 0, "18446744073709551616"),
    ] as [(Int128, Int, String)])
  func `minor units are written with the currency's decimals`(
    _ units: Int128, _ exponent: Int, _ expected: String
  ) {
    let text = Amount.formatted(minorUnits: units, exponent: exponent)
    #expect(String(decoding: text, as: UTF8.self) == expected)
  }

  @Test func `what is written is read back`() throws {
    var generator = SeededGenerator(seed: 11)
    for _ in 0..<2_000 {
      let units = Int64(generator.next() >> UInt64.random(in: 1...63, using: &generator))
      guard units > 0 else { continue }
      for code in ["USD", "JPY", "KWD", "CLF"] {
        let currency = try Currency(iso4217: code)
        let text = Amount.text(minorUnits: Int128(units), currency: currency)
        #expect(try minorUnits(text, code, limit: Int64.max) == units, "seed 11: \(text)")
      }
    }
  }
}

@Suite struct CurrencyTests {
  @Test func `decimals are those of ISO 4217`() throws {
    let expected = ["USD": 2, "JPY": 0, "KWD": 3, "CLF": 4, "UYW": 4, "ISK": 0, "TND": 3, "EUR": 2]
    for (code, exponent) in expected {
      let currency = try Currency(iso4217: code)
      #expect(currency.exponent == exponent)
      #expect(currency.code == code)
    }
  }

  @Test func `the table has 17 currencies without decimals, 7 with three and 2 with four`() {
    let all = Currency.allActive
    #expect(all.count { $0.exponent == 0 } == 17)
    #expect(all.count { $0.exponent == 3 } == 7)
    #expect(all.count { $0.exponent == 4 } == 2)
    #expect(Set(all.map(\.code)).count == all.count)
    #expect(all == all.sorted())
  }

  @Test(arguments: [
    "", "US", "USDX", "usd", "Usd", "XAU", "XDR", "XXX", "XTS", "HRK", "ZZZ", "U D", "ÜS",
  ])
  func `an unknown code is refused`(_ code: String) {
    #expect(throws: CurrencyProblem.unknown) { try Currency(iso4217: code) }
  }
}
