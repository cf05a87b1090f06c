// The Function App on a Flex Consumption plan. It holds no key: storage, deployment and telemetry go by its identity.
// Assumptions 99 and 101 of docs/fidelity.md.

@description('Region of the plan and the app.')
param location string

@description('Tags of the plan and the app.')
param tags object

@description('Name of the plan.')
param planName string

@description('Name of the app.')
param name string

@description('Resource id of the identity that the app acts as.')
param identityId string

@description('Client id of the identity that the app acts as.')
param identityClientId string

@description('Name of the storage account, in this resource group.')
param storageName string

@description('Name of the container that the package is deployed to.')
param packageContainerName string

@description('Name of the Application Insights component, in this resource group.')
param applicationInsightsName string

@description('Endpoint of the topic that outcomes are published to.')
param topicEndpoint string

@description('URIs of the vaults that are read and written.')
param vaultUris array

@description('Ids of what may be rotated.')
param allowedScopes array

@description('Days before its expiry at which a sweep finds a secret due.')
param leadDays int

@description('Hours for which clients may go on with a key that they have read.')
param graceHours int

@description('Days within which each secret is compared with the keys of its target.')
param verifyDays int

@description('What the app does: `rotate` or `observe`.')
param rotationMode string

@description('Who may call the HTTP API: `key` or `entra`. With the latter, entra-authentication.bicep turns the sign-in of App Service on.')
param authentication string

@description('Whether a new key is asked for before it is stored: `true` or `false`.')
param proveKeys string

@description('Suffixes of hosts that may be asked with a key besides those of the cloud.')
param dataPlaneSuffixes string

@description('When the sweep runs, in UTC.')
param sweepSchedule string

@description('The most instances.')
param maximumInstanceCount int

@description('Let only Event Grid and callerRanges in.')
param isPrivate bool

@description('Id of the subnet that the app sends through. Empty: none.')
param subnetId string

@description('CIDR ranges that may call the app when isPrivate.')
param callerRanges array

@description('Settings of the app besides its own, by name.')
param extraSettings object

// Azure Resource Manager has another name for the public cloud than the SDKs.
var clouds = {
  AzureCloud: 'AzurePublicCloud'
  AzureUSGovernment: 'AzureUSGovernment'
  AzureChinaCloud: 'AzureChinaCloud'
}
var eventGridRule = [
  {
    name: 'event-grid'
    description: 'Delivers the events of Key Vault.'
    tag: 'ServiceTag'
    ipAddress: 'AzureEventGrid'
    action: 'Allow'
    priority: 100
  }
]
var callerRules = [
  for (range, index) in callerRanges: {
    name: 'caller-${index}'
    description: 'Calls the HTTP API.'
    ipAddress: range
    action: 'Allow'
    priority: 200 + index
  }
]

resource storage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageName
}

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  // Not offered in every region of Flex Consumption, and it keeps instances running. An outage delays a rotation and loses none: thirty days are left.
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  // Event Grid delivers to the public endpoint. With privateNetworking it alone and callerRanges get in.
  // Event Grid has no client certificate. Every call but health and the page needs a key, or with entraClientId a sign-in.
  // It runs on events: instances come with work and go with it.
  // Flex Consumption replaces its instances by itself and takes no health check path.
  name: name
  location: location
  // azd finds by it where to deploy the service of azure.yaml.
  tags: union(tags, {
    'azd-service-name': 'rotator'
  })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    publicNetworkAccess: 'Enabled'
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${packageContainerName}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: 2048
        maximumInstanceCount: maximumInstanceCount
      }
    }
    // Flex Consumption refuses what it does not know here, such as ftpsState: it has no FTP.
    siteConfig: {
      http20Enabled: true
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      remoteDebuggingEnabled: false
      ipSecurityRestrictionsDefaultAction: isPrivate ? 'Deny' : 'Allow'
      ipSecurityRestrictions: isPrivate ? concat(eventGridRule, callerRules) : []
      // Deployments come from anywhere, with an Entra token.
      scmIpSecurityRestrictionsUseMain: false
    }
  }
}

var ownSettings = {
  ROTATION_VAULTS: join(vaultUris, ',')
  ROTATION_ALLOWED_SCOPES: join(allowedScopes, ',')
  ROTATION_TOPIC_ENDPOINT: topicEndpoint
  ROTATION_LEAD_DAYS: string(leadDays)
  ROTATION_GRACE_HOURS: string(graceHours)
  ROTATION_VERIFY_DAYS: string(verifyDays)
  ROTATION_MODE: rotationMode
  ROTATION_AUTHENTICATION: authentication
  ROTATION_PROVE_KEYS: proveKeys
  ROTATION_DATA_PLANE_SUFFIXES: dataPlaneSuffixes
  ROTATION_SWEEP_SCHEDULE: sweepSchedule
  ROTATION_CLOUD: clouds[environment().name]
  ROTATION_ARM_ENDPOINT: environment().resourceManager
  ROTATION_VERIFY_VAULT_DOMAIN: 'true'
  AZURE_CLIENT_ID: identityClientId
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  AzureWebJobsStorage__blobServiceUri: storage.properties.primaryEndpoints.blob
  AzureWebJobsStorage__queueServiceUri: storage.properties.primaryEndpoints.queue
  AzureWebJobsStorage__tableServiceUri: storage.properties.primaryEndpoints.table
  APPLICATIONINSIGHTS_CONNECTION_STRING: applicationInsights.properties.ConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  // Everything is kept: by default the host keeps five traces a second, and drops the log lines of the others with them.
  OTEL_TRACES_SAMPLER: 'microsoft.fixed_percentage'
  OTEL_TRACES_SAMPLER_ARG: '1'
}

// This replaces all settings that the app had.
resource settings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  name: 'appsettings'
  properties: union(ownSettings, extraSettings)
}

// No user name and password for deployments either.
resource ftpCredentials 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource scmCredentials 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

output id string = app.id
output name string = app.name
output url string = 'https://${app.properties.defaultHostName}'
