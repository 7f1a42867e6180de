public import Bytes
public import HybridTime

/// A payment in place: its numbers decoded, its texts as ranges of the records it was read from.
///
/// | field | form |
/// | --- | --- |
/// | flags | u8: bit 0 text id, bit 1 has a reference, bits 2–4 the exponent, others zero |
/// | stamp | `Stamp` |
/// | amount | varint, minor units, 1 … 2^63 − 1 |
/// | currency | 3 upper-case letters |
/// | id | 16 bytes big-endian; or u8 length and 1–100 visible ASCII bytes |
/// | sender | varint length, 1–400 bytes of UTF-8 |
/// | receiver | the same |
/// | reference | varint length, 1–800 bytes of UTF-8; only where flagged |
///
/// One payment has one encoding: what the encoder could not have written is refused.
public struct PaymentView: Hashable, Sendable {
  /// When it was taken in.
  public let stamp: Stamp
  /// Minor units, 1 or more.
  public let amountMinorUnits: Int64
  /// Code and exponent.
  public let currency: Currency
  /// The 128 bits of a compact id; zero where ``idText`` is not empty.
  public let idHigh, idLow: UInt64
  /// Where a text id lies; empty for a compact one.
  public let idText: Range<Int>
  /// Where the sender's name lies.
  public let sender: Range<Int>
  /// Where the receiver's name lies.
  public let receiver: Range<Int>
  /// Where the reference lies; empty where there is none.
  public let reference: Range<Int>
  /// Sender, receiver and reference with their lengths: all of the payload that is text.
  let texts: Range<Int>

  static let flagTextID: UInt8 = 1
  static let flagReference: UInt8 = 2
  static let exponentShift: UInt8 = 2

  /// Reads a payment's body, which must fill `body`.
  public init(_ body: Range<Int>, in bytes: borrowing RawSpan) throws(DecodeError) {
    var reader = ByteReader(body)
    let flags = try reader.integer(UInt8.self, in: bytes)
    let exponent = Int(flags >> Self.exponentShift)
    guard exponent <= Currency.exponentMax else {
      throw .invalidField("payment.flags", offset: body.lowerBound)
    }
    stamp = try Stamp(from: &reader, in: bytes)
    let amountOffset = reader.offset
    let amount = try reader.varint(in: bytes)
    guard amount >= 1, amount <= UInt64(Int64.max) else {
      throw .invalidField("payment.amount", offset: amountOffset)
    }
    amountMinorUnits = Int64(bitPattern: amount)
    currency = try Self.currency(&reader, exponent: exponent, in: bytes)
    if flags & Self.flagTextID == 0 {
      idHigh = UInt64(bigEndian: try reader.integer(UInt64.self, in: bytes).littleEndian)
      idLow = UInt64(bigEndian: try reader.integer(UInt64.self, in: bytes).littleEndian)
      idText = reader.offset..<reader.offset
    } else {
      (idHigh, idLow) = (0, 0)
      idText = try Self.textID(&reader, in: bytes)
    }
    let textsStart = reader.offset
    sender = try Self.text(&reader, "payment.sender", NameText.nameScalarCountMax, in: bytes)
    receiver = try Self.text(&reader, "payment.receiver", NameText.nameScalarCountMax, in: bytes)
    if flags & Self.flagReference != 0 {
      reference = try Self.text(
        &reader, "payment.reference", NameText.referenceScalarCountMax, in: bytes)
    } else {
      reference = reader.offset..<reader.offset
    }
    guard reader.isAtEnd else { throw .invalidField("payment.end", offset: reader.offset) }
    texts = textsStart..<reader.offset
  }

  @inline(__always)
  private static func currency(
    _ reader: inout ByteReader, exponent: Int, in bytes: borrowing RawSpan
  ) throws(DecodeError) -> Currency {
    let code = try reader.skip(Currency.codeByteCount)
    let letters = (
      bytes.unsafeLoad(fromByteOffset: code.lowerBound, as: UInt8.self),
      bytes.unsafeLoad(fromByteOffset: code.lowerBound + 1, as: UInt8.self),
      bytes.unsafeLoad(fromByteOffset: code.lowerBound + 2, as: UInt8.self)
    )
    guard let currency = Currency(letters: letters, exponent: exponent) else {
      throw .invalidField("payment.currency", offset: code.lowerBound)
    }
    return currency
  }

