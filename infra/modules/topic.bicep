// Where the app tells how each rotation ended. Consumers add their own subscriptions.

@description('Region of the topic.')
param location string

@description('Tags of the topic.')
param tags object

@description('Name of the topic.')
param name string

@allowed([
  'Enabled'
  'Disabled'
])
@description('Whether the public endpoint answers.')
param publicNetworkAccess string

@description('Object id of the identity that may publish.')
param senderPrincipalId string

var eventGridDataSender = 'd5a91429-5739-47e2-a06b-3470a27159e7'

resource topic 'Microsoft.EventGrid/topics@2025-02-15' = {
  // Disabled with privateNetworking; otherwise publishing needs an Entra token and the role below.
  // A topic needs an identity to deliver to what asks for tokens. Consumers whose subscription needs one add it with the subscription.
  name: name
  location: location
  tags: tags
  properties: {
    inputSchema: 'CloudEventSchemaV1_0'
    disableLocalAuth: true
    minimumTlsVersionAllowed: '1.2'
    publicNetworkAccess: publicNetworkAccess
  }
}

resource sender 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(topic.id, senderPrincipalId, eventGridDataSender)
  scope: topic
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', eventGridDataSender)
    principalId: senderPrincipalId
    principalType: 'ServicePrincipal'
  }
}

output id string = topic.id
output endpoint string = topic.properties.endpoint
