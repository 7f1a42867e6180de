/// Why a currency was refused.
public enum CurrencyProblem: Error, Hashable, Sendable {
  /// Not an active ISO 4217 code with a minor unit, in three upper-case letters.
  case unknown
}

extension Currency {
  /// United States dollar: what a request without a currency means.
  public static let usd = Currency(known: "USD", exponent: 2)

  /// The active currency with this alphabetic code, as upper-case ASCII.
  ///
  /// ISO 4217 list one as of 2026: funds codes that have a minor unit are in it; metals, XDR,
  /// XSU, XUA, XTS and XXX are not, because they have none. Withdrawn codes (HRK, SLL, ZWL, ANG,
  /// BGN, …) are not.
  public init(iso4217 bytes: borrowing RawSpan) throws(CurrencyProblem) {
    guard bytes.byteCount == Self.codeByteCount else { throw .unknown }
    let letters = (
      bytes.unsafeLoad(fromByteOffset: 0, as: UInt8.self),
      bytes.unsafeLoad(fromByteOffset: 1, as: UInt8.self),
      bytes.unsafeLoad(fromByteOffset: 2, as: UInt8.self)
    )
    guard let shape = Currency(letters: letters, exponent: 0) else { throw .unknown }
    let exponent = Self.exponentByCode[shape.codeIndex]
    guard let currency = Currency(letters: letters, exponent: Int(exponent)) else {
      throw .unknown
    }
    self = currency
  }

  /// The active currency with this alphabetic code.
  public init(iso4217 text: String) throws(CurrencyProblem) {
    let bytes = Array(text.utf8)
    try self.init(iso4217: bytes.span.bytes)
  }

  /// Every active currency, in order of code.
  public static var allActive: [Currency] {
    activeCodesByExponent.flatMap { exponent, codes in
      codes.split(separator: " ").map { Currency(known: String($0), exponent: exponent) }
    }.sorted()
  }

  private init(known code: String, exponent: Int) {
    let bytes = Array(code.utf8)
    precondition(bytes.count == Self.codeByteCount)
    guard let currency = Currency(letters: (bytes[0], bytes[1], bytes[2]), exponent: exponent)
    else { preconditionFailure("the table holds a code that is none") }
    self = currency
  }

  /// Exponent by ``codeIndex``; 255 where there is no such currency.
  private static let exponentByCode: [UInt8] = {
    var table = [UInt8](repeating: 255, count: codeCount)
    for currency in allActive { table[currency.codeIndex] = UInt8(currency.exponent) }
    return table
  }()

  private static let activeCodesByExponent: [(Int, String)] = [
    (
      0,
      "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
    ),
    (
      2,
      """
      AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD \
      CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP \
      GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK \
      LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO \
      NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS \
      SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST \
      XAD XCD XCG YER ZAR ZMW ZWG
      """
    ),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
    (4, "CLF UYW"),
  ]
}
