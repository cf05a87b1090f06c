// The event subscriptions, deployed after the code: a subscription is refused while its function does not exist.
// Assumption 102 of docs/fidelity.md.
targetScope = 'subscription'

import { idsIn } from 'modules/ids.bicep'

@minLength(1)
@maxLength(64)
@description('Name of the azd environment, as for main.bicep.')
param environmentName string

@description('Resource ids of the vaults whose events are delivered, with commas between them. Empty: of none.')
param vaultIds string

@description('Vaults that have a system topic already, each as {id of the vault}={id of its topic}, with commas between them. A vault can have no second one, and this one is never written.')
param existingTopics string = ''

@description('Resource id of the Function App.')
param functionAppId string

@description('Resource id of the storage account that undelivered events are stored in.')
param storageId string

@description('Name of the container that undelivered events are stored in.')
param deadLetterContainer string

@description('Resource id of the action group that undelivered events alert.')
param actionGroupId string

var abbreviations = loadJsonContent('abbreviations.json')
var tags = {
  'azd-env-name': environmentName
}
// Two environments may rotate the secrets of one vault: their subscriptions lie on the same topic.
var name = 'azure-key-rotator-${uniqueString(functionAppId)}'

var vaults = idsIn(vaultIds)
var pairs = map(filter(split(existingTopics, ','), item => !empty(trim(item))), item => split(trim(item), '='))
var adopted = toObject(pairs, pair => toLower(pair[0]), pair => pair[1])

// A new topic lies beside its vault.
var topics = map(
  vaults,
  vault =>
    adopted[?toLower(vault)] ?? '${join(take(split(vault, '/'), 5), '/')}/providers/Microsoft.EventGrid/systemTopics/${abbreviations.eventGridSystemTopics}${split(vault, '/')[8]}'
)

module locations 'modules/vault-location.bicep' = [
  for (vault, index) in vaults: if (!contains(adopted, toLower(vault))) {
    name: 'location-${uniqueString(functionAppId)}-${index}'
    scope: resourceGroup(split(vault, '/')[2], split(vault, '/')[4])
    params: {
      vaultName: split(vault, '/')[8]
    }
  }
]

module newTopics 'modules/system-topic.bicep' = [
  for (vault, index) in vaults: if (!contains(adopted, toLower(vault))) {
    name: 'topic-${uniqueString(functionAppId)}-${index}'
    scope: resourceGroup(split(vault, '/')[2], split(vault, '/')[4])
    params: {
      location: locations[index]!.outputs.location
      tags: tags
      name: split(topics[index], '/')[8]
      vaultName: split(vault, '/')[8]
    }
  }
]

module adoptedTopics 'modules/system-topic-identity.bicep' = [
  for (vault, index) in vaults: if (contains(adopted, toLower(vault))) {
    name: 'adopted-topic-${uniqueString(functionAppId)}-${index}'
    scope: resourceGroup(split(topics[index], '/')[2], split(topics[index], '/')[4])
    params: {
      name: split(topics[index], '/')[8]
    }
  }
]

module deadLetterAccess 'modules/dead-letter-access.bicep' = [
  for (vault, index) in vaults: {
    name: 'dead-letters-${uniqueString(functionAppId)}-${index}'
    scope: resourceGroup(split(storageId, '/')[2], split(storageId, '/')[4])
    params: {
      storageName: split(storageId, '/')[8]
      containerName: deadLetterContainer
      principalId: contains(adopted, toLower(vault))
        ? adoptedTopics[index]!.outputs.principalId
        : newTopics[index]!.outputs.principalId
    }
  }
]

module vaultEvents 'modules/vault-events.bicep' = [
  for (vault, index) in vaults: {
    name: 'events-${uniqueString(functionAppId)}-${index}'
    scope: resourceGroup(split(topics[index], '/')[2], split(topics[index], '/')[4])
    params: {
      topicName: split(topics[index], '/')[8]
      vaultName: split(vault, '/')[8]
      tags: tags
      name: name
      functionAppId: functionAppId
      storageId: storageId
      deadLetterContainer: deadLetterContainer
      keepsDeadLetters: deadLetterAccess[index].outputs.isGranted
      actionGroupId: actionGroupId
    }
  }
]

output AZURE_SYSTEM_TOPIC_IDS array = topics
