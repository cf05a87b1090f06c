// The event subscriptions, deployed after the code: a subscription is refused while its function does not exist.
targetScope = 'subscription'

@minLength(1)
@maxLength(64)
@description('Name of the azd environment, as for main.bicep.')
param environmentName string

@minLength(1)
@description('Resource ids of the vaults whose events are delivered, with commas between them.')
param vaultIds string

@description('Resource id of the Function App.')
param functionAppId string

@description('Resource id of the identity that undelivered events are stored with.')
param identityId string

@description('Resource id of the storage account that undelivered events are stored in.')
param storageId string

@description('Name of the container that undelivered events are stored in.')
param deadLetterContainer string

@description('Resource id of the action group that is told of undelivered events.')
param actionGroupId string

var abbreviations = loadJsonContent('abbreviations.json')
var tags = {
  'azd-env-name': environmentName
}
var vaults = filter(map(split(vaultIds, ','), item => trim(item)), item => !empty(item))

module vaultEvents 'modules/vault-events.bicep' = [
  for (vaultId, index) in vaults: {
    name: 'vault-events-${uniqueString(functionAppId)}-${index}'
    scope: resourceGroup(split(vaultId, '/')[2], split(vaultId, '/')[4])
    params: {
      vaultName: split(vaultId, '/')[8]
      tags: tags
      topicName: '${abbreviations.eventGridSystemTopics}${split(vaultId, '/')[8]}'
      functionAppId: functionAppId
      identityId: identityId
      storageId: storageId
      deadLetterContainer: deadLetterContainer
      actionGroupId: actionGroupId
    }
  }
]

output AZURE_SYSTEM_TOPIC_IDS array = [for (vaultId, index) in vaults: vaultEvents[index].outputs.topicId]
