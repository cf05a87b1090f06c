// Makes the system topic of a vault that has none. It lies in the vault's resource group and region.
// Assumption 103 of docs/fidelity.md.

@description('Region of the topic: that of its vault.')
param location string

@description('Tags of the topic.')
param tags object

@description('Name of the topic.')
param name string

@description('Name of a vault in the resource group that this is deployed to.')
param vaultName string

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: name
  location: location
  tags: tags
  // Behind a storage firewall dead letters get through with this kind of identity only.
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    source: vault.id
    topicType: 'Microsoft.KeyVault.vaults'
  }
}

output principalId string = topic.identity.principalId
