// Vaults and scopes in two subscriptions; the first scope is a whole subscription, and not the app's.
using '../../../../infra/main.bicep'

param environmentName = 'prod'
param location = 'westeurope'
param allowedScopes = '/subscriptions/22222222-2222-4222-8222-222222222222,/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-batch'
param vaultIds = '/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-one/providers/Microsoft.KeyVault/vaults/kv-one,/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/rg-other/providers/Microsoft.KeyVault/vaults/kv-other'
