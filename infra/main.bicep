// Everything but the event subscriptions: those need the function to exist, and are deployed after the code by eventing.bicep.
// Assumption 109 of docs/fidelity.md.
targetScope = 'subscription'

import { distinctIds, idsIn, resourceTypeIn } from 'modules/ids.bicep'
import { scopeTypes } from 'modules/rotation-on-resource.bicep'

@minLength(1)
@maxLength(64)
@description('Name of the azd environment. Names of resources are made from it.')
param environmentName string

@minLength(1)
@description('Region of everything but vaults that exist already. It must offer the Flex Consumption plan.')
@metadata({
  azd: {
    type: 'location'
  }
})
param location string

@minLength(1)
@description('What may be rotated: ids of subscriptions, resource groups or resources, with commas between them, in any subscription of the tenant.')
param allowedScopes string

@description('Resource ids of the Key Vaults whose secrets are rotated, with commas between them, in any subscription of the tenant; they must use Azure RBAC. Empty makes a new vault.')
param vaultIds string = ''

@description('Object id of a user or group that may write the secrets of the new vault. Empty grants nobody but the app.')
param operatorPrincipalId string = ''

@allowed([
  'User'
  'Group'
  'ServicePrincipal'
])
@description('What operatorPrincipalId is.')
param operatorPrincipalType string = 'User'

@allowed([
  'true'
  'false'
])
@description('Bring the new vault back, secrets and all, that `azd down` has deleted: it cannot be made again while it can be recovered.')
param recoverVault string = 'false'

@description('Where alerts are sent. Empty lets them show in the portal only.')
param alertEmail string = ''

// Switches are text: azd makes a bool of text, and takes the default, without a word, for what it cannot read.
@allowed([
  'true'
  'false'
])
@description('Reach storage, vaults and the topic through private endpoints, close the public ones of what is made here, and let only Event Grid and callerRanges call the app.')
param privateNetworking string = 'false'

@description('CIDR ranges that may call the HTTP API, with commas between them. Only with privateNetworking: without it everybody may.')
param callerRanges string = ''

@description('CIDR block of the private network: /23 or larger, and none that it is to be peered with.')
param networkPrefix string = '10.0.0.0/16'

@description('Client id of an app registration. Callers of the HTTP API then sign in to it, and need an app role; function keys open nothing. Empty asks for a function key.')
param entraClientId string = ''

@description('Client ids of the applications that may call the HTTP API with a token, with commas between them: of machines, and of the Azure CLI for people at a command line. Empty lets people in who sign in by a browser, and no application. Only with entraClientId.')
param entraCallerIds string = ''

@minValue(1)
@maxValue(365)
@description('Days before its expiry at which a sweep finds a secret due.')
param leadDays int = 30

@minValue(0)
@maxValue(168)
@description('Hours for which clients may go on with a key that they have read: a key that a secret held until less than that ago is not regenerated. 0 turns that off.')
param graceHours int = 24

@minValue(0)
@maxValue(365)
@description('Days within which each secret is compared with the keys of its target by a sweep. 0 turns that off.')
param verifyDays int = 1

@allowed([
  'rotate'
  'observe'
])
@description('What the app does: `rotate`, or `observe`, which looks at everything and regenerates, stores and tags nothing.')
param rotationMode string = 'rotate'

@allowed([
  'false'
  'true'
])
@description('Ask for a new key at its account before it is stored. `false` stores it unasked.')
param proveKeys string = 'true'

@description('Suffixes of hosts that may be asked with a key besides those of the cloud, with commas between them. A word without a full stop is one host.')
param dataPlaneSuffixes string = ''

@description('When the sweep runs, in UTC, as NCRONTAB: second, minute, hour, day, month, weekday (0 to 6); or a time span hh:mm:ss. Azure refuses 7 as a weekday, L, LW, ?, # and @daily.')
param sweepSchedule string = '0 0 3 * * *'

@minValue(1)
@maxValue(1000)
@description('The most instances of each group of functions. What 40 times 12 rotations at a time ask of Azure Resource Manager fits its limits: see docs/configuration.md.')
param maximumInstanceCount int = 40

@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_GZRS'
])
@description('Copies of the ledger and the queues. Standard_ZRS survives the loss of a zone; regions without zones need another.')
param storageSku string = 'Standard_ZRS'

@minValue(30)
@maxValue(730)
@description('Days that logs are kept.')
param logRetentionDays int = 90

@description('Name of the resource group that is made, and that `azd down` deletes. Empty makes one of the name of the environment.')
param resourceGroupName string = ''

