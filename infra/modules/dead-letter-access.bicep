// Lets the system topic of one vault store the events that it could not deliver.
// Assumption 104 of docs/fidelity.md.

@description('Name of the storage account, in the resource group that this is deployed to.')
param storageName string

@description('Name of the container of undelivered events.')
param containerName string

@description('Object id of the topic\'s identity. Empty grants nobody.')
param principalId string

var storageBlobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' existing = {
  name: '${storageName}/default/${containerName}'
}

resource access 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(principalId)) {
  name: guid(container.id, principalId, storageBlobDataContributor)
  scope: container
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageBlobDataContributor)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

output isGranted bool = !empty(principalId)
