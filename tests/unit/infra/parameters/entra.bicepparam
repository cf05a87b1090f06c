// Callers of the HTTP API bring a token as well; a vault that `azd down` has deleted comes back, in a group of a given name.
using '../../../../infra/main.bicep'

param environmentName = 'prod'
param location = 'westeurope'
param allowedScopes = '/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-batch'
param entraClientId = '55555555-5555-4555-8555-555555555555'
param entraCallerIds = '66666666-6666-4666-8666-666666666666'
param recoverVault = 'true'
param resourceGroupName = 'rg-of-its-own'
