// A new vault, for those who have none yet.

@description('Region of the vault.')
param location string

@description('Tags of the vault.')
param tags object

@description('Name of the vault: 3 to 24 letters, digits and hyphens.')
@minLength(3)
@maxLength(24)
param name string

@allowed([
  'Enabled'
  'Disabled'
])
@description('Whether the public endpoint answers.')
param publicNetworkAccess string

@allowed([
  'default'
  'recover'
])
@description('`recover` brings back the vault of this name that was deleted.')
param createMode string

@description('Object id of a user or group that may write secrets. Empty grants nobody.')
param operatorPrincipalId string

@description('What operatorPrincipalId is: User, Group or ServicePrincipal.')
param operatorPrincipalType string

@description('Id of the workspace that keeps the audit log.')
param workspaceId string

var keyVaultSecretsOfficer = 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  // Denied with privateNetworking. Without it there is no network to allow: Flex Consumption has no fixed addresses, and Entra tokens and roles guard the secrets.
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    createMode: createMode
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: true
    publicNetworkAccess: publicNetworkAccess
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: publicNetworkAccess == 'Enabled' ? 'Allow' : 'Deny'
    }
  }
}

resource operator 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorPrincipalId)) {
  name: guid(vault.id, operatorPrincipalId, keyVaultSecretsOfficer)
  scope: vault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', keyVaultSecretsOfficer)
    principalId: operatorPrincipalId
    principalType: operatorPrincipalType
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'audit'
        enabled: true
      }
    ]
  }
}
