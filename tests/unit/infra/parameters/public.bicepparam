// Reached over public endpoints; two vaults that were there before, in groups of their own.
using '../../../../infra/main.bicep'

param environmentName = 'prod'
param location = 'westeurope'
param allowedScopes = '/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-batch'
param vaultIds = '/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-one/providers/Microsoft.KeyVault/vaults/kv-one, /subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-two/providers/Microsoft.KeyVault/vaults/KV-Two'
param alertEmail = 'oncall@example.com'
param leadDays = 45
param graceHours = 0
param deployedOn = '2026-11-28T03:00:00Z'
param environmentId = 'an-id-of-its-own'
param extraSettings = {
  HTTPS_PROXY: 'http://proxy.example.com:3128'
}
