// Four vaults: two of one group, one of them named twice; one has a system topic already, in another group; one lies in another subscription.
using '../../../../infra/eventing.bicep'

param environmentName = 'prod'
param vaultIds = '/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-one/providers/Microsoft.KeyVault/vaults/kv-one,/subscriptions/11111111-1111-4111-8111-111111111111/resourcegroups/RG-ONE/providers/Microsoft.KeyVault/vaults/KV-ONE,/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-one/providers/Microsoft.KeyVault/vaults/kv-beside,/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-two/providers/Microsoft.KeyVault/vaults/KV-Two,/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/rg-other/providers/Microsoft.KeyVault/vaults/kv-other'
param existingTopics = '/subscriptions/11111111-1111-4111-8111-111111111111/resourcegroups/RG-TWO/providers/microsoft.keyvault/vaults/kv-two=/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-events/providers/Microsoft.EventGrid/systemTopics/topic-of-kv-two'
param functionAppId = '/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-prod/providers/Microsoft.Web/sites/func-app'
param storageId = '/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-prod/providers/Microsoft.Storage/storageAccounts/stapp'
param deadLetterContainer = 'dead-letters'
param actionGroupId = '/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-prod/providers/Microsoft.Insights/actionGroups/ag-app'
