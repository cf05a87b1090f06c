// Reads where a vault lies: a location cannot come from a resource that the same template only refers to.

@description('Name of a vault in the resource group that this is deployed to.')
param vaultName string

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

output location string = vault.location
