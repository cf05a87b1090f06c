// Two identities, so that what Event Grid may do is not what the app may do.

@description('Region of the identities.')
param location string

@description('Tags of the identities.')
param tags object

@description('Name of the identity that the app acts as.')
param appName string

@description('Name of the identity that Event Grid stores undelivered events with.')
param eventsName string

resource app 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: appName
  location: location
  tags: tags
}

resource events 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: eventsName
  location: location
  tags: tags
}

output appId string = app.id
output appClientId string = app.properties.clientId
output appPrincipalId string = app.properties.principalId
output eventsId string = events.id
output eventsPrincipalId string = events.properties.principalId
