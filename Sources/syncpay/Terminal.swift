import Glibc

/// Standard output and standard error, written at once, so that lines appear in a pipe too.
enum Terminal {
  static func line(_ text: String = "") {
    endProgress()
    write(text + "\n", to: STDOUT_FILENO)
  }

  /// One sentence on standard error.
  static func complain(_ text: String) {
    note("syncpay: " + text)
  }

  /// A line on standard error that is not an error.
  static func note(_ text: String) {
    endProgress()
    write(text + "\n", to: STDERR_FILENO)
  }

  /// Replaces the progress line; nothing at all when standard error is not a terminal.
  static func progress(_ text: String) {
    guard isInteractive else { return }
    write("\r\u{1B}[K" + text.printable, to: STDERR_FILENO)
  }

  static func endProgress() {
    guard isInteractive else { return }
    write("\r\u{1B}[K", to: STDERR_FILENO)
  }

  private static var isInteractive: Bool { isatty(STDERR_FILENO) == 1 }

  private static func write(_ text: String, to descriptor: Int32) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN {
        usleep(1_000)
      } else if errno != EINTR {
        return
      }
    }
  }
}

extension String {
  /// The text with control and format characters made visible: what a node answers must not be
  /// able to steer the terminal.
  var printable: String {
    guard unicodeScalars.contains(where: \.isInvisible) else { return self }
    var result = ""
    for scalar in unicodeScalars {
      if scalar.isInvisible {
        result += "\\u{" + String(scalar.value, radix: 16, uppercase: true) + "}"
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// The text, filled up with spaces on the right.
  func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }

  /// The text, filled up with spaces on the left.
  func indented(to width: Int) -> String {
    String(repeating: " ", count: max(0, width - count)) + self
  }

  /// Percent-encoded for a query: everything but RFC 3986's unreserved characters.
  var queryEncoded: String {
    var result = ""
    for byte in utf8 {
      let scalar = Unicode.Scalar(byte)
      let isUnreserved =
        scalar.isASCII
        && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
          || "-._~".unicodeScalars.contains(scalar))
      if isUnreserved {
        result.unicodeScalars.append(scalar)
      } else {
        let digits = String(byte, radix: 16, uppercase: true)
        result += "%" + (digits.count == 1 ? "0" : "") + digits
      }
    }
    return result
  }
}

extension Unicode.Scalar {
  fileprivate var isInvisible: Bool {
    switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }
}
