/// All accounts: a name and a currency together are one. Opened by first use, never closed.
struct AccountTable: ~Copyable {
  /// Most accounts a ledger can hold.
  static let countMax = 1 << 30

  /// One account. The balance is beside the name's place: applying a payment needs both.
  struct Account: BitwiseCopyable {
    /// Received − sent, minor units.
    var balance: Int128
    /// Where its name begins among all names.
    var nameOffset: Int
    var currency: Currency
    var nameByteCount: UInt32
  }

  var accounts: FlatStorage<Account>
  var names: FlatStorage<UInt8>
  /// Per place: hash in the high half, account number + 1 in the low half. Zero: nobody is here.
  var places: FlatStorage<UInt64>
  var mask: UInt32
  /// By account number, the last ``mark(_:_:)``; accounts after the last one have none.
  private var marks = FlatStorage<UInt32>(capacity: 64)
  /// Account numbers in the order of their names, as of the last ``page(after:limit:)``.
  private var order: [Int] = []
  private let seed: UInt64

  init(seed: UInt64) {
    self.seed = seed
    accounts = FlatStorage(capacity: 64)
    names = FlatStorage(capacity: 1024)
    places = FlatStorage(repeating: 0, count: 128)
    mask = 127
  }

  var count: Int { accounts.count }

  /// Where to look for an account, under this table's seed.
  @inline(__always)
  func hash(
    _ name: Range<Int>, in bytes: borrowing RawSpan, _ currency: Currency
  ) -> UInt32 {
    let full = Mixing.hash(name, in: bytes, seed: seed ^ UInt64(currency.packed))
    return UInt32(truncatingIfNeeded: full >> 32)
  }

  /// The number of the account, or nil.
  func find(_ name: Range<Int>, in bytes: borrowing RawSpan, _ currency: Currency) -> Int? {
    let hash = hash(name, in: bytes, currency)
    let slot = slot(hash, name, in: bytes, currency)
    let place = places[slot]
    return place == 0 ? nil : Int(truncatingIfNeeded: place & 0xffff_ffff) - 1
  }

  /// Reads the place, so that it is in the cache when it is wanted.
  @inline(__always)
  func touchPlace(_ hash: UInt32) -> UInt64 { places[Int(hash & mask)] }

  /// Reads the account that is probably meant, so that it is in the cache when it is wanted.
  @inline(__always)
  func touchAccount(_ hash: UInt32) -> UInt64 {
    let place = places[Int(hash & mask)]
    guard place != 0 else { return 0 }
    return UInt64(
      truncatingIfNeeded: accounts[Int(truncatingIfNeeded: place & 0xffff_ffff) - 1].balance)
  }

  /// The number of the account, opened where it is new; nil where there is no room for it.
  @inline(__always)
  mutating func findOrOpen(
    _ name: Range<Int>, in bytes: borrowing RawSpan, _ currency: Currency, hash: UInt32
  ) -> Int? {
    let slot = slot(hash, name, in: bytes, currency)
    let place = places[slot]
    if place != 0 { return Int(truncatingIfNeeded: place & 0xffff_ffff) - 1 }
    return open(name, in: bytes, currency, hash, slot)
  }

  @inline(__always)
  func slot(
    _ hash: UInt32, _ name: Range<Int>, in bytes: borrowing RawSpan, _ currency: Currency
  ) -> Int {
    var slot = hash & mask
    while true {
      let place = places[Int(slot)]
      if place == 0 { return Int(slot) }
      if UInt32(truncatingIfNeeded: place >> 32) == hash {
        let account = accounts[Int(truncatingIfNeeded: place & 0xffff_ffff) - 1]
        if account.currency == currency && Int(account.nameByteCount) == name.count
          && names.equals(account.nameOffset, name, of: bytes)
        {
          return Int(slot)
        }
      }
      slot = (slot + 1) & mask
    }
  }

