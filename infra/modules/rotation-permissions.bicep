// What the app may do to the things whose keys it rotates: look at them, read their keys, regenerate their keys.
// Assumption 105 of docs/fidelity.md.

@export()
var rotationPermissions = [
  {
    actions: [
      'Microsoft.Batch/batchAccounts/read'
      'Microsoft.Batch/batchAccounts/listkeys/action'
      'Microsoft.Batch/batchAccounts/regeneratekeys/action'
      // The definition of a workflow says which trigger is its Request trigger.
      'Microsoft.Web/sites/workflows/read'
      // regenerateAccessKey is not among the published operations, and one unknown action has the whole role refused.
      // Never hostruntime/*: that includes the host's master key.
      'Microsoft.Web/sites/hostruntime/webhooks/api/workflows/*'
    ]
    notActions: []
    dataActions: []
    notDataActions: []
  }
]
