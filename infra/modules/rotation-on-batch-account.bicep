// Lets the app rotate the keys of one Batch account.

@description('Name of a Batch account in the resource group that this is deployed to.')
param accountName string

@description('Name of the custom role: a GUID.')
param roleName string

@description('Object id of the identity that the app acts as.')
param principalId string

resource account 'Microsoft.Batch/batchAccounts@2024-07-01' existing = {
  name: accountName
}

resource access 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(toLower(account.id), principalId, roleName)
  scope: account
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleName)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}
