// One scope of each kind, some of them in two spellings; the first is no group and no subscription.
using '../../../../infra/main.bicep'

param environmentName = 'prod'
param location = 'westeurope'
param allowedScopes = '/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-batch/providers/Microsoft.Batch/batchAccounts/prodbatch, /subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-apps/providers/Microsoft.Web/sites/orders/workflows/one, /subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-apps/providers/Microsoft.Web/sites/orders/workflows/two, /subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-more, /subscriptions/11111111-1111-4111-8111-111111111111/resourcegroups/RG-More, /subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/RG-BATCH/providers/Microsoft.Batch/batchAccounts/ProdBatch, /subscriptions/11111111-1111-4111-8111-111111111111'