  private static func textID(
    _ reader: inout ByteReader, in bytes: borrowing RawSpan
  ) throws(DecodeError) -> Range<Int> {
    let start = reader.offset
    let length = Int(try reader.integer(UInt8.self, in: bytes))
    guard length >= 1, length <= TransactionID.textByteCountMax else {
      throw .invalidField("payment.id", offset: start)
    }
    let range = try reader.skip(length)
    // A text that has the compact form must be written in it.
    guard TransactionID.isVisibleASCII(range, in: bytes),
      TransactionID.compactBits(range, in: bytes) == nil
    else { throw .invalidField("payment.id", offset: start) }
    return range
  }

  @inline(__always)
  private static func text(
    _ reader: inout ByteReader, _ field: String, _ scalarCountMax: Int,
    in bytes: borrowing RawSpan
  ) throws(DecodeError) -> Range<Int> {
    let start = reader.offset
    let length = try reader.varint(in: bytes)
    guard length >= 1, length <= UInt64(scalarCountMax * 4) else {
      throw .invalidField(field, offset: start)
    }
    let range = try reader.skip(Int(truncatingIfNeeded: length))
    guard NameText.isStorable(range, in: bytes, scalarCountMax: scalarCountMax) else {
      throw .invalidField(field, offset: start)
    }
    return range
  }

  /// The transaction id, as a value of its own.
  public func id(in bytes: borrowing RawSpan) -> TransactionID {
    guard !idText.isEmpty else { return TransactionID(high: idHigh, low: idLow) }
    guard let id = try? TransactionID(validating: bytes.extracting(idText)) else {
      preconditionFailure("a checked id is one")
    }
    return id
  }

  /// The payment without its stamp, as a value of its own.
  public func draft(in bytes: borrowing RawSpan) -> PaymentDraft {
    PaymentDraft(
      id: id(in: bytes), amountMinorUnits: amountMinorUnits, currency: currency,
      sender: Self.array(sender, in: bytes), receiver: Self.array(receiver, in: bytes),
      reference: reference.isEmpty ? nil : Self.array(reference, in: bytes))
  }

  private static func array(_ range: Range<Int>, in bytes: borrowing RawSpan) -> [UInt8] {
    bytes.extracting(range).withUnsafeBytes { [UInt8]($0) }
  }
}

extension PaymentDraft {
  /// Appends the payment's record, which nothing encodes again on its way to the log.
  public func encode(stamp: Stamp, into writer: inout ByteWriter) {
    writer.record(.payment) { writer in
      var flags = UInt8(truncatingIfNeeded: currency.exponent) << PaymentView.exponentShift
      if id.compactBits == nil { flags |= PaymentView.flagTextID }
      if reference != nil { flags |= PaymentView.flagReference }
      writer.integer(flags)
      stamp.encode(into: &writer)
      precondition(amountMinorUnits >= 1)
      writer.varint(UInt64(amountMinorUnits))
      let letters = currency.letters
      writer.integer(letters.0)
      writer.integer(letters.1)
      writer.integer(letters.2)
      switch id.form {
      case .compact(let high, let low):
        writer.integer(high.byteSwapped)
        writer.integer(low.byteSwapped)
      case .text(let text):
        writer.integer(UInt8(text.count))
        writer.append(contentsOf: text)
      }
      encodeTexts(into: &writer)
    }
  }

  /// Appends the part of the body that ``PaymentView/texts`` is.
  func encodeTexts(into writer: inout ByteWriter) {
    writer.varint(UInt64(sender.count))
    writer.append(contentsOf: sender)
    writer.varint(UInt64(receiver.count))
    writer.append(contentsOf: receiver)
    guard let reference else { return }
    writer.varint(UInt64(reference.count))
    writer.append(contentsOf: reference)
  }
}
