// Lets the app rotate the keys of one resource, or of what lies below it.

// Which resources an allowed scope can name, by their types in lower case. With /* it can name something below such a resource:
// Azure assigns no roles on a workflow, so the role is assigned on its site.
@export()
var scopeTypes = [
  'microsoft.batch/batchaccounts'
  'microsoft.web/sites'
  'microsoft.web/sites/*'
  'microsoft.storage/storageaccounts'
  'microsoft.cognitiveservices/accounts'
]

@description('Type of a resource in the resource group that this is deployed to, in lower case.')
param resourceType string

@description('Name of the resource.')
param resourceName string

@description('Name of the custom role: a GUID.')
param roleName string

@description('Object id of the identity that the app acts as.')
param principalId string

var access = {
  roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleName)
  principalId: principalId
  principalType: 'ServicePrincipal'
}

resource batchAccount 'Microsoft.Batch/batchAccounts@2024-07-01' existing = if (resourceType == 'microsoft.batch/batchaccounts') {
  name: resourceName
}

resource onBatchAccount 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (resourceType == 'microsoft.batch/batchaccounts') {
  name: guid(toLower(batchAccount.id), principalId, roleName)
  scope: batchAccount
  properties: access
}

resource site 'Microsoft.Web/sites@2025-03-01' existing = if (resourceType == 'microsoft.web/sites') {
  name: resourceName
}

resource onSite 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (resourceType == 'microsoft.web/sites') {
  name: guid(toLower(site.id), principalId, roleName)
  scope: site
  properties: access
}

resource storageAccount 'Microsoft.Storage/storageAccounts@2025-06-01' existing = if (resourceType == 'microsoft.storage/storageaccounts') {
  name: resourceName
}

resource onStorageAccount 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (resourceType == 'microsoft.storage/storageaccounts') {
  name: guid(toLower(storageAccount.id), principalId, roleName)
  scope: storageAccount
  properties: access
}

resource openAiAccount 'Microsoft.CognitiveServices/accounts@2024-10-01' existing = if (resourceType == 'microsoft.cognitiveservices/accounts') {
  name: resourceName
}

resource onOpenAiAccount 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (resourceType == 'microsoft.cognitiveservices/accounts') {
  name: guid(toLower(openAiAccount.id), principalId, roleName)
  scope: openAiAccount
  properties: access
}
