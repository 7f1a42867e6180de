// Made by tools outside of this package: struct.pack and SHA-256 after Format.md.
let goldenBatch = ""
let goldenFileHeader = ""
let goldenFooter = ""
