// Reads who a system topic is that was there before. It is never written: that would replace its identity, and break what others deliver with it.

@description('Name of a system topic in the resource group that this is deployed to.')
param name string

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: name
}

@description('Object id of its system-assigned identity. Empty: it has none.')
output principalId string = topic.?identity.?principalId ?? ''
