// Private endpoints, and a new vault with an operator.
using '../../../../infra/main.bicep'

param environmentName = 'prod'
param location = 'westeurope'
param allowedScopes = '/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-batch'
param operatorPrincipalId = '44444444-4444-4444-8444-444444444444'
param operatorPrincipalType = 'Group'
param privateNetworking = 'true'
param networkPrefix = '10.7.0.0/23'
param callerRanges = '203.0.113.0/24,198.51.100.7/32'
