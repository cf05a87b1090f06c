// Brings the events of one vault to the app, and raises alerts about those that were not delivered.

@description('Name of the vault\'s system topic, in the resource group that this is deployed to.')
param topicName string

@description('Name of the vault.')
param vaultName string

@description('Tags of the alert.')
param tags object

@description('Name of the event subscription, and what names of alerts begin with. Another environment\'s on the same topic must differ.')
param name string

@description('Resource id of the Function App.')
param functionAppId string

@description('Resource id of the storage account that undelivered events are stored in.')
param storageId string

@description('Name of the container that undelivered events are stored in.')
param deadLetterContainer string

@description('Whether the topic has an identity to store undelivered events with. Without one they are dropped.')
param keepsDeadLetters bool

@description('Resource id of the action group that undelivered events alert.')
param actionGroupId string

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: topicName
}

resource eventSubscription 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: name
  properties: {
    destination: {
      endpointType: 'AzureFunction'
      properties: {
        resourceId: '${functionAppId}/functions/on_secret_event'
        maxEventsPerBatch: 1
        preferredBatchSizeInKilobytes: 64
      }
    }
    eventDeliverySchema: 'EventGridSchema'
    filter: {
      includedEventTypes: [
        'Microsoft.KeyVault.SecretNearExpiry'
        'Microsoft.KeyVault.SecretExpired'
      ]
    }
    retryPolicy: {
      maxDeliveryAttempts: 30
      eventTimeToLiveInMinutes: 1440
    }
    deadLetterWithResourceIdentity: keepsDeadLetters
      ? {
          identity: {
            type: 'SystemAssigned'
          }
          deadLetterDestination: {
            endpointType: 'StorageBlob'
            properties: {
              resourceId: storageId
              blobContainerName: deadLetterContainer
            }
          }
        }
      : null
  }
}

var losses = [
  {
    metric: 'DeadLetteredCount'
    description: 'Events of vault ${vaultName} could not be delivered for a day, or the app refused them: they lie in the container ${deadLetterContainer}. The sweep finds what they were about.'
  }
  {
    metric: 'DroppedEventCount'
    description: 'Events of vault ${vaultName} could not be delivered, and not be kept as dead letters either: the system topic has no identity, or may not write to the container ${deadLetterContainer}. The sweep finds what they were about.'
  }
]

resource undelivered 'Microsoft.Insights/metricAlerts@2018-03-01' = [
  for loss in losses: {
    // Several vaults of one group have their alerts there.
    name: '${name}-${uniqueString(topic.id)}-${loss.metric}'
    location: 'global'
    tags: tags
    properties: {
      description: loss.description
      severity: 2
      enabled: true
      autoMitigate: true
      scopes: [
        topic.id
      ]
      evaluationFrequency: 'PT5M'
      windowSize: 'PT15M'
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            criterionType: 'StaticThresholdCriterion'
            name: 'undelivered'
            metricNamespace: 'Microsoft.EventGrid/systemTopics'
            metricName: loss.metric
            // Others may subscribe to the same topic. Whether a value is compared in the case in which it was given is not documented.
            dimensions: [
              {
                name: 'EventSubscriptionName'
                operator: 'Include'
                values: [
                  name
                  toUpper(name)
                ]
              }
            ]
            timeAggregation: 'Total'
            operator: 'GreaterThan'
            threshold: 0
            // The metric is not there before the first such event.
            skipMetricValidation: true
          }
        ]
      }
      actions: [
        {
          actionGroupId: actionGroupId
        }
      ]
    }
  }
]