@description('A word of this environment alone, by which the resource group is known for its own: the preprovision hook makes it.')
param environmentId string = ''

@description('Settings of the app besides its own, by name. What is set by hand in the portal is gone after the next deployment.')
param extraSettings object = {}

@description('Leave it out: it is the time of the deployment.')
param deployedOn string = utcNow('yyyy-MM-ddTHH:mm:ssZ')

var abbreviations = loadJsonContent('abbreviations.json')
var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = {
  'azd-env-name': environmentName
}
var groupName = empty(resourceGroupName) ? '${abbreviations.resourcesResourceGroups}rotator-${environmentName}' : resourceGroupName

// Lists arrive as text with commas, as the app's own settings do: azd fills in text only.
var namedScopes = idsIn(allowedScopes)
var namedVaults = idsIn(vaultIds)
var ranges = filter(map(split(callerRanges, ','), item => trim(item)), item => !empty(item))
var callers = filter(map(split(entraCallerIds, ','), item => trim(item)), item => !empty(item))

// Split at its slashes, /subscriptions/{s} has 3 parts, .../resourceGroups/{g} has 5, .../providers/{namespace}/{type}/{name} has 9.
// An id of something below a resource grants on the resource: on a site once, however many of its workflows are named.
var namedIds = filter(namedScopes, item => startsWith(toLower(item), '/subscriptions/'))
var subscriptionScopes = filter(namedIds, item => length(split(item, '/')) == 3)
var groupScopes = filter(namedIds, item => length(split(item, '/')) == 5 && contains(toLower(item), '/resourcegroups/'))
var inResources = filter(namedIds, item => contains(scopeTypes, resourceTypeIn(item)))
var resourceScopes = distinctIds(map(inResources, item => join(take(split(item, '/'), 9), '/')))
var grantedScopes = concat(subscriptionScopes, groupScopes, inResources)

// What is wrong is said before anything is made.
var whatToName = 'the ids of subscriptions, resource groups or resources of these types: ${join(scopeTypes, ', ')}'
var ungrantedScopes = filter(namedScopes, item => !contains(grantedScopes, item))
var scopes = empty(namedScopes)
  ? fail('allowedScopes names nothing that may be rotated: name ${whatToName}')
  : !empty(ungrantedScopes)
      ? fail('allowedScopes holds what no role can be assigned on: ${join(ungrantedScopes, ', ')}. Name ${whatToName}')
      : namedScopes
var strangeVaults = filter(
  namedVaults,
  item => length(split(item, '/')) != 9 || !contains(toLower(item), '/providers/microsoft.keyvault/vaults/')
)
var givenVaults = empty(strangeVaults)
  ? namedVaults
  : fail('vaultIds holds what is no id of a vault: ${join(strangeVaults, ', ')}. Take what `az keyvault show --name my-vault --query id` prints')
var isPrivate = privateNetworking == 'true'
var privateRanges = isPrivate || empty(ranges)
  ? ranges
  : fail('callerRanges has no effect without privateNetworking: everybody could call. Set privateNetworking to true, or leave callerRanges empty')
var clientId = toLower(trim(entraClientId))
var entraCallers = !empty(clientId) || empty(callers)
  ? callers
  : fail('entraCallerIds has no effect without entraClientId: everybody who knows a function key could call. Set entraClientId, or leave entraCallerIds empty')
var fieldsOfSchedule = filter(split(sweepSchedule, ' '), item => !empty(item))
var schedule = length(fieldsOfSchedule) == 6 || (length(fieldsOfSchedule) == 1 && length(split(sweepSchedule, ':')) == 3)
  ? sweepSchedule
  : fail('sweepSchedule is neither six fields (second, minute, hour, day, month, weekday) nor a time span hh:mm:ss: ${sweepSchedule}. Daily at three is 0 0 3 * * *')

// A test holds these names to those of function-app.bicep.
var ownSettings = [
  'ROTATION_VAULTS'
  'ROTATION_ALLOWED_SCOPES'
  'ROTATION_TOPIC_ENDPOINT'
  'ROTATION_LEAD_DAYS'
  'ROTATION_GRACE_HOURS'
  'ROTATION_VERIFY_DAYS'
  'ROTATION_MODE'
  'ROTATION_AUTHENTICATION'
  'ROTATION_PROVE_KEYS'
  'ROTATION_DATA_PLANE_SUFFIXES'
  'ROTATION_SWEEP_SCHEDULE'
  'ROTATION_CLOUD'
  'ROTATION_ARM_ENDPOINT'
  'ROTATION_VERIFY_VAULT_DOMAIN'
  'AZURE_CLIENT_ID'
  'AzureWebJobsStorage__credential'
  'AzureWebJobsStorage__clientId'
  'AzureWebJobsStorage__blobServiceUri'
  'AzureWebJobsStorage__queueServiceUri'
  'AzureWebJobsStorage__tableServiceUri'
  'APPLICATIONINSIGHTS_CONNECTION_STRING'
  'APPLICATIONINSIGHTS_AUTHENTICATION_STRING'
  'OTEL_TRACES_SAMPLER'
  'OTEL_TRACES_SAMPLER_ARG'
]
var settingsTwice = intersection(ownSettings, objectKeys(extraSettings))
var addedSettings = empty(settingsTwice)
  ? extraSettings
  : fail('extraSettings holds what has a parameter of its own, or has to be as it is: ${join(settingsTwice, ', ')}')

