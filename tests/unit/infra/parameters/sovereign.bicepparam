// Private endpoints and tokens in a cloud of its own.
using '../../../../infra/main.bicep'

param environmentName = 'prod'
param location = 'usgovvirginia'
param allowedScopes = '/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-batch'
param privateNetworking = 'true'
param entraClientId = '55555555-5555-4555-8555-555555555555'
param entraCallerIds = '66666666-6666-4666-8666-666666666666'
