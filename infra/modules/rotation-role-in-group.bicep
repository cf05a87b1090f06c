// Defines the custom role in a resource group, which asks for no right on its subscription. The id is the subscription's all the same.
// Assumption 106 of docs/fidelity.md.

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
