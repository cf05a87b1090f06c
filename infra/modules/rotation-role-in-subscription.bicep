// Defines the custom role in a subscription. People need Microsoft.Authorization/roleDefinitions/write there.
targetScope = 'subscription'

import { rotationPermissions } from 'rotation-permissions.bicep'

@description('Name of the definition: a GUID.')
param name string

@description('What people see. Unique in the tenant.')
param displayName string

@description('Ids of the subscriptions and resource groups where the role can be assigned.')
param assignableScopes array

resource role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: name
  properties: {
    roleName: displayName
    type: 'CustomRole'
    description: 'Reads and regenerates the keys that Azure Key Rotator rotates.'
    assignableScopes: assignableScopes
    permissions: rotationPermissions
  }
}