var publicAccess = isPrivate ? 'Disabled' : 'Enabled'
var makesVault = empty(namedVaults)
var newVaultName = '${abbreviations.keyVaultVaults}${token}'
var newVaultId = '${subscription().id}/resourceGroups/${groupName}/providers/Microsoft.KeyVault/vaults/${newVaultName}'
var vaults = makesVault ? [newVaultId] : givenVaults
var vaultUris = map(
  vaults,
  vaultId => 'https://${toLower(split(vaultId, '/')[8])}${environment().suffixes.keyvaultDns}'
)

// A custom role can be assignable on subscriptions and resource groups, not on single resources.
var assignableScopes = distinctIds(map(scopes, item => join(take(split(item, '/'), 5), '/')))
var rotationRoleName = guid(subscription().id, environmentName, location, 'rotation')
var rotationRoleTitle = 'Azure Key Rotator ${environmentName} ${token}'
// It is defined in the first of them: in a resource group where it is one, because more people may there.
var rolePlaces = take(assignableScopes, 1)
var roleGroups = filter(rolePlaces, item => length(split(item, '/')) == 5)
var roleSubscriptions = filter(rolePlaces, item => length(split(item, '/')) == 3)

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: groupName
  location: location
  tags: union(tags, {
    'azure-key-rotator': environmentId
  })
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    location: location
    tags: tags
    name: '${abbreviations.managedIdentityUserAssignedIdentities}rotator-${token}'
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    location: location
    tags: tags
    workspaceName: '${abbreviations.operationalInsightsWorkspaces}${token}'
    applicationInsightsName: '${abbreviations.insightsComponents}${token}'
    retentionDays: logRetentionDays
    publisherPrincipalId: identity.outputs.principalId
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    location: location
    tags: tags
    name: '${abbreviations.storageStorageAccounts}${token}'
    sku: storageSku
    isPrivate: isPrivate
    appPrincipalId: identity.outputs.principalId
  }
}

module topic 'modules/topic.bicep' = {
  name: 'topic'
  scope: group
  params: {
    location: location
    tags: tags
    name: '${abbreviations.eventGridTopics}${token}'
    publicNetworkAccess: publicAccess
    senderPrincipalId: identity.outputs.principalId
  }
}

module vault 'modules/vault.bicep' = if (makesVault) {
  name: 'vault'
  scope: group
  params: {
    location: location
    tags: tags
    name: newVaultName
    publicNetworkAccess: publicAccess
    createMode: recoverVault == 'true' ? 'recover' : 'default'
    operatorPrincipalId: operatorPrincipalId
    operatorPrincipalType: operatorPrincipalType
    workspaceId: monitoring.outputs.workspaceId
  }
}

module vaultAccess 'modules/vault-access.bicep' = [
  for (vaultId, index) in vaults: {
    name: 'vault-access-${token}-${index}'
    scope: resourceGroup(split(vaultId, '/')[2], split(vaultId, '/')[4])
    params: {
      vaultName: split(vaultId, '/')[8]
      principalId: identity.outputs.principalId
    }
    dependsOn: [
      vault
    ]
  }
]

module roleInGroup 'modules/rotation-role-in-group.bicep' = [
  for place in roleGroups: {
    name: 'rotation-role-${token}'
    scope: resourceGroup(split(place, '/')[2], split(place, '/')[4])
    params: {
      name: rotationRoleName
      displayName: rotationRoleTitle
      assignableScopes: assignableScopes
    }
  }
]

module roleInSubscription 'modules/rotation-role-in-subscription.bicep' = [
  for place in roleSubscriptions: {
    name: 'rotation-role-${token}'
    scope: subscription(split(place, '/')[2])
    params: {
      name: rotationRoleName
      displayName: rotationRoleTitle
      assignableScopes: assignableScopes
    }
  }
]

