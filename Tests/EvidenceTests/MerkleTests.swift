// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry
import Bytes
import Testing

@testable import Evidence

/// A tree in memory, hashed by the definitions of RFC 6962 §2.1 as they stand there.
struct PlainTree {
  var leaves: [Digest256]

  static func counting(_ count: Int) -> PlainTree {
    PlainTree(
      leaves: (0..<count).map { number in
        let bytes = Array("event \(number)".utf8)
        return MerkleHash.leaf(bytes.span.bytes)
      })
  }

  /// MTH.
  func root(_ range: Range<Int>) -> Digest256 {
    if range.isEmpty { return MerkleHash.empty }
    if range.count == 1 { return leaves[range.lowerBound] }
    let middle = range.lowerBound + split(range.count)
    return MerkleHash.node(root(range.lowerBound..<middle), root(middle..<range.upperBound))
  }

  /// PATH.
  func path(_ index: Int, _ range: Range<Int>) -> [Digest256] {
    if range.count == 1 { return [] }
    let middle = range.lowerBound + split(range.count)
    return index < middle
      ? path(index, range.lowerBound..<middle) + [root(middle..<range.upperBound)]
      : path(index, middle..<range.upperBound) + [root(range.lowerBound..<middle)]
  }

  /// SUBPROOF.
  func proof(_ old: Int, _ range: Range<Int>, _ isWhole: Bool = true) -> [Digest256] {
    if old == range.upperBound { return isWhole ? [] : [root(range)] }
    let middle = range.lowerBound + split(range.count)
    return old <= middle
      ? proof(old, range.lowerBound..<middle, isWhole) + [root(middle..<range.upperBound)]
      : proof(old, middle..<range.upperBound, false) + [root(range.lowerBound..<middle)]
  }

  private func split(_ count: Int) -> Int {
    var part = 1
    while part * 2 < count { part *= 2 }
    return part
  }

  /// Whole tiles by the frontier, as a node keeps them.
  var forest: MerkleForest {
    var (frontier, forest) = (MerkleFrontier.empty, MerkleForest())
    for leaf in leaves { if let tile = frontier.append(leaf) { forest.append(tile) } }
    return forest
  }

  var prover: MerkleProver<Never> {
    MerkleProver(forest) { range in
      #expect(range.lowerBound / 256 == (range.upperBound - 1) / 256, "one tile at a time")
      return Array(leaves[Int(range.lowerBound)..<Int(range.upperBound)])
    }
  }
}

@Suite struct MerkleTests {
  /// The leaves and roots that Certificate Transparency's own tests use.
  static let known: [(leaf: String, root: String)] = [
    ("", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    ("00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    ("10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    ("2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    ("3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
    ("40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
    ("5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
    (
      "606162636465666768696a6b6c6d6e6f",
      "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    ),
  ]

  @Test func `roots are those of Certificate Transparency's test data`() {  // RFC 6962 §2.1
    var frontier = MerkleFrontier.empty
    #expect(
      frontier.root.hexadecimal
        == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    for (leaf, root) in Self.known {
      let bytes = [UInt8](hexadecimal: leaf)!
      frontier.append(MerkleHash.leaf(bytes.span.bytes))
      #expect(frontier.root.hexadecimal == root)
    }
  }

  @Test(arguments: [1, 2, 3, 7, 8, 64, 255, 256, 257, 511, 512, 700, 1025, 3000])
  func `a frontier and a forest of tiles give the roots and proofs of the definitions`(
    count: Int
  ) {  // RFC 6962 §2.1, §2.1.1, §2.1.2
    let tree = PlainTree.counting(count)
    let prover = tree.prover
    var frontier = MerkleFrontier.empty
    for leaf in tree.leaves { frontier.append(leaf) }
    #expect(frontier.root == tree.root(0..<count))
    #expect(frontier.hashes.count == count.nonzeroBitCount)
    #expect(MerkleFrontier(size: UInt64(count), hashes: frontier.hashes) == frontier)
    #expect(tree.forest.tileCount == UInt64(count / 256))
    let places = Set([0, 1, count / 3, count / 2, count - 2, count - 1, 255, 256, 257])
      .filter { (0..<count).contains($0) }.sorted()
    for index in places {
      let path = prover.inclusion(of: UInt64(index), size: UInt64(count))
      #expect(path == tree.path(index, 0..<count))
      #expect(
        MerkleProofs.isIncluded(
          tree.leaves[index], at: UInt64(index), size: UInt64(count), root: frontier.root,
          path: path))
      let old = index + 1
      let proof = prover.consistency(from: UInt64(old), to: UInt64(count))
      #expect(proof == (old == count ? [] : tree.proof(old, 0..<count)))
      #expect(
        MerkleProofs.isConsistent(
          from: UInt64(old), tree.root(0..<old), to: UInt64(count), frontier.root, path: proof))
    }
  }

  @Test func `every proof of every small tree holds, and none holds for anything else`() {
    let tree = PlainTree.counting(40)
    for size in 1...40 {
      let root = tree.root(0..<size)
      for index in 0..<size {
        let path = tree.path(index, 0..<size)
        for other in 0..<size {
          let holds = MerkleProofs.isIncluded(
            tree.leaves[index], at: UInt64(other), size: UInt64(size), root: root, path: path)
          #expect(holds == (other == index))
        }
        for wrong in [Array(path.dropLast()), path + [root], Array(path.reversed())]
        where wrong != path {
          #expect(
            !MerkleProofs.isIncluded(
              tree.leaves[index], at: UInt64(index), size: UInt64(size), root: root, path: wrong))
        }
      }
      for old in 0...size {
        let proof = old == 0 || old == size ? [] : tree.proof(old, 0..<size)
        let before = tree.root(0..<old)
        #expect(
          MerkleProofs.isConsistent(
            from: UInt64(old), before, to: UInt64(size), root, path: proof))
        #expect(
          !MerkleProofs.isConsistent(
            from: UInt64(old), tree.leaves[39], to: UInt64(size), root, path: proof)
            || before == tree.leaves[39])
        #expect(
          !MerkleProofs.isConsistent(
            from: UInt64(old), before, to: UInt64(size), root, path: proof + [root]))
        if old > 0, old < size {
          #expect(
            !MerkleProofs.isConsistent(
              from: UInt64(old), before, to: UInt64(size), tree.leaves[39], path: proof))
        }
      }
    }
  }

  @Test func `a leaf outside of the tree is in no tree`() {
    let tree = PlainTree.counting(3)
    #expect(
      !MerkleProofs.isIncluded(
        tree.leaves[2], at: 3, size: 3, root: tree.root(0..<3), path: tree.path(2, 0..<3)))
    #expect(
      !MerkleProofs.isIncluded(
        tree.leaves[0], at: 0, size: 0, root: MerkleHash.empty, path: []))
  }
}
