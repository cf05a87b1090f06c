// Lets the app rotate the keys of all workflows of one Logic App (Standard).

@description('Name of a Logic App (Standard) in the resource group that this is deployed to.')
param siteName string

@description('Name of the custom role: a GUID.')
param roleName string

@description('Object id of the identity that the app acts as.')
param principalId string

resource site 'Microsoft.Web/sites@2025-03-01' existing = {
  name: siteName
}

resource access 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(toLower(site.id), principalId, roleName)
  scope: site
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleName)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}
