// What the app may do to the things whose keys it rotates: look at them, read their keys, regenerate their keys.
targetScope = 'subscription'

@description('Name of the definition: a GUID.')
param name string

@description('What people see. Unique in the tenant.')
param displayName string

@description('Ids of the subscriptions and resource groups where the role can be assigned.')
param assignableScopes array

resource role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: name
  properties: {
    roleName: displayName
    type: 'CustomRole'
    description: 'Reads and regenerates the keys of Batch accounts and Logic App (Standard) workflows.'
    assignableScopes: assignableScopes
    permissions: [
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
  }
}
