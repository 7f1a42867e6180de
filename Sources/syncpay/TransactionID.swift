/// Makes transaction ids on the client's side, so that a retry after a lost answer is safe.
///
/// `txn_` and 26 characters of Crockford's base 32: a ULID, 48 bits of milliseconds since 1970 and
/// 80 random bits, so ids sort by the time they were made.
enum TransactionID {
  private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ")

  static func make() -> String {
    var random = SystemRandomNumberGenerator()
    return make(milliseconds: Moment.millisecondsNow(), using: &random)
  }

  static func make(
    milliseconds: UInt64, using random: inout some RandomNumberGenerator
  ) -> String {
    let low = UInt128(UInt64.random(in: 0 ... .max, using: &random))
    let high = UInt128(UInt16.random(in: 0 ... .max, using: &random))
    let bits = UInt128(milliseconds & 0xFFFF_FFFF_FFFF) << 80 | high << 64 | low
    let characters = (0..<26).map { place in
      alphabet[Int(truncatingIfNeeded: bits >> UInt128(125 - 5 * place)) & 31]
    }
    return "txn_" + String(characters)
  }
}