  @inline(never)
  private mutating func open(
    _ name: Range<Int>, in bytes: borrowing RawSpan, _ currency: Currency, _ hash: UInt32,
    _ slot: Int
  ) -> Int? {
    guard accounts.count < Self.countMax else { return nil }
    accounts.append(
      Account(
        balance: 0, nameOffset: names.count, currency: currency,
        nameByteCount: UInt32(name.count)))
    names.append(name, of: bytes)
    places[slot] = UInt64(hash) << 32 | UInt64(accounts.count)
    if accounts.count * 4 >= places.count * 3 { doublePlaces() }
    return accounts.count - 1
  }

  private mutating func doublePlaces() {
    var doubled = FlatStorage<UInt64>(repeating: 0, count: places.count * 2)
    mask = mask << 1 | 1
    for index in 0..<places.count where places[index] != 0 {
      let place = places[index]
      var slot = UInt32(truncatingIfNeeded: place >> 32) & mask
      while doubled[Int(slot)] != 0 { slot = (slot + 1) & mask }
      doubled[Int(slot)] = place
    }
    places = doubled
  }

  /// Marks an account; false where it has that mark already.
  @inline(__always)
  mutating func mark(_ number: Int, _ mark: UInt32) -> Bool {
    while number >= marks.count { marks.append(0) }
    if marks[number] == mark { return false }
    marks[number] = mark
    return true
  }

  @inline(__always)
  func balance(_ number: Int) -> Int128 { accounts[number].balance }

  @inline(__always)
  mutating func setBalance(_ number: Int, _ balance: Int128) { accounts[number].balance = balance }

  /// The account's name, currency and balance.
  func account(_ number: Int) -> AccountBalance {
    let account = accounts[number]
    let name = account.nameOffset..<account.nameOffset + Int(account.nameByteCount)
    return AccountBalance(
      name: names.array(name), currency: account.currency, minorUnits: account.balance)
  }

  /// Account numbers by name bytes, then currency.
  func sortedNumbers() -> [Int] { sorted(Array(0..<count)) }

  private func sorted(_ numbers: [Int]) -> [Int] {
    numbers.sorted { isBefore($0, $1) }
  }

  private func isBefore(_ left: Int, _ right: Int) -> Bool {
    let (first, second) = (accounts[left], accounts[right])
    return names.withElements { names in
      let firstName = names[first.nameOffset..<first.nameOffset + Int(first.nameByteCount)]
      let secondName = names[second.nameOffset..<second.nameOffset + Int(second.nameByteCount)]
      if firstName.elementsEqual(secondName) { return first.currency < second.currency }
      return firstName.lexicographicallyPrecedes(secondName)
    }
  }

  /// Brings ``order`` up to date: accounts opened since are sorted and merged in, so that asking
  /// again costs nothing while no account is opened.
  private mutating func updateOrder() {
    guard order.count < count else { return }
    let opened = sorted(Array(order.count..<count))
    var merged: [Int] = []
    merged.reserveCapacity(count)
    var old = order.makeIterator()
    var next = old.next()
    for number in opened {
      while let known = next, isBefore(known, number) {
        merged.append(known)
        next = old.next()
      }
      merged.append(number)
    }
    while let known = next {
      merged.append(known)
      next = old.next()
    }
    order = merged
  }

  /// The accounts after a name, in order: `limit` of them, and then as many as share the last one's
  /// name. Whether more follow.
  mutating func page(after name: [UInt8]?, limit: Int) -> (accounts: [AccountBalance], more: Bool) {
    updateOrder()
    var low = 0
    var high = order.count
    while let name, low < high {
      let middle = (low + high) / 2
      if name.lexicographicallyPrecedes(account(order[middle]).name) {
        high = middle
      } else {
        low = middle + 1
      }
    }
    var page: [AccountBalance] = []
    while low < order.count {
      let next = account(order[low])
      if page.count >= limit, page.last?.name != next.name { return (page, true) }
      page.append(next)
      low += 1
    }
    return (page, false)
  }
}