module rotationOnSubscriptions 'modules/rotation-on-subscription.bicep' = [
  for (target, index) in subscriptionScopes: {
    name: 'rotation-on-subscription-${token}-${index}'
    scope: subscription(split(target, '/')[2])
    params: {
      roleName: rotationRoleName
      principalId: identity.outputs.principalId
    }
    dependsOn: [
      roleInGroup
      roleInSubscription
    ]
  }
]

module rotationOnGroups 'modules/rotation-on-resource-group.bicep' = [
  for (target, index) in groupScopes: {
    name: 'rotation-on-group-${token}-${index}'
    scope: resourceGroup(split(target, '/')[2], split(target, '/')[4])
    params: {
      roleName: rotationRoleName
      principalId: identity.outputs.principalId
    }
    dependsOn: [
      roleInGroup
      roleInSubscription
    ]
  }
]

module rotationOnResources 'modules/rotation-on-resource.bicep' = [
  for (target, index) in resourceScopes: {
    name: 'rotation-on-resource-${token}-${index}'
    scope: resourceGroup(split(target, '/')[2], split(target, '/')[4])
    params: {
      resourceType: resourceTypeIn(target)
      resourceName: split(target, '/')[8]
      roleName: rotationRoleName
      principalId: identity.outputs.principalId
    }
    dependsOn: [
      roleInGroup
      roleInSubscription
    ]
  }
]

module network 'modules/network.bicep' = if (isPrivate) {
  name: 'network'
  scope: group
  params: {
    location: location
    tags: tags
    name: '${abbreviations.networkVirtualNetworks}${token}'
    prefix: networkPrefix
    endpointPrefix: abbreviations.networkPrivateEndpoints
    storageId: storage.outputs.id
    topicId: topic.outputs.id
    vaultIds: vaults
  }
  dependsOn: [
    vault
  ]
}

module functionApp 'modules/function-app.bicep' = {
  name: 'function-app'
  scope: group
  params: {
    location: location
    tags: tags
    planName: '${abbreviations.webServerFarms}${token}'
    name: '${abbreviations.webSitesFunctions}${token}'
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    storageName: storage.outputs.name
    packageContainerName: storage.outputs.packageContainerName
    applicationInsightsName: monitoring.outputs.applicationInsightsName
    topicEndpoint: topic.outputs.endpoint
    vaultUris: vaultUris
    allowedScopes: scopes
    leadDays: leadDays
    graceHours: graceHours
    verifyDays: verifyDays
    rotationMode: rotationMode
    authentication: empty(clientId) ? 'key' : 'entra'
    proveKeys: proveKeys
    dataPlaneSuffixes: dataPlaneSuffixes
    sweepSchedule: schedule
    maximumInstanceCount: maximumInstanceCount
    isPrivate: isPrivate
    subnetId: isPrivate ? network!.outputs.appSubnetId : ''
    callerRanges: privateRanges
    extraSettings: addedSettings
  }
}

module authentication 'modules/entra-authentication.bicep' = {
  name: 'authentication'
  scope: group
  params: {
    appName: functionApp.outputs.name
    clientId: clientId
    callerIds: entraCallers
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: tags
    namePrefix: 'rotator-${token}'
    actionGroupName: '${abbreviations.insightsActionGroups}${token}'
    email: alertEmail
    workspaceId: monitoring.outputs.workspaceId
    vaultUris: vaultUris
    deployedOn: deployedOn
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  scope: group
  params: {
    location: location
    tags: tags
    displayName: 'Azure Key Rotator ${environmentName}'
    workspaceId: monitoring.outputs.workspaceId
  }
}

output AZURE_LOCATION string = location
output AZURE_TENANT_ID string = tenant().tenantId
output AZURE_RESOURCE_GROUP string = group.name
output AZURE_FUNCTION_APP_NAME string = functionApp.outputs.name
output AZURE_FUNCTION_APP_URL string = functionApp.outputs.url
output AZURE_KEY_VAULT_IDS string = join(vaults, ',')
output AZURE_KEY_VAULT_NAME string = split(vaults[0], '/')[8]
output AZURE_TOPIC_ID string = topic.outputs.id
output AZURE_WORKSPACE_ID string = monitoring.outputs.workspaceId

// What eventing.bicep is told by the postdeploy hook.
output EVENTING_FUNCTION_APP_ID string = functionApp.outputs.id
output EVENTING_STORAGE_ID string = storage.outputs.id
output EVENTING_DEAD_LETTER_CONTAINER string = storage.outputs.deadLetterContainerName
output EVENTING_ACTION_GROUP_ID string = alerts.outputs.actionGroupId
