/// Every checker that watches a running world.
struct Checks {
  var elections = ElectionSafety()
  var matching = LogMatching()
  var committed = CommittedLog()
  var applied = StateMachineSafety()
  var ledger = ModelLedger()
  var time = HonestTime()
  var order = HybridOrder()
  var reference = ReferenceLedger()
  var checkpoints = SignedHistory()
}
